#!/bin/bash
# A drive's slot loses its power under load and gets it back, again and again, while subsystems and namespaces come and go.
# shape: memory=2048 slots=11,12,13 aw-bits=48 hugepages=64
# deadline: 900
# needs: target
# alone: it compares how long power-offs take, busy and idle, to within 100 ms
# soak: CYCLES=100 deadline=5400
# variant: slot-power-off-39-bit CYCLES=3 aw-bits=39 hugepages=0
# variant: slot-power-off-hold CYCLES=4 ON_LOSS=hold
# variant: rdma-slot-power-off CYCLES=4 VERBS=yes

CYCLES=${CYCLES:-10}
VERBS=${VERBS:-no} # the host of slots 11 and 12 comes over RDMA; that of slot 13 stays with TCP
OTHER=nqn.2026-11.io.fulmar:other
PASSING=nqn.2026-11.io.fulmar:passing
LET_GO_US=50000 # from the kernel's request for the drive to close(), where the kernel resets the card
ERROR_MS=1000 # from a command to the answer that its drive is lost
SLOWER_MS=100 # than an idle slot, by the median; past MOST_AGAIN more by the fastest: a delay of ours is in each of them
BUSY_PERCENT=25 # of the machine's processors, used by others than this guest: then a power-off is not among those whose
# median counts, and a drive that was held for too long is pulled
MOST_AGAIN=5 # more times, also while the median says that power-offs under load are slower: of three, two may be the machine's

vfio_ready

# What an idle slot takes: nobody has its drive open.
idle_slot() {
    local address
    address=$(drive_address 11)
    [ ! -e "/sys/bus/pci/devices/$address/driver" ] || echo "$address" > "/sys/bus/pci/devices/$address/driver/unbind"
    milliseconds_of slot_power_off 11
    echo "$REPLY" >> "$WORK/idle"
    plug_drive 11
    wait_for "a drive in slot 11" 30 drive_address 11
}
: > "$WORK/idle"
for _ in 1 2 3; do idle_slot; done
idle=$(median < "$WORK/idle")

if [ "$VERBS" = yes ]; then
    rdma_link_add
    target_start three-drives-rdma
    export HOST_TRANSPORT=rdma
    address=$RDMA_ADDRESS
else
    target_start three-drives
    address=127.0.0.1
fi
for drive in drive11 drive12 drive13; do await_drive $drive ready; done
host_connect $address --nr-io-queues=1
host_connect_other $OTHER --nr-io-queues=1
other_disk() { NQN=$OTHER block_device 1; }
wait_for "the other subsystem's disk" $DEVICE_SECONDS other_disk

load_begin slot12 "$(block_device 2)" --size=8M
load_begin slot13 "$(other_disk)" --size=8M

judge_begin slot11 $NQN 1

# The operator: subsystems and namespaces come and go all the time.
operator() {
    local round=0
    target_add_ram_device passing 16MiB
    until [ -e "$WORK/operator-enough" ]; do
        rest 201 POST /v1/subsystems "{\"nqn\": \"$PASSING\", \"allow_any_host\": true}" > /dev/null
        target_add_namespace $PASSING 1 passing
        target_remove_namespace $PASSING 1
        rest 204 DELETE "/v1/subsystems/$PASSING?force=true"
        round=$((round + 1))
        nap
    done
    target_remove_device passing
    say "operator: $round rounds"
}
rm -f "$WORK/operator-enough"
operator &
operator_pid=$!

: > "$WORK/busy"
: > "$WORK/let-go"
again=0
disk=$(block_device 1)
uuid=$(cat "/sys/block/$(basename "$disk")/uuid")
[ "$ON_LOSS" != hold ] || load_begin slot11 "$disk" --size=8M

# Under `fail`: errors, at once, and the right ones.
begin_to_fail() {
    disk=$(block_device 1)
    fio_begin slot11 "$disk" --rw=randrw --size=64M --rate_iops=300,300 --io_size=1G
    under_load
}
failed_as_it_must() {
    local took
    ! dd if="$disk" of=/dev/null bs=4096 count=1 iflag=direct 2> "$WORK/dd" || fail "a read of a lost drive succeeded"
    expect "a read of the lost drive says I/O error: $(cat "$WORK/dd")" grep -q "Input/output error" "$WORK/dd"
    took=$(awk '/copied/ { sub(/.*copied, /, ""); printf "%d", $1 * 1000 }' "$WORK/dd") # as dd saw it: without its own start
    [ -n "$took" ] || fail "dd does not say how long it took: $(cat "$WORK/dd")"
    [ "$took" -le $ERROR_MS ] || fail "it took $took ms to say that the drive is lost"
    fio_end_with_error slot11 20
    expect_equal "error of fio on slot 11 (EIO)" 5 "$REPLY"
}
under_load() {
    sectors_moved "$disk"
    wait_for "slot 11 is under load" 60 moved_more_than "$disk" "$REPLY"
}

