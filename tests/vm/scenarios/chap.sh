#!/bin/bash
# The kernel's host proves who it is (DH-HMAC-CHAP), one way and both, with every hash and group; wrong keys are refused.
# shape: memory=2048 disk=4G
# deadline: 300
# needs: target

modprobe nvme-tcp
target_start two-files
key_make host --transform sha256
key_make other --transform none
key_make target --length 64 --transform sha512
fulmar_rest host add $NQN "$HOST_NQN" --dhchap-key host --dhchap-ctrl-key target

step "without a key, or with another one, nobody comes in"
may_not_connect
may_not_connect --dhchap-secret "$(key_text other)"
may_not_connect --dhchap-secret "$(key_text host)" --dhchap-ctrl-secret "$(key_text other)"

step "one way"
host_connect 127.0.0.1 --nr-io-queues=2 --dhchap-secret "$(key_text host)"
expect "every queue has proved itself" some_are_proven host
fio_verify one-way "$(block_device 1)" --size=16M
disconnect_all

for hash in sha256 sha384 sha512; do
    for group in none ffdhe2048 ffdhe3072 ffdhe4096 ffdhe6144 ffdhe8192; do
        # The emulated host computes for many seconds on the large ones: once each, and patiently.
        case $group in ffdhe4096 | ffdhe6144 | ffdhe8192) [ $hash = sha384 ] || continue ;; esac
        step "both ways with $hash and $group"
        fulmar_rest subsystem set $NQN --dhchap-hash $hash --dhchap-group $group
        host_connect 127.0.0.1 --nr-io-queues=1 --keep-alive-tmo=60 --dhchap-secret "$(key_text host)" \
            --dhchap-ctrl-secret "$(key_text target)"
        wait_for "both have proved themselves" 10 some_are_proven mutual
        may reads "$(block_device 1)"
        disconnect_all
    done
done

step "a key that is gone keeps its host out, and lets it back in"
fulmar_rest key remove host
may_not_connect --dhchap-secret "$(key_text host)"
fulmar_rest key set host "$WORK/host.key"
host_connect 127.0.0.1 --nr-io-queues=1 --dhchap-secret "$(key_text host)"
may reads "$(block_device 2)"

no_key_in_logs host
no_key_in_logs target
target_health
disconnect_all
target_stop
