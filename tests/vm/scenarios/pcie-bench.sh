#!/bin/bash
# Measures the driver beside the kernel's own: reads through it alone, and what the removal of a drive costs its hosts and others.
# measures: takes about six minutes, of a quiet machine
# shape: memory=2048 slots=11,12 aw-bits=48 hugepages=64
# deadline: 1200
# needs: target

ROUNDS=${ROUNDS:-5}
SECONDS_EACH=${SECONDS_EACH:-3}
OTHER=nqn.2026-11.io.fulmar:other
REGION=64M
READ_DEPTH=32
LEAST_SHARE=0.95 # of the kernel driver's reads a second, at no more processor time for each
MOST_DOORBELLS=0.25 # register writes for one read
MOST_DRAIN_MS=50
MOST_SLOWER=2 # the other drive's p99 while a drive is removed, by what it was before
BEFORE_MS=3000 # how long that is watched before

# --- one drive, no fabric -------------------------------------------------------------------------

# Submitted and reaped in batches, without a look at the clock for each read: fio and the kernel at their best.
read_by_kernel() { # ROUND
    local address
    address=$(drive_address 11)
    give_to nvme "$address"
    wait_for "the kernel's disk" 30 kernel_disk "$address"
    fio --name=kernel --filename="/dev/$(kernel_disk "$address")" --ioengine=io_uring --registerfiles --fixedbufs \
        --direct=1 --rw=randread --bs=4k --size=$REGION --norandommap --iodepth=$READ_DEPTH \
        --iodepth_batch_submit=$READ_DEPTH --iodepth_batch_complete_max=$READ_DEPTH --gtod_reduce=1 \
        --time_based --runtime="$SECONDS_EACH" --ramp_time=500ms \
        --output-format=json --output="$LOGS/read-kernel-$1.json" 2> "$LOGS/read-kernel-$1.err"
    expect_equal "errors of fio" 0 "$(jq '.jobs[0].error' "$LOGS/read-kernel-$1.json")"
    jq '.jobs[0].read.iops' "$LOGS/read-kernel-$1.json" >> "$WORK/kernel-iops"
    jq '.jobs[0] | (.usr_cpu + .sys_cpu) * 1e4 / .read.iops' "$LOGS/read-kernel-$1.json" >> "$WORK/kernel-cpu"
}

read_by_fulmar() { # ROUND
    local address report="$LOGS/read-fulmar-$1.json"
    address=$(drive_address 11)
    give_to vfio-pci "$address"
    "$FULMAR_BUILD/bin/fulmar-drive-load" "$address" --queue-depth $READ_DEPTH --size $REGION \
        --seconds "$SECONDS_EACH" --warmup 0.5 --json "$report" > "$LOGS/read-fulmar-$1.err" 2>&1
    jq .iops "$report" >> "$WORK/fulmar-iops"
    jq .cpu_us_per_read "$report" >> "$WORK/fulmar-cpu"
    jq .doorbells_per_read "$report" >> "$WORK/fulmar-doorbells"
}

fill_drive() { # SLOT: reads of an empty image would cost the machine below less than reads of data
    local address
    address=$(drive_address "$1")
    give_to nvme "$address"
    wait_for "the kernel's disk" 30 kernel_disk "$address"
    dd if=/dev/urandom of="/dev/$(kernel_disk "$address")" bs=1M count=${REGION%M} oflag=direct status=none
}

# --- a drive goes, and another one stays -----------------------------------------------------------

other_disk() { NQN=$OTHER block_device 1; }

serve_by_fulmar() {
    target_start two-drives-apart
    for drive in drive11 drive12; do await_drive $drive ready; done
}

# The same subsystems on the kernel's disks.
serve_by_kernel() {
    local slot address config="$WORK/kernel.json" paths=()
    modprobe -a nvmet-tcp null_blk
    for slot in 11 12; do
        address=$(drive_address $slot)
        give_to nvme "$address"
        wait_for "the kernel's disk in slot $slot" 30 kernel_disk "$address"
        paths+=("/dev/$(kernel_disk "$address")")
    done
    jq --arg one "${paths[0]}" --arg two "${paths[1]}" '.devices = [{"name": "drive11", "type": "disk", "path": $one},
        {"name": "drive12", "type": "disk", "path": $two}]' "$CONFIGS/two-drives-apart.json" > "$config"
    python3 "$VM/guest/target/nvmet_peer.py" load "$config"
    wait_for "nvmet accepts" 20 accepts 127.0.0.1 $PORT
}

