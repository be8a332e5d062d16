// What operators ask for, and what they may expect of the answers.
#include "player.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace fulmar::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {
constexpr std::size_t most_questions = 6;
}

void player::ask(core::change what) {
    const auto open = static_cast<std::size_t>(std::count_if(
        asked_.begin(), asked_.end(), [](const question& q) { return !q.ticket->done(); }));
    if (open < most_questions) asked_.push_back({world_.ask(std::move(what)), open});
}

core::namespace_spec player::some_namespace(const std::string& disk) {
    const std::uint8_t how = in_.next();
    core::namespace_spec n;
    n.nsid = 1 + how % 3u;
    n.device = disk;
    n.hold_s = 2;
    n.park_ms = 500;
    if (world_.is_drive(disk) && (how & 0x80) != 0) n.on_loss = core::loss_policy::hold;
    return n;
}

// Into the subsystem where anybody writes anything go the disks for that, and into no other.
std::string player::some_free_disk(const std::string& nqn) {
    const std::size_t first = in_.pick(disks_.size());
    for (std::size_t i = 0; i < disks_.size(); ++i) {
        const std::string& name = disks_[(first + i) % disks_.size()];
        if (is_wild(nqn) == name.starts_with('w') && world_.judge().is_free(name)) return name;
    }
    return {};
}

void player::change_state() {
    const std::string& nqn = in_.of_all(subsystems_);
    if (in_.one_in(2))
        ask(core::pause_subsystem{nqn});
    else
        ask(core::resume_subsystem{nqn});
}

void player::change_namespace() {
    const std::string& nqn = in_.of_all(subsystems_);
    const std::uint8_t how = in_.next();
    const std::uint32_t nsid = 1 + how % 3u;
    static constexpr core::ana_state anas[] = {
        core::ana_state::optimized, core::ana_state::non_optimized, core::ana_state::inaccessible};
    switch (how >> 4 & 3) {
        case 0: return ask(core::remove_namespace{nqn, nsid});
        case 1: return ask(core::set_ana_state{nqn, nsid, anas[how % 3u]});
        default:
            if (const std::string disk = some_free_disk(nqn); !disk.empty())
                ask(core::add_namespace{nqn, some_namespace(disk)});
    }
}

void player::change_subsystem() {
    const std::string& nqn = in_.of_all(subsystems_);
    const std::uint8_t how = in_.next();
    if ((how & 3) == 0) return ask(core::delete_subsystem{nqn});
    core::subsystem_spec spec;
    spec.nqn = nqn;
    spec.allow_any_host = is_wild(nqn) || (how & 4) != 0;
    for (const guest& g : guests_) spec.hosts.push_back(g.who.host);
    if (const std::string disk = some_free_disk(nqn); !disk.empty())
        spec.namespaces.push_back(some_namespace(disk));
    ask(core::create_subsystem{std::move(spec)});
}

void player::change_device() {
    const std::string& disk = in_.of_all(disks_);
    const std::uint8_t how = in_.next();
    switch (how % 8) {
        case 0: return ask(core::delete_device{disk});
        case 1: return ask(core::create_device{world_.device_for(disk)});
        case 2:
            return ask(core::resize_device{disk, (2048u + (how >> 3) * 64u) * block_bytes, true});
        case 3: return ask(core::detach_device{disk, (how & 8) != 0});
        case 4: return ask(core::attach_device{disk});
        default: return ask(core::reopen_device{disk});
    }
}

void player::change_access() {
    const std::string& nqn = in_.of_all(subsystems_);
    const std::string& host = some_guest().who.host;
    switch (in_.pick(6)) {
        case 0: return ask(core::remove_host{nqn, host});
        case 1: return ask(core::add_host{nqn, host});
        case 2: return ask(core::set_allow_any_host{nqn, false});
        case 3: return ask(core::set_allow_any_host{nqn, true});
        case 4: return ask(core::remove_listener{"loopback:sim:4420"});
        default: return ask(core::add_listener{{"loopback", "sim", 4420}});
    }
}

// The service manager's SIGTERM: the story goes on meanwhile.
void player::shut_down() {
    if (std::exchange(stopping_, true)) return;
    spec_is_known_ = std::all_of(asked_.begin(), asked_.end(),
                                 [](const question& q) { return q.ticket->done(); });
    for (const core::subsystem_spec& s : world_.target().current_spec().subsystems)
        configured_.push_back(s.nqn);
    world_.target().shut_down([this] { stopped_ = true; });
}

// --- answers -------------------------------------------------------------------------------------

void player::look_at_answers() {
    for (const question& q : asked_)
        if (q.ticket->done()) look_at(q);
    std::erase_if(asked_, [](const question& q) { return q.ticket->done(); });
}

// An operation may take its deadline, and as long again for each that was under way before it.
void player::look_at(const question& q) {
    const duration allowed = 3 * milliseconds(800) * static_cast<int>(q.ahead + 1);
    if (q.ticket->answered - q.ticket->asked > allowed)
        world_.judge().complain(q.ticket->text + " took too long");
    if (!q.ticket->ok()) return;
    const auto know = [this](const std::string& nqn, const core::namespace_spec& n) {
        const auto [known, fresh] = uuids_.try_emplace({nqn, n.nsid}, n.uuid);
        if (!fresh && known->second != n.uuid)
            world_.judge().complain(fmt::format("{}/{} came back with another UUID", nqn, n.nsid));
    };
    const core::change& asked = std::get<core::change>(q.ticket->what);
    if (const auto* add = std::get_if<core::add_namespace>(&asked))
        know(add->nqn, q.ticket->as<core::namespace_status>().spec);
    if (const auto* create = std::get_if<core::create_subsystem>(&asked))
        for (const auto& n : q.ticket->as<core::subsystem_status>().namespaces)
            know(create->spec.nqn, n.spec);
}

// Whatever was paused, lost or detached serves again.
void player::restore() {
    const auto again = [this](core::change what) {
        asked_.push_back({world_.ask(std::move(what)), asked_.size()});
    };
    for (const std::string& name : disks_) {
        if (world_.is_drive(name)) {
            (void)world_.run_until([&] { return world_.slots().healthy(name); }, seconds(4));
            again(core::attach_device{name});
        }
        again(core::reopen_device{name});
    }
    for (const std::string& nqn : subsystems_) again(core::resume_subsystem{nqn});
}

}  // namespace fulmar::sim
