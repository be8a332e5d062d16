// Composition, start and shutdown of the target; what changes and questions do is in
// target_change.cpp and target_report.cpp.
#include "authentication/host_key_rules.hpp"
#include "command/connect.hpp"
#include "command/proof.hpp"
#include "nqn_key.hpp"
#include "operations.hpp"
#include "reservation/reservation_errand.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/namespace_observer.hpp>
#include <fulmar/core/new_object_rules.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/nvme/nqn.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::core {

target::target(engine::reactor& control, setup parts)
    : control_(control),
      setup_(std::move(parts)),
      started_(control.now()),
      devices_(setup_.make_device) {
    devices_.on_created([this](const std::string& name) { record(file_created{name}); });
}

target::~target() { control_.timers().cancel(shutdown_timer_); }

poll_group& target::add_poll_group(engine::reactor& reactor,
                                   std::unique_ptr<mem::buffer_pool> pool) {
    groups_.push_back(std::make_unique<poll_group>(reactor, *this, std::move(pool)));
    return *groups_.back();
}

result<void> target::add_transport(std::unique_ptr<transport> t) {
    for (const auto& group : groups_) {
        FULMAR_TRY(auto part, t->create_group(*group));
        transport_groups_.push_back(std::move(part));
    }
    transports_.push_back(std::move(t));
    return {};
}

poll_group& target::least_loaded() noexcept {
    poll_group* best = groups_.front().get();
    for (const auto& group : groups_)
        if (group->load.load(std::memory_order_relaxed) <
            best->load.load(std::memory_order_relaxed))
            best = group.get();
    return *best;
}

subsystem* target::find(std::string_view nqn) noexcept {
    const auto at = by_nqn_.find(nqn);
    return at == by_nqn_.end() ? nullptr : at->second;
}

subsystem* target::find(subsystem_id id) noexcept {
    if (id.index >= slots_.size()) return nullptr;
    subsystem* s = slots_[id.index].get();
    return s != nullptr && group_rules::is_same(id, s->id()) ? s : nullptr;
}

namespace {
// Stable over restarts, and different for different subsystems: hosts recognise a subsystem by it.
std::string derive_serial(std::string_view nqn) { return fmt::format("{:016X}", nqn_hash(nqn)); }
}  // namespace

result<subsystem*> target::make_subsystem(subsystem_spec spec, bool discovery) {
    FULMAR_CHECK(check_new_subsystem(spec, by_nqn_.contains(spec.nqn)));
    if (const auto form = nvme::form_of_nqn(spec.nqn); form != nvme::nqn_form::qualified)
        log::warn("subsystem {}: the name {}: some hosts refuse to connect to it", spec.nqn,
                  nvme::describe(form));
    if (limits::ana_log_bytes(spec.max_namespaces) > setup_.limits.max_transfer_bytes)
        log::warn("subsystem {}: Linux hosts do without ANA, whose log may exceed max_transfer",
                  spec.nqn);
    if (spec.serial.empty()) spec.serial = derive_serial(spec.nqn);
    // Everything that needs memory comes first: when it throws, nothing has happened.
    const bool again = !free_slots_.empty();
    const auto index = again ? free_slots_.back() : static_cast<std::uint32_t>(slots_.size());
    if (!again) {
        constexpr std::uint32_t discovery_services = 2;  // under two names
        if (slots_.size() >= limits::max_subsystems + discovery_services)
            return fail(errc::limit_reached,
                        fmt::format("there are {} subsystems already", slots_.size()));
        free_slots_.reserve(slots_.size() + 1);  // giving one back needs no memory
        slots_.reserve(slots_.size() + 1);
        generations_.reserve(slots_.size() + 1);
    }
    const subsystem_id id{.index = index, .generation = again ? generations_[index] + 1 : 1};
    auto fresh = std::make_unique<subsystem>(*this, id, std::move(spec), discovery);
    subsystem* const made = fresh.get();
    by_nqn_.emplace(made->spec().nqn, made);
    if (again) {
        free_slots_.pop_back();
    } else {
        slots_.emplace_back();
        generations_.emplace_back();
    }
    generations_[index] = id.generation;
    slots_[index] = std::move(fresh);
    return made;
}

void target::subsystem_gone(subsystem& s) noexcept {
    const std::uint32_t index = s.id().index;
    by_nqn_.erase(s.spec().nqn);
    slots_[index].reset();
    free_slots_.push_back(index);
    if (stopping_) check_shut_down();
}

std::uint16_t target::free_port_id() const noexcept {
    std::uint16_t id = 1;
    while (std::any_of(listeners_.begin(), listeners_.end(),
                       [id](const listening& l) { return l.port_id == id; }))
        ++id;
    return id;
}

