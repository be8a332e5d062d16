# A host's Flush and FUA must arrive at the disk that holds the file, and a plain write must not cause them.
# Each step runs under its own block trace of that disk, which is quiet otherwise (guest/lib/disk.sh).

DURABILITY_BYTES=4096

check_durability() { # NAMESPACE-DEVICE
    local device=$1
    # allocated and committed, so that no later write needs the file system's journal
    dd if=/dev/zero of="$device" bs=64k count=1 oflag=direct conv=fdatasync status=none
    sync -f $FILE_DISK_MOUNT

    traced plain-write nvme_write "$device"
    expect "a plain write reaches the disk" test "$(count_writes "$LOGS/plain-write")" -ge 1
    expect_equal "flushes after a plain write" 0 "$(count_flushes "$LOGS/plain-write")"
    expect_equal "FUA writes after a plain write" 0 "$(count_fua_writes "$LOGS/plain-write")"

    traced flush nvme flush "$device" --namespace-id="$(< "/sys/block/${device##*/}/nsid")"
    expect "Flush causes a flush" test "$(count_flushes "$LOGS/flush")" -ge 1

    traced fua-command nvme_write "$device" --force-unit-access
    expect_durable_write fua-command
    traced fua-block-layer dd if=/dev/zero of="$device" bs=4k count=1 oflag=direct,dsync status=none
    expect_durable_write fua-block-layer
}

traced() { # NAME COMMAND...
    local name=$1
    shift
    block_trace_start "$(file_disk)"
    "$@"
    block_trace_stop "$LOGS/$name"
}

nvme_write() { # DEVICE [OPTION...]
    local device=$1 block
    shift
    block=$(blockdev --getss "$device")
    nvme write "$device" --start-block=0 --block-count=$((DURABILITY_BYTES / block - 1)) \
        --data-size=$DURABILITY_BYTES --data=/dev/zero "$@"
}

# Either way is honest: the write itself goes through the cache, or a flush follows it.
expect_durable_write() { # NAME
    local fua flushes
    fua=$(count_fua_writes "$LOGS/$1")
    flushes=$(count_flushes "$LOGS/$1")
    say "$1: $fua FUA writes, $flushes flushes on the disk"
    [ $((fua + flushes)) -ge 1 ] || fail "$1: nothing made the write durable"
}
