# What a measurement found: a table, which the launcher prints when the scenario is over.

RESULTS=$LOGS/results
results_missed=0

results_begin() { _result_line "row" "value" "compared with" "limit" "met"; }

# result NAME VALUE COMPARED-WITH LIMIT CONDITION: the condition is arithmetic, "3.2 <= 4"; empty: there is no limit.
result() {
    local met=-
    if [ -n "$5" ]; then
        met=yes
        awk "BEGIN { exit !($5) }" || met=NO
    fi
    [ $met != NO ] || results_missed=$((results_missed + 1))
    _result_line "$1" "$2" "$3" "$4" $met
}

results_end() { expect_equal "limits that are not met" 0 $results_missed; }

_result_line() { printf '%-46s %14s   %-34s %-24s %s\n' "$@" | tee -a "$RESULTS" >&2; }

# median_of FILE: of its numbers, one a line.
median_of() { median < "$1"; }
