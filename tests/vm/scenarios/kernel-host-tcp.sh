#!/bin/bash
# A Linux host discovers, connects with several queues, reads every page that tools ask for, and verifies data.
# shape: memory=2048 disk=4G
# deadline: 360
# needs: target
# variant: kernel-host-tcp-3-reactors REACTORS=3

target_start two-namespaces

step "discovery over IPv4 and IPv6"
for address in 127.0.0.1 ::1; do
    host_discover $address > "$LOGS/discovery-$address"
    expect "the subsystem is in the discovery log" jq --exit-status --arg nqn $NQN --arg port $PORT \
        '.records[] | select(.subnqn == $nqn and .trtype == "tcp" and .trsvcid == $port)' "$LOGS/discovery-$address" > "$LOGS/discovered"
done

step "connect with several queues, and what tools read"
host_connect 127.0.0.1 --nr-io-queues=2 --nr-write-queues=2
controller=$(controllers)
expect_equal "queues (admin, 2 read, 2 write)" 5 "$(< "/sys/class/nvme/$controller/queue_count")"
ram=$(block_device 1)
file=$(block_device 2)
check_pages "$controller" "$ram" "$file"

step "data on a RAM and on a file namespace"
fio_begin ram "$ram" --size=8M
fio_begin file "$file" --size=8M
fio_end ram 60
fio_end file 60
fio_verify large "$file" --size=32M --bs=128k --iodepth=8 --rw=write

step "flush and FUA reach the disk under the file namespace"
check_durability "$file"

step "header and data digest, over IPv6"
disconnect_all
host_connect ::1 --nr-io-queues=2 --hdr-digest --data-digest
fio_begin digest-ram "$(block_device 1)" --size=4M
fio_begin digest-file "$(block_device 2)" --size=16M --bsrange=4k-256k
fio_end digest-ram 60
fio_end digest-file 60

disconnect_all
target_stop
