# Keys of DH-HMAC-CHAP, and what is said of them to fulmard. Sourced by lib.sh.

fulmar() { "$FULMAR_BUILD/bin/fulmar" "$@" > "$LOGS/fulmar" 2>&1 || fail "fulmar $1 $2: $(cat "$LOGS/fulmar")"; }
fulmar_rest() { fulmar "$@" --admin "$(admin_socket)"; }

# key_make NAME [OPTION...]: a new key, known to fulmard by that name; its text in key_text NAME.
key_make() {
    (umask 077 && "$FULMAR_BUILD/bin/fulmar" key generate "${@:2}" > "$WORK/$1.key") || fail "no key"
    fulmar_rest key set "$1" "$WORK/$1.key"
}
key_text() { cat "$WORK/$1.key"; }

# proven_queues: how many queues of this host have proved who they are, "host" or "mutual" as asked.
proven_queues() { # HOST|MUTUAL
    "$FULMAR_BUILD/bin/fulmar" connection list --json --admin "$(admin_socket)" \
        | jq --arg how "$1" '[.connections[] | select(.authentication == $how)] | length'
}
some_are_proven() { [ "$(proven_queues "$1")" -ge 2 ]; }

# may_not_connect [OPTION...]: nvme-cli is refused, and no controller is left behind.
may_not_connect() {
    # shellcheck disable=SC2154 # of host.sh
    ! nvme connect -t tcp -a 127.0.0.1 -s $PORT -n $NQN "${host_identity[@]}" "$@" 2> "$WORK/connect" \
        || fail "connected with $*"
    wait_for "no controller is left" 30 test -z "$(controllers)"
}

# no_key_in_logs NAME: neither the target's log nor its journal shows it.
no_key_in_logs() {
    local body
    body=$(key_text "$1" | cut -d: -f3)
    ! grep -rlF -- "$body" "$LOGS" "$TARGET_CONFIG" "$TARGET_CONFIG".journal 2> /dev/null || fail "key $1 is in a log"
}
