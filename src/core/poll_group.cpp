#include "authentication/authentication_lane.hpp"
#include "command/buffer.hpp"
#include "command/connect.hpp"
#include "command/io.hpp"
#include "command/range.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/target.hpp>

#include <algorithm>
#include <new>

namespace fulmar::core {

poll_group::poll_group(engine::reactor& reactor, core::target& target,
                       std::unique_ptr<mem::buffer_pool> pool)
    : reactor_(reactor),
      target_(target),
      options_(target.options()),
      pool_(std::move(pool)),
      admin_pool_(pool_->split(limits::admin_pool_bytes).value()),
      newcomer_pool_(pool_->split(limits::newcomer_pool_bytes).value()),
      complaints_(std::make_unique<log::limiter>()),
      authentications_(std::make_unique<authentication_lane>()),
      place_(static_cast<std::uint32_t>(target.groups().size())) {
    pool_->open(quarantine_, 0, false);
    pool_->open(slow_devices_, 0, false);
    const std::uint32_t blocks = pool_->total_chunks() / io_task::few + 1;
    vector_blocks_ = std::make_unique<vector_block[]>(blocks);
    for (std::uint32_t i = 0; i < blocks; ++i) {
        vector_blocks_[i].next = free_vectors_;
        free_vectors_ = &vector_blocks_[i];
    }
    reactor_.add(*this, engine::stage::submit);
    reactor_.add(settler_, engine::stage::settle);
}

poll_group::~poll_group() {
    FULMAR_ASSERT(qpairs_.empty() && parked_connects_.empty() && orphans_.empty() &&
                  reaped_.empty() && authentications_->idle());
    reactor_.remove(*this, engine::stage::submit);
    reactor_.remove(settler_, engine::stage::settle);
    reactor_.timers().cancel(slow_timer_);
    reactor_.timers().cancel(range_limit_);
    subsystems_.clear();
    pool_->close(quarantine_);
    pool_->close(slow_devices_);
    free_tasks_.clear();
}

bool poll_group::may_log_peer_error() noexcept { return complaints_->allow(reactor_.now()); }

// Buffers that came back this turn go to who waits for them.
bool poll_group::poll() noexcept {
    bool worked = pool_->pump();
    worked |= admin_pool_->pump();
    worked |= newcomer_pool_->pump();
    if (!buffer_waiters_.empty() || !waiting_hosts_.empty()) worked |= dispatch_waiters();
    counters_.free_chunks.store(pool_->free_chunks(), std::memory_order_relaxed);
    counters_.waiting_for_chunks.store(pool_->waiters(), std::memory_order_relaxed);
    return worked;
}

// A channel that goes takes its device's memory along, and an ack lets the control reactor destroy
// the device: a RAM device has lent that memory to what was sent this turn.
bool poll_group::settle_all() noexcept {
    bool worked = false;
    unsettled_.splice(unsettled_.end(), watched_);
    while (!unsettled_.empty()) {
        subsystem_group& s = unsettled_.front();
        unsettled_.pop_front();
        s.settle();
        worked = true;
    }
    while (!reaped_.empty()) {
        namespace_entry& entry = reaped_.front();
        reaped_.pop_front();
        entry.channel.reset();
        counters_.orphaned.store(counters_.orphaned.load(std::memory_order_relaxed) - 1,
                                 std::memory_order_relaxed);
        target_.control_reactor().post(entry.reaped);  // which destroys it
        worked = true;
    }
    return worked;
}

bool poll_group::can_feed() noexcept {
    return std::any_of(buffer_waiters_.begin(), buffer_waiters_.end(),
                       [](namespace_entry& entry) { return command::buffer::can_go_on(entry); }) ||
           std::any_of(waiting_hosts_.begin(), waiting_hosts_.end(),
                       [](host_buffers& host) { return command::buffer::can_go_on(host); });
}

namespace {
// A request at a time of each in turn, until none may have more. A list that has run empty leaves.
template <typename List>
bool feed_in_turn(List& all) noexcept {
    bool worked = false;
    for (auto at = all.begin(); at != all.end();) {
        auto& one = *at;
        const auto next = std::next(at);
        if (command::buffer::waiting(one).empty()) {
            all.erase(at);
            at = next;
        } else if (!command::buffer::go_on(one)) {
            at = next;
        } else {
            worked = true;
            all.splice(all.end(), all, List::s_iterator_to(one));
            at = next == all.end() ? List::s_iterator_to(one) : next;
        }
    }
    return worked;
}
}  // namespace

// What its namespace lets go may have to wait for its host, and the other way round: each request
// moves once a turn at most, since both are looked at once.
bool poll_group::dispatch_waiters() noexcept {
    const bool worked = feed_in_turn(buffer_waiters_);
    return feed_in_turn(waiting_hosts_) || worked;
}

void poll_group::starves(host_buffers& host) noexcept {
    if (!host.hook.is_linked()) waiting_hosts_.push_back(host);
    if (!slow_timer_.armed())
        reactor_.timers().arm(slow_timer_, reactor_.now() + limits::slow_device);
}

// While hosts wait for what they hold themselves: what a device has had since the last look is not
// theirs to give back.
void poll_group::look_for_slow_devices() noexcept {
    if (waiting_hosts_.empty()) return;
    for (const auto& s : subsystems_) {
        if (s == nullptr) continue;
        for (const auto& e : s->entries)
            if (e != nullptr) command::buffer::charge_slow_tasks(*e);
    }
    reactor_.timers().arm(slow_timer_, reactor_.now() + limits::slow_device);
}

// --- ranges of blocks
// -----------------------------------------------------------------------------

void poll_group::await_range(request& r) noexcept {
    if (r.state() != request_state::awaiting_range) {
        r.advance(request_event::want_range);
        r.parked_at = reactor_.now();
    }
    awaiting_range_.push_back(r);
    watch_ranges();
}

void poll_group::watch_ranges() noexcept {
    if (awaiting_range_.empty() || range_limit_.armed()) return;
    reactor_.timers().arm(range_limit_,
                          awaiting_range_.front().parked_at +
                              std::chrono::milliseconds(options_.transition_timeout_ms));
}

// Whoever still cannot have its range waits again, behind those that it came after.
void poll_group::ranges_released() noexcept {
    intrusive_list<request, &request::list> now;
    now.swap(awaiting_range_);
    while (!now.empty()) {
        request& r = now.front();
        now.pop_front();
        command::io::execute(r);
    }
}

// A device that does not answer keeps its range.
void poll_group::ranges_too_late() noexcept {
    const instant now = reactor_.now();
    while (!awaiting_range_.empty()) {
        request& r = awaiting_range_.front();
        if (now - r.parked_at < std::chrono::milliseconds(options_.transition_timeout_ms)) break;
        awaiting_range_.pop_front();
        command::io::note(r, "range-is-kept");
        command::io::complete(r, command::io::retry_later(*r.owner, nvme::sc::command_interrupted));
    }
    watch_ranges();
}

void poll_group::orphan(std::unique_ptr<namespace_entry> entry) noexcept {
    entry->subsystem = nullptr;
    entry->gauge = &entry->unseen;
    namespace_entry& kept = *entry.release();
    reactor_.note(
        {.what = "orphaned", .subsystem = kept.owner, .ns = kept.id, .value = kept.abandoned});
    orphans_.push_back(kept);
    count(&group_counters::orphaned);
    target_.control_reactor().post(kept.orphaned);
}

void poll_group::reap_orphan(namespace_entry& entry) noexcept {
    reactor_.note({.what = "reaped", .subsystem = entry.owner, .ns = entry.id});
    orphans_.erase(orphans_.iterator_to(entry));
    reaped_.push_back(entry);
}

// --- qpairs --------------------------------------------------------------------------------------

void poll_group::add(qpair& q) noexcept {
    static std::atomic<std::uint64_t> next_number{1};
    q.number_ = next_number.fetch_add(1, std::memory_order_relaxed);
    qpairs_.push_back(q);
    count(&group_counters::connections);
    count(&group_counters::connections_total);
    q.note("accepted", "");
}

void poll_group::remove(qpair& q) noexcept {
    qpairs_.erase(qpairs_.iterator_to(q));
    counters_.connections.store(counters_.connections.load(std::memory_order_relaxed) - 1,
                                std::memory_order_relaxed);
    load.fetch_sub(1, std::memory_order_relaxed);
}

void poll_group::close_all(close_reason why) noexcept {
    for (auto at = qpairs_.begin(); at != qpairs_.end();) (at++)->close(why);
}

void poll_group::close_listener(std::string_view name) noexcept {
    for (auto at = qpairs_.begin(); at != qpairs_.end();) {
        qpair& q = *at++;
        if (q.listener_name() == name) q.close(close_reason::operator_request);
    }
}

bool poll_group::close_connection(std::uint64_t number) noexcept {
    for (qpair& q : qpairs_) {
        if (q.number_ != number) continue;
        q.close(close_reason::operator_request);
        return true;  // the list may have changed
    }
    return false;
}

void poll_group::collect_connections(std::vector<connection_status>& into) const {
    for (const qpair& q : qpairs_) into.push_back(q.status());
}

// --- Connects that wait --------------------------------------------------------------------------

bool poll_group::park(connect_op& op) noexcept {
    if (parked_connect_count_ >= limits::max_parked_connects_in_all) return false;
    const auto same = std::count_if(parked_connects_.begin(), parked_connects_.end(),
                                    [nqn = op.subsystem_nqn()](const connect_op& other) {
                                        return other.subsystem_nqn() == nqn;
                                    });
    if (same >= static_cast<std::ptrdiff_t>(limits::max_parked_connects)) return false;
    op.parked = true;
    op.owner->note("connect", "waits", op.command.qid.value());
    parked_connects_.push_back(op);
    ++parked_connect_count_;
    return true;
}

void poll_group::unpark(connect_op& op) noexcept {
    if (!op.parked) return;
    op.parked = false;
    parked_connects_.erase(parked_connects_.iterator_to(op));
    --parked_connect_count_;
}

// Each looks again at the subsystem of its name, whichever generation that is by now; who must go
// on waiting parks again.
void poll_group::retry_parked_connects(std::string_view nqn) noexcept {
    auto at = parked_connects_.begin();
    for (std::uint32_t left = parked_connect_count_; left != 0; --left) {
        connect_op& op = *at++;  // what parks again goes to the end, beyond those that are left
        if (op.subsystem_nqn() != nqn) continue;
        unpark(op);
        command::connect::resolve(op);
    }
}

// --- subsystem groups ----------------------------------------------------------------------------

subsystem_group* poll_group::find(subsystem_id id) noexcept {
    if (id.index >= subsystems_.size()) return nullptr;
    subsystem_group* s = subsystems_[id.index].get();
    return s != nullptr && group_rules::is_same(id, s->id) ? s : nullptr;
}

subsystem_group* poll_group::find(std::string_view nqn) noexcept {
    const auto at = by_nqn_.find(nqn);
    return at == by_nqn_.end() ? nullptr : at->second;
}

void poll_group::view_replaced(subsystem_group& s, std::string_view old_name) noexcept {
    auto place = by_nqn_.extract(old_name);  // so that it needs no memory
    if (place.empty()) return;
    place.key() = s.view->nqn;
    by_nqn_.insert(std::move(place));
}

void poll_group::execute(group_command& command) noexcept {
    command.succeeded = true;
    command.failure = {};
    command.unreaped = 0;
    reactor_.note({.what = "begins",
                   .detail = to_string(command.action).data(),
                   .subsystem = command.subsystem,
                   .ns = command.ns,
                   .object = command.transition});
    if (command.action == group_action::add_subsystem) {
        add_subsystem(command);
        return acknowledge(command);
    }
    subsystem_group* s = find(command.subsystem);
    if (s == nullptr) {  // a former generation: nothing of it is left here
        note_stale("stale-command", command.subsystem, command.transition);
        return acknowledge(command);
    }
    if (command.action == group_action::remove_subsystem) {
        const subsystem_view view = s->view;  // outlives `s`
        by_nqn_.erase(std::string_view(view->nqn));
        if (s->unsettled_hook.is_linked()) unsettled_.erase(unsettled_.iterator_to(*s));
        std::erase(discovery_, s);
        subsystems_[command.subsystem.index].reset();
        retry_parked_connects(view->nqn);  // there is nothing to wait for any more
        return acknowledge(command);
    }
    bool done = false;
    try {
        done = s->begin(command);
    } catch (const std::exception&) {  // attaching may need memory
        command.succeeded = false;
        command.failure = "out of memory";
        done = true;
    }
    if (done) return acknowledge(command);
    s->pending = &command;
    settle_later(*s);
}

void poll_group::add_subsystem(group_command& command) noexcept {
    FULMAR_ASSERT(!mutated(mutation::leftovers_are_asserted) || parked_connects_.empty());
    const std::uint32_t index = command.subsystem.index;
    try {
        if (subsystems_.size() <= index) subsystems_.resize(index + 1);
        // A leftover of a former generation is legal; it has nothing any more that could reach the
        // newcomer.
        if (subsystems_[index] != nullptr) {
            note_stale("leftover", subsystems_[index]->id, command.transition);
            by_nqn_.erase(std::string_view(subsystems_[index]->view->nqn));
            std::erase(discovery_, subsystems_[index].get());
        }
        subsystems_[index] = std::make_unique<subsystem_group>(*this, command.view);
        by_nqn_.emplace(std::string_view(command.view->nqn), subsystems_[index].get());
        if (command.view->discovery) discovery_.push_back(subsystems_[index].get());
    } catch (const std::exception&) {
        command.succeeded = false;
        command.failure = "out of memory";
    }
}

void poll_group::escalate(const escalate_command& command) noexcept {
    subsystem_group* s = find(command.subsystem);
    if (s == nullptr || s->pending == nullptr || s->pending->transition != command.transition)
        return note_stale("stale-escalation", command.subsystem, command.transition);
    s->give_up_pending();
}

void poll_group::note_stale(const char* what, subsystem_id whose, std::uint64_t object) noexcept {
    count(&group_counters::stale);
    reactor_.note({.what = what, .subsystem = whose, .object = object});
}

void poll_group::acknowledge(group_command& command) noexcept {
    command.view.reset();
    command.gauge = nullptr;
    command.reply();
}

void poll_group::discovery_changed() noexcept {
    for (subsystem_group* s : discovery_)
        for (controller& c : s->controllers) c.discovery_changed();
}

// --- tasks ---------------------------------------------------------------------------------------

namespace {
// Beyond one task per queue entry: for those that a silent device holds.
constexpr std::uint32_t task_slack = 256;
}  // namespace

bool poll_group::reserve_tasks(std::uint32_t more) noexcept {
    const std::uint64_t wanted = tasks_reserved_ + more + task_slack;
    if (wanted > tasks_total_) {
        const auto count = static_cast<std::size_t>(wanted - tasks_total_);
        try {
            auto slab = std::make_unique<io_task[]>(count);
            task_slabs_.push_back({.tasks = std::move(slab), .count = count});
            for (std::size_t i = 0; i < count; ++i)
                free_tasks_.push_back(task_slabs_.back().tasks[i]);
        } catch (const std::bad_alloc&) {
            return false;
        }
        tasks_total_ = wanted;
    }
    tasks_reserved_ += more;
    return true;
}

bool poll_group::is_free(const task_slab& slab) noexcept {
    for (std::size_t i = 0; i < slab.count; ++i)
        if (!slab.tasks[i].pool_hook.is_linked()) return false;
    return true;
}

// Hosts that have gone leave nothing behind: thousands of queues had hundreds of megabytes.
void poll_group::unreserve_tasks(std::uint32_t count) noexcept {
    tasks_reserved_ -= count;
    for (std::size_t i = task_slabs_.size(); i-- != 0;) {
        const task_slab& slab = task_slabs_[i];
        if (tasks_total_ < tasks_reserved_ + task_slack + slab.count || !is_free(slab)) continue;
        for (std::size_t t = 0; t < slab.count; ++t)
            free_tasks_.erase(free_tasks_.iterator_to(slab.tasks[t]));
        tasks_total_ -= slab.count;
        std::swap(task_slabs_[i], task_slabs_.back());
        task_slabs_.pop_back();
    }
}

io_task* poll_group::take_task(std::uint32_t chunks) noexcept {
    if (free_tasks_.empty()) return nullptr;
    io_task& task = free_tasks_.front();
    if (chunks > io_task::few) {
        if (free_vectors_ == nullptr) return nullptr;
        task.many = free_vectors_;
        free_vectors_ = free_vectors_->next;
    }
    free_tasks_.pop_front();
    ++tasks_away_;
    return &task;
}

void poll_group::return_task(io_task& task) noexcept {
    if (task.hold.stripes != 0) [[unlikely]]
        command::range::give_back(*task.entry, task.hold);
    task.chain.release();
    task.owner = nullptr;
    task.entry = nullptr;
    task.host = 0;
    task.listener = 0;
    task.controller = 0;
    task.age = io_task::seen::not_yet;
    --tasks_away_;
    if (task.many != nullptr) {
        task.many->next = free_vectors_;
        free_vectors_ = task.many;
        task.many = nullptr;
    }
    free_tasks_.push_front(task);
}

}  // namespace fulmar::core
