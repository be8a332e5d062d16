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
    check_namespace_page 1 "$ram" $((256 << 20))
    check_namespace_page 2 "$file" $((512 << 20))
    page smart-log smart-log "$character"
    holds smart-log "no critical warning" '.critical_warning == 0'
    page error-log error-log "$character"
    holds error-log "a list of entries" '(.errors // []) | type == "array"'
}

check_namespace_page() { # NSID DEVICE SIZE-IN-BYTES
    page "id-ns-$1" id-ns "$2"
    holds "id-ns-$1" \
        "size is $3" ".nsze * pow(2; .lbafs[.flbas % 16].ds) == $3" \
        "a usable block size" '.lbafs[.flbas % 16].ds | . == 9 or . == 12' \
        "NGUID is set" '.nguid | test("[1-9a-f]")'
    expect_equal "size of the disk" "$3" "$(blockdev --getsize64 "$2")"
    expect "UUID of namespace $1 is set" grep -q '[1-9a-f]' "/sys/block/${2##*/}/uuid"
}
