#!/bin/bash
# A slot goes off and on as fast as the machine can, idle and under load: each time the drive comes back.
# shape: memory=2048 slots=11 aw-bits=39
# deadline: 600
# needs: target
# soak: FLAPS=50 deadline=2400

vfio_ready
target_start one-drive
await_drive drive11 ready
host_connect 127.0.0.1 --nr-io-queues=1
for ((flap = 1; flap <= ${FLAPS:-10}; flap++)); do
    disk=$(block_device 1)
    if ((flap % 2 == 0)); then
        fio_begin victim "$disk" --rw=randrw --size=64M --rate_iops=300,300 --io_size=1G
        sectors_moved "$disk"
        wait_for "the drive is under load" 60 moved_more_than "$disk" "$REPLY"
    fi
    slot_power_off 11
    ((flap % 2 != 0)) || fio_end_with_error victim 20
    plug_drive 11
    await_drive drive11 ready
    wait_for "namespace 1 is there again" $DEVICE_SECONDS block_device 1
done
fio_verify last "$(block_device 1)" --size=4M
target_health
disconnect_all
target_stop
