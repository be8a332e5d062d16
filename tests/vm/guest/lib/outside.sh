# Asking the launcher, outside, to do what only it can: plug and pull drives.

# outside VERB WORD...: prints what the launcher answered; fails when it refused.
outside() {
    local answer
    echo "ask $*" > /dev/ttyS1
    read -r -t 60 answer < /dev/ttyS1 || fail "the launcher did not answer: $*"
    say "launcher: $* -> $answer"
    [ "${answer%% *}" = ok ] || return 1
    echo "${answer#ok}"
}

plug_drive() { outside plug "$@" > /dev/null; } # SLOT [SERIAL]
# elsewhere: milliseconds of processor that the machine below has spent on others than this guest, and all that it has.
elsewhere() {
    local answer
    echo "ask elsewhere" > /dev/ttyS1
    read -r -t 60 answer < /dev/ttyS1 || fail "the launcher did not answer: elsewhere"
    echo "${answer#ok }"
}
press_attention_button() { outside unplug "$1" > /dev/null; } # SLOT