result<void> target::open_listener(const listener_spec& spec, listen_mode mode) {
    if (listeners_.size() >= limits::max_listeners)
        return tl::unexpected(error{
            errc::limit_reached, fmt::format("there are {} listeners already", listeners_.size())});
    for (const listening& l : listeners_)
        if (l.spec == spec)
            return tl::unexpected(
                error{errc::already_exists, fmt::format("{} is being listened to", spec.name())});
    std::string known;
    for (const auto& t : transports_) {
        known += fmt::format("{}\"{}\"", known.empty() ? "" : " or ", t->name());
        if (t->name() != spec.transport) continue;
        FULMAR_TRY(auto opened, t->listen(spec, mode));
        const listener_spec bound = opened->status().spec;
        listeners_.push_back(
            {.spec = bound, .accepts = std::move(opened), .port_id = free_port_id()});
        discovery_changed();
        return {};
    }
    return fail(errc::not_supported, fmt::format("there is no transport {}", spec.transport),
                "/transport", "use " + known);
}

// --- start ---------------------------------------------------------------------------------------

void target::start(const target_spec& spec, std::function<void(const error&)> failed,
                   std::function<void()> done) {
    start_spec_ = spec;
    start_failed_ = std::move(failed);
    start_done_ = std::move(done);
    referrals_ = spec.referrals;
    devices_.create_all(spec.devices, [this](const device_spec& d, const result<void>& made) {
        if (!made) return operation_failed(made.error());
        if (d.create && !devices_.find(d.name)->spec.create) record(file_created{d.name});
    });

    std::vector<std::pair<subsystem_spec, bool>> all;
    // One discovery service under two names: hosts see one subsystem, so that no controller id may
    // be in both.
    constexpr std::uint16_t middle = limits::max_cntlid / 2;
    const auto discovery = [](std::string_view nqn, std::uint16_t min, std::uint16_t max) {
        subsystem_spec s;
        s.nqn = nqn;
        s.model = "Fulmar discovery";
        s.min_cntlid = min;
        s.max_cntlid = max;
        return s;
    };
    all.emplace_back(discovery(nvme::discovery_nqn, limits::min_cntlid, middle), true);
    if (!setup_.limits.discovery_nqn.empty())
        all.emplace_back(discovery(setup_.limits.discovery_nqn, middle + 1, limits::max_cntlid),
                         true);
    for (const subsystem_spec& s : spec.subsystems) all.emplace_back(s, false);

    starting_ = all.size();
    for (auto& [s, is_discovery] : all) {
        const bool paused = s.paused;
        const std::string nqn = s.nqn;
        auto made = make_subsystem(s, is_discovery);
        if (!made) {
            operation_failed(made.error());
            subsystem_started();
            continue;
        }
        (*made)->enqueue(make_operation(**made, create_subsystem{s}, nullptr));
        if (paused) (*made)->enqueue(make_operation(**made, pause_subsystem{nqn}, nullptr));
    }
}

void target::operation_failed(const error& why) noexcept {
    if (start_failed_) return start_failed_(why);
    log::error("{}", why.text());
}

// Hosts are let in when everything that they may ask for is there.
void target::subsystem_started() noexcept {
    if (starting_ == 0 || --starting_ != 0) return;
    const std::vector<listener_spec> wanted =
        stopping_ ? std::vector<listener_spec>{} : start_spec_.listeners;
    for (const listener_spec& l : wanted)
        if (auto opened = open_listener(l, listen_mode::retry); !opened)
            operation_failed(opened.error());
    start_spec_ = {};
    start_failed_ = nullptr;
    if (start_done_) std::exchange(start_done_, nullptr)();
}

// --- shutdown ------------------------------------------------------------------------------------

void target::shut_down(std::function<void()> done) {
    if (stopping_) return;
    stopping_ = true;
    stop_done_ = std::move(done);
    for (const listening& l : listeners_) stopped_listeners_.push_back(l.spec);
    listeners_.clear();
    shutdown_deadline_ =
        control_.fresh_now() + std::chrono::milliseconds(setup_.limits.shutdown_timeout_ms);
    // What runs gets half of the time, each stage of the deletion half of the rest.
    for (const auto& s : slots_)
        if (s != nullptr) s->cancel(transition_deadline());
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        subsystem* s = slots_[i].get();
        if (s != nullptr && !s->deleted())
            s->enqueue(make_operation(*s, delete_subsystem{s->spec().nqn}, nullptr));
    }
    control_.timers().arm(shutdown_timer_, control_.fresh_now() + std::chrono::milliseconds(5));
    check_shut_down();
}

