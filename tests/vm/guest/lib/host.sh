# The Linux kernel as NVMe host: discover, connect, find the block devices, disconnect.

HOST_NQN=nqn.2014-08.org.nvmexpress:uuid:6d0c7b3e-54a1-4d6e-9a1f-000000000001
HOST_ID=6d0c7b3e-54a1-4d6e-9a1f-000000000001
DEVICE_SECONDS=20 # for a block device to appear or to go

host_identity=(--hostnqn "$HOST_NQN" --hostid "$HOST_ID")

HOST_TRANSPORT=tcp # or rdma: what the next host_discover and host_connect go over

host_discover() { # ADDRESS [OPTION...]: prints the discovery log as JSON
    modprobe nvme-$HOST_TRANSPORT
    nvme discover -t $HOST_TRANSPORT -a "$1" -s $PORT "${host_identity[@]}" -o json "${@:2}"
}

# host_connect ADDRESS [OPTION...]: returns when the controller is live and both of its namespaces are there.
host_connect() {
    host_connect_one "$@"
    wait_for "namespace 2" $DEVICE_SECONDS block_device 2
}

# host_connect_one ADDRESS [OPTION...]: the same for a subsystem with one namespace.
host_connect_one() {
    local address=$1
    shift
    modprobe nvme-$HOST_TRANSPORT
    nvme connect -t $HOST_TRANSPORT -a "$address" -s $PORT -n $NQN "${host_identity[@]}" "$@"
    wait_for "the controller at $address is live" $DEVICE_SECONDS all_controllers_live
    wait_for "namespace 1" $DEVICE_SECONDS block_device 1
}

# controllers: the kernel's names (nvme0 ...) of the controllers of our subsystem.
controllers() {
    local folder
    for folder in /sys/class/nvme/nvme*; do
        attribute "$folder/subsysnqn" && [ "$REPLY" = $NQN ] && echo "${folder##*/}"
    done
    return 0
}

# host_connect_other NQN [OPTION...]: a subsystem beside the one under test; its disks are found by `NQN=... block_device`.
host_connect_other() {
    nvme connect -t tcp -a 127.0.0.1 -s $PORT -n "$1" "${host_identity[@]}" "${@:2}"
}

all_controllers_live() {
    local controller found=1
    for controller in $(controllers); do
        attribute "/sys/class/nvme/$controller/state" && [ "$REPLY" = live ] || return 1
        found=0
    done
    return $found
}

# block_device NSID: the path of the disk that a user would use; fails while there is none with a size.
block_device() {
    local folder
    for folder in /sys/block/nvme*n*; do
        case ${folder##*/} in *c*n*) continue ;; esac # a path below a multipath disk
        attribute "$folder/device/subsysnqn" && [ "$REPLY" = $NQN ] || continue
        attribute "$folder/nsid" && [ "$REPLY" = "$1" ] || continue
        attribute "$folder/size" && [ "$REPLY" != 0 ] && [ -b "/dev/${folder##*/}" ] || continue
        echo "/dev/${folder##*/}"
        return
    done
    return 1
}

# sectors_moved DISK: a number that grows with every read and write, in REPLY. Kernel 6.1 counts only on the paths
# below a multipath disk, 6.12 on both.
sectors_moved() {
    local name=${1##*/} counter fields
    REPLY=0
    for counter in /sys/block/"$name"/stat /sys/block/"${name%n*}"c*n"${name##*n}"/stat; do
        { read -ra fields < "$counter"; } 2> /dev/null || continue
        REPLY=$((REPLY + fields[2] + fields[6]))
    done
}

moved_more_than() { sectors_moved "$1" && [ "$REPLY" -gt "$2" ]; } # DISK SECTORS

disconnect_all() {
    [ -z "$(controllers)" ] || nvme disconnect -n $NQN
    expect_equal "controllers left" "" "$(controllers)"
}
