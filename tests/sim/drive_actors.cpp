#include "drive_actors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fulmar::sim {

using backend::drive_state;
using core::loss_policy;
using std::chrono::microseconds;

namespace {
constexpr std::uint32_t ana_change_notices = 1u << 11;
const std::string beside = "nqn.2024-01.sim:beside";
}  // namespace

core::namespace_spec on_drive(const drive_case& c, std::size_t which) {
    core::namespace_spec n = on(c.drives.at(which), static_cast<std::uint32_t>(which) + 1);
    n.on_loss = c.on_loss;
    return n;
}

world_options around(const drive_case& c) {
    world_options o;
    o.seed = c.seed;
    o.data_reactors = 2;
    o.drives = c.drives;
    o.sim_drives.lose_cache = c.on_loss == loss_policy::hold;
    o.sim_drives.write_through = c.on_loss == loss_policy::hold && !c.cached;
    o.limits.transition_timeout_ms = c.transition_timeout_ms;
    o.fabric.delay_max = microseconds(100);
    o.fault_profile.delay_max = microseconds(300);
    core::subsystem_spec s = subsystem(one, {});
    for (std::size_t i = 0; i < c.drives.size(); ++i) s.namespaces.push_back(on_drive(c, i));
    s.namespaces.push_back(on(other_disk, static_cast<std::uint32_t>(c.drives.size()) + 1));
    o.subsystems.push_back(std::move(s));
    return o;
}

// --- hosts ---------------------------------------------------------------------------------------

drive_host::drive_host(world& w, const drive_case& c, int number, bool ana_events)
    : world_(w),
      case_(c),
      who_(host(number, one, static_cast<std::size_t>(number) % 2)),
      ana_events_(ana_events),
      successes_(c.drives.size() + 2) {}

void drive_host::reset() {
    if (!live()) return;
    waiting_ = admin_->disable();
    step_ = step::resetting;
}

void drive_host::act() {
    look_at_clock();
    if (step_ != step::away && admin_->closed()) {
        io_.reset();
        admin_.reset();
        step_ = step::away;
        next_ = world_.now() + milliseconds(1 + world_.pick(50));
    }
    switch (step_) {
        case step::away:
            if (world_.now() < next_) return;
            admin_ = world_.open(who_);
            waiting_ = admin_->connect(0, nvme::cntlid_dynamic);
            step_ = step::connecting;
            return;
        case step::connecting:
        case step::enabling:
        case step::asking:
        case step::joining:
        case step::resetting:
            if (waiting_->done) go_on();
            return;
        case step::live:
            if (io_->closed()) {
                step_ = step::enabling;
                return;
            }
            if (world_.now() >= next_ && !paused_) submit_some();
            return;
    }
}

void drive_host::go_on() {
    if (!succeeded(waiting_)) {  // its subsystem is not there, or goes
        admin_->cut();
        return;
    }
    switch (step_) {
        case step::connecting:
        case step::resetting:
            io_.reset();
            waiting_ = admin_->enable();
            step_ = step::enabling;
            return;
        case step::enabling:
            waiting_ = admin_->admin(nvme::admin_opcode::set_features, 0, 0, 0x0b,
                                     ana_events_ ? ana_change_notices : 0);
            step_ = step::asking;
            return;
        case step::asking:
            io_ = world_.open(who_);
            waiting_ = io_->connect(1, admin_->controller());
            step_ = step::joining;
            return;
        case step::joining: step_ = step::live; return;
        case step::away:
        case step::live: return;
    }
}

// Without a pause there is always something at the drive; else time flies.
void drive_host::submit_some() {
    const bool at_once = world_.pick(4) == 0;
    next_ = world_.now() + (at_once ? duration(microseconds(world_.pick(500)))
                                    : milliseconds(1 + world_.pick(60)));
    const std::uint64_t range = std::uint64_t{who_.host_id} * 256 - 256;
    for (std::uint64_t count = 1 + world_.pick(6); count != 0 && io_->room() != 0; --count) {
        const auto nsid = static_cast<std::uint32_t>(1 + world_.pick(case_.drives.size() + 1));
        const std::uint64_t lba = range + world_.pick(8);
        const auto blocks = static_cast<std::uint32_t>(1 + world_.pick(4));
        switch (world_.pick(8)) {
            case 0: send(io_->io(nvme::io_opcode::flush, nsid), nsid); break;
            case 1: send(io_->read(nsid, range + 64, 96), nsid); break;
            case 2: send(io_->write(nsid, range + 64, 96, false), nsid); break;
            case 3:
            case 4:
            case 5: send(io_->read(nsid, lba, blocks), nsid); break;
            default: send(io_->write(nsid, lba, blocks, world_.pick(2) == 0), nsid); break;
        }
    }
}

void drive_host::send(const command_ref& c, std::uint32_t nsid) {
    c->then = [this, nsid](command& done) { judge(done, nsid); };
    sent_.push_back({c, world_.now()});
}