void target::keep_for_restart(subsystem& s) {
    if (mutated(mutation::restarts_forget_subsystems)) return;
    if (!s.is_discovery()) stopped_subsystems_.emplace_back(s.id().index, s.status().spec);
}

instant target::transition_deadline() const noexcept {
    const instant now = control_.fresh_now();
    const instant usual = now + std::chrono::milliseconds(setup_.limits.transition_timeout_ms);
    if (!stopping_) return usual;
    return std::min(usual, now + std::max(shutdown_deadline_ - now, duration::zero()) / 2);
}

void target::tell(const namespace_occurrence& one) const noexcept {
    if (setup_.events != nullptr) setup_.events->on_namespace_occurrence(one);
}

bool target::at_rest() const noexcept {
    for (const auto& s : slots_)
        if (s != nullptr) return false;
    for (const auto& group : groups_)
        if (group->load.load(std::memory_order_relaxed) != 0 ||
            group->counters().orphaned.load(std::memory_order_relaxed) != 0)
            return false;
    return true;
}

// Subsystems end first; then connections that never got as far as a Connect.
void target::check_shut_down() noexcept {
    if (!stop_done_) return;
    bool left = false;
    for (const auto& s : slots_) left = left || s != nullptr;
    std::uint32_t connections = 0;
    for (const auto& group : groups_) connections += group->load.load(std::memory_order_relaxed);
    const bool late = control_.fresh_now() >= shutdown_deadline_;
    if (late && (left || connections != 0))
        log::warn("shutdown: {} connections and some subsystems did not end in time", connections);
    if (!late && (left || connections != 0)) return;
    control_.timers().cancel(shutdown_timer_);
    std::exchange(stop_done_, nullptr)();
}

void target::on_shutdown_timer() noexcept {
    if (!stop_done_) return;
    for (const auto& group : groups_) group->post_shutdown();
    control_.timers().arm(shutdown_timer_, control_.fresh_now() + std::chrono::milliseconds(20));
    check_shut_down();
}

std::uint64_t target::draw_number() noexcept {
    const std::uint64_t drawn = setup_.random != nullptr ? setup_.random() : 0;
    if (drawn != 0) return drawn;
    std::uint64_t next = ++numbers_drawn_ * 0x9e3779b97f4a7c15u;  // splitmix64: one to one
    next = (next ^ next >> 30) * 0xbf58476d1ce4e5b9u;
    next = (next ^ next >> 27) * 0x94d049bb133111ebu;
    return next ^ next >> 31;
}

// --- Connects and controllers --------------------------------------------------------------------

void target::reservation_arrived(std::unique_ptr<reservation_errand> errand) noexcept {
    subsystem* s = find(errand->subsystem);
    if (s == nullptr || s->deleted() || stopping_)
        return reservation_errand::go_home(std::move(errand), nvme::sc::namespace_not_ready);
    s->reserve(std::move(errand));
}

// Copies of a machine share it, and with it every registration that one of them makes.
void target::warn_of_namesake(const connect_op& op) noexcept {
    if (!namesakes_.allow(control_.now())) return;
    log::warn(
        "host {} comes to {} with the host identifier of a host of another name: is one a copy of "
        "the other? Reservations cannot tell them apart; give it an identifier of its own: "
        "/etc/nvme/hostid there",
        printable(op.host_nqn()), printable(op.subsystem_nqn()));
}

namespace {
// Asked when a host connects and again when it has proved itself: keys may have come meanwhile.
bool is_refused_for_keys(connect_op& op, const subsystem_spec& spec,
                         const security::key_source* keys) noexcept {
    if (const auto why = refusal_of_keys(spec, op.host_nqn(), keys)) {
        op.refuse_for_keys(*why);
        return true;
    }
    if (const auto why =
            refusal_of_channel(spec, op.subsystem_nqn(), op.host_nqn(), op.owner->channel())) {
        op.refuse_for_channel(*why);
        return true;
    }
    return false;
}
}  // namespace

