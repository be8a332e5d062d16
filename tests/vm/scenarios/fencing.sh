#!/bin/bash
# A second host takes a namespace from one that writes to it over RDMA: nothing of the first lands any more, whatever it had on its way.
# shape: memory=2048 disk=4G
# deadline: 240
# needs: target
# soak: ROUNDS=20 deadline=1800

OTHER_NQN=nqn.2014-08.org.nvmexpress:uuid:6d0c7b3e-54a1-4d6e-9a1f-000000000003
OTHER_ID=6d0c7b3e-54a1-4d6e-9a1f-000000000003
ROUNDS=${ROUNDS:-3}

# What lies in the region now, as a digest.
content() { dd if="$1" bs=1M count=16 iflag=direct status=none | sha256sum; }

without_multipath
modprobe nvme-rdma
rdma_link_add
target_start two-files-rdma
connect_as "$HOST_NQN" "$HOST_ID" rdma "$RDMA_ADDRESS"
first=$CONTROLLER
connect_as "$OTHER_NQN" "$OTHER_ID" tcp 127.0.0.1
second=$CONTROLLER
wait_for "a disk of the first host" $DEVICE_SECONDS disk_of "$first"
wait_for "a disk of the second host" $DEVICE_SECONDS disk_of "$second"
victim=$(disk_of "$first")
rescuer=$(disk_of "$second")

for ((round = 1; round <= ROUNDS; round++)); do
    step "round $round: the victim holds and writes, the other preempts and aborts"
    pr "$victim" register 0 0x1a
    pr "$rescuer" register 0 0x1b
    pr "$victim" reserve 0x1a write-exclusive
    fio_begin "victim-$round" "$victim" --rw=randwrite --size=16M --iodepth=32 --verify=0 --io_size=4G
    sectors_moved "$victim"
    wait_for "the victim writes" 30 moved_more_than "$victim" "$REPLY"
    pr "$rescuer" preempt-abort 0x1b 0x1a write-exclusive
    before=$(content "$rescuer") # from here on nothing of the victim may land
    fio_end_with_error "victim-$round" 20
    expect_equal "error of the victim (EBADE)" 52 "$REPLY"
    may_not writes "$victim"
    expect_equal "content after the victim has given up" "$before" "$(content "$rescuer")"
    says=$("$FULMAR_BUILD/bin/fulmar" events --admin "$(admin_socket)")
    expect "an event names who preempted" grep -q "preempted.*$OTHER_NQN" <<< "$says"
    if [ "$round" = 2 ]; then
        step "killed and started again, the victim stays out"
        target_kill
        target_again
        wait_for "both controllers are live again" 60 all_controllers_live
        may_not writes "$victim"
        expect_equal "content after the restart" "$before" "$(content "$rescuer")"
    fi
    pr "$rescuer" clear 0x1b
    may writes "$victim"
done

target_health
disconnect_all
target_stop
rdma_link_delete
with_multipath
