#!/bin/bash
# Fifty connects and disconnects over RDMA leave nothing behind: memory, descriptors, verbs objects.
# shape: memory=2048 disk=4G
# deadline: 480
# needs: target
# soak: CYCLES=500 deadline=3600

CYCLES=${CYCLES:-50}
export HOST_TRANSPORT=rdma
rdma_link_add
target_start two-transports

# cycle: connects, moves some data, disconnects.
cycle() {
    host_connect_one $RDMA_ADDRESS --nr-io-queues=2
    dd if="$(block_device 1)" of=/dev/null bs=128k count=4 iflag=direct status=none
    nvme disconnect -n $NQN > "$LOGS/disconnect"
    wait_for "no connection is left" 20 no_connections
}

cycle # what is made once: the device, its registrations, what malloc keeps
cycle
declare -A before
for kind in qp cq mr pd cm_id; do
    before[$kind]=$(verbs_count $kind)
    say "$kind: ${before[$kind]}"
done
descriptors=$(open_descriptors)
resident=$(resident_kib)

for ((i = 0; i < CYCLES; ++i)); do
    cycle 2>> "$LOGS/cycles"
done

expect_equal "queue pairs without a connection" 0 "$(verbs_count qp)"
for kind in cq mr pd cm_id; do
    expect_equal "$kind after $CYCLES cycles" "${before[$kind]}" "$(verbs_count $kind)"
done
expect_equal "descriptors after $CYCLES cycles" "$descriptors" "$(open_descriptors)"
grown=$(($(resident_kib) - resident))
say "resident memory grew by $grown KiB"
expect "memory is steady" test $grown -le 1024
target_stop
expect_equal "what fulmard left of verbs" "" "$(verbs_of_target)"
rdma_link_delete
