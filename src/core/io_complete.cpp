// The second half of an I/O command: the backend is done, the gate is left, the answer goes out.
#include "io_steps.hpp"

namespace fulmar::core {

namespace sc = nvme::sc;

void io_steps::leave_gate(namespace_entry& entry) noexcept {
    if (entry.gate.leave()) entry.subsystem->check_pending();
}

void io_steps::complete(request& r, nvme::status status) noexcept {
    qpair& q = *r.owner;
    namespace_entry& entry = *r.entry;
    if (nvme::is_success(status) && r.length != 0) {
        const bool read = r.direction == nvme::data_direction::controller_to_host;
        auto& bytes = read ? q.counters_->bytes_read : q.counters_->bytes_written;
        auto& count = read ? q.counters_->reads : q.counters_->writes;
        bytes.store(bytes.load(std::memory_order_relaxed) + r.length, std::memory_order_relaxed);
        count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        q.group().count(read ? &group_counters::bytes_read : &group_counters::bytes_written,
                        r.length);
    }
    r.entered = false;
    q.finish(r, status);
    leave_gate(entry);  // last: it may end what waits for the gate to drain
}

void io_steps::task_done(backend::io_op& op, nvme::status status) noexcept {
    auto& task = static_cast<io_task&>(op);
    namespace_entry& entry = *task.entry;
    entry.tasks.erase(entry.tasks.iterator_to(task));
    poll_group& group = *entry.subsystem->group;
    request* r = task.owner;
    if (r == nullptr) {  // abandoned: answered long ago; now its memory is free as well
        --entry.abandoned;
        group.return_task(task);
        entry.subsystem->check_pending();
        return;
    }
    r->chain = std::move(task.chain);
    r->task = nullptr;
    group.return_task(task);
    complete(*r, status);
}

void io_steps::abandon(io_task& task, nvme::status answer) noexcept {
    request* r = task.owner;
    if (r == nullptr) return;
    namespace_entry& entry = *task.entry;
    task.owner = nullptr;
    task.chain.recharge(entry.subsystem->group->quarantine());
    r->task = nullptr;
    r->direction =
        nvme::data_direction::none;  // whatever the device does now, nothing of it reaches the host
    ++entry.abandoned;
    entry.subsystem->group->count(&group_counters::abandoned);
    complete(*r, answer);
}

}  // namespace fulmar::core
