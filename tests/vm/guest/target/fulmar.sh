# fulmard as the target: the process, and every REST call that scenarios make.

FULMARD=$FULMAR_BUILD/bin/fulmard
FULMARD_LOG=$LOGS/fulmard.log # all starts of the scenario, one after the other
FULMARD_PID=
REST_PORT=8019
RELAY_PID=

# Once for all starts of the scenario; whatever is left of it ends with the scenario's cgroup.
relay_start() {
    [ -z "$RELAY_PID" ] || return 0
    python3 "$VM/guest/target/relay.py" $REST_PORT "$(admin_socket)" &
    RELAY_PID=$!
    wait_for "the relay listens" 30 accepts 127.0.0.1 $REST_PORT
}

target_launch() {
    mkdir -p "$(dirname "$(admin_socket)")"
    relay_start
    "$FULMARD" --config "$TARGET_CONFIG" >> "$FULMARD_LOG" 2>&1 &
    FULMARD_PID=$!
    echo "--- pid $FULMARD_PID" >> "$FULMARD_LOG"
}

target_alive() { [ -n "$FULMARD_PID" ] && process_runs "$FULMARD_PID"; }

target_stop() {
    local code=0
    target_alive || fail "fulmard is not running: $(target_log_tail 2>&1)"
    kill -TERM "$FULMARD_PID"
    wait_for "fulmard ended on TERM" $TARGET_STOP_SECONDS not target_alive
    wait "$FULMARD_PID" || code=$?
    FULMARD_PID=
    expect_equal "exit code of fulmard" 0 $code
}

target_kill() {
    target_alive || fail "fulmard is not running: $(target_log_tail 2>&1)"
    kill -KILL "$FULMARD_PID"
    wait "$FULMARD_PID" || true
    FULMARD_PID=
}

target_stop_if_running() { [ -z "$FULMARD_PID" ] || target_stop; }
target_log_tail() { [ ! -e "$FULMARD_LOG" ] || tail -n 30 "$FULMARD_LOG" >&2; }

admin_socket() { jq -r .admin.unix_socket "$TARGET_CONFIG"; }

# rest WANTED-STATUS METHOD PATH [JSON]: prints the answer's body; any other status fails the scenario.
rest() {
    local wanted=$1 answer
    shift
    answer=$(rest_any "$@")
    [ "${answer%% *}" = "$wanted" ] || fail "$*: wanted $wanted, got $answer"
    printf '%s' "${answer#* }"
}

# rest_any METHOD PATH [JSON]: prints the answer's status and its body.
rest_any() {
    local method=$1 path=$2 body=${3:-} status="" line answer="" socket
    { exec {socket}<> "/dev/tcp/127.0.0.1/$REST_PORT"; } 2> /dev/null || fail "$method $path: the relay does not run"
    printf '%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n' "$method" "$path" >&"$socket"
    [ -z "$body" ] || printf 'Content-Type: application/json\r\n' >&"$socket"
    printf 'Content-Length: %d\r\n\r\n%s' ${#body} "$body" >&"$socket"
    read -r -t 30 _ status _ <&"$socket" || fail "$method $path: no answer"
    while read -r -t 30 line <&"$socket" && [ "$line" != $'\r' ]; do :; done
    IFS= read -r -d '' -t 30 answer <&"$socket" || true # ends with the connection
    exec {socket}>&-
    printf '%s %s' "$status" "$answer"
}

target_add_ram_device() {
    rest 201 POST /v1/devices "{\"name\": \"$1\", \"type\": \"ram\", \"size\": \"$2\"}" > /dev/null
}
target_remove_device() { rest 204 DELETE "/v1/devices/$1"; }
target_add_namespace() {
    rest 201 POST "/v1/subsystems/$1/namespaces" "{\"nsid\": $2, \"device\": \"$3\"}" > /dev/null
}
target_remove_namespace() { rest 204 DELETE "/v1/subsystems/$1/namespaces/$2"; }
target_health() { rest 200 GET /v1/health > /dev/null; }
target_listens() {
    rest 200 GET /v1/listeners | jq --exit-status --arg name "$1" \
        '.listeners[] | select(.name == $name) | .status | has("waits_for") | not' > /dev/null
}

open_descriptors() { # of fulmard
    local all=("/proc/$FULMARD_PID/fd"/*)
    echo ${#all[@]}
}
resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$FULMARD_PID/status"; }
