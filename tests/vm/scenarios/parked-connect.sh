#!/bin/bash
# SPDK issue 3467, replayed: I/O and a Connect are parked while subsystems are added, resumed and deleted beside them.
# shape: memory=2048
# deadline: 240
# needs: target

BESIDE=nqn.2026-11.io.fulmar:beside
NEWCOMER=nqn.2026-11.io.fulmar:newcomer
LATE_HOST=nqn.2014-08.org.nvmexpress:uuid:6d0c7b3e-54a1-4d6e-9a1f-000000000002

disk_of() { NQN=$1 block_device "$2"; } # NQN NSID
has_no_controller() { [ -z "$(NQN=$1 controllers)" ]; } # NQN
change() { rest "$@" > /dev/null; }
parked() { rest 200 GET "/v1/subsystems/$NQN/namespaces/1" | jq -r .status.parked; }
is_parked() { [ "$(parked)" -gt 0 ]; }
connects_parked() { rest 200 GET /v1/connections | jq '[.connections[] | select(.state == "connecting")] | length'; }
is_connecting() { [ "$(connects_parked)" = 1 ]; }
slot_of() { rest 200 GET "/v1/subsystems/$1" | jq .status.slot; } # NQN

# late_connect: a second host connects in the background, until LATE ends. nvme-cli takes it for the first one.
late_connect() {
    local options=transport=tcp,traddr=127.0.0.1,trsvcid=$PORT,nqn=$NQN,nr_io_queues=1,ctrl_loss_tmo=5,reconnect_delay=1
    echo "$options,hostnqn=$LATE_HOST,hostid=${LATE_HOST##*:}" 2> "$LOGS/late-connect" > /dev/nvme-fabrics &
    LATE=$!
}

# park LABEL: fio's commands and a Connect wait at the paused subsystem.
park() {
    local disk
    disk=$(block_device 1)
    fio_begin "$1" "$disk" --size=4M --rate_iops=,300
    sectors_moved "$disk"
    wait_for "$1 is under way" 30 moved_more_than "$disk" "$REPLY"
    change 200 POST "/v1/subsystems/$NQN/pause"
    late_connect
    wait_for "I/O is parked" 20 is_parked
    wait_for "the Connect is parked" 20 is_connecting
}

create_newcomer() {
    change 201 POST /v1/subsystems \
        "{\"nqn\": \"$NEWCOMER\", \"allow_any_host\": true, \"namespaces\": [{\"nsid\": 1, \"device\": \"$1\"}]}"
}
newcomer_serves() { # LABEL
    host_connect_other $NEWCOMER --nr-io-queues=1 --ctrl-loss-tmo=5 --reconnect-delay=1
    wait_for "the newcomer's disk" $DEVICE_SECONDS disk_of $NEWCOMER 1
    fio_verify "$1" "$(disk_of $NEWCOMER 1)" --size=1M
}
remove_newcomer() {
    NQN=$NEWCOMER disconnect_all
    change 204 DELETE "/v1/subsystems/$NEWCOMER?force=true"
}

target_start churn
modprobe nvme-tcp
echo 120 > /sys/module/nvme_core/parameters/io_timeout # what is parked must not be given up by the host meanwhile
host_connect 127.0.0.1 --nr-io-queues=1 --ctrl-loss-tmo=5 --reconnect-delay=1
host_connect_other $BESIDE --nr-io-queues=1
wait_for "the disk beside it all" $DEVICE_SECONDS disk_of $BESIDE 1
load_begin beside "$(disk_of $BESIDE 1)"

step "leftovers wait; another subsystem is added, paused, resumed and deleted on the same poll group"
park first
create_newcomer ram4
change 200 POST "/v1/subsystems/$NEWCOMER/pause"
change 200 POST "/v1/subsystems/$NEWCOMER/resume"
expect "the newcomer is served" "$FULMAR_BUILD/bin/fulmar" connect-check --port $PORT --nqn $NEWCOMER
expect "the Connect still waits" is_connecting
expect "the I/O still waits" is_parked
change 204 DELETE "/v1/subsystems/$NEWCOMER?force=true"
expect "the Connect waits on" is_connecting

step "the resume lets all of them go on"
change 200 POST "/v1/subsystems/$NQN/resume"
fio_end first 60
wait_for "the late host's Connect ends" 30 not process_runs $LATE
wait $LATE || fail "the late host could not connect: $(cat "$LOGS/late-connect")"
wait_for "both controllers are live" $DEVICE_SECONDS all_controllers_live
expect_equal "controllers" 2 "$(controllers | wc -l)"
nvme disconnect -d "$(controllers | tail -n 1)"

step "leftovers wait; their subsystem is deleted, and a newcomer takes its slot at once"
park second
slot=$(slot_of $NQN)
change 204 DELETE "/v1/subsystems/$NQN?force=true"
create_newcomer ram1
expect_equal "slot of the newcomer" "$slot" "$(slot_of $NEWCOMER)"
fio_end_with_error second 60
say "error of fio: $REPLY"
wait_for "the late host's Connect ends" 40 not process_runs $LATE
! wait $LATE || fail "the late host is connected to a subsystem that is gone"
wait_for "the host has given up the old one" 60 has_no_controller $NQN
newcomer_serves newcomer
remove_newcomer

step "the old name comes back, and serves"
change 201 POST /v1/subsystems \
    "{\"nqn\": \"$NQN\", \"allow_any_host\": true, \"namespaces\": [{\"nsid\": 1, \"device\": \"ram1\"},
      {\"nsid\": 2, \"device\": \"ram2\"}]}"
host_connect 127.0.0.1 --nr-io-queues=1
fio_verify again "$(block_device 1)" --size=1M
load_end beside 60
target_health
NQN=$BESIDE disconnect_all
disconnect_all
target_stop
