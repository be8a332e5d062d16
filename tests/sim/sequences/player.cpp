#include "player.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace fulmar::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {
constexpr milliseconds story_deadline{400};
constexpr std::size_t subsystem_count = 2;
constexpr std::size_t disk_count = 5;
constexpr std::size_t loopback_guests = 4;  // then some over TCP, then one that submits anything
constexpr std::size_t wild_peers = 3;
constexpr std::string_view wild_subsystem = "nqn.2024-01.sim:a-place-where-nothing-is-kept";
const std::vector<std::string> wild_disks{"w0", "w1"};

std::string subsystem_name(std::size_t i) { return fmt::format("nqn.2024-01.sim:s{}", i); }
std::string disk_name(std::size_t i) { return fmt::format("d{}", i); }
std::string host_name(std::size_t i) { return fmt::format("nqn.2024-01.sim:h{}", i); }
}  // namespace

world_options player::shape(step_bytes& from) {
    world_options o;
    o.most_turns = most_turns;
    o.seed = from.next();
    o.tcp = true;
    o.data_reactors = static_cast<unsigned>(1 + from.pick(3));
    o.limits.transition_timeout_ms = static_cast<std::uint32_t>(story_deadline.count());
    o.limits.shutdown_timeout_ms = 2'000;
    o.limits.connect_wait_ms = 250;
    o.limits.first_pdu_timeout_ms = 2'000;
    o.limits.send_stall_s = 1;
    o.limits.data_stall_s = 1;
    const std::uint8_t fabric = from.next();
    o.fabric.delay_max = (fabric & 1) != 0 ? microseconds(3'000) : microseconds(200);
    o.fabric.window = (fabric & 2) != 0 ? 2 : 16;
    o.fabric.corrupt_chance = (fabric & 12) == 12 ? 0.02 : 0;
    const std::uint8_t devices = from.next();
    o.fault_profile.delay_max = (devices & 1) != 0 ? microseconds(20'000) : microseconds(500);
    o.fault_profile.ignore_abort_chance = (devices & 2) != 0 ? 1 : 0.3;
    o.fault_profile.answers_inline = (devices & 28) == 28;
    o.fault_profile.loses_cache = o.sim_drives.lose_cache = (devices & 128) != 0;
    if ((devices & 32) != 0) o.drives.push_back(disk_name(1));
    for (std::size_t i = 0; i < subsystem_count; ++i) {
        core::subsystem_spec s;
        s.nqn = subsystem_name(i);
        for (std::size_t h = 0; h < judged_guests; ++h) s.hosts.push_back(host_name(h));
        for (std::uint32_t nsid = 1; nsid <= 2 - i; ++nsid) {
            core::namespace_spec n;
            n.nsid = nsid;
            n.device = disk_name(i * 2 + nsid - 1);
            n.hold_s = 2;
            if (o.drives.size() == 1 && nsid == 2 && (devices & 64) != 0)
                n.on_loss = core::loss_policy::hold;
            s.namespaces.push_back(n);
        }
        o.subsystems.push_back(std::move(s));
    }
    core::subsystem_spec& wild = o.subsystems.emplace_back();
    wild.nqn = wild_subsystem;
    wild.allow_any_host = true;
    o.unjudged = wild_disks;
    for (const std::string& disk : wild_disks) {
        core::namespace_spec& n = wild.namespaces.emplace_back();
        n.nsid = static_cast<std::uint32_t>(wild.namespaces.size());
        n.device = disk;
    }
    return o;
}

player::player(std::span<const std::uint8_t> bytes)
    : in_(bytes.first(std::min(bytes.size(), most_story_bytes))), world_(shape(in_)) {
    for (std::size_t i = 0; i < subsystem_count; ++i) subsystems_.push_back(subsystem_name(i));
    subsystems_.emplace_back(wild_subsystem);
    for (std::size_t i = 0; i < disk_count; ++i) disks_.push_back(disk_name(i));
    disks_.insert(disks_.end(), wild_disks.begin(), wild_disks.end());
    for (std::size_t i = 3; i < disk_count; ++i)
        (void)world_.change(core::create_device{world_.device_for(disks_[i])});
    for (std::size_t i = 0; i <= judged_guests; ++i) {
        guest& g = guests_.emplace_back();
        g.who.host = host_name(i);
        g.who.host_id = static_cast<std::uint8_t>(i + 1);
        g.who.tcp = i >= loopback_guests && i < judged_guests;
        g.who.header_digest = g.who.data_digest = i == loopback_guests;
    }
    for (const std::string& nqn : subsystems_)
        for (const core::namespace_status& n : world_.status_of(nqn).namespaces)
            uuids_.try_emplace({nqn, n.spec.nsid}, n.spec.uuid);
    const std::uint8_t early = in_.next();  // those who are there from the beginning
    for (std::size_t i = 0; i < guests_.size(); ++i) {
        if ((early >> i & 1) == 0) continue;
        guests_[i].who.subsystem = subsystems_[i == judged_guests ? subsystem_count : i % 2];
        arrive(guests_[i], 0, true);
    }
    for (unsigned left = 60; early != 0 && left != 0; --left) world_.round();
    for (std::size_t i = 0; i < wild_peers; ++i)
        wild_.push_back(std::make_unique<wild_peer>(world_, std::string(wild_subsystem)));
    world_.crowd([this] {
        std::erase_if(endings_, [this](const ending& e) {
            if (e.when > world_.now()) return false;
            world_.freeze(e.reactor, false);
            return true;
        });
    });
}

player::~player() = default;

std::uint64_t player::play() {
    while (!in_.empty()) one_step();
    finish();
    guests_.clear();
    wild_.clear();
    world_.rest();
    return world_.trace_hash();
}

void player::one_step() {
    // What is often there is often played.
    static constexpr std::array<step, 40> steps{&player::come,
                                                &player::come,
                                                &player::set_controller,
                                                &player::set_controller,
                                                &player::join,
                                                &player::join,
                                                &player::join,
                                                &player::write,
                                                &player::write,
                                                &player::write,
                                                &player::write,
                                                &player::read,
                                                &player::read,
                                                &player::read,
                                                &player::other_io,
                                                &player::other_io,
                                                &player::admin_command,
                                                &player::admin_command,
                                                &player::abort,
                                                &player::leave,
                                                &player::turn_lazy,
                                                &player::stall,
                                                &player::change_manners,
                                                &player::lose_device,
                                                &player::give_sign,
                                                &player::change_state,
                                                &player::change_state,
                                                &player::change_namespace,
                                                &player::change_subsystem,
                                                &player::change_device,
                                                &player::change_access,
                                                &player::pass_time,
                                                &player::act_wildly,
                                                &player::act_wildly,
                                                &player::act_wildly,
                                                &player::act_wildly,
                                                &player::act_wildly,
                                                &player::act_wildly,
                                                &player::submit_anything,
                                                &player::submit_anything};
    constexpr std::array<unsigned, 7> rounds{0, 0, 1, 1, 2, 6, 20};
    const std::uint8_t what = in_.next();
    (this->*steps[what % steps.size()])();
    for (unsigned i = rounds[what / steps.size()]; i != 0; --i) world_.round();
    look_at_answers();
}

void player::pass_time() {
    static constexpr unsigned ms[] = {1, 5, 20, 50, 100, 250, 450, 900, 1'500};
    const std::uint8_t how = in_.next();
    if (how >= 0xfd) return shut_down();
    if (how >= 0xe0) return starve();
    world_.run_for(milliseconds(ms[how % std::size(ms)]));
}

// Shorter than what a reactor would take for a stall of the machine that excuses everybody.
void player::starve() {
    const std::size_t reactor = in_.pick(world_.data_reactors());
    world_.freeze(reactor, true);
    endings_.push_back({world_.now() + milliseconds(in_.pick(100)), reactor});
}

// --- the end -------------------------------------------------------------------------------------

bool player::everything_answered() const {
    const auto owes = [](const std::unique_ptr<queue>& q) {
        return q != nullptr && !q->closed() && q->owed() != 0;
    };
    return std::none_of(guests_.begin(), guests_.end(), [&](const guest& g) {
        return owes(g.admin) || std::any_of(g.queues.begin(), g.queues.end(), owes);
    });
}

void player::finish() {
    for (const ending& e : endings_) world_.freeze(e.reactor, false);
    endings_.clear();
    world_.note("everything is mended");
    mend_devices();
    let_hosts_behave();
    const auto all_told = [this] {
        return std::all_of(asked_.begin(), asked_.end(),
                           [](const question& q) { return q.ticket->done(); });
    };
    EXPECT_TRUE(world_.run_until(all_told)) << "an operator got no answer";
    if (stopping_) {
        EXPECT_TRUE(world_.run_until([this] { return stopped_; })) << "the shutdown does not end";
        if (stopped_ && spec_is_known_) {
            EXPECT_EQ(world_.target().current_spec().subsystems.size(), configured_.size())
                << "the configuration forgets what was stopped";
        }
    } else {
        restore();
        EXPECT_TRUE(world_.run_until(all_told)) << "an operator got no answer";
    }
    look_at_answers();
    expect_answers();
}

void player::expect_answers() {
    EXPECT_TRUE(world_.run_until([this] { return everything_answered(); }, seconds(20)))
        << "a command got no answer";
}

std::uint64_t play_story(std::span<const std::uint8_t> bytes) {
    player p(bytes);
    (void)p.play();
    return p.turns();
}

}  // namespace fulmar::sim
