#!/bin/bash
# The tool's own host over RDMA: discovers, identifies, writes and verifies a pattern, measures; with no kernel host at all.
# shape: memory=2048 disk=4G
# deadline: 240
# needs: target

FULMAR=$FULMAR_BUILD/bin/fulmar
over_rdma=(--transport rdma --address "$RDMA_ADDRESS" --port "$PORT")

rdma_link_add
target_start two-transports

step "discovery and identity"
"$FULMAR" discover "${over_rdma[@]}" > "$LOGS/discover"
expect "both transports are listed" test "$(grep -c $NQN "$LOGS/discover")" -ge 2
"$FULMAR" identify "${over_rdma[@]}" --nqn $NQN > "$LOGS/identify"
expect "its own subsystem" grep -q $NQN "$LOGS/identify"

step "a pattern, written and verified over RDMA, and read back over TCP"
region=(--lba 0 --count 8192) # 4 MiB and more
for nsid in 1 2; do
    "$FULMAR" verify "${over_rdma[@]}" --nqn $NQN --nsid $nsid --pattern 7 "${region[@]}" > "$LOGS/verify-$nsid"
    "$FULMAR" verify --address 127.0.0.1 --port $PORT --nqn $NQN --nsid $nsid --pattern 7 --read-only-check \
        "${region[@]}" > "$LOGS/verify-tcp-$nsid"
done

step "load, small and large, reads and writes, and the book is clean"
for size in 4k 128k; do
    "$FULMAR" perf "${over_rdma[@]}" --nqn $NQN --nsid 1 -b $size -q 32 -c 2 -m 50 -t 3 --quiet \
        --json "$LOGS/perf-$size.json"
    say "$size: $(jq -c . "$LOGS/perf-$size.json" | cut -c1-400)"
done

wait_for "no connection is left" 20 no_connections
target_stop
expect_equal "what was left of verbs" "" "$(rdma resource show qp | grep -E 'comm fulmar' || true)"
rdma_link_delete
