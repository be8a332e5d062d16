// Questions: answered from what the control reactor owns; connections are collected from the poll
// groups.
#include <fulmar/core/target.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace fulmar::core {

namespace {

// Visits one poll group after the other and comes home with what they told.
struct connection_survey final : engine::message {
    explicit connection_survey(control_request& r, target& t)
        : message(&connection_survey::at_group), request(&r), owner(&t) {}

    control_request* request;
    target* owner;
    std::size_t next = 0;
    std::vector<connection_status> found;

    static void at_group(engine::message& m) noexcept {
        auto& self = static_cast<connection_survey&>(m);
        try {
            self.owner->groups()[self.next]->collect_connections(self.found);
        } catch (const std::exception&) {
            self.found.clear();
        }
        if (++self.next < self.owner->groups().size()) {
            self.owner->groups()[self.next]->reactor().post(self);
            return;
        }
        self.set_handler(&connection_survey::at_home);
        self.owner->control_reactor().post(self);
    }

    static void at_home(engine::message& m) noexcept {
        std::unique_ptr<connection_survey> self(static_cast<connection_survey*>(&m));
        self->request->finish(control_answer(std::move(self->found)));
    }
};

std::uint64_t load(const std::atomic<std::uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
}

reactor_status describe_reactor(poll_group& group) {
    const engine::reactor_counters& c = group.reactor().counters();
    reactor_status s;
    s.id = group.reactor().id().value();
    s.turns = load(c.turns);
    s.busy_turns = load(c.busy_turns);
    s.sleeps = load(c.sleeps);
    s.messages = load(c.messages);
    s.longest_turn_ns = load(c.longest_turn_ns);
    s.connections = load(group.counters().connections);
    s.pool_chunks_total = group.pool().total_chunks();
    s.pool_chunks_free = load(group.counters().free_chunks);
    s.pool_waiters = load(group.counters().waiting_for_chunks);
    return s;
}

void add_group_counters(counters_report& report, poll_group& group) {
    const group_counters& c = group.counters();
    const std::string reactor = fmt::format("{}", group.reactor().id().value());
    const auto add = [&](const char* name, const char* help,
                         const std::atomic<std::uint64_t>& value, bool monotonic = true) {
        report.samples.push_back(
            {name, help, monotonic, {{"reactor", reactor}}, static_cast<double>(load(value))});
    };
    add("fulmar_io_commands_total", "I/O commands received", c.io_commands);
    add("fulmar_admin_commands_total", "Admin commands received", c.admin_commands);
    add("fulmar_read_bytes_total", "Bytes read by hosts", c.bytes_read);
    add("fulmar_written_bytes_total", "Bytes written by hosts", c.bytes_written);
    add("fulmar_command_errors_total", "Commands answered with an error", c.errors);
    add("fulmar_parked_requests_total", "Requests that waited at a fenced gate", c.parked);
    add("fulmar_replayed_requests_total", "Parked requests that went on", c.replayed);
    add("fulmar_abandoned_operations_total",
        "Backend operations whose request was answered before they ended", c.abandoned);
    add("fulmar_stale_messages_total", "Messages and requests for a former generation", c.stale);
    add("fulmar_buffer_waits_total", "Requests that waited for buffers", c.buffer_waits);
    add("fulmar_connections", "Connections present", c.connections, false);
    add("fulmar_connections_total", "Connections accepted", c.connections_total);
    const engine::reactor_counters& r = group.reactor().counters();
    add("fulmar_reactor_turns_total", "Turns of the reactor's loop", r.turns);
    add("fulmar_reactor_busy_turns_total", "Turns that found work", r.busy_turns);
    add("fulmar_reactor_sleeps_total", "Times that the reactor went to sleep", r.sleeps);
    add("fulmar_reactor_messages_total", "Messages received from other reactors", r.messages);
    add("fulmar_buffer_chunks_free", "Free chunks of the buffer pool", c.free_chunks, false);
}

}  // namespace

target_status target::describe() const {
    target_status s;
    s.uptime_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(control_.now() - started_).count());
    s.revision = revision_;
    for (const auto& sub : slots_) {
        if (sub == nullptr || sub->is_discovery()) continue;
        ++s.subsystems;
        s.namespaces += sub->namespaces().size();
    }
    s.stopping = stopping_;
    s.hugepages = setup_.hugepages;
    for (const auto& group : groups_) {
        s.reactors.push_back(describe_reactor(*group));
        s.connections += s.reactors.back().connections;
    }
    return s;
}

target_spec target::current_spec() const {
    target_spec spec;
    spec.listeners = stopped_listeners_;
    for (const listening& l : listeners_) spec.listeners.push_back(l.spec);
    spec.devices = devices_.specs();
    std::vector<std::pair<std::uint32_t, subsystem_spec>> subsystems = stopped_subsystems_;
    for (const auto& s : slots_) {
        const bool serves = s != nullptr && !s->is_discovery() && !s->deleted() &&
                            s->state() != subsystem_state::deactivating;
        if (serves) subsystems.emplace_back(s->id().index, s->status().spec);
    }
    std::sort(subsystems.begin(), subsystems.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [slot, s] : subsystems) spec.subsystems.push_back(std::move(s));
    spec.referrals = referrals_;
    return spec;
}

void target::on_query(control_request& request) {
    const query& q = std::get<query>(request.what);
    request.revision = revision_;
    if (std::holds_alternative<list_connections>(q)) {
        auto survey = std::make_unique<connection_survey>(request, *this);
        groups_.front()->reactor().post(*survey.release());
        return;
    }
    request.finish(ask(q));
}

result<control_answer> target::ask(const query& q) {
    if (std::holds_alternative<get_target>(q)) return control_answer(describe());
    if (std::holds_alternative<get_spec>(q)) return control_answer(current_spec());
    if (const auto* one = std::get_if<get_subsystem>(&q)) {
        const subsystem* s = find(one->nqn);
        if (s == nullptr || s->is_discovery())
            return fail(errc::not_found, fmt::format("there is no subsystem {}", one->nqn));
        return control_answer(s->status());
    }
    if (const auto* one = std::get_if<get_device>(&q)) {
        const device_registry::entry* e = devices_.find(one->name);
        if (e == nullptr)
            return fail(errc::not_found, fmt::format("there is no device {}", one->name));
        return control_answer(devices_.status(*e));
    }
    if (std::holds_alternative<list_devices>(q)) return control_answer(devices_.all());
    if (std::holds_alternative<list_listeners>(q)) {
        std::vector<listener_status> all;
        for (const listening& l : listeners_) all.push_back(l.accepts->status());
        return control_answer(std::move(all));
    }
    if (std::holds_alternative<get_counters>(q)) {
        counters_report report;
        for (const auto& group : groups_) add_group_counters(report, *group);
        report.samples.push_back({"fulmar_configuration_revision",
                                  "Changes applied since start",
                                  false,
                                  {},
                                  static_cast<double>(revision_)});
        report.samples.push_back({"fulmar_stale_acks_total",
                                  "Acks of a former transition, dropped",
                                  true,
                                  {},
                                  static_cast<double>(stale_acks_)});
        return control_answer(std::move(report));
    }
    std::vector<subsystem_status> all;
    for (const auto& s : slots_)
        if (s != nullptr && !s->is_discovery()) all.push_back(s->status());
    return control_answer(std::move(all));
}

}  // namespace fulmar::core
