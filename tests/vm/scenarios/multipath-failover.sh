#!/bin/bash
# The kernel's multipath fails over and back under fio that verifies, between TCP and RDMA: as ANA groups say, and as listeners go.
# shape: memory=2048 disk=4G
# deadline: 300
# needs: target
# soak: ROUNDS=50 deadline=1800

ROUNDS=${ROUNDS:-3}
TCP=tcp:127.0.0.1:$PORT
RDMA=rdma:$RDMA_ADDRESS:$PORT

ana() { "$FULMAR_BUILD/bin/fulmar" ana "$1" $NQN "${@:2}" --admin "$(admin_socket)" > "$LOGS/ana" || fail "fulmar ana $*"; }

# path_of NSID TRANSPORT: its folder in /sys/block, the controller of which came over that transport.
path_of() {
    local folder
    for folder in /sys/block/nvme*c*n*; do
        attribute "$folder/device/subsysnqn" && [ "$REPLY" = $NQN ] || continue
        attribute "$folder/nsid" && [ "$REPLY" = "$1" ] || continue
        attribute "$folder/device/transport" && [ "$REPLY" = "$2" ] || continue
        echo "$folder"
        return
    done
    return 1
}
path_is() { local path; path=$(path_of "$1" "$2") && attribute "$path/ana_state" && [ "$REPLY" = "$3" ]; } # NSID TRANSPORT STATE
moved_by() { # NSID TRANSPORT: sectors, in REPLY
    local fields
    read -ra fields < "$(path_of "$1" "$2")/stat"
    REPLY=$((fields[2] + fields[6]))
}
moves_by() { moved_by "$1" "$2" && [ "$REPLY" -gt "$3" ]; } # NSID TRANSPORT SECTORS
goes_by() {                                                # NSID TRANSPORT
    wait_for "a path of namespace $1 over $2" 30 path_of "$1" "$2"
    moved_by "$1" "$2"
    wait_for "I/O of namespace $1 goes over $2" 30 moves_by "$1" "$2" $((REPLY + 64))
}

rdma_link_add
target_start two-paths
host_connect 127.0.0.1 --nr-io-queues=1
HOST_TRANSPORT=rdma host_connect $RDMA_ADDRESS --nr-io-queues=1 --ctrl-loss-tmo=60 --reconnect-delay=1
expect_equal "paths" 2 "$(controllers | wc -l)"
load_begin first "$(block_device 1)" --size=4M
load_begin second "$(block_device 2)" --size=4M

step "each namespace goes over the path that its group prefers"
wait_for "what the host sees of group 1" 20 path_is 1 tcp optimized
wait_for "what the host sees of group 1 over RDMA" 20 path_is 1 rdma non-optimized
goes_by 1 tcp
goes_by 2 rdma

for ((round = 1; round <= ROUNDS; round++)); do
    step "round $round: over and back, as the operator says"
    ana set 1 inaccessible --listener "$TCP"
    wait_for "TCP is inaccessible" 20 path_is 1 tcp inaccessible
    goes_by 1 rdma
    ana set 1 optimized --listener "$TCP"
    goes_by 1 tcp
done

step "a transition: I/O waits at the host, and goes on over the path that is good afterwards"
ana set 1 change --listener "$TCP" --then non-optimized
ana set 1 change --listener "$RDMA"
wait_for "both paths are in transition" 20 path_is 1 rdma change
ana set 1 optimized --listener "$RDMA"
goes_by 1 rdma
wait_for "the other one has ended its transition by itself" 20 path_is 1 tcp non-optimized

step "a namespace moves to another group"
ana move 2 1
ana set 1 inaccessible --listener "$TCP"
wait_for "its path is what the new group says" 20 path_is 2 tcp inaccessible
ana set 1 optimized --listener "$TCP"
goes_by 2 tcp

step "a listener goes, with its connections, and comes again"
rest 204 DELETE "/v1/listeners/$TCP" > "$LOGS/listener"
goes_by 1 rdma
rest 201 POST /v1/listeners "{\"transport\": \"tcp\", \"address\": \"127.0.0.1\", \"port\": $PORT}" > "$LOGS/listener"
wait_for "both controllers are live again" 60 all_controllers_live
goes_by 1 tcp

load_end first 90
load_end second 90
target_health
disconnect_all
target_stop
rdma_link_delete
