# What a scenario may leave behind: nothing. And what the kernel may have said meanwhile: nothing bad.

# Words by which the kernel reports a bug, its own or one that we provoked.
KERNEL_TROUBLE='BUG:|WARNING:|Oops|general protection|Call Trace|possible (circular|recursive) locking|inconsistent lock state'
KERNEL_TROUBLE+='|blocked for more than|soft lockup|hard LOCKUP|rcu.*stall|refcount_t:|list_(add|del) corruption|EXT4-fs error'

mark_dmesg() { echo "fulmar: begin $SCENARIO" > /dev/kmsg; }
dmesg_of_scenario() { dmesg | sed -n "/fulmar: begin $SCENARIO\$/,\$p"; }

# A scenario that provokes a kernel message on purpose sets allow_kernel_trouble to a pattern for it.
allow_kernel_trouble='^$'
kernel_trouble() { dmesg_of_scenario | grep -E "$KERNEL_TROUBLE" | grep -Ev "$allow_kernel_trouble"; }

# come_to_rest: what every scenario ends with. Undoes mounts and connections, stops the target, and checks.
come_to_rest() {
    unmount_all
    disconnect_all
    target_stop_if_running
    file_disk_close
    not kernel_trouble || fail "the kernel complained (above)"
}

unmount_all() {
    local mountpoint
    while read -r _ mountpoint _; do
        umount "$mountpoint"
    done < <(grep '^/dev/nvme' /proc/mounts || true)
}

# collect_evidence: after a failure, whatever helps to understand it.
collect_evidence() {
    {
        nvme list -v
        grep -H . /sys/class/nvme/nvme*/{state,subsysnqn,address}
        ss -tanp
        free -m
        ps -eLo pid,tid,stat,wchan:32,comm
    } > "$LOGS/evidence" 2>&1
    local pid task
    for pid in $(pgrep 'fulmar|nvme|fio'); do
        for task in "/proc/$pid/task"/*; do
            echo "$(< "$task/comm") $task"
            cat "$task/stack"
        done
    done > "$LOGS/stacks" 2>&1
    kernel_trouble
    target_log_tail
}
