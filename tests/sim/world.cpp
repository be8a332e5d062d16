#include "world.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

namespace fulmar::sim {

namespace {
world* current_world = nullptr;

bool holds(const core::namespace_spec& n) { return n.on_loss == core::loss_policy::hold; }
}  // namespace

const world* running() { return current_world; }

struct world::watcher final : transport::loopback_observer {
    explicit watcher(world& w) : owner(w) {}
    void on_arrival(std::uint64_t connection, const nvme::sqe& command) noexcept override {
        owner.checker_.arrived(connection, command.cid.value(), owner.steps_);
    }
    world& owner;
};

// --- birth ---------------------------------------------------------------------------------------

world::world(world_options options) : options_(std::move(options)), random_(options_.seed) {
    current_world = this;
    for (unsigned i = 0; i < options_.data_reactors + 2; ++i)
        reactors_.push_back(
            engine::reactor::create({.id = reactor_id(static_cast<std::uint16_t>(i)),
                                     .busy_window = {},
                                     .clock = &clock_,
                                     .descriptors = !options_.drives.empty() || options_.tcp})
                .value());
    frozen_.resize(reactors_.size());
    watcher_ = std::make_unique<watcher>(*this);
    options_.fabric.seed = random_();
    options_.fabric.observer = watcher_.get();
    fabric_ = std::make_unique<transport::loopback_fabric>(*reactors_.back(), options_.fabric);
    remembered_.answer_on(*reactors_.front());
    core::namespace_memory* memory = options_.remembers ? &remembered_ : nullptr;
    if (options_.keep) {
        jobs_ = std::make_unique<job_runner>(clock_, random_);
        keeper_ = options_.keep(*reactors_.front());
        memory = &keeper_->memory();
    }
    target_ = std::make_unique<core::target>(
        *reactors_.front(),
        core::target::setup{
            .limits = options_.limits,
            .make_device = [this](const core::device_spec& spec) { return make_device(spec); },
            .memory = memory});
    for (unsigned i = 0; i < options_.data_reactors; ++i)
        target_->add_poll_group(
            *reactors_[i + 1],
            mem::buffer_pool::create(memory_, {.bytes = options_.pool_bytes}).value());
    make_drives();
    EXPECT_TRUE(target_->add_transport(fabric_->make_transport(*target_)));
    if (options_.tcp) {
        tcp_ = std::make_unique<tcp_fabric>(*reactors_.back(), random_());
        EXPECT_TRUE(target_->add_transport(tcp_->make_transport(*target_)));
    }

    core::target_spec spec;
    spec.listeners.push_back({.transport = "loopback", .address = "sim", .port = 4420});
    if (options_.two_listeners)
        spec.listeners.push_back({.transport = "loopback", .address = "sim", .port = 4421});
    if (options_.tcp) spec.listeners.push_back(tcp_fabric::where());
    spec.subsystems = options_.subsystems;
    for (const core::subsystem_spec& s : spec.subsystems)
        for (const core::namespace_spec& n : s.namespaces) {
            spec.devices.push_back(device_for(n.device));
            checker_.attach_answered(
                checker_.attach_asked(n.device, s.nqn, n.nsid, steps_, holds(n)), true);
        }
    for (const core::subsystem_spec& s : spec.subsystems) {
        known_.insert(s.nqn);
        if (s.allow_any_host) open_to_all_.insert(s.nqn);
    }
    bool started = false;
    target_->start(
        spec, [](const error& e) { ADD_FAILURE() << e.text(); }, [&] { started = true; });
    EXPECT_TRUE(run_until([&] { return started; }));
}

world::~world() {
    rest();
    current_world = nullptr;
    if (!all_quiet()) {  // the failure has been reported; what is busy cannot be destroyed
        (void)target_.release();
        (void)fabric_.release();
        (void)tcp_.release();
        (void)rack_.release();
        (void)keeper_.release();
        (void)jobs_.release();
        for (auto& r : reactors_) (void)r.release();
        for (auto& t : asked_) (void)new ticket_ref(t);
        return;
    }
    target_.reset();
    // What the shutdown left with its devices is given back now.
    if (rack_ != nullptr) {
        EXPECT_TRUE(run_until([&] { return rack_->quiet(); })) << "a drive is not given back";
        settle();
    }
    end_keeping();
    fabric_.reset();
    tcp_.reset();
    rack_.reset();
}

bool world::carry_on_with_jobs() { return jobs_ != nullptr && jobs_->step(); }

// What is on its way is still written, or fails.
void world::end_keeping() {
    if (jobs_ == nullptr) return;
    keeper_.reset();
    EXPECT_TRUE(run_until([&] { return jobs_->idle(); })) << "a job does not end";
    settle();
    jobs_.reset();
}

void world::make_drives() {
    if (options_.drives.empty()) return;
    rack_ = std::make_unique<sim_pcie_slots>(clock_, random_, checker_, steps_,
                                             [this](const std::string& what) { note("{}", what); });
    for (std::size_t i = 0; i < options_.data_reactors; ++i)
        rack_->use(*reactors_.front(), data(i), {group(i).pool().base(), group(i).pool().bytes()});
    for (const std::string& name : options_.drives) rack_->add(name, options_.sim_drives);
}

core::device_spec world::device_for(const std::string& name) const {
    if (is_drive(name)) return rack_->spec(name);
    core::device_spec spec;
    spec.name = name;
    spec.type = "sim";
    return spec;
}

result<std::unique_ptr<backend::device>> world::make_device(const core::device_spec& spec) {
    if (is_drive(spec.name)) return rack_->make(spec);
    add_disk(spec.name);
    auto made = std::make_unique<sim_device>(disks_.at(spec.name));
    devices_[spec.name] = made.get();
    return made;
}

disk& world::add_disk(const std::string& name, std::uint64_t blocks) {
    auto& at = disks_[name];
    if (at == nullptr) {
        at = std::make_shared<disk>(name, blocks, checker_, steps_, random_());
        at->set_manners(options_.fault_profile);
        if (std::find(options_.unjudged.begin(), options_.unjudged.end(), name) !=
            options_.unjudged.end())
            at->take_anything();
    }
    return *at;
}

disk& world::disk_named(const std::string& name) { return *disks_.at(name); }

namespace {
struct loss final : engine::message {
    loss(const std::map<std::string, sim_device*>& from, std::string disk, std::string why)
        : message([](engine::message& m) noexcept {
              const std::unique_ptr<loss> self(static_cast<loss*>(&m));
              const auto at = self->devices->find(self->name);
              if (at != self->devices->end()) at->second->lose(self->reason);
          }),
          devices(&from),
          name(std::move(disk)),
          reason(std::move(why)) {}
    const std::map<std::string, sim_device*>* devices;
    std::string name;
    std::string reason;
};
}  // namespace

void world::lose(const std::string& name, const std::string& reason) {
    note("disk {} is lost: {}", name, reason);
    reactors_.front()->post(*std::make_unique<loss>(devices_, name, reason).release());
}

void world::give(const std::string& drive, drive_fault what) {
    if (rack_->give(drive, what)) return;
    if (what == drive_fault::attach)
        (void)ask(core::attach_device{drive});
    else
        (void)ask(core::detach_device{drive, what == drive_fault::drain});
}

// --- turns ---------------------------------------------------------------------------------------

bool world::turn(std::size_t i) {
    ++steps_;
    const bool worked = reactors_[i]->run_once();
    trace_.mix(i * 2 + (worked ? 1 : 0));
    return worked;
}

void world::round() {
    if (crowd_) crowd_();
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < reactors_.size(); ++i)
        if (!frozen_[i]) order.push_back(i);
    const std::size_t once = order.size();
    for (std::uint64_t more = pick(once); more != 0; --more) order.push_back(order[pick(once)]);
    std::shuffle(order.begin(), order.end(), random_);
    bool worked = false;
    for (const std::size_t i : order) worked = turn(i) || worked;
    if (rack_ != nullptr) worked |= rack_->step();
    worked |= carry_on_with_jobs();
    advance(worked);
}

