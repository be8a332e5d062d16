# Waiting: always for a condition, always with a deadline. Starting a program costs 20 ms and more under emulation, so
# what is polled here uses none.

exec 8<> <(:) # a pipe that nobody ever writes to: reading it is a sleep
nap() { read -r -t 0.1 -u 8 || true; }

# wait_for WHAT SECONDS COMMAND...: polls until the command succeeds; past the deadline the scenario fails.
wait_for() {
    local what=$1 limit=$2 began end
    shift 2
    began=$(milliseconds)
    end=$((began + limit * 1000))
    until "$@" > /dev/null 2>&1; do
        (($(milliseconds) < end)) || fail "waited $limit s for: $what"
        nap
    done
    say "$what after $(($(milliseconds) - began)) ms"
}

not() { ! "$@"; }
# attribute FILE: its first line in REPLY; fails when there is none.
attribute() {
    REPLY=
    { read -r REPLY < "$1"; } 2> /dev/null
}

process_runs() { attribute "/proc/$1/stat" && [[ $REPLY != *") Z "* ]]; } # PID
accepts() { (exec 3<> "/dev/tcp/$1/$2") 2> /dev/null; } # ADDRESS PORT
