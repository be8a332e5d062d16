#!/bin/bash
# A drive is gone and nobody says so: it is noticed, hosts get errors, and the kernel's slow close holds up nobody.
# shape: memory=2048 slots=11,12,13 aw-bits=39
# deadline: 420
# needs: target
# alone: the host has its errors within 3.5 s, of which 2 are Fulmar's own
# variant: silent-loss-48-bit aw-bits=48 hugepages=64

OTHER=nqn.2026-11.io.fulmar:other
NOTICE_MS=3500 # 2 s after the last completion, and the rest for dd and the emulation

vfio_ready
target_start three-drives
for drive in drive11 drive12 drive13; do await_drive $drive ready; done
host_connect 127.0.0.1 --nr-io-queues=1
host_connect_other $OTHER --nr-io-queues=1
other_disk() { NQN=$OTHER block_device 1; }
wait_for "the other subsystem's disk" $DEVICE_SECONDS other_disk
load_begin slot12 "$(block_device 2)"
load_begin slot13 "$(other_disk)"

disk=$(block_device 1)
address=$(drive_address 11)
port=$(basename "$(dirname "$(readlink -f "/sys/bus/pci/devices/$address")")")
fio_begin slot11 "$disk" --rw=randrw --size=64M --rate_iops=300,300 --io_size=1G
sectors_moved "$disk"
wait_for "slot 11 is under load" 60 moved_more_than "$disk" "$REPLY"

step "the card goes, and the kernel is not told"
setpci -s "$port" CAP_EXP+18.w=0700:0700
began=$(milliseconds) # not before: that program alone takes a second to start here
fio_end_with_error slot11 20
took=$(($(milliseconds) - began))
expect_equal "error of fio on slot 11 (EIO)" 5 "$REPLY"
[ $took -le $NOTICE_MS ] || fail "it took $took ms until the host had its errors"
say "the host had its errors after $took ms"
await_drive drive11 lost
expect "the device says why" grep -q silent <<< "$(drive_says drive11 reason)"

step "everybody else is served, whatever the kernel does with the dead card"
milliseconds_of target_health
[ "$REPLY" -lt 3000 ] || fail "REST took $REPLY ms"
target_add_ram_device passing 16MiB
target_remove_device passing
expect "load on slot 12 goes on" fio_running slot12
expect "load on slot 13 goes on" fio_running slot13

step "the kernel learns of it, and a card comes back"
echo 1 > "/sys/bus/pci/devices/$address/remove"
setpci -s "$port" CAP_EXP+18.w=0000:0700
plug_drive 11
echo 1 > /sys/bus/pci/rescan
await_drive drive11 ready
wait_for "namespace 1 is there again" $DEVICE_SECONDS block_device 1
fio_verify again "$(block_device 1)" --size=4M
load_end slot12 90
load_end slot13 90
nvme disconnect -n $OTHER
disconnect_all
target_stop
