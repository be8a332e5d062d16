// Questions: answered from what the control reactor owns; connections are collected from the poll
// groups.
#include <fulmar/core/counter_source.hpp>
#include <fulmar/core/target.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace fulmar::core {

namespace {

// Visits one poll group after the other, on its reactor, and comes home with the answer.
class group_tour : public engine::message {
  public:
    group_tour(control_request& r, target& t) noexcept
        : message(&group_tour::at_group), request_(&r), owner_(&t) {}
    virtual ~group_tour() = default;
    group_tour(const group_tour&) = delete;
    group_tour& operator=(const group_tour&) = delete;

    static void send(std::unique_ptr<group_tour> tour) noexcept {
        engine::reactor& first = tour->owner_->groups().front()->reactor();
        first.post(*tour.release());
    }

  protected:
    /// Called on: the group's reactor.  True: there is no need to go on.
    virtual bool visit(poll_group& group) noexcept = 0;
    /// Called on: control reactor, in the end.
    virtual result<control_answer> answer() = 0;

  private:
    static void at_group(engine::message& m) noexcept {
        auto& self = static_cast<group_tour&>(m);
        const auto& groups = self.owner_->groups();
        if (!self.visit(*groups[self.next_]) && ++self.next_ < groups.size()) {
            groups[self.next_]->reactor().post(self);
            return;
        }
        self.set_handler(&group_tour::at_home);
        self.owner_->control_reactor().post(self);
    }
    static void at_home(engine::message& m) noexcept {
        const std::unique_ptr<group_tour> self(static_cast<group_tour*>(&m));
        self->request_->finish(self->answer());
    }

    control_request* request_;
    target* owner_;
    std::size_t next_ = 0;
};

class connection_survey final : public group_tour {
  public:
    using group_tour::group_tour;

  private:
    bool visit(poll_group& group) noexcept override {
        try {
            group.collect_connections(found_);
        } catch (const std::exception&) {
            found_.clear();
        }
        return false;
    }
    result<control_answer> answer() override { return control_answer(std::move(found_)); }

    std::vector<connection_status> found_;
};

class connection_ender final : public group_tour {
  public:
    connection_ender(control_request& r, target& t, std::uint64_t wanted) noexcept
        : group_tour(r, t), id_(wanted) {}

  private:
    bool visit(poll_group& group) noexcept override {
        found_ = group.close_connection(id_);
        return found_;
    }
    result<control_answer> answer() override {
        if (found_) return control_answer(std::monostate{});
        return fail(errc::not_found, fmt::format("there is no connection {}", id_), {},
                    "GET /v1/connections lists them");
    }

    std::uint64_t id_;
    bool found_ = false;
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
    add("fulmar_reaped_operations_total",
        "Abandoned operations that their backend has given back since", c.reaped);
    add("fulmar_namespaces_held_by_devices",
        "Namespaces that are gone but for operations that their device still has", c.orphaned,
        false);
    add("fulmar_stale_messages_total", "Messages and requests for a former generation", c.stale);
    add("fulmar_buffer_waits_total", "Requests that waited for buffers", c.buffer_waits);
    add("fulmar_connections", "Connections present", c.connections, false);
    add("fulmar_connections_total", "Connections accepted", c.connections_total);
    add("fulmar_authentications_total", "Times that a host proved on a queue who it is",
        c.authentications);
    add("fulmar_failed_authentications_total",
        "Authentications that failed: a wrong key, a wrong message, or silence",
        c.failed_authentications);
    add("fulmar_tls_handshakes_total", "TLS handshakes of hosts that were completed",
        c.tls_handshakes);
    add("fulmar_failed_tls_handshakes_total",
        "TLS handshakes that failed: an unknown identity, a wrong key, or no TLS at all",
        c.failed_tls_handshakes);
    add("fulmar_connections_gave_way_total",
        "Connections that were ended because others needed their place", c.gave_way);
    const engine::reactor_counters& r = group.reactor().counters();
    add("fulmar_reactor_turns_total", "Turns of the reactor's loop", r.turns);
    add("fulmar_reactor_busy_turns_total", "Turns that found work", r.busy_turns);
    add("fulmar_reactor_sleeps_total", "Times that the reactor went to sleep", r.sleeps);
    add("fulmar_reactor_messages_total", "Messages received from other reactors", r.messages);
    add("fulmar_buffer_chunks_free", "Free chunks of the buffer pool", c.free_chunks, false);
}

void add_refusals(counters_report& report, std::span<const std::unique_ptr<poll_group>> groups) {
    for (std::size_t i = 0; i < connect_refusal_count; ++i) {
        const auto why = static_cast<connect_refusal>(i);
        std::uint64_t sum = 0;
        for (const auto& group : groups) sum += group->refusals().count(why);
        report.samples.push_back({"fulmar_connects_refused_total",
                                  "Connect commands that were refused, by reason",
                                  true,
                                  {{"reason", std::string(to_string(why))}},
                                  static_cast<double>(sum)});
    }
}

void add_quarantined(counters_report& report, const subsystem_status& of) {
    for (const namespace_status& n : of.namespaces)
        report.samples.push_back(
            {"fulmar_device_quarantined_bytes",
             "Buffers of requests that were answered while the device still had their operations",
             false,
             {{"device", n.spec.device}},
             static_cast<double>(n.quarantined_bytes)});
}

/// What hosts have made of namespaces, and who sees them.
void add_namespaces(counters_report& report, const subsystem_status& of) {
    for (const namespace_status& n : of.namespaces) {
        const auto add = [&](const char* name, const char* help, double value,
                             bool counts = false) {
            report.samples.push_back(
                {name,
                 help,
                 counts,
                 {{"subsystem", of.spec.nqn}, {"nsid", fmt::format("{}", n.spec.nsid)}},
                 value});
        };
        const reservation_status* const held = n.reservation ? &*n.reservation : nullptr;
        add("fulmar_namespace_write_protected", "1 while a host has it write protected",
            n.protection == nvme::write_protection::none ? 0.0 : 1.0);
        add("fulmar_namespace_reserved", "1 while a host holds a reservation",
            held != nullptr && held->is_held ? 1.0 : 0.0);
        add("fulmar_namespace_registrants", "Hosts that have registered a reservation key",
            held != nullptr ? static_cast<double>(held->registrants.size()) : 0.0);
        add("fulmar_namespace_preempted_total", "Registrations that other hosts have ended",
            static_cast<double>(n.preempted), true);
        add("fulmar_namespace_hidden", "1 while only named hosts see it",
            n.spec.visible_to.all ? 0.0 : 1.0);
    }
}

// The state at the listeners that a group names, and at the others.
void add_ana_paths(counters_report& report, const subsystem_status& of) {
    const auto add = [&](const ana_group_spec& group, const std::string& listener,
                         ana_state state) {
        report.samples.push_back(
            {"fulmar_ana_path_state",
             "What hosts are told of an ANA group by a listener: 1 optimized, 2 non-optimized, "
             "3 inaccessible, 4 persistent loss, 15 change; listener \"\": any other",
             false,
             {{"subsystem", of.spec.nqn},
              {"group", fmt::format("{}", group.id)},
              {"listener", listener}},
             static_cast<double>(state)});
    };
    for (const ana_group_spec& group : of.spec.ana_groups) {
        add(group, "", group.state);
        for (const auto& [listener, state] : group.listeners) add(group, listener, state);
    }
}

}  // namespace

