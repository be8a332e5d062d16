#!/bin/bash
# The attention button is pressed under load: the kernel takes the card out in order, and it can come back.
# shape: memory=2048 slots=11 aw-bits=39
# deadline: 300
# needs: target
# variant: attention-button-48-bit aw-bits=48 hugepages=64

vfio_ready
target_start one-drive
await_drive drive11 ready
host_connect 127.0.0.1 --nr-io-queues=1
disk=$(block_device 1)
for round in 1 2; do
    step "press $round"
    fio_begin victim "$disk" --rw=randrw --size=64M --rate_iops=300,300 --io_size=1G
    sectors_moved "$disk"
    wait_for "the drive is under load" 60 moved_more_than "$disk" "$REPLY"
    press_attention_button 11 # the kernel waits 5 s for a second press
    fio_end_with_error victim 60
    expect_equal "error of fio (EIO)" 5 "$REPLY"
    await_drive drive11 lost
    expect "the kernel asked for it" grep -q removal-requested <<< "$(drive_says drive11 reason)"
    wait_for "the card is gone" 30 not drive_address 11
    plug_drive 11
    await_drive drive11 ready
    wait_for "namespace 1 is there again" $DEVICE_SECONDS block_device 1
    disk=$(block_device 1)
    fio_verify again "$disk" --size=2M
done
disconnect_all
target_stop
