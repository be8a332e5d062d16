// Hosts that fence each other and protect what they share, on a target that ends in between: in
// order, or with its power in the middle of a record; and comes back on the same start of the
// machine, or on another. Before anybody connects it must be as hosts were told, and nothing of a
// host that was fenced lands, whatever the disk, the connections and the scheduler do.
#include "app/namespace_files.hpp"
#include "many_seeds.hpp"
#include "scenario.hpp"
#include "support/forgetful_disk.hpp"
#include "support/reservation_commands.hpp"

#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/reservation.hpp>

#include <fmt/format.h>

#include <array>
#include <optional>

namespace fulmar::sim {
namespace {

using nvme::io_opcode;
using nvme::persist_change;
using nvme::write_protection;

constexpr unsigned rivals = 3;
constexpr std::uint64_t blocks_of_rival = 64;  ///< each host writes where no other does
constexpr auto shared_by_registrants =
    static_cast<std::uint8_t>(nvme::reservation_type::write_exclusive_registrants);

std::uint64_t key_of(unsigned rival) { return 100 + rival; }

/// What hosts may know of the namespace. Its reservation is of one type: registrants write.
struct known_state {
    std::array<bool, rivals> registered{};
    std::optional<unsigned> holder{};
    bool persistent = false;  ///< PTPL; of no interest while nobody has registered
    write_protection protection = write_protection::none;

    [[nodiscard]] bool operator==(const known_state&) const = default;
    [[nodiscard]] bool may_write(unsigned rival) const {
        return protection == write_protection::none && (!holder || registered.at(rival));
    }
    [[nodiscard]] bool somebody_registered() const {
        return std::ranges::find(registered, true) != registered.end();
    }
    void unregister(unsigned rival) {
        registered.at(rival) = false;
        if (holder == rival) holder.reset();
        if (!somebody_registered()) persistent = false;
    }
    [[nodiscard]] known_state after_power_cycle() const {
        known_state left = *this;
        if (protection == write_protection::until_power_cycle)
            left.protection = write_protection::none;
        if (persistent) return left;
        left.registered = {};
        left.holder.reset();
        return left;
    }
};

std::string to_text(const known_state& s) {
    std::string who;
    for (const bool in : s.registered) who += in ? 'r' : '-';
    return fmt::format("{} holder {} {}{}", who, s.holder ? std::to_string(*s.holder) : "none",
                       to_string(s.protection), s.persistent ? ", persistent" : "");
}

/// Outlives targets: the folder with their records, and what may be in it.
struct machine {
    explicit machine(std::uint64_t seed) : disk(seed) {}
    std::unique_ptr<state_keeper> keep(engine::reactor& control);

    test::forgetful_disk disk;
    std::uint32_t starts = 1;
    std::vector<known_state> possible{known_state{}};  ///< the first is what hosts were told
};

class kept_in_files final : public state_keeper {
  public:
    kept_in_files(engine::reactor& control, machine& on)
        : files_(control, on.disk, "/state/namespace.", fmt::format("start {}", on.starts)) {}
    core::namespace_memory& memory() override { return files_; }

  private:
    app::namespace_files files_;
};

std::unique_ptr<state_keeper> machine::keep(engine::reactor& control) {
    return std::make_unique<kept_in_files>(control, *this);
}

struct rival {
    identity who{};
    std::unique_ptr<queue> admin{};
    std::unique_ptr<queue> io{};
};

/// Hosts on one target, from its start to its end.
class rivals_at_work {
  public:
    rivals_at_work(world& w, machine& on) : world_(w), machine_(on) {
        for (unsigned i = 0; i < rivals; ++i)
            rivals_[i].who = host(static_cast<int>(i), one, w.pick(w.data_reactors()));
        now_ = learn();
        EXPECT_TRUE(std::ranges::find(on.possible, now_) != on.possible.end())
            << "before this start it was answered otherwise: it is " << to_text(now_) << ", not "
            << to_text(on.possible.front()) << " nor one of " << on.possible.size() - 1
            << " others";
        hold_to_it();
        for (rival& r : rivals_) join(r);
        write_with_all();
    }

