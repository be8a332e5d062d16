#!/bin/bash
# Measures RDMA: Fulmar and the kernel's own target under one kernel host, in turn, beside what the verbs alone can move.
# measures: takes about two minutes, of a quiet machine
# shape: memory=2048 disk=4G
# deadline: 600
# needs: target

ROUNDS=${ROUNDS:-5}
SECONDS_EACH=${SECONDS_EACH:-2}
KERNEL_NQN=nqn.2026-11.io.fulmar:kernel
LEAST_SHARE=90 # percent of the kernel target's throughput at queue depth 32
MOST_LATENCY=120 # percent of its mean latency at queue depth 1

kernel_target_start() {
    modprobe -a nvmet-rdma null_blk
    sed "s/$NQN/$KERNEL_NQN/; s/4420/4421/; s/ram0/ramk/" "$CONFIGS/bench-rdma.json" > "$WORK/kernel.json"
    python3 "$VM/guest/target/nvmet_peer.py" load "$WORK/kernel.json"
}

# measure LABEL DISK FIO-OPTION...: one short run; prints operations per second and mean microseconds.
measure() {
    fio --name=m --filename="$2" --ioengine=libaio --direct=1 --time_based --runtime="$SECONDS_EACH" --ramp_time=300ms \
        --size=128M --norandommap --output-format=json "${@:3}" > "$LOGS/$1.json" 2> "$LOGS/$1.err"
    jq -r '.jobs[0] | (.read, .write) | select(.total_ios > 0) | "\(.iops) \(.lat_ns.mean / 1000)"' "$LOGS/$1.json"
}

perftest_listens() { ss -Hltn 'sport = :18515' | grep -q .; } # it takes the first connection for its client

# verbs_alone VERB SIZE: the same bytes with nothing around them, 32 outstanding; prints messages per second.
verbs_alone() {
    local tool="ib_$1_bw"
    "$tool" -d rxe0 -s "$2" -t 32 -n 5000 -F --report_gbits > "$LOGS/$tool-$2-server" 2>&1 &
    local server=$!
    wait_for "$tool listens" 20 perftest_listens
    "$tool" -d rxe0 -s "$2" -t 32 -n 5000 -F --report_gbits "$RDMA_ADDRESS" > "$LOGS/$tool-$2" 2>&1
    wait $server
    awk -v size="$2" '$1 == size { print $5 * 1e6 }' "$LOGS/$tool-$2"
}

rdma_link_add
target_start bench-rdma
kernel_target_start
export HOST_TRANSPORT=rdma
host_connect_one $RDMA_ADDRESS --nr-io-queues=1
nvme connect -t rdma -a $RDMA_ADDRESS -s 4421 -n $KERNEL_NQN --hostnqn "$HOST_NQN" --hostid "$HOST_ID" --nr-io-queues=1
kernel_disk() { NQN=$KERNEL_NQN block_device 1; }
wait_for "the kernel target's disk" $DEVICE_SECONDS kernel_disk
declare -A disks=([fulmar]=$(block_device 1) [kernel]=$(kernel_disk))
for who in fulmar kernel; do dd if=/dev/urandom of="${disks[$who]}" bs=1M count=128 oflag=direct status=none; done

rows="read-4k-qd1 write-4k-qd1 read-4k-qd32 write-4k-qd32 read-128k-qd32 write-128k-qd32"
options() { # ROW
    local kind size depth
    IFS=- read -r kind size depth <<< "$1"
    echo "--rw=rand$kind --bs=$size --iodepth=${depth#qd}"
}
for ((round = 1; round <= ROUNDS; round++)); do
    for row in $rows; do
        for who in fulmar kernel; do
            # shellcheck disable=SC2046
            measure "$row-$who-$round" "${disks[$who]}" $(options $row) >> "$WORK/$row-$who"
        done
    done
done
for verb in read write; do
    for size in 4096 131072; do say "verbs alone: ib_${verb}_bw, $size bytes: $(verbs_alone $verb $size) messages/s"; done
done

missed=0
for row in $rows; do
    column=1
    [[ $row = *-qd1 ]] && column=2
    ours=$(cut -d ' ' -f $column "$WORK/$row-fulmar" | median)
    theirs=$(cut -d ' ' -f $column "$WORK/$row-kernel" | median)
    share=$(jq -n "$ours / $theirs * 100 | round")
    if [ $column = 2 ]; then
        say "$row: $ours µs, the kernel's target $theirs µs: $share % (at most $MOST_LATENCY)"
        [ "$share" -le $MOST_LATENCY ] || missed=$((missed + 1))
    else
        say "$row: $ours IO/s, the kernel's target $theirs IO/s: $share % (at least $LEAST_SHARE)"
        [ "$share" -ge $LEAST_SHARE ] || missed=$((missed + 1))
    fi
done
nvme disconnect -n $KERNEL_NQN
disconnect_all
python3 "$VM/guest/target/nvmet_peer.py" clear
target_stop
rdma_link_delete
expect_equal "rows that missed" 0 $missed
