#!/bin/bash
# A host with two paths and a second host lose a drive: ANA tells them, I/O fails or waits as the policy says, none hangs.
# shape: memory=2048 slots=11,12,13 aw-bits=48 hugepages=64
# deadline: 300
# needs: target
# variant: multipath-loss-hold ON_LOSS=hold

vfio_ready
target_start three-drives-two-paths
for drive in drive11 drive12 drive13; do await_drive $drive ready; done
host_connect 127.0.0.1 --nr-io-queues=1
host_connect ::1 --nr-io-queues=1
expect_equal "paths" 2 "$(controllers | wc -l)"
for policy in /sys/class/nvme-subsystem/nvme-subsys*/iopolicy; do
    echo round-robin > "$policy"
done

# ana_states NSID: of each path of the host, one a line.
ana_states() {
    local folder
    for folder in /sys/block/nvme*c*n*; do
        attribute "$folder/device/subsysnqn" && [ "$REPLY" = $NQN ] || continue
        attribute "$folder/nsid" && [ "$REPLY" = "$1" ] || continue
        attribute "$folder/ana_state" && echo "$REPLY"
    done
}
all_paths_are() { [ "$(ana_states "$1" | sort | uniq -c | tr -s ' ')" = " 2 $2" ]; } # NSID STATE

under_load() {
    sectors_moved "$1"
    wait_for "traffic on $1" 60 moved_more_than "$1" "$REPLY"
}

disk=$(block_device 1)
other=$(block_device 2)
wait_for "both paths are optimized" 20 all_paths_are 1 optimized
judge_begin second $NQN 1
load_begin slot12 "$other" --size=8M

for round in 1 2; do
    step "round $round"
    if [ "$ON_LOSS" = hold ]; then
        load_begin slot11-$round "$disk" --size=8M
    else
        fio_begin slot11-$round "$disk" --rw=randrw --size=64M --rate_iops=300,300 --io_size=1G
    fi
    under_load "$disk"
    slot_power_off 11
    if [ "$ON_LOSS" = hold ]; then
        wait_for "both paths are inaccessible" 10 all_paths_are 1 inaccessible
        sectors_moved "$disk"
        before=$REPLY
        under_load "$other" # meanwhile the other drive serves over both paths
        expect "both paths of the other drive are optimized" all_paths_are 2 optimized
        sectors_moved "$disk"
        expect_equal "sectors of the lost drive that moved meanwhile" "$before" "$REPLY"
        expect "the load on the lost drive waits" fio_running slot11-$round
    else
        fio_end_with_error slot11-$round 20
        expect_equal "error of fio (EIO)" 5 "$REPLY"
        under_load "$other"
    fi
    plug_drive 11
    await_drive drive11 ready
    wait_for "both paths are optimized again" 20 all_paths_are 1 optimized
    if [ "$ON_LOSS" = hold ]; then
        under_load "$disk"
        load_end slot11-$round 90
    else
        wait_for "namespace 1 is there again" $DEVICE_SECONDS block_device 1
        fio_verify again-$round "$(block_device 1)" --size=2M
    fi
    expect "the disk is still the same one" test "$(block_device 1)" = "$disk"
done

judge_end second
load_end slot12 90
target_health
disconnect_all
target_stop
