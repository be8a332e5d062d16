# The host library as judge: its own host beside the kernel's, whose book says of each command that it was answered
# once, or that its connection was closed. Commands that fail are counted; it goes on.

JUDGE_HOST=nqn.2014-08.org.nvmexpress:uuid:6d0c7b3e-54a1-4d6e-9a1f-00000000000f
declare -A JUDGE_PIDS=()

# judge_begin LABEL NQN NSID: keeps a few commands under way, in a part of the namespace that no load of ours touches.
judge_begin() {
    "$FULMAR_BUILD/bin/fulmar" perf --port $PORT --nqn "$2" --nsid "$3" --host-nqn "$JUDGE_HOST" --host-id "${JUDGE_HOST##*:}" \
        --mix 50 --queue-depth 8 --rate 100 --lba 300000 --size 16M --warmup 0 --seconds 3600 --timeout 60 \
        --go-on --asleep --quiet --json "$LOGS/judge-$1.json" > "$LOGS/judge-$1" 2>&1 &
    JUDGE_PIDS[$1]=$!
}

# judge_end LABEL: its verdict; how many commands failed and how many were done in REPLY.
judge_end() {
    local pid=${JUDGE_PIDS[$1]} code=0
    expect "the judge $1 is still connected: $(tail -n 3 "$LOGS/judge-$1")" process_runs "$pid"
    kill -INT "$pid"
    wait_for "judge $1 ends" 70 not process_runs "$pid"
    wait "$pid" || code=$?
    expect_equal "exit code of judge $1, which was interrupted: $(tail -n 3 "$LOGS/judge-$1")" 130 $code
    expect_equal "answers to judge $1 that nobody had asked for, or that came twice" 0 \
        "$(jq .protocol_breaches "$LOGS/judge-$1.json")"
    expect_equal "commands of judge $1 without an answer" 0 "$(jq .unanswered "$LOGS/judge-$1.json")"
    REPLY=$(jq -r '"\(.failed) \(.read.commands + .write.commands)"' "$LOGS/judge-$1.json")
    say "judge $1: ${REPLY#* } commands done, ${REPLY% *} failed, each with one answer"
}