void target::connect_arrived(connect_op& op) noexcept {
    subsystem* s = find(op.subsystem);
    const auto back = [&op](nvme::status status, connect_refusal why) {
        op.status = status;
        op.why = why;
        op.hop(op.group->reactor(), &command::connect::returned);
    };
    if (s == nullptr || s->deleted() || stopping_)
        return back(nvme::sc::connect_controller_busy, connect_refusal::busy);
    // The qpair's reactor has looked as well; but a host may have been removed while the question
    // travelled.
    if (!s->allows(op.host_nqn())) {
        op.refuse_host(s->spec().closed);
        return back(op.status, op.why);
    }
    if (is_refused_for_keys(op, s->spec(), setup_.keys)) return back(op.status, op.why);
    if (s->state() != subsystem_state::active) {
        op.wait = true;  // its poll group will park it until the subsystem is open there, or the
                         // wait is over
        return back(nvme::sc::connect_controller_busy, connect_refusal::busy);
    }
    connection_ticket* const place_taken = op.owner->ticket();
    const seat newcomer{.host = nqn_key(op.host_nqn()),
                        .address = place_taken != nullptr ? place_taken->address() : 0,
                        .heard = control_.now()};
    // Who has not proved anything yet takes no place from those who have: proof_arrived().
    const auto standing = op.must_prove ? host_standing::unproven : host_standing::admitted;
    if (place_taken != nullptr && !op.must_prove &&
        !place_taken->listener().connects(*place_taken, newcomer.host, newcomer.heard))
        return back(nvme::sc::connect_controller_busy, connect_refusal::no_connection_left);
    if (op.command.qid.value() == 0) {
        const nvme::host_id identifier{op.data->hostid};
        if (!s->is_discovery() && s->has_namesake(newcomer, identifier)) {
            if (s->has_registrants()) {
                op.refuse_for_now(connect_refusal::identifier_in_use,
                                  nvme::connect_parameter::hostid);
                return back(op.status, op.why);
            }
            if (!op.must_prove) warn_of_namesake(op);
        }
        op.assigned =
            s->assign_controller_id(*op.group, newcomer, identifier, standing, op.instance);
        if (op.assigned == cntlid{}) {  // none left, or no memory
            op.made_room = op.made_room || s->make_room(newcomer, standing);
            op.wait = op.made_room || op.must_prove;  // until the one that gives way is gone
            return back(nvme::sc::connect_controller_busy, connect_refusal::no_controller_left);
        }
        return op.hop(op.group->reactor(), &command::connect::admin_granted);
    }
    const subsystem::controller_place* place = s->find_controller(cntlid(op.data->cntlid.value()));
    if (place == nullptr || place->where == nullptr) {
        op.refuse_for_now(connect_refusal::unknown_controller, nvme::connect_parameter::cntlid);
        return back(op.status, op.why);
    }
    op.found = place->where;
    op.home = place->home;
    op.hop(place->home->reactor(), &command::connect::at_home);
}

// What an unproven host's Connect left out, now that it is known whose it is.
void target::proof_arrived(connect_op& op) noexcept {
    subsystem* s = find(op.subsystem);
    const auto back = [&op](nvme::status status, connect_refusal why) {
        op.status = status;
        op.why = why;
        op.hop(op.group->reactor(), &command::proof::returned);
    };
    if (s == nullptr || s->deleted() || stopping_)
        return back(nvme::sc::connect_controller_busy, connect_refusal::busy);
    if (!s->allows(op.host_nqn())) {
        op.refuse_host(s->spec().closed);
        return back(op.status, op.why);
    }
    if (is_refused_for_keys(op, s->spec(), setup_.keys)) return back(op.status, op.why);
    connection_ticket* const place = op.owner->ticket();
    const std::uint64_t host = nqn_key(op.host_nqn());
    if (place != nullptr && !place->listener().connects(*place, host, control_.now()))
        return back(nvme::sc::connect_controller_busy, connect_refusal::no_connection_left);
    if (op.command.qid.value() != 0) return op.hop(op.home->reactor(), &command::connect::at_home);
    if (s->has_namesake({.host = host}, nvme::host_id{op.data->hostid})) {
        if (s->has_registrants())
            return back(nvme::sc::connect_invalid_parameters, connect_refusal::identifier_in_use);
        warn_of_namesake(op);
    }
    if (!s->prove_controller(op.assigned))
        return back(nvme::sc::connect_controller_busy, connect_refusal::no_controller_left);
    back(nvme::sc::success, {});
}

// The controller could not be built where its Connect had arrived.
void target::connect_withdrawn(engine::message& m) noexcept {
    auto& op = static_cast<connect_op&>(m);
    op.group->target().controller_released(op.subsystem, op.assigned);
    op.hop(op.group->reactor(), &command::connect::returned);
}

void target::controller_released(subsystem_id id, cntlid number) noexcept {
    if (subsystem* s = find(id)) s->release_controller(number);
}

void target::place_controller(subsystem_id id, cntlid number, controller& where) noexcept {
    if (subsystem* s = find(id)) s->place_controller(number, where);
}

}  // namespace fulmar::core
