#!/bin/bash
# An IOMMU of 39 bits and no hugepages: addresses and memory are what the machine has. Without an IOMMU a drive is refused.
# shape: memory=2048 slots=11 aw-bits=39
# deadline: 240
# needs: target
# variant: no-hugepages aw-bits=48 hugepages=0
# variant: no-iommu aw-bits=0

vfio_ready
if [ ! -e "/sys/bus/pci/devices/$(drive_address 11)/iommu_group" ]; then
    step "no IOMMU: the drive is refused, with the reason, and everything else is served"
    driver=$(driver_of "$(drive_address 11)" || true)
    target_start one-drive
    refused() { grep -q IOMMU <<< "$(drive_says drive11 reason)$(drive_says drive11 note)"; }
    wait_for "the refusal says why" 20 refused
    expect_equal "the drive's driver" "$driver" "$(driver_of "$(drive_address 11)" || true)"
    target_health
    target_stop
else
    target_start one-drive
    await_drive drive11 ready
    host_connect 127.0.0.1 --nr-io-queues=2
    fio_verify drive "$(block_device 1)" --size=16M --bsrange=4k-1m
    slot_power_off 11
    await_drive drive11 lost
    plug_drive 11
    await_drive drive11 ready
    wait_for "namespace 1 is there again" $DEVICE_SECONDS block_device 1
    fio_verify again "$(block_device 1)" --size=4M
    disconnect_all
    target_stop
fi
