# Waiting: always for a condition, always with a deadline.

# wait_for WHAT SECONDS COMMAND...: polls until the command succeeds; past the deadline the scenario fails.
wait_for() {
    local what=$1 limit=$2 began end
    shift 2
    began=$(milliseconds)
    end=$((began + limit * 1000))
    until "$@" > /dev/null 2>&1; do
        (($(milliseconds) < end)) || fail "waited $limit s for: $what"
        sleep 0.1
    done
    say "$what after $(($(milliseconds) - began)) ms"
}

not() { ! "$@"; }
process_runs() { [ -d "/proc/$1" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status"; }
accepts() { (exec 3<> "/dev/tcp/$1/$2") 2> /dev/null; } # ADDRESS PORT
