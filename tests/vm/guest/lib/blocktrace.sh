# Which requests reach a block device, by the kernel's own tracepoint. In its "rwbs" word a leading F is a flush,
# and an F after the W is a FUA write.

BLOCK_TRACE=/sys/kernel/tracing/instances/fulmar

block_trace_start() { # BLOCK-DEVICE
    local major minor
    IFS=: read -r major minor < "/sys/block/${1##*/}/dev"
    echo 0 > /sys/kernel/tracing/options/record-cmd # it would have the kernel patch its scheduler
    mkdir -p $BLOCK_TRACE
    echo 0 > $BLOCK_TRACE/tracing_on
    echo > $BLOCK_TRACE/trace
    echo "dev == $((major << 20 | minor))" > $BLOCK_TRACE/events/block/block_rq_issue/filter
    echo 1 > $BLOCK_TRACE/events/block/block_rq_issue/enable
    echo 1 > $BLOCK_TRACE/tracing_on
}

block_trace_stop() { # FILE
    echo 0 > $BLOCK_TRACE/tracing_on
    cat $BLOCK_TRACE/trace > "$1"
    rmdir $BLOCK_TRACE
}

_count_rwbs() { grep -cE "block_rq_issue: [0-9]+,[0-9]+ $1 " "$2" || true; }
count_writes() { _count_rwbs '[A-Z]*W[A-Z]*' "$1"; } # FILE
count_flushes() { _count_rwbs 'F[A-Z]*' "$1"; }
count_fua_writes() { _count_rwbs 'F?W[A-Z]*F[A-Z]*' "$1"; }
count_discards() { _count_rwbs 'D[A-Z]*' "$1"; }
