// Hosts that write, protect and let write again what they share: nothing lands on a namespace after
// whoever protected it was answered, whatever the disk, the connections and the scheduler do.
#include "many_seeds.hpp"
#include "scenario.hpp"

#include <fulmar/nvme/features.hpp>

#include <array>

namespace fulmar::sim {
namespace {

using nvme::write_protection;

constexpr unsigned host_count = 3;
constexpr std::uint64_t blocks_of_each = 64;  ///< each host writes where no other does

struct writing_host {
    identity who;
    std::unique_ptr<queue> admin;
    std::unique_ptr<queue> io;
};

class sharing_hosts {
  public:
    explicit sharing_hosts(world& w) : world_(w) {
        for (unsigned i = 0; i < host_count; ++i) {
            hosts_[i].who = host(static_cast<int>(i), one, w.pick(w.data_reactors()));
            join(hosts_[i]);
        }
    }

    void act() {
        const std::uint64_t chosen = world_.pick(100);
        const auto at = static_cast<unsigned>(world_.pick(host_count));
        if (chosen < 70) return write(at);
        if (chosen < 80) return set(at, write_protection::write_protect);
        if (chosen < 90) return set(at, write_protection::none);
        if (chosen < 95) return world_.disk_named("a").set_stalled(world_.chance(0.4));
        if (chosen < 98) return reconnect(hosts_[at]);
        lose_and_return();
    }

    /// Everything is answered, and hosts write or not, as it is protected or not.
    void end() {
        world_.disk_named("a").set_stalled(false);
        EXPECT_TRUE(world_.run_until([this] { return !busy(); }));
        for (writing_host& m : hosts_) reconnect(m);
        for (const auto state : {write_protection::write_protect, write_protection::none}) {
            set(0, state);
            EXPECT_TRUE(world_.wait(pending_) && succeeded(pending_));
            EXPECT_EQ(world_.status_of(one).namespaces.at(0).protection, state);
            for (unsigned i = 0; i < host_count; ++i) {
                const command_ref c = hosts_[i].io->write(1, i * blocks_of_each);
                EXPECT_TRUE(world_.wait(c));
                EXPECT_TRUE(state == write_protection::none
                                ? has(c, sc::success)
                                : has(c, sc::namespace_write_protected));
            }
        }
    }
    [[nodiscard]] std::uint64_t protections() const { return protections_; }

  private:
    void join(writing_host& m) {
        m.admin = world_.admin(m.who);
        m.io =
            world_.io(*m.admin, 1, static_cast<std::size_t>(world_.pick(world_.data_reactors())));
    }
    void reconnect(writing_host& m) {
        m.io->cut();
        m.admin->cut();
        EXPECT_TRUE(world_.run_until([&] { return m.io->closed() && m.admin->closed(); }));
        join(m);
    }
    [[nodiscard]] bool busy() const { return pending_ && !pending_->done; }

    void write(unsigned at) {
        queue& q = *hosts_[at].io;
        if (q.closed() || q.room() == 0) return;
        (void)q.write(1, at * blocks_of_each + world_.pick(blocks_of_each), 1, world_.chance(0.5));
    }
    // Whoever asks to let hosts write lets them from that moment on, whether or not it is answered.
    void set(unsigned at, write_protection state) {
        writing_host& m = hosts_[at];
        if (busy() || m.admin->closed()) return;
        if (state == write_protection::none)
            for (const writing_host& each : hosts_) world_.judge().host_added(one, each.who.host);
        pending_ = m.admin->admin(nvme::admin_opcode::set_features, 1, 0,
                                  static_cast<std::uint32_t>(nvme::fid::namespace_write_protection),
                                  static_cast<std::uint32_t>(state));
        if (state == write_protection::none) return;
        pending_->then = [this](command& c) {
            if (!c.answered || !nvme::is_success(c.status)) return;
            for (const writing_host& each : hosts_) world_.judge().host_removed(one, each.who.host);
            ++protections_;
        };
    }
    void lose_and_return() {
        disk& d = world_.disk_named("a");
        if (d.lost()) return;
        world_.lose("a");
        world_.run_for(milliseconds(5));
        d.set_lost(false);
        (void)world_.ask(core::reopen_device{.name = "a"});
    }

    world& world_;
    std::array<writing_host, host_count> hosts_;
    command_ref pending_;
    std::uint64_t protections_ = 0;
};

std::uint64_t protect_under_writes(std::uint64_t seed) {
    world_options o = options(seed % 2 == 0 ? 1 : 3, seed);
    o.subsystems = {subsystem(one, {"a"})};
    o.fault_profile = {.delay_min = {}, .delay_max = milliseconds(3), .ignore_abort_chance = 0.5};
    o.limits.transition_timeout_ms = 200;
    o.remembers = true;
    world w(o);
    std::uint64_t protections = 0;
    {
        sharing_hosts c(w);
        for (int step = 0; step < 150; ++step) {
            c.act();
            for (std::uint64_t rounds = w.pick(20); rounds != 0; --rounds) w.round();
        }
        c.end();
        protections = c.protections();
    }
    w.rest();
    return protections;
}

TEST(write_protection, nothing_lands_after_the_answer) {
    std::uint64_t protections = 0, played = 0;
    many_seeds("hosts that protect what others write", 1'000, [&](std::uint64_t seed) {
        protections += protect_under_writes(seed);
        ++played;
    });
    EXPECT_GT(protections, 2 * played) << "hardly anything was protected";
}

}  // namespace
}  // namespace fulmar::sim
