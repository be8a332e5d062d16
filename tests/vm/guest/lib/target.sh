# The target under test. TARGET chooses who it is; scenarios call only the functions here.
#   target_start CONFIG-NAME        serves configs/CONFIG-NAME.json; returns when every listener accepts
#   target_stop                     orderly end (TERM); must end with exit code 0 in time
#   target_kill                     the process is gone without a word (KILL)
#   target_again                    starts it once more with the configuration it has
#   target_add_ram_device NAME SIZE, target_remove_device NAME
#   target_add_namespace NQN NSID DEVICE, target_remove_namespace NQN NSID
# A peer that has no such thing as a process to kill does the nearest that a host can notice.

NQN=nqn.2026-11.io.fulmar:test
PORT=4420
REACTORS=${REACTORS:-1}
TARGET_CONFIG=$WORK/config.json
TARGET_START_SECONDS=30
TARGET_STOP_SECONDS=30

. "$VM/guest/target/$TARGET.sh"

target_start() {
    if [ "$TARGET" = nvmet ] && [ "$REACTORS" != 1 ]; then
        skip "nvmet has no reactors to count"
    fi
    mountpoint -q $FILE_DISK_MOUNT || file_disk_open
    jq --argjson reactors "$REACTORS" '.cores.data = $reactors' "$CONFIGS/$1.json" > "$TARGET_CONFIG"
    target_again
}

target_again() {
    local address port
    target_launch
    while read -r address port; do
        wait_for "$TARGET accepts at $address port $port" $TARGET_START_SECONDS target_alive_and_accepts "$address" "$port"
    done < <(jq -r '.listeners[] | "\(.address) \(.port)"' "$TARGET_CONFIG")
}

target_alive_and_accepts() {
    target_alive || fail "$TARGET ended while starting: $(target_log_tail 2>&1)"
    accepts "$1" "$2"
}
