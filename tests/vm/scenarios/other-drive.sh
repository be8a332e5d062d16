#!/bin/bash
# Another drive comes into the slot: it is never shown under the old identity. The right one is, when it is back.
# shape: memory=2048 slots=11 aw-bits=48 hugepages=64
# deadline: 240
# needs: target

vfio_ready
target_start one-drive
await_drive drive11 ready
host_connect 127.0.0.1 --nr-io-queues=1
disk=$(block_device 1)
fio_verify before "$disk" --size=2M

slot_power_off 11
await_drive drive11 lost
plug_drive 11 STRANGER
refused() { grep -q STRANGER <<< "$(drive_says drive11 reason)$(drive_says drive11 note)"; }
wait_for "the stranger is recognised" $DRIVE_SECONDS refused
expect_equal "state of the device" lost "$(drive_says drive11 state)"
expect_equal "state of the namespace" lost "$(namespace_state $NQN 1)"
! dd if="$disk" of=/dev/null bs=4096 count=1 iflag=direct 2> "$WORK/dd" || fail "the stranger was read under the old identity"
grep -q "Input/output error" "$WORK/dd"

slot_power_off 11
plug_drive 11
await_drive drive11 ready
wait_for "namespace 1 is there again" $DEVICE_SECONDS block_device 1
fio_verify after "$(block_device 1)" --size=2M
disconnect_all
target_stop
