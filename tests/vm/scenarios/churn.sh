#!/bin/bash
# Subsystems and namespaces are created, deleted, paused, resumed, added, removed and resized under kernel hosts with fio.
# shape: memory=2048
# deadline: 240
# needs: target
# variant: churn-3-reactors REACTORS=3

BESIDE=nqn.2026-11.io.fulmar:beside
PASSING=nqn.2026-11.io.fulmar:passing
ROUNDS=${ROUNDS:-1}
# a controller whose subsystem is gone is refused, and must not be tried again for ever
reconnects=(--reconnect-delay=1 --ctrl-loss-tmo=10)

disk_of() { NQN=$1 block_device "$2"; } # NQN NSID
size_is() { [ "$(blockdev --getsize64 "$1")" = "$2" ]; } # DISK BYTES
has_no_controller() { [ -z "$(NQN=$1 controllers)" ]; } # NQN
change() { rest "$@" > /dev/null; }

target_start churn
host_connect 127.0.0.1 --nr-io-queues=2 "${reconnects[@]}"
host_connect_other $BESIDE --nr-io-queues=1 "${reconnects[@]}"
wait_for "the disk beside it all" $DEVICE_SECONDS disk_of $BESIDE 1
load_begin paused "$(block_device 1)"
load_begin beside "$(disk_of $BESIDE 1)"

# pauser: pauses and resumes the subsystem, while everything else happens to it, until it is told that it is enough.
pauser() {
    local pauses=0
    until [ -e "$WORK/enough-pauses" ]; do
        change 200 POST "/v1/subsystems/$NQN/pause"
        nap
        change 200 POST "/v1/subsystems/$NQN/resume"
        nap
        pauses=$((pauses + 1))
    done
    say "paused and resumed $pauses times"
    [ $pauses -gt 2 ]
}
rm -f "$WORK/enough-pauses" # of the scenario before in this guest
pauser &
pauser=$!

for round in $(seq $ROUNDS); do
    step "round $round: a namespace comes, serves, grows and goes again"
    target_add_namespace $NQN 3 ram3
    wait_for "namespace 3" $DEVICE_SECONDS block_device 3
    third=$(block_device 3)
    fio_verify "third$round" "$third" --size=1M
    change 200 PATCH /v1/devices/ram3 '{"size": "48MiB"}'
    wait_for "namespace 3 has grown" $DEVICE_SECONDS size_is "$third" $((48 << 20))
    fio_begin "cut$round" "$third" --size=24M --rate_iops=,200 --verify=0
    sectors_moved "$third"
    wait_for "namespace 3 is under load" 30 moved_more_than "$third" "$REPLY"
    target_remove_namespace $NQN 3
    fio_end_with_error "cut$round" 30
    wait_for "namespace 3 is gone" $DEVICE_SECONDS not block_device 3
    change 200 PATCH /v1/devices/ram3 '{"size": "32MiB", "allow_shrink": true}'

    step "round $round: a subsystem comes, serves, and goes under load"
    change 201 POST /v1/subsystems \
        "{\"nqn\": \"$PASSING\", \"allow_any_host\": true, \"namespaces\": [{\"nsid\": 1, \"device\": \"ram4\"}]}"
    host_connect_other $PASSING --nr-io-queues=1 "${reconnects[@]}"
    wait_for "its disk" $DEVICE_SECONDS disk_of $PASSING 1
    passing=$(disk_of $PASSING 1)
    fio_verify "passing$round" "$passing" --size=1M
    fio_begin "deleted$round" "$passing" --size=24M --rate_iops=,200 --verify=0
    sectors_moved "$passing"
    wait_for "it is under load" 30 moved_more_than "$passing" "$REPLY"
    change 204 DELETE "/v1/subsystems/$PASSING?force=true"
    fio_end_with_error "deleted$round" 60
    wait_for "the host has given it up" 60 has_no_controller $PASSING
done

step "whoever was not meant noticed nothing but pauses"
touch "$WORK/enough-pauses"
wait_for "the pauser has ended" 30 not process_runs $pauser
wait $pauser || fail "a pause or a resume failed"
expect "all controllers are live" all_controllers_live
load_end paused 60
load_end beside 60
for ns in 1 2; do
    expect_equal "what namespace $ns holds back" "0 0" \
        "$(rest 200 GET "/v1/subsystems/$NQN/namespaces/$ns" | jq -r '.status | "\(.parked) \(.abandoned)"')"
done

target_health
NQN=$BESIDE disconnect_all
disconnect_all
target_stop
