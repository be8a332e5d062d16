# fulmard as the target: the process, and every REST call that scenarios make.

FULMARD=$FULMAR_BUILD/bin/fulmard
FULMARD_LOG=$LOGS/fulmard.log # all starts of the scenario, one after the other
FULMARD_PID=

target_launch() {
    mkdir -p "$(dirname "$(admin_socket)")"
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
    local wanted=$1 method=$2 path=$3 body=${4:-} status
    local arguments=(--silent --show-error --max-time 30 --unix-socket "$(admin_socket)" --request "$method")
    [ -z "$body" ] || arguments+=(--header "Content-Type: application/json" --data "$body")
    status=$(curl "${arguments[@]}" --output "$WORK/rest-answer" --write-out '%{http_code}' "http://localhost$path") \
        || fail "$method $path: no answer"
    [ "$status" = "$wanted" ] || fail "$method $path $body: wanted $wanted, got $status: $(cat "$WORK/rest-answer")"
    cat "$WORK/rest-answer"
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