under_full_load() { [[ $(< "$1") == *IO/s* ]]; } # FILE: perf says so once a second

# remove_under_load WHO ROUND: 512 reads of slot 11 are outstanding all the time, and somebody reads slot 12, when the
# slot's power goes. It keeps what the others saw.
remove_under_load() {
    local label=$1-$2 disk load other began off over
    host_connect_other $OTHER --nr-io-queues=1
    wait_for "the other subsystem's disk" $DEVICE_SECONDS other_disk
    disk=$(other_disk)
    sectors_moved "$disk"
    fio --name=other --filename="$disk" --ioengine=libaio --direct=1 --rw=randread --bs=4k --size=$REGION \
        --iodepth=32 --rate_iops=400 --time_based --runtime=600 --log_unix_epoch=1 --disable_clat=1 --disable_slat=1 \
        --write_lat_log="$LOGS/other-$label" --output-format=json --output="$LOGS/other-$label.json" \
        2> "$LOGS/other-$label.err" &
    other=$!
    wait_for "the other drive is read" 60 moved_more_than "$disk" $((REPLY + 8 * 32)) # its fio is there by then
    : > "$LOGS/load-$label.out"
    "$FULMAR_BUILD/bin/fulmar" perf --port $PORT --nqn $NQN --nsid 1 --host-nqn "$JUDGE_HOST" \
        --host-id "${JUDGE_HOST##*:}" --connections 4 --queue-depth 128 --size $REGION --seconds 600 --timeout 60 \
        --asleep --json "$LOGS/load-$label.json" > "$LOGS/load-$label.out" 2>&1 &
    load=$!
    wait_for "slot 11 is under full load" 60 under_full_load "$LOGS/load-$label.out"
    began=$(milliseconds)
    before_is_over() { (($(milliseconds) - began >= BEFORE_MS)); }
    wait_for "the time before" 60 before_is_over
    off=$(milliseconds)
    slot_power_off 11
    over=$(milliseconds)
    wait_for "the load has its answers" 60 not process_runs $load
    ! wait $load || fail "the load saw no loss"
    expect "the other drive is read on" process_runs $other
    kill -INT $other
    wait_for "the other reads end" 60 not process_runs $other
    wait $other || true # it was interrupted, and says so
    expect_equal "errors of the other reads" 0 "$(sed -n '/^{/,$p' "$LOGS/other-$label.json" | jq '.jobs[0].error')"
    p99_between "$LOGS/other-${label}_lat.1.log" $began $off >> "$WORK/$1-p99-before"
    p99_between "$LOGS/other-${label}_lat.1.log" $off $over >> "$WORK/$1-p99-during"
    echo $((over - off)) >> "$WORK/$1-power-off"
    expect_equal "reads of slot 11 without an answer" 0 "$(jq .unanswered "$LOGS/load-$label.json")"
    [ "$1" = kernel ] \
        || expect_equal "answers that nobody had asked for" 0 "$(jq .protocol_breaches "$LOGS/load-$label.json")"
    say "$label: $(jq -c '[.iops, .failed]' "$LOGS/load-$label.json"), power off took $((over - off)) ms, p99 of the other" \
        "$(tail -n 1 "$WORK/$1-p99-before") ms before, $(tail -n 1 "$WORK/$1-p99-during") ms during"
    nvme disconnect -n $OTHER
}

# p99_between LOG FROM TO: in milliseconds, of what was under way at any time between the two.
p99_between() {
    awk -F ', *' -v from="$2" -v to="$3" '$1 >= from && $1 - $2 / 1e6 <= to { print $2 / 1e6 }' "$1" | sort -n \
        | awk '{ v[NR] = $1 } END { if (NR == 0) exit 1; at = int(NR * 0.99); print v[at < 1 ? 1 : at] }'
}

