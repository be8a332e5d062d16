#!/bin/bash
# The guest itself: slot power off and plugging in again, vfio-pci, soft-RoCE, IPv6, block traces.
# shape: memory=2048 slots=11 aw-bits=48 hugepages=64 disk=1G
# deadline: 240

step "slot 11: the kernel's own driver, then vfio-pci"
modprobe nvme
modprobe vfio-pci
address=$(drive_address 11) || fail "no drive in slot 11"
wait_for "the kernel's driver has the drive" 20 test -e "/sys/bus/pci/devices/$address/nvme"
give_to vfio-pci "$address"
group=$(basename "$(readlink "/sys/bus/pci/devices/$address/iommu_group")")
expect "a VFIO group exists" test -c "/dev/vfio/$group"

step "power off and plug in again, twice, the second time another drive"
for serial in DRIVE11 OTHER; do
    slot_power_off 11
    expect "the drive is gone once the write to power returns" not drive_address 11
    plug_drive 11 $serial
    wait_for "a drive is back in slot 11" 30 drive_address 11
    expect_equal "power of slot 11" 1 "$(slot_power 11)"
    address=$(drive_address 11)
    give_to nvme "$address"
    wait_for "a block device on it" 30 compgen -G "/sys/bus/pci/devices/$address/nvme/nvme*/nvme*n1"
    expect_equal "serial" $serial "$(cat "/sys/bus/pci/devices/$address"/nvme/nvme*/serial | tr -d ' ')"
done

step "attention button"
press_attention_button 11
wait_for "the drive is gone" 30 not drive_address 11
expect "the launcher refuses what it does not know" not outside nonsense

step "soft-RoCE"
rdma_link_add
rping -s -a $RDMA_ADDRESS -C 3 -v > "$LOGS/rping-server" 2>&1 &
wait_for "rping between two processes" 40 rping -c -a $RDMA_ADDRESS -C 3
wait $! || fail "the rping server failed"
rdma_link_delete

step "hugepages, IPv6 loopback, a flush in a block trace"
expect_equal "hugepages" 64 "$(< /proc/sys/vm/nr_hugepages)"
expect "IPv6 loopback" ip -6 addr show dev lo to ::1
file_disk_open
block_trace_start "$(file_disk)"
dd if=/dev/zero of=$FILE_DISK_MOUNT/file bs=4k count=1 oflag=direct conv=fdatasync status=none
block_trace_stop "$LOGS/block-trace"
expect "the flush was seen" test "$(count_flushes "$LOGS/block-trace")" -ge 1