// Up to the next timer, but never so far that a reactor would take it for a stall of its own.
void world::advance(bool worked) {
    if (worked) {
        clock_.advance(duration(pick(100'000)));
        return;
    }
    constexpr duration longest = std::chrono::milliseconds(40);
    instant next = clock_.now() + longest;
    for (std::size_t i = 0; i < reactors_.size(); ++i)
        if (!frozen_[i]) next = std::min(next, reactors_[i]->timers().next_wakeup());
    if (rack_ != nullptr) next = std::min(next, rack_->next_due());
    if (jobs_ != nullptr) next = std::min(next, jobs_->next_due());
    clock_.advance(std::max(next - clock_.now(), duration(std::chrono::microseconds(50))));
}

void world::run_for(duration time) {
    const instant end = clock_.now() + time;
    while (clock_.now() < end && !restless()) round();
}

void world::settle() {
    for (int quiet = 0, turns = 0; quiet < 3 && turns < 100'000; ++turns) {
        bool worked = false;
        for (std::size_t i = 0; i < reactors_.size(); ++i)
            if (!frozen_[i]) worked = turn(i) || worked;
        if (rack_ != nullptr) worked |= rack_->step();
        worked |= carry_on_with_jobs();
        quiet = worked ? 0 : quiet + 1;
    }
}

// --- hosts ---------------------------------------------------------------------------------------

std::unique_ptr<queue> world::admin(const identity& who, std::uint32_t keep_alive_ms) {
    auto q = open(who);
    const command_ref connected = q->connect(0, nvme::cntlid_dynamic, keep_alive_ms);
    EXPECT_TRUE(wait(connected) && connected->answered && nvme::is_success(connected->status))
        << nvme::describe(connected->status);
    const command_ref enabled = q->enable();
    EXPECT_TRUE(wait(enabled) && enabled->answered && nvme::is_success(enabled->status));
    return q;
}

std::unique_ptr<queue> world::open_io(const queue& admin, std::uint16_t qid,
                                      std::optional<std::size_t> group, command_ref& connecting) {
    identity who = admin.who();
    if (group) who.group = group;
    auto q = open(who);
    connecting = q->connect(qid, admin.controller());
    return q;
}

std::unique_ptr<queue> world::io(const queue& admin, std::uint16_t qid,
                                 std::optional<std::size_t> group) {
    command_ref connected;
    auto q = open_io(admin, qid, group, connected);
    EXPECT_TRUE(wait(connected) && connected->answered && nvme::is_success(connected->status))
        << nvme::describe(connected->status);
    return q;
}

// --- operators -----------------------------------------------------------------------------------

namespace {
void on_reply(core::control_request& r) noexcept {
    auto& t = static_cast<ticket&>(r);
    world* const owner = t.owner;
    t.answers.fetch_add(1);
    if (owner != nullptr) owner->answered(t);
}

template <typename... Fs>
struct overloaded : Fs... {
    using Fs::operator()...;
};
template <typename... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

std::string describe(const core::change& what) {
    return std::visit(
        overloaded{
            [](const core::create_device& c) { return "create-device " + c.spec.name; },
            [](const core::delete_device& c) { return "delete-device " + c.name; },
            [](const core::resize_device& c) { return "resize-device " + c.name; },
            [](const core::reopen_device& c) { return "reopen-device " + c.name; },
            [](const core::detach_device& c) { return "detach-device " + c.name; },
            [](const core::attach_device& c) { return "attach-device " + c.name; },
            [](const core::file_created& c) { return "file-created " + c.name; },
            [](const core::create_subsystem& c) { return "create-subsystem " + c.spec.nqn; },
            [](const core::delete_subsystem& c) { return "delete-subsystem " + c.nqn; },
            [](const core::pause_subsystem& c) { return "pause " + c.nqn; },
            [](const core::resume_subsystem& c) { return "resume " + c.nqn; },
            [](const core::add_namespace& c) {
                return fmt::format("add-namespace {}/{}", c.nqn, c.spec.nsid);
            },
            [](const core::remove_namespace& c) {
                return fmt::format("remove-namespace {}/{}", c.nqn, c.nsid);
            },
            [](const core::set_ana_state& c) { return fmt::format("ana {}/{}", c.nqn, c.nsid); },
            [](const core::create_ana_group& c) {
                return fmt::format("create-ana-group {}/{}", c.nqn, c.spec.id);
            },
            [](const core::delete_ana_group& c) {
                return fmt::format("delete-ana-group {}/{}", c.nqn, c.id);
            },
            [](const core::modify_ana_group& c) {
                return fmt::format("modify-ana-group {}/{}", c.nqn, c.id);
            },
            [](const core::set_ana_path& c) {
                return fmt::format("ana-path {}/{} {}", c.nqn, c.id, c.listener);
            },
            [](const core::modify_device& c) { return "modify-device " + c.name; },
            [](const core::modify_subsystem& c) { return "modify-subsystem " + c.nqn; },
            [](const core::modify_namespace& c) {
                return fmt::format("modify-namespace {}/{}", c.nqn, c.nsid);
            },
            [](const core::add_host& c) { return "add-host " + c.nqn + " " + c.host; },
            [](const core::remove_host& c) { return "remove-host " + c.nqn + " " + c.host; },
            [](const core::set_allow_any_host& c) { return "allow-any " + c.nqn; },
            [](const core::add_listener& c) { return "add-listener " + c.spec.name(); },
            [](const core::remove_listener& c) { return "remove-listener " + c.name; },
            [](const core::add_referral&) { return std::string("add-referral"); },
            [](const core::remove_referral&) { return std::string("remove-referral"); },
            [](const core::set_host_keys& c) { return "set-host-keys " + c.nqn; }},
        what);
}
}  // namespace

ticket::ticket(core::change change, instant now)
    : control_request(std::move(change), false, &on_reply), asked(now) {
    text = describe(std::get<core::change>(what));
}

ticket::ticket(core::query query) : control_request(std::move(query), false, &on_reply) {}

ticket_ref world::ask(core::change what) {
    auto t = std::make_shared<ticket>(std::move(what), now());
    t->owner = this;
    t->asked_at = steps_;
    note("operator: {}", t->text);
    const core::change& change = std::get<core::change>(t->what);
    if (const auto* add = std::get_if<core::add_namespace>(&change))
        t->lives.push_back(checker_.attach_asked(add->spec.device, add->nqn, add->spec.nsid, steps_,
                                                 holds(add->spec)));
    if (const auto* create = std::get_if<core::create_subsystem>(&change)) {
        known_.insert(create->spec.nqn);
        for (const std::string& listed : create->spec.hosts)
            checker_.host_added(create->spec.nqn, listed);
        for (const core::namespace_spec& n : create->spec.namespaces)
            t->lives.push_back(
                checker_.attach_asked(n.device, create->spec.nqn, n.nsid, steps_, holds(n)));
    }
    if (const auto* reopen = std::get_if<core::reopen_device>(&change))
        checker_.loss_accepted(reopen->name);
    if (const auto* host = std::get_if<core::add_host>(&change))
        checker_.host_added(host->nqn, host->host);
    if (const auto* any = std::get_if<core::set_allow_any_host>(&change))
        if (any->allow) {
            open_to_all_.insert(any->nqn);
            for (const std::string& seen : hosts_) checker_.host_added(any->nqn, seen);
        }
    asked_.push_back(t);
    target_->submit(*t);
    return t;
}

// The invariant checker learns what has been promised.
void world::answered(ticket& t) {
    t.answered = now();
    if (!std::holds_alternative<core::change>(t.what)) return;
    const bool ok = t.outcome.has_value();
    const bool unkept = !ok && t.code() == errc::quiesce_incomplete;
    note("answer: {} -> {}", t.text, ok ? "ok" : t.outcome.error().message);
    if (t.answers.load() != 1) checker_.complain(t.text + " was answered twice");
    const core::change& change = std::get<core::change>(t.what);
    for (const std::uint64_t number : t.lives) checker_.attach_answered(number, ok);
    if (const auto* create = std::get_if<core::create_subsystem>(&change); create && ok) {
        open_to_all_.erase(create->spec.nqn);
        if (create->spec.allow_any_host) open_to_all_.insert(create->spec.nqn);
    }
    if (!ok && !unkept) return;
    if (const auto* device = std::get_if<core::delete_device>(&change))
        devices_.erase(device->name);
    if (const auto* remove = std::get_if<core::remove_namespace>(&change))
        checker_.removed(remove->nqn, remove->nsid, steps_, ok);
    if (const auto* gone = std::get_if<core::delete_subsystem>(&change))
        checker_.deleted(gone->nqn, t.asked_at, steps_, ok);
    if (!ok) return;
    if (const auto* host = std::get_if<core::remove_host>(&change))
        sent_away(host->nqn, host->host);
    if (const auto* any = std::get_if<core::set_allow_any_host>(&change); any && !any->allow) {
        open_to_all_.erase(any->nqn);
        const core::target_spec now = target_->current_spec();
        for (const core::subsystem_spec& s : now.subsystems)
            for (const std::string& seen : hosts_)
                if (s.nqn == any->nqn &&
                    std::find(s.hosts.begin(), s.hosts.end(), seen) == s.hosts.end())
                    sent_away(s.nqn, seen);
    }
}

// Nothing of that host may land any more, unless somebody is about to let it in again.
void world::sent_away(const std::string& nqn, const std::string& host) {
    if (open_to_all_.contains(nqn)) return;
    for (const ticket_ref& t : asked_) {
        if (t->done() || !std::holds_alternative<core::change>(t->what)) continue;
        const core::change& change = std::get<core::change>(t->what);
        const auto* add = std::get_if<core::add_host>(&change);
        const auto* any = std::get_if<core::set_allow_any_host>(&change);
        const auto* create = std::get_if<core::create_subsystem>(&change);
        if ((add != nullptr && add->nqn == nqn && add->host == host) ||
            (any != nullptr && any->nqn == nqn && any->allow) ||
            (create != nullptr && create->spec.nqn == nqn))
            return;
    }
    checker_.host_removed(nqn, host);
}

ticket_ref world::ask(core::query what) {
    auto t = std::make_shared<ticket>(std::move(what));
    asked_.push_back(t);
    target_->submit(*t);
    return t;
}

ticket_ref world::change(core::change what, duration limit) {
    ticket_ref t = ask(std::move(what));
    EXPECT_TRUE(run_until([&] { return t->done(); }, limit)) << t->text << " got no answer";
    return t;
}

core::subsystem_status world::status_of(const std::string& nqn) {
    const ticket_ref t = ask(core::query(core::get_subsystem{nqn}));
    EXPECT_TRUE(run_until([&] { return t->done(); }));
    EXPECT_TRUE(t->ok()) << nqn;
    return t->ok() ? t->as<core::subsystem_status>() : core::subsystem_status{};
}

core::target_status world::target_status() {
    const ticket_ref t = ask(core::query(core::get_target{}));
    EXPECT_TRUE(run_until([&] { return t->done(); }));
    return t->ok() ? t->as<core::target_status>() : core::target_status{};
}

std::uint32_t world::chunks_missing() {
    std::uint32_t missing = 0;
    for (std::size_t i = 0; i < options_.data_reactors; ++i)
        missing += group(i).pool().total_chunks() - group(i).pool().free_chunks();
    return missing;
}

// --- rest ----------------------------------------------------------------------------------------

bool world::all_quiet() {
    for (const ticket_ref& t : asked_)
        if (!t->done()) return false;
    if (rack_ != nullptr && rack_->lent() != 0) return false;
    for (std::size_t i = 0; i < options_.data_reactors; ++i) {
        core::poll_group& g = group(i);
        if (!g.empty() || g.pool().free_chunks() != g.pool().total_chunks()) return false;
        if (g.pool().waiters() != 0 || g.load.load() != 0) return false;
    }
    return true;
}

void world::expect_rest() {
    EXPECT_FALSE(restless()) << steps_ << " turns, for " << carried_bytes_ << " bytes";
    for (const ticket_ref& t : asked_) EXPECT_TRUE(t->done()) << t->text << " got no answer";
    for (std::size_t i = 0; i < options_.data_reactors; ++i) {
        core::poll_group& g = group(i);
        EXPECT_TRUE(g.empty()) << "poll group " << i << " has connections left";
        EXPECT_EQ(g.load.load(), 0u);
        EXPECT_EQ(g.pool().free_chunks(), g.pool().total_chunks()) << "buffers are missing";
        EXPECT_EQ(g.pool().waiters(), 0u);
    }
    EXPECT_EQ(checker_.unanswered(), 0u);
    for (const auto& [name, d] : disks_) EXPECT_EQ(d->held(), 0u) << name << " holds operations";
    for (const std::string& complaint : checker_.complaints()) ADD_FAILURE() << complaint;
}

void world::rest() {
    if (resting_) return;
    resting_ = true;
    crowd_ = nullptr;
    note("rest");
    std::fill(frozen_.begin(), frozen_.end(), false);
    fabric_->options().break_chance = 0;
    for (const auto& [name, d] : disks_) {
        d->set_stalled(false);
        d->set_manners({});
    }
    if (rack_ != nullptr) rack_->heal_all();
    (void)run_until([&] {
        return std::all_of(asked_.begin(), asked_.end(), [](const auto& t) { return t->done(); });
    });
    const bool deleted = !target_->stopping();
    if (deleted) {
        for (const std::string& nqn : known_) (void)change(core::delete_subsystem{nqn});
        (void)run_until([&] { return all_quiet(); });
        for (const auto& [name, d] : disks_) (void)change(core::delete_device{name});
        for (const std::string& name : options_.drives) (void)change(core::delete_device{name});
        const auto left = ask(core::query(core::list_devices{}));
        (void)run_until([&] { return left->done(); });
        EXPECT_EQ(left->as<std::vector<core::device_status>>().size(), 0u) << "devices are claimed";
        const auto names = ask(core::query(core::list_subsystems{}));
        (void)run_until([&] { return names->done(); });
        EXPECT_EQ(names->as<std::vector<core::subsystem_status>>().size(), 0u);
        bool stopped = false;
        target_->shut_down([&] { stopped = true; });
        EXPECT_TRUE(run_until([&] { return stopped; }));
    }
    (void)run_until([&] { return all_quiet(); });
    // A drive that nobody has any more ends when it hears of that.
    if (rack_ != nullptr && deleted) (void)run_until([&] { return rack_->quiet(); });
    settle();
    expect_rest();
    if (rack_ != nullptr && deleted) rack_->expect_quiet();
    if (::testing::Test::HasFailure())
        std::printf("seed=%llu (sim --seed %llu)\n%s", static_cast<unsigned long long>(seed()),
                    static_cast<unsigned long long>(seed()), trace_.tail().c_str());
}

}  // namespace fulmar::sim