// Every status has its reason here, or is a complaint.
void drive_host::judge(const command& c, std::uint32_t nsid) {
    if (!c.answered) return;  // its connection was closed
    if (nvme::is_success(c.status)) {
        ++successes_.at(nsid);
        return;
    }
    const bool on_a_drive = nsid <= case_.drives.size();
    const bool holds = case_.on_loss == loss_policy::hold;
    bool promised = false;
    if (on_a_drive && !holds) promised = c.status.is(sc::internal_error) && c.status.dnr;
    if (on_a_drive && holds)
        promised = ana_events_ ? c.status.is(sc::ana_inaccessible) && !c.status.dnr
                               : c.status.is(sc::namespace_not_ready) && !c.status.dnr;
    losses_ += promised ? 1 : 0;
    // It was late, and the drive ended it when it was asked to.
    if (on_a_drive && c.status.is(sc::internal_error) && !c.status.dnr)
        promised = promised || world_.slots().in(case_.drives[nsid - 1]).drive().aborts() != 0;
    if (on_a_drive && case_.operators)
        promised = promised || c.status.is(sc::invalid_namespace_or_format);
    // The scenario takes away what it likes: what was parked there ends with its connection.
    if (case_.removals)
        promised = promised || c.status.is(sc::invalid_namespace_or_format) ||
                   (c.status.is(sc::namespace_not_ready) && !c.status.dnr);
    if (!promised)
        world_.judge().complain(fmt::format("{} got for namespace {}: {}{}", who_.host, nsid,
                                            nvme::describe(c.status), c.status.dnr ? ", DNR" : ""));
}

// Its drive ends or is given back within that time, and so is whatever waits for it.
void drive_host::look_at_clock() {
    constexpr duration limit = seconds(20);
    for (const waiting& each : sent_)
        if (!each.c->done && world_.now() - each.since > limit) {
            world_.judge().complain(
                fmt::format("{}: CID {} got no answer", who_.host, each.c->sqe.cid.value()));
            sent_.clear();
            return;
        }
    std::erase_if(sent_, [](const waiting& each) { return each.c->done; });
}

// --- operators -----------------------------------------------------------------------------------

core::change drive_operator::next_change() {
    switch (step_) {
        case 0: return core::create_subsystem{subsystem(beside, {})};
        case 1: return core::delete_subsystem{beside};
        case 2: return core::remove_namespace{one, 1};
        default: return core::add_namespace{one, on_drive(case_)};
    }
}

void drive_operator::act() {
    if (asked_ != nullptr) {
        if (!asked_->done()) return;
        const bool added = step_ != 3 || asked_->ok() || asked_->code() == errc::already_exists;
        asked_.reset();
        const int last = round_ % 2 == 0 ? 1 : 3;
        if (!added) {
            next_ = world_.now() + milliseconds(200);  // its drive is away
        } else if (++step_ > last) {
            step_ = 0;
            ++round_;
        }
    }
    if (world_.now() < next_ || (finishing_ && step_ == 0)) return;
    next_ = world_.now() + milliseconds(1 + world_.pick(100));
    asked_ = world_.ask(next_change());
}

// --- the story -----------------------------------------------------------------------------------

drive_story::drive_story(const drive_case& c) : about(c), w(around(c)), operators(w, about) {
    for (int i = 0; i < 2; ++i)
        hosts.push_back(std::make_unique<drive_host>(w, about, i,
                                                     (c.seed + static_cast<unsigned>(i)) % 2 == 0));
    w.crowd([this] {
        for (const auto& h : hosts) h->act();
        if (about.operators) operators.act();
    });
    EXPECT_TRUE(w.run_until([&] {
        return std::all_of(about.drives.begin(), about.drives.end(),
                           [&](const std::string& d) { return serves(d); });
    }));
}

drive_story::~drive_story() {
    w.crowd(nullptr);
    hosts.clear();
    w.rest();
}

// What is so already is refused, which is fine.
void drive_story::restore() {
    w.note("restore");
    operators.finish();
    (void)w.change(core::create_subsystem{subsystem(one, {})});
    const ticket_ref resumed = w.change(core::resume_subsystem{one});
    EXPECT_TRUE(resumed->ok()) << "it cannot be resumed";
    for (const std::string& drive : about.drives) bring_back(drive);
    if (about.operators) (void)w.run_until([&] { return operators.idle(); });
    for (std::size_t i = 0; i < about.drives.size(); ++i)
        (void)w.change(core::add_namespace{one, on_drive(about, i)});
    (void)w.change(core::add_namespace{
        one, on(other_disk, static_cast<std::uint32_t>(about.drives.size()) + 1)});
}

void drive_story::bring_back(const std::string& drive) {
    sim_pcie_slots& r = w.slots();
    r.heal(drive);
    // What only its registers say is heard of when something waits for it; else the kernel says so.
    if (!w.run_until([&] { return r.healthy(drive); }, seconds(4))) {
        give(drive_fault::removed, drive);
        r.heal(drive);
    }
    EXPECT_TRUE(w.run_until([&] { return r.healthy(drive); })) << drive << " is not given back";
    give(drive_fault::arrival, drive);
    r.heal(drive);
    give(drive_fault::attach, drive);
    r.heal(drive);
    EXPECT_TRUE(w.run_until([&] { return serves(drive); })) << drive << " does not come back";
}

void drive_story::recover() {
    w.note("recover");
    operators.finish();
    for (const std::string& drive : about.drives) bring_back(drive);
    if (about.operators) {
        EXPECT_TRUE(w.run_until([&] { return operators.idle(); })) << "the operator is stuck";
    }
    for (const auto& h : hosts) {
        h->pause(false);
        for (std::uint32_t nsid = 1; nsid <= about.drives.size() + 1; ++nsid) {
            const std::uint64_t before = h->answered(nsid);
            EXPECT_TRUE(w.run_until([&] { return h->answered(nsid) > before + 2; }, seconds(20)))
                << "namespace " << nsid << " does not serve";
        }
    }
}

}  // namespace fulmar::sim
