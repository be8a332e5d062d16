# Soft-RoCE on a dummy interface: real verbs, no wire.

RDMA_ADDRESS=192.168.77.1

rdma_link_add() {
    modprobe -a rdma_rxe dummy rdma_ucm ib_uverbs
    ip link show d0 > /dev/null 2>&1 || ip link add d0 type dummy
    ip addr replace $RDMA_ADDRESS/24 dev d0
    ip link set d0 up
    rdma link add rxe0 type rxe netdev d0
    wait_for "rxe0 is active" 20 rdma_link_active
}

rdma_link_active() { rdma link show | grep -q 'link rxe0/1 state ACTIVE'; }

rdma_link_delete() {
    rdma link delete rxe0
    ip link delete d0
}

# verbs_of_target: the verbs objects that user programs have, one a line: qp, cq, mr, pd, cm_id. Kernel hosts have theirs too.
verbs_of_target() {
    local kind
    for kind in qp cq mr pd cm_id; do
        rdma resource show $kind | grep 'comm fulmard' || true
    done
}

# verbs_count KIND: of fulmard.
verbs_count() { rdma resource show "$1" | grep -c 'comm fulmard' || true; }

no_connections() { [ "$(rest 200 GET /v1/connections | jq '.connections | length')" = 0 ]; }
