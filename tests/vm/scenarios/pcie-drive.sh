#!/bin/bash
# An NVMe drive through VFIO: the kernel host verifies it, and the kernel's own driver finds the same bytes afterwards.
# shape: memory=2048 slots=11 aw-bits=48 hugepages=64
# deadline: 240
# needs: target
# variant: pcie-drive-39-bit aw-bits=39 hugepages=0

vfio_ready
address=$(drive_address 11)
target_start one-drive
await_drive drive11 ready
# Hugepages where the machine has them, ordinary pages where it has none; it says which, and that is what it has.
pages=$(< /proc/sys/vm/nr_hugepages)
health=$(rest 200 GET /v1/health)
expect_equal "hugepages, as it says" "$([ "$pages" -gt 0 ] && echo true || echo false)" "$(jq .hugepages <<< "$health")"
huge_kib=$(awk '/^HugetlbPages/ { print $2 }' "/proc/$FULMARD_PID/status")
if [ "$pages" -gt 0 ]; then
    expect "its buffers are in hugepages" test "$huge_kib" -ge $((32 << 10))
    expect "the log says so" grep -q "memory: .* MiB of 2 MiB hugepages" "$FULMARD_LOG"
else
    expect_equal "hugepages that it has" 0 "$huge_kib"
    expect "the log says why not" grep -q "memory: no 2 MiB hugepages are free" "$FULMARD_LOG"
fi
expect_equal "driver of the drive" vfio-pci "$(driver_of "$address")"
expect_equal "its serial number" DRIVE11 "$(drive_says drive11 serial)"

host_connect 127.0.0.1 --nr-io-queues=2
disk=$(block_device 1)
expect_equal "its size" $((256 << 20)) "$(blockdev --getsize64 "$disk")"

step "verified: small, large, trimmed"
fio_verify small "$disk" --size=8M
fio_verify large "$disk" --size=64M --offset=16M --bsrange=4k-1m
dd if=/dev/urandom of="$WORK/pattern" bs=1M count=4 status=none
dd if="$WORK/pattern" of="$disk" bs=256k seek=$((128 * 4)) oflag=direct conv=fsync status=none
blkdiscard --offset $((160 << 20)) --length $((1 << 20)) "$disk"
blkdiscard --zeroout --offset $((130 << 20)) --length $((1 << 20)) "$disk"
disconnect_all

step "the kernel's own driver finds the same bytes"
target_stop
modprobe nvme
give_to nvme "$address"
wait_for "the kernel's disk" 30 kernel_disk "$address"
own=/dev/$(kernel_disk "$address")
cmp -n $((2 << 20)) "$WORK/pattern" <(dd if="$own" bs=1M skip=128 count=2 iflag=direct status=none)
cmp -n $((1 << 20)) /dev/zero <(dd if="$own" bs=1M skip=130 count=1 iflag=direct status=none)
cmp <(tail -c 1048576 "$WORK/pattern") <(dd if="$own" bs=1M skip=131 count=1 iflag=direct status=none)
give_to vfio-pci "$address"
