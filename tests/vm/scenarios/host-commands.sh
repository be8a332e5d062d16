#!/bin/bash
# A host's tools over both transports: each command does what it says, blocks behind the end are refused, rescans tell the truth.
# shape: memory=2048 disk=4G
# deadline: 480
# needs: target

DISCOVERY_NQN=nqn.2014-08.org.nvmexpress.discovery
KEEP_ALIVE_SECONDS=2
ADDED=nqn.2026-11.io.fulmar:added
NEWCOMERS=16
declare -A address=([tcp]=127.0.0.1 [rdma]=$RDMA_ADDRESS)

# discover_and_stay: a discovery controller that stays connected; its name in DISCOVERY.
discover_and_stay() {
    host_discover 127.0.0.1 --persistent --keep-alive-tmo=$KEEP_ALIVE_SECONDS > "$LOGS/discovery"
    wait_for "the discovery controller is live" $DEVICE_SECONDS discovery_is_live
    DISCOVERY=$(NQN=$DISCOVERY_NQN controllers)
    discovery_connection=$(discovery_now .id)
}
discovery_is_live() { NQN=$DISCOVERY_NQN all_controllers_live; }
discovery_now() { # FIELD: of its connection at the target
    rest 200 GET /v1/connections | jq ".connections[] | select(.subsystem == \"$DISCOVERY_NQN\") | $1"
}
periods_have_passed() { (($(milliseconds) - discovery_since >= 3 * KEEP_ALIVE_SECONDS * 1000)); }
kept_alive() { [ "$(discovery_now .commands_total)" -ge $((discovery_commands + 10)) ]; }

# check_discovery: the log changes its generation and names the newcomers, read on the connection that stayed; it is longer
# than nvme-cli reads at once.
check_discovery() {
    local generation newcomer
    generation=$(jq .genctr "$LOGS/discovery")
    for ((newcomer = 0; newcomer < NEWCOMERS; ++newcomer)); do
        rest 201 POST /v1/subsystems "{\"nqn\": \"$ADDED-$newcomer\", \"allow_any_host\": true}" > "$LOGS/added"
    done
    host_discover 127.0.0.1 -d "$DISCOVERY" > "$LOGS/discovery-again.json"
    holds discovery-again \
        "another generation" ".genctr > $generation" \
        "each newcomer is listed on both transports" \
        "[.records[] | select(.subnqn | startswith(\"$ADDED\")) | .trtype + .subnqn] | unique | length == 2 * $NEWCOMERS"
    for ((newcomer = 0; newcomer < NEWCOMERS; ++newcomer)); do
        rest 204 DELETE "/v1/subsystems/$ADDED-$newcomer?force=true"
    done
    host_discover 127.0.0.1 -d "$DISCOVERY" > "$LOGS/discovery-after.json"
    holds discovery-after "none of them is left" "[.records[] | select(.subnqn | startswith(\"$ADDED\"))] == []"
    discovery_since=$(milliseconds)
    discovery_commands=$(discovery_now .commands_total) # from here on nobody sends any but the kernel
}

check_lists() { # CONTROLLER TRANSPORT
    page "list-$2" list
    holds "list-$2" "both namespaces are listed, once each" "[.Devices[].DevicePath] | sort == ([\"$ram\", \"$file\"] | sort)"
    nvme list-subsys > "$LOGS/list-subsys-$2"
    expect "the subsystem is listed" grep -q "NQN=$NQN" "$LOGS/list-subsys-$2"
    expect "and its path" grep -q "$1 $2 traddr=${address[$2]},trsvcid=$PORT.*live" "$LOGS/list-subsys-$2"
}

# check_smart CHARACTER-DEVICE: commands are counted, bytes too.
check_smart() {
    page smart-before smart-log "$1"
    dd if="$ram" of=/dev/null bs=128k count=32 iflag=direct status=none
    dd if=/dev/zero of="$ram" bs=128k count=16 oflag=direct status=none
    page smart-after smart-log "$1"
    expect "32 reads of 128 KiB and 16 writes are in the SMART log" jq --exit-status --slurp 'def more(field): (.[1][field] | tonumber)
            - (.[0][field] | tonumber);
        more("host_read_commands") >= 32 and more("host_write_commands") >= 16
        and more("data_units_read") >= 8 and more("data_units_written") >= 4
        and .[1].critical_warning == 0 and (.[1].media_errors | tonumber) == 0' \
        "$LOGS/smart-before.json" "$LOGS/smart-after.json" > "$LOGS/smart"
}

