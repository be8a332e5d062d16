#!/bin/bash
# The RDMA device is deleted under load: the kernel waits for fulmard less than a second, TCP hosts see nothing, it returns.
# shape: memory=2048 disk=4G
# deadline: 480
# needs: target
# alone: the kernel's own share of the 2 s grows with every other process
# variant: rdma-link-delete-3-reactors REACTORS=3

OTHER=nqn.2026-11.io.fulmar:other
LIMIT_MS=2000 # of `rdma link delete`, which waits until every verbs object is closed
OURS_MS=1000 # from the first sign to the last verbs object; the rest is the kernel's own work

# release_ms: how long fulmard took to let go of the device, by its own log.
release_ms() {
    local began ended
    began=$(grep 'RDMA device rxe0 is removed' "$FULMARD_LOG" | tail -n 1 | cut -d ' ' -f 1)
    ended=$(grep 'RDMA device rxe0: nothing of it is in use' "$FULMARD_LOG" | tail -n 1 | cut -d ' ' -f 1)
    echo $(($(date -d "$ended" +%s%3N) - $(date -d "$began" +%s%3N)))
}

rdma_link_add
target_start two-subsystems
NQN=$OTHER host_connect_one 127.0.0.1 --nr-io-queues=2
tcp_disk=$(NQN=$OTHER block_device 1)
export HOST_TRANSPORT=rdma
host_connect_one $RDMA_ADDRESS --nr-io-queues=2

for round in 1 2; do
    step "round $round: load over both, and the device is deleted"
    rdma_disk=$(block_device 1)
    load_begin tcp-$round "$tcp_disk"
    fio_begin rdma-$round "$rdma_disk" --size=64M --loops=1000 --iodepth=16
    sectors_moved "$rdma_disk"
    wait_for "traffic over RDMA" 60 moved_more_than "$rdma_disk" $((REPLY + 2000))
    began=$(milliseconds)
    rdma link delete rxe0
    took=$(($(milliseconds) - began))
    released=$(release_ms)
    say "rdma link delete returned after $took ms; fulmard had let go after $released ms"
    fio_end_with_error rdma-$round 60
    expect "the kernel did not wait for us" test "$released" -le $OURS_MS
    expect "rdma link delete returns in time" test "$took" -le $LIMIT_MS
    expect_equal "RDMA controllers" "" "$(controllers)"
    expect_equal "what fulmard has of verbs" "" "$(verbs_of_target)"
    sectors_moved "$tcp_disk"
    wait_for "traffic over TCP goes on" 30 moved_more_than "$tcp_disk" "$REPLY"
    expect "the TCP host saw nothing" fio_running tcp-$round
    target_health
    not target_listens rdma:$RDMA_ADDRESS:$PORT || fail "the listener does not know that its device has gone"

    step "round $round: the device returns, and the listener with it"
    rdma link add rxe0 type rxe netdev d0
    wait_for "rxe0 is active" 20 rdma_link_active
    wait_for "the listener is back" 20 target_listens rdma:$RDMA_ADDRESS:$PORT
    host_connect_one $RDMA_ADDRESS --nr-io-queues=2
    fio_verify again-$round "$(block_device 1)" --size=4M
    load_end tcp-$round 90
done

NQN=$OTHER disconnect_all
disconnect_all
target_stop
rdma_link_delete