    void act() {
        const std::uint64_t chosen = world_.pick(100);
        const auto at = static_cast<unsigned>(world_.pick(rivals));
        if (chosen < 50) return write(at);
        if (chosen < 80) return reserve_something(at);
        if (chosen < 88) return protect(at);
        if (chosen < 93) return world_.disk_named("a").set_stalled(world_.chance(0.4));
        if (chosen < 97) return reconnect(rivals_[at]);
        lose_and_return();
    }
    /// Once a round.
    void look() {
        if (!unsure_ || (asked_ && !asked_->done)) return;
        if (barrier_ == nullptr || (barrier_->done && !barrier_->answered)) return ask_to_be_sure();
        if (!barrier_->done) return;
        barrier_.reset();
        unsure_ = false;
        const known_state found = learn();
        EXPECT_TRUE(found == now_ || found == wanted_)
            << "it is " << to_text(found) << ", and neither " << to_text(now_) << " nor "
            << to_text(wanted_);
        if (found == wanted_)
            adopt();
        else
            refused_late();
        hold_to_it();
    }
    void power_is_off() { powered_ = false; }
    /// Everything is answered, and hosts write or not, as it was answered.
    void end() {
        world_.disk_named("a").set_stalled(false);
        const bool quiet = world_.run_until([this] {
            look();
            return (!asked_ || asked_->done) && !unsure_;
        });
        EXPECT_TRUE(quiet);
        for (rival& r : rivals_) reconnect(r);
        EXPECT_EQ(to_text(learn()), to_text(now_));
        write_with_all();
    }
    /// The target has ended.
    void leave() {
        if (asked_) asked_->then = nullptr;
        machine_.possible = {now_};
        for (const known_state& s : on_disk_perhaps_) machine_.possible.push_back(s);
        if (unsure_ || (asked_ && !asked_->done)) machine_.possible.push_back(wanted_);
    }
    [[nodiscard]] std::uint64_t changes() const { return changes_; }
    [[nodiscard]] bool somebody_is_fenced() const {
        for (unsigned i = 0; i < rivals; ++i)
            if (!now_.may_write(i)) return true;
        return false;
    }

  private:
    // --- connections and I/O ---
    void join(rival& r) {
        r.admin = world_.admin(r.who);
        r.io =
            world_.io(*r.admin, 1, static_cast<std::size_t>(world_.pick(world_.data_reactors())));
    }
    void reconnect(rival& r) {
        r.io->cut();
        r.admin->cut();
        EXPECT_TRUE(world_.run_until([&] { return r.io->closed() && r.admin->closed(); }));
        join(r);
    }
    void write(unsigned at) {
        queue& q = *rivals_[at].io;
        if (q.closed() || q.room() == 0) return;
        const std::uint64_t lba = at * blocks_of_rival + world_.pick(blocks_of_rival);
        (void)q.write(1, lba, 1, world_.chance(0.5));
    }
    void write_with_all() {
        for (unsigned i = 0; i < rivals; ++i) {
            const command_ref c = rivals_[i].io->write(1, i * blocks_of_rival);
            EXPECT_TRUE(world_.wait(c));
            const auto refused = now_.protection != write_protection::none
                                     ? sc::namespace_write_protected
                                     : sc::reservation_conflict;
            EXPECT_TRUE(has(c, now_.may_write(i) ? sc::success : refused))
                << "host " << i << ", " << to_text(now_);
        }
    }
    void lose_and_return() {
        disk& d = world_.disk_named("a");
        if (d.lost()) return;
        world_.lose("a");
        world_.run_for(milliseconds(5));
        d.set_lost(false);
        (void)world_.ask(core::reopen_device{.name = "a"});
    }