# check_rescans CONTROLLER: rescans without end, while a namespace comes, grows and goes: the host has what there is.
check_rescans() {
    local rescanner
    rm -f "$WORK/enough-rescans"
    _rescans "$1" &
    rescanner=$!
    target_add_namespace $NQN 3 third
    wait_for "namespace 3" $DEVICE_SECONDS block_device 3
    expect_equal "its size" $((32 << 20)) "$(blockdev --getsize64 "$(block_device 3)")"
    rest 200 PATCH /v1/devices/third '{"size": "48MiB"}' > "$LOGS/grown"
    wait_for "namespace 3 has grown" $DEVICE_SECONDS third_is $((48 << 20))
    target_remove_namespace $NQN 3
    wait_for "namespace 3 is gone" $DEVICE_SECONDS not block_device 3
    touch "$WORK/enough-rescans"
    wait_for "the last rescan ends" $DEVICE_SECONDS not process_runs $rescanner
    wait $rescanner || fail "a rescan failed"
    nvme ns-rescan "/dev/$1"
    expect "the others are the same disks as before" test "$(block_device 1) $(block_device 2)" = "$ram $file"
    rest 200 PATCH /v1/devices/third '{"size": "32MiB", "allow_shrink": true}' > "$LOGS/shrunk"
}
_rescans() { # CONTROLLER
    local rescans=0
    until [ -e "$WORK/enough-rescans" ]; do
        echo 1 > "/sys/class/nvme/$1/rescan_controller" || return 1
        rescans=$((rescans + 1))
        nap
    done
    say "$rescans rescans"
    [ $rescans -gt 1 ]
}
third_is() { [ "$(blockdev --getsize64 "$(block_device 3)")" = "$1" ]; } # BYTES

# check_file_system DEVICE: make it, fill it, check it, find what was written.
check_file_system() {
    local sum mountpoint=$WORK/mnt
    mkdir -p "$mountpoint"
    mkfs.ext4 -q -F "$1"
    mount "$1" "$mountpoint"
    dd if=/dev/urandom of="$mountpoint/data" bs=64k count=64 conv=fsync status=none
    sum=$(sha256sum < "$mountpoint/data")
    umount "$mountpoint"
    e2fsck -fn "$1" > "$LOGS/e2fsck" 2>&1 || fail "e2fsck found damage: $(tail -n 3 "$LOGS/e2fsck")"
    mount -o ro "$1" "$mountpoint"
    expect_equal "what was written" "$sum" "$(sha256sum < "$mountpoint/data")"
    umount "$mountpoint"
}

rdma_link_add
target_start two-transports
target_add_ram_device third 32MiB
discover_and_stay
check_discovery

for HOST_TRANSPORT in tcp rdma; do
    step "over $HOST_TRANSPORT"
    host_connect ${address[$HOST_TRANSPORT]} --nr-io-queues=2
    controller=$(controllers)
    ram=$(block_device 1)
    file=$(block_device 2)
    check_lists "$controller" $HOST_TRANSPORT
    check_effects "/dev/$controller" "$ram"
    check_smart "/dev/$controller"
    disks=("$ram" "$file")
    [ $HOST_TRANSPORT = tcp ] || disks=("$file") # what most of these commands do is no affair of a transport
    for disk in "${disks[@]}"; do
        check_descriptors "$disk"
        check_commands "$disk"
        check_out_of_range "$disk"
    done
    check_rescans "$controller"
    check_file_system "${disks[0]}"
    expect "the controller is still the one that was connected" test "$(controllers)" = "$controller"
    disconnect_all
done

step "the discovery controller has lived through it all"
wait_for "three times its keep-alive time-out" 10 periods_have_passed
wait_for "keep-alives were sent" 10 kept_alive
expect "it is live" discovery_is_live
expect_equal "its connection" "$discovery_connection" "$(discovery_now .id)"
nvme disconnect -d "$DISCOVERY" > "$LOGS/disconnected"
wait_for "no connection is left" 20 no_connections

expect "no controller was reset, none was connected again" \
    not grep -E 'nvme nvme[0-9]+: .*(resetting|reconnect|timeout|[Kk]eep.?alive)' <(dmesg_of_scenario)
target_stop
expect_equal "what fulmard left of verbs" "" "$(verbs_of_target)"
rdma_link_delete
