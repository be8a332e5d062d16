# What nvme-cli shows of a controller and its namespaces, and what must be true of it.

# page NAME COMMAND...: runs nvme-cli with JSON output, keeps it among the logs as NAME.json.
page() {
    local name=$1
    shift
    nvme "$@" -o json > "$LOGS/$name.json" || fail "nvme $*"
}

# holds NAME (WHAT FILTER)...: each jq filter must be true of page NAME. One jq for all: programs start slowly here.
holds() {
    local name=$1 checks="" untrue
    shift
    while [ $# -gt 0 ]; do
        checks+="{what: \"$1\", true: ($2)},"
        shift 2
    done
    untrue=$(jq -r "[${checks%,}] | map(select(.true | not).what) | join(\"; \")" "$LOGS/$name.json") \
        || fail "$name: the page has another form"
    [ -z "$untrue" ] || fail "$name: not so: $untrue"
}

check_pages() { # CONTROLLER RAM-DEVICE FILE-DEVICE
    local character=/dev/$1 ram=$2 file=$3
    page list list
    holds list "both namespaces are listed" "[.Devices[].DevicePath] | contains([\"$ram\", \"$file\"])"
    page id-ctrl id-ctrl "$character"
    holds id-ctrl \
        "its own subsystem" ".subnqn == \"$NQN\"" \
        "an I/O controller" '.cntrltype == 1 or .cntrltype == null' \
        "NVMe 1.3 or later" '.ver >= 66304' \
        "serial and model are set" '(.sn | test("[^ ]")) and (.mn | test("[^ ]"))' \
        "sizes of queue entries" '.sqes == 102 and .cqes == 68' \
        "SGLs, as fabrics demand" '.sgls != 0' \
        "keep alive granularity" '.kas > 0'
    check_namespace_page 1 "$ram" $((256 << 20)) 512
    check_namespace_page 2 "$file" $((512 << 20)) 4096
    page smart-log smart-log "$character"
    holds smart-log \
        "no critical warning" '.critical_warning == 0' \
        "nothing is wrong with the medium" '.media_errors | tonumber == 0' \
        "hosts have read" '.host_read_commands | tonumber > 0'
    check_error_log "$character" "$file" 2
}

# One read behind the end: the newest entry says on which queue, at which block and of which namespace; SMART counts it.
check_error_log() { # CONTROLLER-DEVICE NAMESPACE-DEVICE NSID
    local character=$1 device=$2 nsid=$3 bytes blocks before
    bytes=$(blockdev --getss "$device")
    blocks=$(($(blockdev --getsize64 "$device") / bytes))
    before=$(jq '.num_err_log_entries | tonumber' "$LOGS/smart-log.json")
    ! nvme read "$device" --start-block=$blocks --block-count=0 --data-size="$bytes" > /dev/null 2>&1 \
        || fail "a read behind the end succeeded"
    page error-log error-log "$character" --log-entries=4
    # 0/80h without the phase, with the bit that forbids to retry
    holds error-log \
        "the newest entry is of an I/O queue" '.errors[0].sqid > 0' \
        "of a command" '.errors[0].cmdid < 65535' \
        "LBA out of range" '.errors[0].status_field % 2048 == 128' \
        "its block" ".errors[0].lba == $blocks" \
        "its namespace" ".errors[0].nsid == $nsid" \
        "it is counted" '.errors[0].error_count > 0'
    page smart-log-after smart-log "$character"
    holds smart-log-after \
        "SMART counts it" ".num_err_log_entries | tonumber > $before" \
        "and not as the medium's" '.media_errors | tonumber == 0'
}

check_namespace_page() { # NSID DEVICE SIZE-IN-BYTES BLOCK-SIZE
    page "id-ns-$1" id-ns "$2"
    holds "id-ns-$1" \
        "size is $3" ".nsze * pow(2; .lbafs[.flbas % 16].ds) == $3" \
        "block size is $4" "pow(2; .lbafs[.flbas % 16].ds) == $4" \
        "NGUID is set" '.nguid | test("[1-9a-f]")'
    expect_equal "block size of the disk" "$4" "$(blockdev --getss "$2")"
    expect_equal "size of the disk" "$3" "$(blockdev --getsize64 "$2")"
    expect "UUID of namespace $1 is set" grep -q '[1-9a-f]' "/sys/block/${2##*/}/uuid"
}
