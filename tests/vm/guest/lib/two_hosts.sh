# Two hosts on one kernel, each with controllers and disks of its own.

RESERVATION=$VM/guest/lib/reserve.py

# Two hosts on one kernel would be two paths of one host to its multipath code: here each has a disk of its own.
without_multipath() {
    modprobe -r nvme-rdma nvme-tcp nvme-fabrics nvme nvme-core || fail "a module of NVMe is in use"
    modprobe nvme-core multipath=N
}
with_multipath() {
    modprobe -r nvme-rdma nvme-tcp nvme-fabrics nvme nvme-core || true
    modprobe nvme-core multipath=Y
}

RECONNECTS=ctrl_loss_tmo=60,reconnect_delay=1

# connect_as NQN ID [TRANSPORT ADDRESS]: the controller's name in CONTROLLER.
connect_as() {
    local before transport=${3:-tcp} address=${4:-127.0.0.1}
    before=$(controllers)
    # nvme-cli takes a second host at the same address for the first one.
    echo "transport=$transport,traddr=$address,trsvcid=$PORT,nqn=$NQN,hostnqn=$1,hostid=$2,nr_io_queues=1,$RECONNECTS" \
        > /dev/nvme-fabrics
    wait_for "the controller of $1 is live" $DEVICE_SECONDS all_controllers_live
    CONTROLLER=$(comm -13 <(sort <<< "$before") <(controllers | sort))
}
# disk_of CONTROLLER: its disk of namespace 1, which the kernel numbers as it finds them.
disk_of() {
    local folder
    for folder in /sys/block/"$1"n*; do
        attribute "$folder/nsid" && [ "$REPLY" = 1 ] && [ -b "/dev/${folder##*/}" ] || continue
        echo "/dev/${folder##*/}"
        return
    done
    return 1
}
writes() { dd if=/dev/zero of="$1" bs=4096 count=1 oflag=direct status=none 2> "$WORK/dd"; }
reads() { dd if="$1" of=/dev/null bs=4096 count=1 iflag=direct status=none 2> "$WORK/dd"; }
may() { "$1" "$2" || fail "$1 of $2 failed: $(cat "$WORK/dd")"; }           # writes|reads DISK
may_not() { ! "$1" "$2" || fail "$1 of $2 was let through by the reservation"; } # likewise
pr() { python3 "$RESERVATION" "$@"; }
