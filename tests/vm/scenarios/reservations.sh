#!/bin/bash
# Two hosts of one kernel share a namespace: each type lets through what it may, a preempted host stays out, also over a restart.
# shape: memory=2048 disk=4G
# deadline: 240
# needs: target

OTHER_NQN=nqn.2014-08.org.nvmexpress:uuid:6d0c7b3e-54a1-4d6e-9a1f-000000000002
OTHER_ID=6d0c7b3e-54a1-4d6e-9a1f-000000000002
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

# connect_as NQN ID: the controller's name in CONTROLLER.
connect_as() {
    local before
    before=$(controllers)
    # nvme-cli takes a second host at the same address for the first one.
    echo "transport=tcp,traddr=127.0.0.1,trsvcid=$PORT,nqn=$NQN,hostnqn=$1,hostid=$2,nr_io_queues=1,ctrl_loss_tmo=60,reconnect_delay=1" \
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
shown() { rest 200 GET "/v1/subsystems/$NQN/namespaces/1" | jq -r ".status.reservation$1"; }

without_multipath
modprobe nvme-tcp
target_start two-files
connect_as "$HOST_NQN" "$HOST_ID"
first=$CONTROLLER
connect_as "$OTHER_NQN" "$OTHER_ID"
second=$CONTROLLER
wait_for "a disk of the first host" $DEVICE_SECONDS disk_of "$first"
wait_for "a disk of the second host" $DEVICE_SECONDS disk_of "$second"
a=$(disk_of "$first")
b=$(disk_of "$second")

step "nvme-cli: the holder writes, others read"
nvme resv-register "$a" -n 1 --nrkey=0xa --rrega=0
nvme resv-acquire "$a" -n 1 --crkey=0xa --rtype=1 --racqa=0
may writes "$a"
may reads "$b"
may_not writes "$b"
nvme resv-report "$b" -n 1 --eds -o json > "$LOGS/report.json"
expect_equal "registrants in the report" 1 "$(jq .regctl "$LOGS/report.json")"
expect_equal "type in the report" 1 "$(jq .rtype "$LOGS/report.json")"
expect_equal "type that fulmard shows" write-exclusive "$(shown .type)"
fulmar_says=$("$FULMAR_BUILD/bin/fulmar" namespace show $NQN 1 --admin "$(admin_socket)")
expect "the tool names the holder" grep -q "held by.*${HOST_ID//-/}" <<< "$fulmar_says"
nvme resv-release "$a" -n 1 --crkey=0xa --rtype=1 --rrela=0
may writes "$b"
nvme resv-register "$a" -n 1 --crkey=0xa --rrega=1

step "the kernel's own reservations: register, reserve, preempt under load"
pr "$a" register 0 0x1a
pr "$b" register 0 0x1b
pr "$b" reserve 0x1b write-exclusive-registrants
fio_begin victim "$b" --rw=randwrite --size=16M --rate_iops=,200 --verify=0 --io_size=1G
sectors_moved "$b"
wait_for "the victim writes" 30 moved_more_than "$b" "$REPLY"
pr "$a" preempt-abort 0x1a 0x1b write-exclusive-registrants
fio_end_with_error victim 20
expect_equal "error of the victim (EBADE)" 52 "$REPLY"
may writes "$a"
may_not writes "$b"

step "a fenced host stays fenced over kill -9 and a restart"
target_kill
target_again
wait_for "both controllers are live again" 60 all_controllers_live
may_not writes "$b"
may writes "$a"
expect_equal "registrants after the restart" 1 "$(shown '.registrants | length')"

step "whoever is let in again registers, and clears"
pr "$b" register 0 0x2b
may writes "$b"
pr "$a" clear 0x1a
expect_equal "registrants after Clear" 0 "$(shown '.registrants | length')"
may writes "$b"
target_health
disconnect_all
target_stop
with_multipath
