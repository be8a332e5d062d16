#!/bin/bash
# Keys are exchanged under fio, with verify: the host authenticates again, and never reconnects.
# shape: memory=2048 disk=4G
# deadline: 300
# needs: target

modprobe nvme-tcp
target_start two-files
key_make host --transform sha256
key_make target --transform sha384
fulmar_rest host add $NQN "$HOST_NQN" --dhchap-key host --dhchap-ctrl-key target
host_connect 127.0.0.1 --nr-io-queues=2 --dhchap-secret "$(key_text host)" --dhchap-ctrl-secret "$(key_text target)"
controller=$(controllers)
folder=/sys/class/nvme/$controller
load_begin one "$(block_device 1)"

# proven_total: how often a queue has proved itself.
proven_total() {
    curl --silent --unix-socket "$(admin_socket)" http://localhost/metrics \
        | awk '/^fulmar_authentications_total/ { sum += $2 } END { print sum + 0 }'
}
more_than() { [ "$(proven_total)" -gt "$1" ]; }

for ((round = 1; round <= 3; round++)); do
    step "round $round: new keys, while fio writes"
    before=$(proven_total)
    key_make host --transform sha256   # the former one is taken for a day
    key_make target --transform sha384 # both in the same breath
    key_text host > "$folder/dhchap_secret" # asks again with one new key and one old, which fails and ends nothing
    key_text target > "$folder/dhchap_ctrl_secret"
    wait_for "every queue has authenticated again" 30 more_than $((before + 2))
    expect "the load goes on" fio_running one
    expect_equal "the controller" "$controller" "$(controllers)"
    expect "it is live" all_controllers_live
done

step "every block is as it was written"
load_end one 90
no_key_in_logs host
target_health
disconnect_all
target_stop
