#!/bin/bash
# Two hosts of one kernel share a namespace: each type lets through what it may, a preempted host stays out, also over a restart.
# shape: memory=2048 disk=4G
# deadline: 240
# needs: target

OTHER_NQN=nqn.2014-08.org.nvmexpress:uuid:6d0c7b3e-54a1-4d6e-9a1f-000000000002
OTHER_ID=6d0c7b3e-54a1-4d6e-9a1f-000000000002

shown() { rest 200 GET "/v1/subsystems/$NQN/namespaces/1" | jq -r ".status.reservation$1"; }

without_multipath
modprobe nvme-tcp
target_start two-files
connect_as "$HOST_NQN" "$HOST_ID"
first=$CONTROLLER
connect_as "$OTHER_NQN" "$OTHER_ID"
second=$CONTROLLER
wait_for "a disk of the first host" $DEVICE_SECONDS disk_of "$first"
wait_for "a disk of the second host" $DEVICE_SECONDS disk_of "$second"
a=$(disk_of "$first")
b=$(disk_of "$second")

step "nvme-cli: the holder writes, others read"
nvme resv-register "$a" -n 1 --nrkey=0xa --rrega=0
nvme resv-acquire "$a" -n 1 --crkey=0xa --rtype=1 --racqa=0
may writes "$a"
may reads "$b"
may_not writes "$b"
nvme resv-report "$b" -n 1 --eds -o json > "$LOGS/report.json"
expect_equal "registrants in the report" 1 "$(jq .regctl "$LOGS/report.json")"
expect_equal "type in the report" 1 "$(jq .rtype "$LOGS/report.json")"
expect_equal "type that fulmard shows" write-exclusive "$(shown .type)"
fulmar_says=$("$FULMAR_BUILD/bin/fulmar" namespace show $NQN 1 --admin "$(admin_socket)")
expect "the tool names the holder" grep -q "held by.*${HOST_ID//-/}" <<< "$fulmar_says"
nvme resv-release "$a" -n 1 --crkey=0xa --rtype=1 --rrela=0
may writes "$b"
nvme resv-register "$a" -n 1 --crkey=0xa --rrega=1

step "the kernel's own reservations: register, reserve, preempt under load"
pr "$a" register 0 0x1a
pr "$b" register 0 0x1b
pr "$b" reserve 0x1b write-exclusive-registrants
fio_begin victim "$b" --rw=randwrite --size=16M --rate_iops=,200 --verify=0 --io_size=1G
sectors_moved "$b"
wait_for "the victim writes" 30 moved_more_than "$b" "$REPLY"
pr "$a" preempt-abort 0x1a 0x1b write-exclusive-registrants
fio_end_with_error victim 20
expect_equal "error of the victim (EBADE)" 52 "$REPLY"
may writes "$a"
may_not writes "$b"

step "a fenced host stays fenced over kill -9 and a restart"
target_kill
target_again
wait_for "both controllers are live again" 60 all_controllers_live
may_not writes "$b"
may writes "$a"
expect_equal "registrants after the restart" 1 "$(shown '.registrants | length')"

step "whoever is let in again registers, and clears"
pr "$b" register 0 0x2b
may writes "$b"
pr "$a" clear 0x1a
expect_equal "registrants after Clear" 0 "$(shown '.registrants | length')"
may writes "$b"

step "four hosts count in one block by fused Compare and Write, beside a kernel host's writes"
load_begin beside "$a" --offset=1M
"$FULMAR_BUILD/bin/fulmar-fused-counter" --port "$PORT" --nqn $NQN --nsid 1 --hosts 4 --increments 200 > "$LOGS/fused"
say "$(cat "$LOGS/fused")"
expect "the sum is exact" grep -q "800 of 800" "$LOGS/fused"
load_end beside 60
target_health
disconnect_all
target_stop
with_multipath
