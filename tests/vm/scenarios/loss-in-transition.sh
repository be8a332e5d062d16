#!/bin/bash
# Drives vanish while something else is going on: bring-up, add, remove, pause, resume, delete, parked I/O, both at once.
# shape: memory=2048 slots=11,12,13 aw-bits=48
# deadline: 600
# needs: target
# variant: loss-in-transition-39-bit aw-bits=39 hugepages=64

TEMP=nqn.2026-11.io.fulmar:temporary

vfio_ready
target_start three-drives
for drive in drive11 drive12 drive13; do await_drive $drive ready; done
host_connect 127.0.0.1 --nr-io-queues=1

comes_back() { # DEVICE SLOT
    plug_drive "$2"
    await_drive "$1" ready
}
serves() { # NSID: the host reads and writes it
    wait_for "namespace $1 is there" $DEVICE_SECONDS block_device "$1"
    fio_verify "serves$1" "$(block_device "$1")" --size=1M
}
busy_disk() { # LABEL NSID: fio runs on it
    local disk
    disk=$(block_device "$2")
    fio_begin "$1" "$disk" --rw=randrw --size=64M --rate_iops=300,300 --io_size=1G
    sectors_moved "$disk"
    wait_for "$1 is under load" 60 moved_more_than "$disk" "$REPLY"
}
ends_with_eio() { # LABEL
    fio_end_with_error "$1" 30
    expect_equal "error of fio $1 (EIO)" 5 "$REPLY"
}

step "both drives of a subsystem at once"
busy_disk one 1
busy_disk two 2
slot_power_off 11 & first=$!
slot_power_off 12 & second=$!
wait $first
wait $second
ends_with_eio one
ends_with_eio two
await_drive drive11 lost
await_drive drive12 lost
comes_back drive11 11
comes_back drive12 12
serves 1
serves 2

step "while it is brought up"
slot_power_off 11
await_drive drive11 lost
plug_drive 11
wait_for "Fulmar has taken it" 30 eval '[ "$(driver_of "$(drive_address 11)" 2> /dev/null)" = vfio-pci ]'
slot_power_off 11
comes_back drive11 11
serves 1

step "while its namespace is removed and added"
busy_disk three 1
slot_power_off 11 & off=$!
target_remove_namespace $NQN 1
# Whether the loss or this is first is anybody's guess: a lost drive is refused, and says that it is lost.
added=$(rest_any POST "/v1/subsystems/$NQN/namespaces" '{"nsid": 1, "device": "drive11"}')
wait $off
fio_end_with_error three 30
await_drive drive11 lost
case $added in
    201*) expect_equal "state of the namespace" lost "$(namespace_state $NQN 1)" ;;
    409*"is lost"*) say "the drive was lost before the namespace was added" ;;
    *) fail "adding a namespace while its drive vanishes: $added" ;;
esac
comes_back drive11 11
[ "${added%% *}" = 201 ] || target_add_namespace $NQN 1 drive11
serves 1

step "while its subsystem is paused, with I/O parked"
busy_disk four 1
rest 200 POST "/v1/subsystems/$NQN/pause" > /dev/null
slot_power_off 11
await_drive drive11 lost
rest 200 POST "/v1/subsystems/$NQN/resume" > /dev/null
ends_with_eio four
comes_back drive11 11
serves 1

step "it comes back while its subsystem is paused"
slot_power_off 11
await_drive drive11 lost
rest 200 POST "/v1/subsystems/$NQN/pause" > /dev/null
comes_back drive11 11
rest 200 POST "/v1/subsystems/$NQN/resume" > /dev/null
serves 1

step "while its subsystem is deleted"
rest 201 POST /v1/subsystems "{\"nqn\": \"$TEMP\", \"allow_any_host\": true}" > /dev/null
rest 204 DELETE "/v1/subsystems/nqn.2026-11.io.fulmar:other?force=true"
target_add_namespace $TEMP 1 drive13
slot_power_off 13 & off=$!
rest 204 DELETE "/v1/subsystems/$TEMP?force=true"
wait $off
await_drive drive13 lost
comes_back drive13 13

step "large writes are on their way to it"
disk=$(block_device 1)
fio_begin five "$disk" --rw=write --bs=1M --iodepth=4 --verify=0 --do_verify=0 --size=128M --io_size=4G
sectors_moved "$disk"
wait_for "five is under load" 60 moved_more_than "$disk" "$REPLY"
slot_power_off 11
ends_with_eio five
comes_back drive11 11
serves 1

target_health
disconnect_all
target_stop
