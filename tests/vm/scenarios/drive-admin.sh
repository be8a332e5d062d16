#!/bin/bash
# An operator's day with a drive: list, bind, drain, attach, detach, locate, unbind; a mounted drive is refused.
# shape: memory=2048 slots=11 aw-bits=48 hugepages=64
# deadline: 200
# needs: target

vfio_ready
address=$(drive_address 11)
drive() { rest 200 GET "/v1/drives/$address" | jq -r "$1"; }
happened() { rest 200 GET "/v1/drives/$address" | jq -r '[.history[].event] | join(" ")'; }

step "a mounted drive is refused, and it says who mounted it"
give_to nvme "$address"
modprobe ext4
wait_for "the kernel's disk" 30 kernel_disk "$address"
own=/dev/$(kernel_disk "$address")
mkfs.ext4 -q "$own" 16M
mkdir -p /mnt/own
mount "$own" /mnt/own
target_start one-drive-by-hand
refused=$(rest 409 POST "/v1/drives/$address/bind")
grep -q "mounted on /mnt/own" <<< "$refused" || fail "it does not say who uses it: $refused"
expect_equal "driver" nvme "$(drive .driver)"
expect_equal "serial number" DRIVE11 "$(drive .identity.serial)"
umount /mnt/own

step "bound, it is brought up"
rest 200 POST "/v1/drives/$address/bind" > /dev/null
await_drive drive11 ready
expect_equal "slot" 11 "$(drive .slot)"
expect_equal "driver" vfio-pci "$(drive .driver)"
expect_equal "state" ready "$(drive .device.state)"
rest 409 POST "/v1/drives/$address/unbind" > /dev/null

step "drained, it is free to be pulled"
host_connect 127.0.0.1 --nr-io-queues=1
disk=$(block_device 1)
fio_verify before "$disk" --size=2M
milliseconds_of rest 200 POST "/v1/drives/DRIVE11/drain" > /dev/null
say "the drain took $REPLY ms"
expect_equal "state" absent "$(drive .device.state)"
expect_equal "detached" true "$(drive .device.detached)"

step "detached is detached: pulled, plugged in again, restarted"
slot_power_off 11
plug_drive 11
wait_for "the kernel finds it" 30 drive_address 11 > /dev/null
give_to vfio-pci "$address"
wait_for "the arrival is told" 30 eval '[[ $(happened) == *arrived ]]'
expect_equal "state" absent "$(drive .device.state)"
disconnect_all
target_stop
target_again
expect_equal "detached after a restart" true "$(drive .device.detached)"
expect_equal "state after a restart" absent "$(drive .device.state)"

step "attached it serves, detached again it is free to be unbound"
rest 200 POST "/v1/drives/$address/attach" > /dev/null
await_drive drive11 ready
host_connect 127.0.0.1 --nr-io-queues=1
fio_verify after "$(block_device 1)" --size=2M
disconnect_all
rest 200 POST "/v1/drives/$address/detach" > /dev/null
expect_equal "state" absent "$(drive .device.state)"
rest 200 POST "/v1/drives/$address/unbind" > /dev/null
expect_equal "driver" nvme "$(driver_of "$address")"

step "the light of its slot"
if [ -e /sys/bus/pci/slots/11/attention ]; then
    rest 200 POST "/v1/drives/$address/locate" '{"indicator": "on"}' > /dev/null
    expect_equal "attention indicator" 1 "$(< /sys/bus/pci/slots/11/attention)"
    rest 200 POST "/v1/drives/$address/locate" '{"indicator": "off"}' > /dev/null
else
    rest 501 POST "/v1/drives/$address/locate" '{"indicator": "on"}' > /dev/null
fi

step "the events of all that"
events=$(rest 200 GET /v1/events | jq -r '[.events[].event] | join(" ")')
expect_equal "events since the restart" "attached ready detached released unbound" "${events#detached }"
give_to vfio-pci "$address"
target_stop