# From the first sign, by fulmard's clock: until nothing was outstanding there, and until the host had its last answer.
drain_of_fulmar() { # ROUND
    local sign answered
    drained() {
        rest 200 GET /metrics > "$WORK/metrics"
        grep -q '^fulmar_device_drain_seconds_count{device="drive11"} 1' "$WORK/metrics"
    }
    wait_for "fulmard tells of the drain" 20 drained
    awk '$1 == "fulmar_device_drain_seconds_sum{device=\"drive11\"}" { print $2 * 1000 }' "$WORK/metrics" >> "$WORK/drained"
    sign=$(rest 200 GET "/v1/drives/$2" | jq -r '.history | map(select(.event == "lost"))[-1].time')
    answered=$(jq .last_answer_unix_ms "$LOGS/load-fulmar-$1.json")
    echo $((answered - $(date -d "$sign" +%s%3N))) >> "$WORK/answered"
    say "drained after $(tail -n 1 "$WORK/drained") ms, the host had its last answer after $(tail -n 1 "$WORK/answered") ms"
}

back_again() {
    plug_drive 11
    wait_for "a drive in slot 11" 30 drive_address 11
}

vfio_ready
modprobe nvme-tcp
read -r others_before all_before <<< "$(elsewhere)"
fill_drive 11
fill_drive 12
for ((round = 1; round <= ROUNDS; round++)); do
    step "round $round of $ROUNDS"
    read_by_kernel $round
    read_by_fulmar $round
done
for ((round = 1; round <= ROUNDS; round++)); do
    step "removal $round of $ROUNDS"
    serve_by_kernel
    remove_under_load kernel $round
    python3 "$VM/guest/target/nvmet_peer.py" clear
    back_again
    serve_by_fulmar
    address=$(drive_address 11)
    remove_under_load fulmar $round
    drain_of_fulmar $round "$address"
    target_stop
    back_again
done

ours=$(median_of "$WORK/fulmar-iops")
theirs=$(median_of "$WORK/kernel-iops")
ours_cpu=$(median_of "$WORK/fulmar-cpu")
theirs_cpu=$(median_of "$WORK/kernel-cpu")
doorbells=$(median_of "$WORK/fulmar-doorbells")
drained=$(median_of "$WORK/drained")
answered=$(median_of "$WORK/answered")
before=$(median_of "$WORK/fulmar-p99-before")
during=$(median_of "$WORK/fulmar-p99-during")
kernel_during=$(median_of "$WORK/kernel-p99-during")
kernel_before=$(median_of "$WORK/kernel-p99-before")
read -r others all <<< "$(elsewhere)"
others=$(((others - others_before) * 100 / (all - all_before)))
rounded() { printf '%.*f' "$1" "$2"; } # DIGITS NUMBER
results_begin
result "4 KiB random reads/s, depth $READ_DEPTH" "$(rounded 0 "$ours")" "kernel's driver: $(rounded 0 "$theirs")" \
    ">= $LEAST_SHARE x" "$ours >= $LEAST_SHARE * $theirs"
result "processor time of one, µs" "$(rounded 1 "$ours_cpu")" "kernel's driver: $(rounded 1 "$theirs_cpu")" \
    "<= 1 x" "$ours_cpu <= $theirs_cpu"
result "doorbell writes of one" "$(rounded 3 "$doorbells")" "" "< $MOST_DOORBELLS" "$doorbells < $MOST_DOORBELLS"
result "first sign to nothing outstanding, ms" "$(rounded 1 "$drained")" "" "<= $MOST_DRAIN_MS" "$drained <= $MOST_DRAIN_MS"
result "first sign to the host's last answer, ms" "$answered" "" "<= $MOST_DRAIN_MS" "$answered <= $MOST_DRAIN_MS"
result "other drive's p99 during a removal, ms" "$(rounded 1 "$during")" \
    "before: $(rounded 1 "$before"); kernel's: $(rounded 1 "$kernel_during")" "<= $MOST_SLOWER x, or kernel's" \
    "$during <= $MOST_SLOWER * $before || $during <= $kernel_during"
result "the same beside the kernel's driver, ms" "$(rounded 1 "$kernel_during")" "before: $(rounded 1 "$kernel_before")" "" ""
result "power off of the slot, ms" "$(median_of "$WORK/fulmar-power-off")" \
    "kernel's: $(median_of "$WORK/kernel-power-off")" "" ""
result "processors that others used meanwhile, %" $others "" "" ""
results_end
