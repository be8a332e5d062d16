# Single commands by nvme-cli, past file systems and the block layer: does each do what it says, and refuse what it must?

COMMAND_BYTES=16384

# check_commands DEVICE: overwrites its first blocks. The device must have at least 1 MiB.
check_commands() {
    local device=$1 block blocks quarter part=$WORK/command
    block=$(blockdev --getss "$device")
    blocks=$((COMMAND_BYTES / block))
    quarter=$((COMMAND_BYTES / 4))
    local first=(--start-block=0 --block-count=$((blocks - 1)))
    local second_quarter=(--start-block=$((blocks / 4)) --block-count=$((blocks / 4 - 1)))
    head -c $COMMAND_BYTES /dev/urandom > "$part.data"
    head -c $COMMAND_BYTES /dev/urandom > "$part.other"

    command_works write "$device" "${first[@]}" --data-size=$COMMAND_BYTES --data="$part.data"
    command_works flush "$device" --namespace-id="$(nsid_of "$device")"
    command_works verify "$device" "${first[@]}"
    holds_data "$device" "$part.data" "what was written"
    command_works compare "$device" "${first[@]}" --data-size=$COMMAND_BYTES --data="$part.data"
    command_refused 'Compare Failure' compare "$device" "${first[@]}" --data-size=$COMMAND_BYTES --data="$part.other"

    { head -c $quarter "$part.data"; head -c $quarter /dev/zero; tail -c $((COMMAND_BYTES / 2)) "$part.data"; } > "$part.hole"
    command_works write-zeroes "$device" "${second_quarter[@]}"
    holds_data "$device" "$part.hole" "zeros in the second quarter, and only there"
    command_works dsm "$device" --ad --slbs=0 --blocks=$((blocks / 2))
    { head -c $((COMMAND_BYTES / 2)) /dev/zero; tail -c $((COMMAND_BYTES / 2)) "$part.data"; } > "$part.discarded"
    holds_data "$device" "$part.discarded" "zeros where it was deallocated, and only there"
    blkdiscard --length 1MiB "$device"
    head -c $COMMAND_BYTES /dev/zero > "$part.zeros"
    holds_data "$device" "$part.zeros" "zeros after the block layer's discard"
}

# check_out_of_range DEVICE: whatever touches a block behind the end is refused, the block before the end stays as it is.
check_out_of_range() {
    local device=$1 block last verb part=$WORK/range
    block=$(blockdev --getss "$device")
    last=$(($(blockdev --getsize64 "$device") / block - 1))
    local across=(--start-block="$last" --block-count=1)
    head -c $((2 * block)) /dev/urandom > "$part.data"
    head -c "$block" "$part.data" > "$part.last"
    command_works write "$device" --start-block=$last --block-count=0 --data-size="$block" --data="$part.last"
    head -c $((2 * block)) /dev/zero > "$part.zeros"
    for verb in read write compare; do
        command_refused 'LBA Out of Range' $verb "$device" "${across[@]}" --data-size=$((2 * block)) --data="$part.zeros"
    done
    for verb in verify write-zeroes; do
        command_refused 'LBA Out of Range' $verb "$device" "${across[@]}"
    done
    command_refused 'LBA Out of Range' dsm "$device" --ad --slbs=$last --blocks=2
    # as far behind the end as can be said
    command_refused 'LBA Out of Range' verify "$device" --start-block=0xffffffffffffffff --block-count=0
    rm -f "$part.read" # nvme-cli does not cut what is there
    command_works read "$device" --start-block=$last --block-count=0 --data-size="$block" --data="$part.read"
    expect "the last block is as it was" cmp "$part.last" "$part.read"
}

nsid_of() { echo "$(< "/sys/block/${1##*/}/nsid")"; } # DEVICE

holds_data() { # DEVICE FILE WHAT
    rm -f "$WORK/command.read"
    command_works read "$1" --start-block=0 --block-count=$((COMMAND_BYTES / $(blockdev --getss "$1") - 1)) \
        --data-size=$COMMAND_BYTES --data="$WORK/command.read"
    expect "$3" cmp "$2" "$WORK/command.read"
}

command_works() { # VERB DEVICE OPTION...
    nvme "$@" >> "$LOGS/commands" 2>&1 || fail "nvme $*: $(tail -n 3 "$LOGS/commands")"
}

command_refused() { # STATUS VERB DEVICE OPTION...: by the target, and with that status
    local status=$1 said
    shift
    ! said=$(nvme "$@" 2>&1) || fail "nvme $* succeeded"
    [[ ${said,,} == *"${status,,}"* ]] || fail "nvme $*: wanted $status, got $said"
    echo "nvme $*: $said" >> "$LOGS/commands"
}

# check_effects CHARACTER-DEVICE DEVICE: the log of commands names those that the scenarios use, with what they change; one that
# it does not name is refused. Without --csi nvme-cli asks the registers of a PCI device which command sets there are.
check_effects() {
    local device=$1 opcode bytes
    nvme effects-log "$device" --csi=0 > "$LOGS/effects-log" || fail "nvme effects-log"
    expect "it lists commands" grep -q "Identify" "$LOGS/effects-log"
    nvme get-log "$device" --log-id=5 --log-len=4096 -b > "$LOGS/effects" || fail "nvme get-log"
    expect "a whole page" test "$(stat -c %s "$LOGS/effects")" -ge 4096
    mapfile -t bytes < <(od -An -v -tu4 -w4 -N2048 "$LOGS/effects") # admin commands, then those for I/O, 256 each
    for opcode in 0x02 0x06 0x08 0x09 0x0a 0x0c 0x18; do # what every fabrics host sends to an admin queue
        expect "admin command $opcode is supported" test $((bytes[opcode] & 1)) = 1
    done
    for opcode in 0x00 0x01 0x02 0x05 0x08 0x09 0x0c; do
        expect "I/O command $opcode is supported" test $((bytes[256 + opcode] & 1)) = 1
    done
    for opcode in 0x01 0x08 0x09; do
        expect "I/O command $opcode changes blocks" test $((bytes[256 + opcode] & 2)) = 2
    done
    expect_equal "effects of Read" 1 $((bytes[256 + 2]))
    expect_equal "effects of a command that there is not" 0 $((bytes[256 + 0x60]))
    command_refused 'Invalid Command Opcode' io-passthru "$2" --opcode=0x60 --namespace-id="$(nsid_of "$2")"
}

# check_descriptors DEVICE: what identifies the namespace is the same by each of the ways to ask for it.
check_descriptors() {
    local device=$1 uuid nguid
    uuid=$(< "/sys/block/${device##*/}/uuid")
    nguid=$(< "/sys/block/${device##*/}/nguid")
    nvme ns-descs "$device" > "$LOGS/descriptors-${device##*/}" || fail "nvme ns-descs $device"
    expect "the UUID that the kernel has is described" grep -qi "$uuid" "$LOGS/descriptors-${device##*/}"
    expect "the NGUID that the kernel has is described" grep -qi "${nguid//-/}" "$LOGS/descriptors-${device##*/}"
}
