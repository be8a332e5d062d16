#!/bin/bash
# Drives that nobody has configured: a rule exports the one that it wants, and leaves alone what it does not want or may not have.
# shape: memory=2048 slots=11,12,13 aw-bits=48 hugepages=64
# deadline: 240
# needs: target

vfio_ready
wanted=$(drive_address 11)
other=$(drive_address 12)
give_to nvme "$other"
name=drive-$wanted
space() { rest 200 GET "/v1/subsystems/$NQN" | jq -r ".namespaces[] | select(.device == \"$name\") | .$1"; }
exported() { [ -n "$(space nsid)" ]; }
exports() { grep -c "is a namespace of" "$FULMARD_LOG"; }

step "the drive that is there at the start becomes a namespace"
target_start auto-attach
wait_for "namespace of $name" $DRIVE_SECONDS exported
expect_equal "on_loss" hold "$(space on_loss)"
expect_equal "hold_s" 30 "$(space hold_s)"
await_drive "$name" ready
host_connect 127.0.0.1 --nr-io-queues=1
nsid=$(space nsid)
fio_verify before "$(block_device "$nsid")" --size=2M
expect_equal "driver of a drive that is not allowed" nvme "$(driver_of "$other")"
expect_equal "allowed" "false" "$(rest 200 GET "/v1/drives/$other" | jq -r .allowed)"
rest 403 POST /v1/devices "{\"name\": \"no\", \"type\": \"pcie\", \"address\": \"$other\"}" > /dev/null
rest 403 POST "/v1/drives/$other/bind" > /dev/null

step "it is a device like any other: lost, and back as the same"
slot_power_off 11
await_drive "$name" lost
plug_drive 11
await_drive "$name" ready
fio_verify after "$(block_device "$nsid")" --size=2M
disconnect_all

step "what the rule made is part of the configuration"
target_stop
target_again
expect_equal "namespace after a restart" "$nsid" "$(space nsid)"
await_drive "$name" ready

step "deleted, it comes back with the drive; a stranger does not"
rest 204 DELETE "/v1/subsystems/$NQN/namespaces/$nsid" > /dev/null
rest 204 DELETE "/v1/devices/$name" > /dev/null
slot_power_off 11
plug_drive 11 STRANGER
wait_for "the kernel finds the stranger" 30 drive_address 11
gone() { [ "$(rest_any GET "/v1/devices/$name" | cut -c1-3)" = 404 ]; }
wait_for "no device is made of it, or none is left" $DRIVE_SECONDS gone
! exported || fail "the stranger was exported"
slot_power_off 11
plug_drive 11
wait_for "the right one is taken again" $DRIVE_SECONDS exported
expect_equal "times that a drive was exported by the rule" 2 "$(exports)"
target_stop