# Whether the median of the quiet cycles so far is that of an idle slot.
as_fast_as_idle() {
    busy=$(median < "$WORK/busy")
    [ "${busy:-0}" -le $((idle + SLOWER_MS)) ]
}

for ((cycle = 1; cycle <= CYCLES + again; cycle++)); do
    step "cycle $cycle of $((CYCLES + again))"
    if [ "$ON_LOSS" = hold ]; then under_load; else begin_to_fail; fi
    before=$(releases | wc -l)

    read -r others_before all_before <<< "$(elsewhere)"
    milliseconds_of slot_power_off 11
    off_ms=$REPLY
    read -r others all <<< "$(elsewhere)"
    others=$(((others - others_before) * 100 / (all - all_before)))
    [ $others -gt $BUSY_PERCENT ] || echo "$off_ms" >> "$WORK/busy"
    [ "$ON_LOSS" = hold ] || failed_as_it_must

    released() { [ "$(releases | wc -l)" -gt "$before" ]; }
    wait_for "the log says that the drive is given back" 10 released
    let_go=$(releases | tail -n 1)
    say "power off took $off_ms ms (idle: $idle ms), the drive was let go after $let_go us; others used $others %"
    if [ "$let_go" -le $LET_GO_US ]; then
        echo "$let_go" >> "$WORK/let-go"
    else
        [ $others -gt $BUSY_PERCENT ] || fail "the drive was held for $let_go us"
        again=$((again + 1))
        say "shown: the drive was held for $let_go us while others used $others % of the machine: once more"
        [ $again -le $MOST_AGAIN ] || fail "this machine is too busy to measure"
    fi
    expect_equal "state of the device" lost "$(drive_says drive11 state)"
    expect_equal "state of the namespace" lost "$(namespace_state $NQN 1)"
    expect "load on slot 12 goes on" fio_running slot12
    expect "load on slot 13 goes on" fio_running slot13

    # Every second time the operator takes the namespace away, and gives it back when the drive is there again.
    renewed=no
    if [ "$ON_LOSS" != hold ] && ((cycle % 2 == 0)); then
        target_remove_namespace $NQN 1
        renewed=yes
    fi
    plug_drive 11
    await_drive drive11 ready
    [ $renewed = no ] || target_add_namespace $NQN 1 drive11
    if [ "$ON_LOSS" = hold ]; then
        under_load # the same disk goes on, and fio has seen nothing but a pause
        expect "load on slot 11 goes on" fio_running slot11
    else
        wait_for "namespace 1 is there again" $DEVICE_SECONDS block_device 1
        expect_equal "UUID of the namespace" "$uuid" "$(cat "/sys/block/$(basename "$(block_device 1)")/uuid")"
        ((cycle % 5 != 0)) || fio_verify again "$(block_device 1)" --size=2M
    fi
    if [ $cycle -eq $((CYCLES + again)) ] && [ $again -lt $MOST_AGAIN ] && ! as_fast_as_idle; then
        again=$((again + 1))
        say "shown: power off took $busy ms under load and $idle ms idle (medians): once more"
    fi
done

step "nobody else noticed"
touch "$WORK/operator-enough"
wait_for "the operator is done" 60 not process_runs $operator_pid
wait $operator_pid || fail "the operator loop failed"
[ "$ON_LOSS" != hold ] || load_end slot11 180
judge_end slot11
if [ "$ON_LOSS" != hold ]; then
    expect "the judge has seen the losses" test "${REPLY% *}" -gt 0
    slowest=$(jq '.slowest_failure_us / 1000 | floor' "$LOGS/judge-slot11.json")
    say "shown: the host was told of a loss within $slowest ms"
    [ "$slowest" -le $ERROR_MS ] || fail "a command of the judge waited for $slowest ms to fail"
fi
load_end slot12 180
load_end slot13 180
target_health
measured=$(wc -l < "$WORK/busy")
[ $((measured * 2)) -ge "$CYCLES" ] || say "shown: NOT MEASURED in most cycles, others used the machine: how long power off takes"
expect "the drive was let go in time in $CYCLES cycles" test "$(wc -l < "$WORK/let-go")" -ge "$CYCLES"
longest=$(sort -n "$WORK/let-go" | tail -n 1)
busy=$(median < "$WORK/busy")
fastest=$(sort -n "$WORK/busy" | head -n 1)
say "shown: let go after $(median < "$WORK/let-go") us (median), $longest us (the longest of $CYCLES)"
say "shown: power off takes ${busy:-?} ms under load (in $measured quiet cycles, the fastest ${fastest:-?}), $idle ms idle (medians)"
if [ $again -lt $MOST_AGAIN ]; then
    as_fast_as_idle || fail "power off takes $busy ms under load, $idle ms idle"
fi
[ "${fastest:-0}" -le $((idle + SLOWER_MS)) ] || fail "power off takes at least $fastest ms under load, $idle ms idle"
nvme disconnect -n $OTHER
disconnect_all
target_stop
if [ "$VERBS" = yes ]; then
    expect_equal "what fulmard left of verbs" "" "$(verbs_of_target)"
    rdma_link_delete
fi
