#!/bin/bash
# The target is ended with TERM and with KILL and started again under fio: the application sees only a pause.
# shape: memory=2048 disk=4G
# deadline: 480
# needs: target
# variant: restart-under-fio-3-reactors REACTORS=3

target_start two-files
# Nobody reconnects faster than once a second, and for a minute nobody gives up.
host_connect 127.0.0.1 --nr-io-queues=2 --reconnect-delay=1 --ctrl-loss-tmo=60
disks=("$(block_device 1)" "$(block_device 2)")
load_begin one "${disks[0]}"
load_begin two "${disks[1]}"

# traffic: both disks move data, now.
traffic() {
    local disk
    for disk in "${disks[@]}"; do
        sectors_moved "$disk"
        wait_for "traffic on $disk" 60 moved_more_than "$disk" "$REPLY"
    done
}

for way in stop kill stop kill; do
    step "$way under load"
    traffic
    target_$way
    wait_for "the host noticed" 30 not all_controllers_live
    target_again
    wait_for "the host is back" 30 all_controllers_live
    expect "load one goes on" fio_running one
    expect "load two goes on" fio_running two
done

step "every block is as it was written"
traffic
load_end one 90
load_end two 90
expect "the disks are still the same ones" test "$(block_device 1) $(block_device 2)" = "${disks[*]}"
disconnect_all
target_stop