// Each ring is in order; together they are sorted by time.
flight_report target::flight() const {
    std::vector<engine::flight_entry> all;
    control_.flight().collect(all);
    for (const auto& group : groups_) group->reactor().flight().collect(all);
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.at < b.at; });
    const auto since_start = [this](instant at) {
        return static_cast<std::uint64_t>(std::max(at - started_, duration::zero()).count());
    };
    flight_report report;
    report.uptime_ns = since_start(control_.fresh_now());
    report.entries.reserve(all.size());
    for (const engine::flight_entry& e : all) {
        std::array<char, 256> line;
        const std::size_t length = engine::print_flight_entry(e, started_, line);
        report.entries.push_back({.reactor = e.reactor.value(),
                                  .sequence = e.sequence,
                                  .uptime_ns = since_start(e.at),
                                  .what = e.what,
                                  .detail = e.detail,
                                  .slot = e.subsystem.index,
                                  .generation = e.subsystem.generation,
                                  .nsid = e.ns.valid() ? e.ns.index + 1 : 0,
                                  .namespace_generation = e.ns.generation,
                                  .object = e.object,
                                  .value = e.value,
                                  .line = std::string(line.data(), length)});
    }
    return report;
}

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
    for (const listening& l : listeners_)
        if (listener_status one = l.accepts->status(); !one.waits_for.empty())
            s.waiting_listeners.push_back(std::move(one));
    s.degraded = devices_.troubles();
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
        return group_tour::send(std::make_unique<connection_survey>(request, *this));
    }
    if (const auto* end = std::get_if<end_connection>(&q)) {
        return group_tour::send(std::make_unique<connection_ender>(request, *this, end->id));
    }
    if (const auto* lift = std::get_if<lift_protection>(&q)) {
        if (subsystem* s = find(lift->nqn); s != nullptr && !s->is_discovery())
            return s->lift_protection(lift->nsid, request);
        return request.finish(
            fail(errc::not_found, fmt::format("there is no subsystem {}", lift->nqn)));
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
    if (std::holds_alternative<get_recorder>(q)) return control_answer(flight());
    if (std::holds_alternative<list_devices>(q)) return control_answer(devices_.all());
    if (std::holds_alternative<list_listeners>(q)) {
        std::vector<listener_status> all;
        for (const listening& l : listeners_) all.push_back(l.accepts->status());
        return control_answer(std::move(all));
    }
    if (std::holds_alternative<get_counters>(q)) {
        counters_report report;
        for (const auto& group : groups_) add_group_counters(report, *group);
        add_refusals(report, groups_);
        for (const auto& t : transports_)
            if (const auto* more = dynamic_cast<const counter_source*>(t.get()))
                more->report(report);
        if (setup_.counters != nullptr) setup_.counters->report(report);
        for (const device_status& d : devices_.all())
            report.samples.push_back({"fulmar_device_ready",
                                      "1 while the device serves",
                                      false,
                                      {{"device", d.spec.name}, {"state", d.state}},
                                      d.state == "ready" ? 1.0 : 0.0});
        for (const auto& s : slots_)
            if (s != nullptr && !s->is_discovery()) {
                const subsystem_status now = s->status();
                add_quarantined(report, now);
                add_namespaces(report, now);
                add_ana_paths(report, now);
            }
        report.samples.push_back({"fulmar_configuration_revision",
                                  "Changes applied since start",
                                  false,
                                  {},
                                  static_cast<double>(revision_)});
        report.samples.push_back({"fulmar_discovery_pages_total",
                                  "Pages of the discovery log that were made",
                                  true,
                                  {},
                                  static_cast<double>(pages_made_)});
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
