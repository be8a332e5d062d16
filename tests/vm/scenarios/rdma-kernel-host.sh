#!/bin/bash
# A Linux host over soft-RoCE: discovers, connects with several queues, verifies data, together with a TCP host.
# shape: memory=2048 disk=4G
# deadline: 480
# needs: target
# variant: rdma-kernel-host-3-reactors REACTORS=3

rdma_link_add
target_start two-transports

step "both transports are in the discovery log, whichever way it is read"
for HOST_TRANSPORT in tcp rdma; do
    address=127.0.0.1
    [ $HOST_TRANSPORT = tcp ] || address=$RDMA_ADDRESS
    host_discover $address > "$LOGS/discovery-$HOST_TRANSPORT"
    for listed in tcp rdma; do
        expect "$listed is in the discovery log read over $HOST_TRANSPORT" jq --exit-status --arg nqn $NQN \
            --arg port $PORT --arg type $listed \
            '.records[] | select(.subnqn == $nqn and .trtype == $type and .trsvcid == $port)' \
            "$LOGS/discovery-$HOST_TRANSPORT" > "$LOGS/discovered"
    done
done

step "connect with several queues, and what tools read"
export HOST_TRANSPORT=rdma
host_connect $RDMA_ADDRESS --nr-io-queues=2 --nr-write-queues=2
controller=$(controllers)
expect_equal "queues (admin, 2 read, 2 write)" 5 "$(< "/sys/class/nvme/$controller/queue_count")"
ram=$(block_device 1)
file=$(block_device 2)
check_pages "$controller" "$ram" "$file"

step "data on a RAM and on a file namespace, small and large, shallow and deep"
fio_begin ram "$ram" --size=8M --iodepth=32
fio_begin file "$file" --size=8M --iodepth=16
fio_end ram 90
fio_end file 90
fio_verify single "$ram" --size=1M --iodepth=1
fio_begin large-ram "$ram" --size=32M --bs=128k --iodepth=32
fio_begin large-file "$file" --size=32M --bs=128k --iodepth=8 --rw=write
fio_end large-ram 90
fio_end large-file 90
fio_verify huge "$ram" --size=32M --bsrange=4k-1M --iodepth=8

step "flush and FUA reach the disk under the file namespace"
check_durability "$file"

step "a file system"
mkfs.ext4 -q -F "$ram"
mkdir -p "$WORK/mnt"
mount "$ram" "$WORK/mnt"
dd if=/dev/urandom of="$WORK/mnt/data" bs=64k count=128 conv=fsync status=none
sum=$(sha256sum < "$WORK/mnt/data")
umount "$WORK/mnt"
e2fsck -fn "$ram" > "$LOGS/e2fsck"
mount "$ram" "$WORK/mnt"
expect_equal "what was written" "$sum" "$(sha256sum < "$WORK/mnt/data")"
umount "$WORK/mnt"

step "TCP and RDMA at once: two paths to each disk, every other request over each"
HOST_TRANSPORT=tcp
host_connect 127.0.0.1 --nr-io-queues=2
expect_equal "controllers" 2 "$(controllers | wc -l)"
for policy in /sys/class/nvme-subsystem/nvme-subsys*/iopolicy; do
    echo round-robin > "$policy"
done
fio_begin both-ram "$ram" --size=8M
fio_begin both-file "$file" --size=16M --bsrange=4k-256k
fio_end both-ram 90
fio_end both-file 90
transports=$(rest 200 GET /v1/connections | jq -r '[.connections[] | select(.bytes_read > 0) | .transport] | unique | join(" ")')
expect_equal "transports that moved data" "rdma tcp" "$transports"

disconnect_all
wait_for "no connection is left" 20 no_connections
target_stop
expect_equal "what fulmard left of verbs" "" "$(verbs_of_target)"
rdma_link_delete
