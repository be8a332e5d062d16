#!/bin/bash
# Somebody takes the drive from vfio-pci under load: the kernel gets it soon, and Fulmar does not take it back by itself.
# shape: memory=2048 slots=11 aw-bits=48
# deadline: 300
# needs: target
# variant: driver-unbind-39-bit aw-bits=39 hugepages=64

vfio_ready
address=$(drive_address 11)
target_start one-drive
await_drive drive11 ready
host_connect 127.0.0.1 --nr-io-queues=1
disk=$(block_device 1)

for round in 1 2 3; do
    step "unbind $round"
    fio_begin victim "$disk" --rw=randrw --size=64M --rate_iops=300,300 --io_size=1G
    sectors_moved "$disk"
    wait_for "the drive is under load" 60 moved_more_than "$disk" "$REPLY"
    milliseconds_of eval "echo $address > /sys/bus/pci/drivers/vfio-pci/unbind"
    say "unbind took $REPLY ms"
    [ "$REPLY" -lt 3000 ] || fail "the unbind hung for $REPLY ms"
    fio_end_with_error victim 20
    expect_equal "error of fio (EIO)" 5 "$REPLY"
    await_drive drive11 lost
    # Six seconds are longer than the interval at which Fulmar tries again by itself.
    end=$((SECONDS + 6))
    while ((SECONDS < end)); do
        [ ! -e "/sys/bus/pci/devices/$address/driver" ] || fail "Fulmar took the drive back against the operator's wish"
        nap
    done
    give_to vfio-pci "$address"
    await_drive drive11 ready
    wait_for "namespace 1 is there again" $DEVICE_SECONDS block_device 1
    disk=$(block_device 1)
    fio_verify again "$disk" --size=2M
done
disconnect_all
target_stop