    // --- changes ---
    [[nodiscard]] bool may_change(const queue& q) const {
        return !unsure_ && (!asked_ || asked_->done) && !q.closed() && q.room() != 0;
    }
    command_ref reserve(queue& q, io_opcode opcode, const nvme::reservation_command& how,
                        std::uint64_t current, std::uint64_t other) {
        const auto keys = test::reservation_keys(current, other);
        return q.submit(test::reservation_sqe(opcode, how), nvme::wire_bytes(keys),
                        world_.chance(0.5));
    }
    void reserve_something(unsigned at) {
        queue& q = *rivals_[at].io;
        if (!may_change(q)) return;
        known_state next = now_;
        if (!now_.registered[at]) {
            next.registered[at] = true;
            next.persistent = world_.chance(0.5);
            const auto persist = next.persistent ? persist_change::on : persist_change::off;
            expect(next);
            return ask(
                reserve(q, io_opcode::reservation_register, {.persist = persist}, 0, key_of(at)));
        }
        const auto other = static_cast<unsigned>(world_.pick(rivals));
        const std::uint64_t chosen = world_.pick(10);
        if (!now_.holder) {
            next.holder = at;
            expect(next);
            return ask(reserve(q, io_opcode::reservation_acquire, {.type = shared_by_registrants},
                               key_of(at), 0));
        }
        if (chosen < 6 && other != at && now_.registered[other]) {
            next.unregister(other);
            if (!next.holder) next.holder = at;
            const auto action = static_cast<std::uint8_t>(1 + world_.pick(2));  // and abort
            expect(next);
            return ask(reserve(q, io_opcode::reservation_acquire,
                               {.action = action, .type = shared_by_registrants}, key_of(at),
                               key_of(other)));
        }
        if (chosen < 8) {
            next.unregister(at);
            expect(next);
            return ask(reserve(q, io_opcode::reservation_register, {.action = 1}, key_of(at), 0));
        }
        if (now_.holder != at) return;
        next.holder.reset();
        expect(next);
        ask(reserve(q, io_opcode::reservation_release, {.type = shared_by_registrants}, key_of(at),
                    0));
    }
    void protect(unsigned at) {
        queue& q = *rivals_[at].admin;
        if (!may_change(q) || now_.protection == write_protection::until_power_cycle) return;
        known_state next = now_;
        next.protection = now_.protection != write_protection::none ? write_protection::none
                          : world_.chance(0.3) ? write_protection::until_power_cycle
                                               : write_protection::write_protect;
        expect(next);
        ask(q.admin(nvme::admin_opcode::set_features, 1, 0,
                    static_cast<std::uint32_t>(nvme::fid::namespace_write_protection),
                    static_cast<std::uint32_t>(next.protection)));
    }
    /// From now on it may be so at any moment.
    void expect(const known_state& next) {
        wanted_ = next;
        for (unsigned i = 0; i < rivals; ++i)
            if (next.may_write(i)) world_.judge().host_added(one, rivals_[i].who.host);
    }
    void ask(command_ref what) {
        asked_ = std::move(what);
        asked_->then = [this](command& c) {
            if (!powered_ || machine_.disk.off() || !c.answered) {  // nobody hears of it
                unsure_ = true;
                return;
            }
            if (nvme::is_success(c.status))
                adopt();
            else if (c.status.is(sc::internal_error))
                refused_late();
            else
                EXPECT_TRUE(c.status.is(sc::command_interrupted) ||
                            c.status.is(sc::namespace_not_ready) ||
                            c.status.sct == nvme::status_type::path)
                    << "refused: " << nvme::describe(c.status);
            hold_to_it();
        };
    }
    void adopt() {
        now_ = wanted_;
        on_disk_perhaps_.clear();
        ++changes_;
    }
    // The record may have got to the disk, and the one that takes it back not yet.
    void refused_late() { on_disk_perhaps_.push_back(wanted_); }
    void hold_to_it() {
        for (unsigned i = 0; i < rivals; ++i)
            if (!now_.may_write(i)) world_.judge().host_removed(one, rivals_[i].who.host);
    }
    // The connection ended before the answer. What is asked now gets in line behind it, and
    // changes nothing: the key is wrong.
    void ask_to_be_sure() {
        world_.settle();
        for (rival& r : rivals_)
            if (!r.io->closed() && r.io->room() != 0) {
                barrier_ = reserve(*r.io, io_opcode::reservation_acquire,
                                   {.type = shared_by_registrants}, 1, 0);
                return;
            }
    }
    [[nodiscard]] known_state learn() {
        known_state found;
        const core::subsystem_status s = world_.status_of(one);
        if (s.namespaces.size() != 1) {
            ADD_FAILURE() << "the namespace is not there";
            return found;
        }
        found.protection = s.namespaces[0].protection;
        if (!s.namespaces[0].reservation) return found;
        for (unsigned i = 0; i < rivals; ++i)
            for (const auto& known : s.namespaces[0].reservation->registrants) {
                const std::string end = fmt::format("{:02x}", rivals_[i].who.host_id);
                if (!known.identifier.ends_with(end)) continue;
                EXPECT_EQ(known.key, key_of(i));
                found.registered[i] = true;
                if (known.holds) found.holder = i;
            }
        found.persistent = found.somebody_registered() && s.namespaces[0].reservation->persistent;
        return found;
    }

