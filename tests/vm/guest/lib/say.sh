# Talking: every line carries the seconds since the scenario began.

say() { printf '[%4d s] %s\n' "$SECONDS" "$*" >&2; }
step() { say "--- $*"; }

# fail WHY...: ends the scenario.
fail() {
    trap - ERR
    say "FAIL: $*"
    exit 1
}

# skip WHY...: ends the scenario; the reason stands in the launcher's SKIP line.
skip() {
    echo "$*" >&2
    exit 77
}

# expect WHAT COMMAND...: the command must succeed; WHAT says what it means when it does not.
expect() {
    local what=$1
    shift
    "$@" || fail "$what: $*"
}

# expect_equal WHAT WANTED GOT
expect_equal() {
    [ "$2" = "$3" ] || fail "$1: wanted '$2', got '$3'"
}

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }
