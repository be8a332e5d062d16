# The guest kernel's own target as a peer: the same scenarios, so that a failure can be told from a bad scenario.
# It has no process: ending it, either way, is taking its ports away, which cuts every connection.

NVMET_PEER=$VM/guest/target/nvmet_peer.py

target_launch() {
    modprobe nvmet-tcp
    ! grep -q '"rdma"' "$TARGET_CONFIG" || modprobe nvmet-rdma
    modprobe null_blk nr_devices=0
    python3 "$NVMET_PEER" load "$TARGET_CONFIG"
}

target_alive() { compgen -G '/sys/kernel/config/nvmet/ports/*' > /dev/null; }
target_stop() { python3 "$NVMET_PEER" clear; }
target_kill() { target_stop; }
target_stop_if_running() { ! target_alive || target_stop; }
target_log_tail() { :; }
target_health() { target_alive; }
target_listens() { target_alive; } # a port that is there listens

target_add_ram_device() { python3 "$NVMET_PEER" add-ram-device "$1" "$2"; }
target_remove_device() { python3 "$NVMET_PEER" remove-device "$1"; }
target_add_namespace() { python3 "$NVMET_PEER" add-namespace "$1" "$2" "$3"; }
target_remove_namespace() { python3 "$NVMET_PEER" remove-namespace "$1" "$2"; }
