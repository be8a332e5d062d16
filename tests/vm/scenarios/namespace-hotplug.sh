#!/bin/bash
# Namespaces come and go while fio runs beside them; the host learns it from the event, without a rescan.
# shape: memory=2048 disk=4G
# deadline: 360
# needs: target

target_start two-namespaces
host_connect 127.0.0.1 --nr-io-queues=2
target_add_ram_device ram1 64MiB
target_add_ram_device ram2 32MiB

events() { dmesg_of_scenario | grep -c 'rescanning namespaces' || true; }
events_more_than() { [ "$(events)" -gt "$1" ]; }

appears() { # DEVICE SIZE-IN-BYTES: as namespace 3
    local before disk
    before=$(events)
    target_add_namespace $NQN 3 "$1"
    wait_for "namespace 3 ($1) appears" $DEVICE_SECONDS block_device 3
    expect "the host was told by an event" events_more_than "$before"
    disk=$(block_device 3)
    expect_equal "its size" "$2" "$(blockdev --getsize64 "$disk")"
}

disappears() {
    local before
    before=$(events)
    target_remove_namespace $NQN 3
    wait_for "namespace 3 disappears" $DEVICE_SECONDS not block_device 3
    expect "the host was told by an event" events_more_than "$before"
}

load_begin neighbour "$(block_device 2)"

step "one device, then another under the same NSID"
appears ram1 $((64 << 20))
fio_verify first "$(block_device 3)" --size=2M
uuid=$(cat "/sys/block/$(basename "$(block_device 3)")/uuid")
disappears
appears ram2 $((32 << 20))
expect_equal "UUID of the namespace" "$uuid" "$(cat "/sys/block/$(basename "$(block_device 3)")/uuid")"
expect "nothing of the former device is to be seen" \
    cmp -n $((2 << 20)) "$(block_device 3)" /dev/zero

step "removed under its own load: that fio ends with an error, soon"
fio_begin victim "$(block_device 3)" --size=24M --rate_iops=,200 --verify=0
disk=$(block_device 3)
sectors_moved "$disk"
wait_for "the victim is writing" 60 moved_more_than "$disk" "$REPLY"
disappears
fio_end_with_error victim 30
say "error of the victim: $REPLY"

step "the neighbour noticed nothing"
load_end neighbour 90

target_remove_device ram2
target_remove_device ram1
target_health
disconnect_all
target_stop
