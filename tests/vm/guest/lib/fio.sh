# Load that verifies what it reads. Not time_based: only then does fio also notice an old version of a block.

# fio_verify LABEL DEVICE [OPTION...]: writes every block once in random order, reads all back, checks each.
fio_verify() {
    local label=$1
    say "fio $label: $2 ${*:3}"
    _fio "$@" || fail "fio $label failed: $(tail -n 5 "$LOGS/fio-$label.err")"
    _fio_judge "$label"
}

# fio_begin LABEL DEVICE [OPTION...]: the same in the background.
fio_begin() {
    say "fio $1 begins: $2 ${*:3}"
    _fio "$@" || exit $? & # an error may be what the scenario wants: no ERR trap
    FIO_PIDS[$1]=$!
}

# fio_end LABEL SECONDS: waits for it and judges it.
fio_end() {
    wait_for "fio $1 ends" "$2" not fio_running "$1"
    wait "${FIO_PIDS[$1]}" || fail "fio $1 failed: $(tail -n 5 "$LOGS/fio-$1.err")"
    _fio_judge "$1"
}

# fio_end_with_error LABEL SECONDS: it must end, and not well; its error number in REPLY.
fio_end_with_error() {
    wait_for "fio $1 ends" "$2" not fio_running "$1"
    ! wait "${FIO_PIDS[$1]}" || fail "fio $1 saw no error"
    REPLY=$(jq '.jobs[0].error' "$LOGS/fio-$1.json")
    [ "$REPLY" -gt 0 ] || fail "fio $1 reports no error number"
}

# load_begin LABEL DEVICE [OPTION...]: short passes of fio_verify, one after the other, until load_end. The scenario
# decides how long that is, not the speed of the machine. Slow on purpose: the load must leave room for the rest.
load_begin() {
    say "load $1 begins: $2 ${*:3}"
    rm -f "$WORK/enough-$1"
    _load "$@" &
    FIO_PIDS[$1]=$!
}

fio_running() { process_runs "${FIO_PIDS[$1]}"; } # LABEL, of a fio or of a load

load_end() { # LABEL SECONDS
    fio_running "$1" || fail "load $1 has ended before its time"
    touch "$WORK/enough-$1"
    wait_for "load $1 ends" "$2" not fio_running "$1"
    wait "${FIO_PIDS[$1]}" || fail "load $1 failed"
}

declare -A FIO_PIDS=()

_load() {
    local passes=0
    until [ -e "$WORK/enough-$1" ]; do
        fio_verify "$1" "$2" --size=4M --rate_iops=,200 "${@:3}"
        passes=$((passes + 1))
    done
    say "load $1: $passes passes"
}

_fio() {
    local label=$1 device=$2
    shift 2
    fio --name="$label" --filename="$device" --ioengine=libaio --direct=1 --rw=randwrite --bs=4k --iodepth=16 \
        --verify=crc32c --do_verify=1 --verify_fatal=1 --verify_dump=0 --randrepeat=0 \
        --output-format=json --output="$LOGS/fio-$label.json" "$@" 2> "$LOGS/fio-$label.err"
}

_fio_judge() { # LABEL
    local result errors written read
    result=$(jq -r '.jobs[0] | "\(.error) \(.write.total_ios) \(.read.total_ios)"' "$LOGS/fio-$1.json")
    read -r errors written read <<< "$result"
    expect_equal "errors of fio $1" 0 "$errors"
    [ "$written" -gt 0 ] && [ "$read" -ge "$written" ] \
        || fail "fio $1 wrote $written and read back only $read blocks"
    say "fio $1: $written written, $read read and verified"
}
