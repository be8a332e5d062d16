#!/bin/bash
# Hosts that delete what they have just connected, reset and disconnect under load; a subsystem that is deleted and made again.
# shape: memory=2048 disk=4G
# deadline: 480
# needs: target
# soak: DELETES=200 RESETS=50 TEARDOWNS=20 deadline=3600

DELETES=${DELETES:-8}
RESETS=${RESETS:-3}
TEARDOWNS=${TEARDOWNS:-2}
declare -A address=([tcp]=127.0.0.1 [rdma]=$RDMA_ADDRESS)
reconnects=(--reconnect-delay=1 --ctrl-loss-tmo=60)
# The host's own race: a controller that is deleted while its reset work begins is not in a state to reconnect, which
# nvme-rdma warns about (nvme-tcp takes it for what it is). Whatever else is wrong has a line of its own.
# shellcheck disable=SC2034 # health.sh asks for it
allow_kernel_trouble='at drivers/nvme/host/rdma.c:[0-9]+ nvme_rdma_reset_ctrl_work|Call Trace:'

# delete_at_once ROUND: connects in the background, and deletes the controller as soon as the kernel lets that be done,
# in odd rounds only when the connect has returned.
delete_at_once() {
    local options=transport=$HOST_TRANSPORT,traddr=${address[$HOST_TRANSPORT]},trsvcid=$PORT,nqn=$NQN,nr_io_queues=2
    echo "$options,hostnqn=$HOST_NQN,hostid=$HOST_ID" 2> "$LOGS/connect" > /dev/nvme-fabrics &
    local connect=$!
    if (($1 % 2)); then
        wait $connect || fail "the connect failed: $(< "$LOGS/connect")"
    fi
    wait_for "it is deleted" $DEVICE_SECONDS deletes_it
    wait $connect || true # what it says of a controller that is gone meanwhile is the kernel's affair
    expect_equal "controllers left" "" "$(controllers)"
}
deletes_it() {
    local controller
    for controller in $(controllers); do
        { echo 1 > "/sys/class/nvme/$controller/delete_controller"; } 2> /dev/null && return
    done
    return 1
}

connection_ids() { rest 200 GET /v1/connections | jq -c '[.connections[].id] | sort'; }
traffic() {
    sectors_moved "$disk"
    wait_for "traffic" 30 moved_more_than "$disk" "$REPLY"
}

# reset_under_load: the host ends its queues and connects them anew; its commands wait, and none fails.
reset_under_load() {
    local before
    before=$(connection_ids)
    traffic
    echo 1 > "/sys/class/nvme/$(controllers)/reset_controller"
    wait_for "the controller is live again" 30 all_controllers_live
    traffic
    expect "its connections are new ones" jq --exit-status --null-input --argjson before "$before" \
        --argjson now "$(connection_ids)" '($now | length) == ($before | length) and $now - $before == $now' > "$LOGS/ids"
}

refusals() { dmesg_of_scenario | grep -c 'Failed reconnect attempt' || true; }
refused_more_than() { [ "$(refusals)" -gt "$1" ]; }

# teardown_and_setup: the subsystem goes under load, the host is refused at least once, the subsystem comes back with its
# namespaces and with the host on its list in one request; nobody tells the host.
teardown_and_setup() {
    local before
    before=$(refusals)
    traffic
    rest 204 DELETE "/v1/subsystems/$NQN?force=true"
    wait_for "the host was refused while it was gone" 30 refused_more_than "$before"
    rest 201 POST /v1/subsystems "{\"nqn\": \"$NQN\", \"allow_any_host\": false, \"hosts\": [\"$HOST_NQN\"],
        \"namespaces\": [{\"nsid\": 1, \"device\": \"ram0\"}, {\"nsid\": 2, \"device\": \"file0\"}]}" > "$LOGS/made-again"
    wait_for "the host is back" 30 all_controllers_live
    traffic
    expect_equal "the disk" "$disk" "$(block_device "$nsid")"
}

# disconnect_under_load LABEL: fio ends with an error, soon; the host and the target have nothing left of it.
disconnect_under_load() {
    fio_begin "$1" "$disk" --size=24M --rate_iops=,200 --verify=0
    traffic
    [ "$1" != "reset-$HOST_TRANSPORT" ] || echo 1 > "/sys/class/nvme/$(controllers)/reset_controller" &
    local reset=$!
    nvme disconnect -n $NQN > "$LOGS/disconnect"
    wait $reset 2> /dev/null || true # a controller that is being deleted is not reset any more
    fio_end_with_error "$1" 30
    say "error of fio: $REPLY"
    expect_equal "controllers left" "" "$(controllers)"
    wait_for "no connection is left" 20 no_connections
}

rdma_link_add
target_start two-transports
declare -A disk_of_transport=([tcp]=1 [rdma]=2)
for HOST_TRANSPORT in tcp rdma; do # what is made once
    host_connect ${address[$HOST_TRANSPORT]} --nr-io-queues=2
    disconnect_all
done
wait_for "no connection is left" 20 no_connections
descriptors=$(open_descriptors)

for HOST_TRANSPORT in tcp rdma; do
    nsid=${disk_of_transport[$HOST_TRANSPORT]}
    step "over $HOST_TRANSPORT: $DELETES times deleted at once"
    for ((round = 0; round < DELETES; ++round)); do
        delete_at_once $round
    done
    wait_for "no connection is left" 20 no_connections

    step "over $HOST_TRANSPORT: reset under load"
    host_connect ${address[$HOST_TRANSPORT]} --nr-io-queues=2 "${reconnects[@]}"
    disk=$(block_device $nsid)
    load_begin $HOST_TRANSPORT "$disk"
    for ((round = 0; round < RESETS; ++round)); do
        reset_under_load
    done

    step "over $HOST_TRANSPORT: the subsystem is deleted and made again under load"
    for ((round = 0; round < TEARDOWNS; ++round)); do
        teardown_and_setup
    done
    load_end $HOST_TRANSPORT 60

    step "over $HOST_TRANSPORT: disconnected under load, and while it is being reset"
    disconnect_under_load cut-$HOST_TRANSPORT
    host_connect ${address[$HOST_TRANSPORT]} --nr-io-queues=2
    disk=$(block_device $nsid)
    disconnect_under_load reset-$HOST_TRANSPORT
done

step "nothing is left of it, and hosts are served as before"
expect_equal "descriptors of fulmard" "$descriptors" "$(open_descriptors)"
HOST_TRANSPORT=tcp
host_connect 127.0.0.1 --nr-io-queues=2
fio_verify after "$(block_device 1)" --size=1M
target_health
disconnect_all
target_stop
expect_equal "what fulmard left of verbs" "" "$(verbs_of_target)"
rdma_link_delete
