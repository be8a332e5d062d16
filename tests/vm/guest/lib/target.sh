# The target under test. TARGET chooses who it is; scenarios call only the functions here.
#   target_start CONFIG-NAME        serves configs/CONFIG-NAME.json; returns when every listener accepts
#   target_stop                     orderly end (TERM); must end with exit code 0 in time
#   target_kill                     the process is gone without a word (KILL)
#   target_again                    starts it once more with the configuration it has
#   target_listens LISTENER         succeeds when hosts can connect there now (TRANSPORT:ADDRESS:PORT)
#   target_add_ram_device NAME SIZE, target_remove_device NAME
#   target_add_namespace NQN NSID DEVICE, target_remove_namespace NQN NSID
# A peer that has no such thing as a process to kill does the nearest that a host can notice.

NQN=nqn.2026-11.io.fulmar:test
PORT=4420
REACTORS=${REACTORS:-1}
ON_LOSS=${ON_LOSS:-} # policy of all namespaces; empty: as in the configuration
TARGET_CONFIG=$WORK/config.json
TARGET_START_SECONDS=30
TARGET_STOP_SECONDS=30

. "$VM/guest/target/$TARGET.sh"

target_start() {
    if [ "$TARGET" = nvmet ] && [ "$REACTORS" != 1 ]; then
        skip "nvmet has no reactors to count"
    fi
    if grep -q $FILE_DISK_MOUNT "$CONFIGS/$1.json"; then
        mountpoint -q $FILE_DISK_MOUNT || file_disk_open
    fi
    rm -rf "$TARGET_CONFIG"* # a journal would bring back what the scenario before in this guest has made over REST
    jq --argjson reactors "$REACTORS" --arg on_loss "$ON_LOSS" '.cores.data = $reactors
        | if $on_loss == "" then . else .subsystems[].namespaces[].on_loss = $on_loss end
        | if $on_loss == "hold" then (.devices[] | select(.type == "pcie")).write_cache = "through" else . end' \
        "$CONFIGS/$1.json" \
        | drives_by_slot > "$TARGET_CONFIG"
    target_again
}

# In a configuration "slot:11" stands for the PCI address of the drive in slot 11.
drives_by_slot() {
    local text slot
    text=$(cat)
    for slot in $(grep -o 'slot:[0-9]*' <<< "$text" || true); do
        text=${text//"$slot"/$(drive_address "${slot#slot:}")}
    done
    echo "$text"
}

target_again() {
    local transport address port
    target_launch
    while read -r transport address port; do
        wait_for "$TARGET accepts at $address port $port over $transport" $TARGET_START_SECONDS \
            target_alive_and_accepts "$transport" "$address" "$port"
    done < <(jq -r '.listeners[] | "\(.transport) \(.address) \(.port)"' "$TARGET_CONFIG")
}

target_alive_and_accepts() { # TRANSPORT ADDRESS PORT
    target_alive || fail "$TARGET ended while starting: $(target_log_tail 2>&1)"
    if [ "$1" = tcp ]; then
        accepts "$2" "$3"
    else
        target_listens "$1:$2:$3"
    fi
}