    world& world_;
    machine& machine_;
    std::array<rival, rivals> rivals_{};
    known_state now_{};     ///< as hosts were told
    known_state wanted_{};  ///< once what was asked last is done
    std::vector<known_state> on_disk_perhaps_{};
    command_ref asked_{};
    command_ref barrier_{};
    bool unsure_ = false;
    bool powered_ = true;
    std::uint64_t changes_ = 0;
};

struct tally {
    std::uint64_t changes = 0;
    std::uint64_t fenced_restarts = 0;  ///< with somebody fenced
    std::uint64_t cuts = 0;
};

// False: the power has failed.
bool go_on(world& w, rivals_at_work& at_work, machine& on, int steps) {
    for (int step = 0; step < steps; ++step) {
        at_work.act();
        for (std::uint64_t rounds = w.pick(20); rounds != 0; --rounds) {
            w.round();
            if (on.disk.off()) return false;
            at_work.look();
        }
    }
    return true;
}

void lose_power(world& w, rivals_at_work& at_work, machine& on) {
    on.disk.cut_after(static_cast<std::uint32_t>(w.pick(12)));
    if (go_on(w, at_work, on, 20)) {  // nobody has written so much
        on.disk.cut_after(0);
        (void)on.disk.remove("/state/nothing");
    }
    ASSERT_TRUE(on.disk.off());
    at_work.power_is_off();
}

void live_once(std::uint64_t seed, machine& on, bool last, tally& all) {
    world_options o = options(1 + seed % 3, seed);
    o.subsystems = {subsystem(one, {"a"})};
    o.fault_profile = {.delay_min = {}, .delay_max = milliseconds(3), .ignore_abort_chance = 0.5};
    o.limits.transition_timeout_ms = 200;
    o.keep = [&on](engine::reactor& control) { return on.keep(control); };
    world w(o);
    const bool cut = !last && w.chance(0.6);
    {
        rivals_at_work at_work(w, on);
        EXPECT_TRUE(go_on(w, at_work, on, 40));
        if (last) {
            at_work.end();
        } else if (cut) {
            lose_power(w, at_work, on);
        } else {
            bool stopped = false;
            w.target().shut_down([&] { stopped = true; });
            EXPECT_TRUE(w.run_until([&] { return stopped; }));
        }
        at_work.leave();
        all.changes += at_work.changes();
        all.fenced_restarts += !last && at_work.somebody_is_fenced() ? 1 : 0;
        all.cuts += cut ? 1 : 0;
    }
    w.rest();
}

void live(std::uint64_t seed, tally& all) {
    constexpr std::uint64_t lives = 4;
    machine on(seed);
    std::mt19937_64 chance(seed);
    for (std::uint64_t life = 1; life <= lives; ++life) {
        live_once(seed * lives + life, on, life == lives, all);
        if (on.disk.off()) on.disk.power_on();
        if (::testing::Test::HasFailure()) return;
        if (chance() % 2 == 0) continue;  // the daemon alone was started anew
        ++on.starts;
        for (known_state& s : on.possible) s = s.after_power_cycle();
    }
}

TEST(fencing_over_restarts, what_was_answered_holds_before_the_first_connect) {
    tally all;
    std::uint64_t played = 0;
    many_seeds("hosts that fence each other over restarts", 1'000, [&](std::uint64_t seed) {
        live(seed, all);
        ++played;
    });
    if (played < 20) return;  // of so few nothing is usual
    EXPECT_GT(all.changes, 10 * played) << "hardly anything was changed";
    EXPECT_GT(all.fenced_restarts, played) << "hardly anybody was fenced at a restart";
    EXPECT_GT(all.cuts, played) << "the power hardly ever failed";
}

}  // namespace
}  // namespace fulmar::sim
