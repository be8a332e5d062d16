// A host that has lost a path and has its controller there ended over another path: nothing of that
// controller lands once the host was answered, and the other paths go on meanwhile.
#include "many_seeds.hpp"
#include "scenario.hpp"
#include "support/reservation_commands.hpp"

#include <fulmar/nvme/cross_reset.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/reservation.hpp>

#include <array>
#include <vector>

namespace fulmar::sim {
namespace {

namespace result_bit = nvme::cross_reset_result;

constexpr unsigned routes = 3;
constexpr std::uint64_t blocks_of_each = 64;  ///< each path writes where no other does
constexpr std::uint32_t ended_before = result_bit::immediate | result_bit::validated;

/// One controller of a host, with its queues.
struct route {
    identity who;
    std::unique_ptr<queue> admin;
    std::unique_ptr<queue> io;
    nvme::cross_reset name{};

    void join(world& w) {
        admin = w.admin(who);
        io = w.io(*admin, 1, static_cast<std::size_t>(w.pick(w.data_reactors())));
        const command_ref page = admin->admin(nvme::admin_opcode::identify, 0, 4096, 1);
        EXPECT_TRUE(w.wait(page) && succeeded(page));
        const auto told = nvme::read_wire<nvme::identify_controller>(page->data).value();
        name = {.icid = told.cntlid.value(), .ciu = told.ciu, .cirn = told.cirn.value()};
    }
    void leave() {
        io->cut();
        admin->cut();
    }
    [[nodiscard]] std::vector<std::uint64_t> connections() const {
        return {admin->connection().number(), io->connection().number()};
    }
};

command_ref ask(queue& over, const nvme::cross_reset& what) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::cross_controller_reset);
    nvme::encode_cross_reset(sqe, what);
    return over.submit(sqe);
}

/// When it is answered with success, the judge knows that nothing more may land.
command_ref ask(world& w, queue& over, const route& about) {
    const command_ref c = ask(over, about.name);
    c->then = [&w, ended = about.connections()](command& done) {
        if (!done.answered || !nvme::is_success(done.status)) return;
        for (const std::uint64_t connection : ended) w.judge().connection_ended(connection);
    };
    return c;
}

class wanderer {
  public:
    wanderer(world& w, bool by_tcp) : world_(w) {
        for (route& r : routes_) {
            r.who = host(0, one, w.pick(w.data_reactors()));
            r.who.tcp = by_tcp && w.chance(0.5);
            r.join(w);
        }
    }

    void act() {
        const std::uint64_t chosen = world_.pick(100);
        route& r = routes_[world_.pick(routes)];
        if (chosen < 65) return write(r);
        if (chosen < 80) return end_one(r);
        if (chosen < 84) return end_a_ghost(r);
        if (chosen < 90) return world_.disk_named("a").set_stalled(world_.chance(0.4));
        if (chosen < 93) return r.io->connection().set_sending_data(world_.chance(0.5));
        if (chosen < 96) return r.leave();
        come_again(r);
    }

    /// Everything is answered, and every path writes.
    void end() {
        world_.disk_named("a").set_stalled(false);
        for (route& r : routes_) come_again(r);
        for (unsigned i = 0; i < routes; ++i) {
            const command_ref c = routes_[i].io->write(1, i * blocks_of_each);
            EXPECT_TRUE(world_.wait(c) && succeeded(c));
        }
    }
    [[nodiscard]] std::uint64_t ended() const { return ended_; }
    [[nodiscard]] std::uint64_t failed() const { return failed_; }

  private:
    struct ghost {
        nvme::cross_reset name;
        std::vector<std::uint64_t> connections;
    };

    void write(route& r) {
        if (r.io->closed() || r.admin->closed()) return come_again(r);
        if (r.io->room() == 0) return;
        const auto number = static_cast<std::uint64_t>(&r - routes_.data());
        (void)r.io->write(1, number * blocks_of_each + world_.pick(blocks_of_each), 1,
                          world_.chance(0.5));
    }
    void come_again(route& r) {
        r.leave();
        EXPECT_TRUE(world_.run_until([&] { return r.io->closed() && r.admin->closed(); }));
        ghosts_.push_back({.name = r.name, .connections = r.connections()});
        r.join(world_);
    }
    void request(queue& over, const ghost& about) {
        if (over.closed() || over.room() == 0) return;
        const command_ref c = ask(over, about.name);
        c->then = [this, ended = about.connections](command& done) {
            if (!done.answered) return;
            if (!nvme::is_success(done.status)) {
                failed_ += done.status.is(sc::internal_error) ? 1 : 0;
                return;
            }
            ++ended_;
            for (const std::uint64_t connection : ended)
                world_.judge().connection_ended(connection);
        };
    }
    void end_one(const route& over) {
        const route& victim = routes_[world_.pick(routes)];
        if (&victim == &over) return;
        request(*over.admin, {.name = victim.name, .connections = victim.connections()});
    }
    void end_a_ghost(const route& over) {
        if (!ghosts_.empty()) request(*over.admin, ghosts_[world_.pick(ghosts_.size())]);
    }

    world& world_;
    std::array<route, routes> routes_;
    std::vector<ghost> ghosts_;  ///< controllers of before
    std::uint64_t ended_ = 0;
    std::uint64_t failed_ = 0;
};

world_options of_one_disk_for_routes(std::uint64_t seed) {
    world_options o = options(1 + seed % 3, seed);
    o.subsystems = {subsystem(one, {"a"})};
    return o;
}

struct wandering {
    std::uint64_t ended = 0;
    std::uint64_t failed = 0;
};

wandering wander(std::uint64_t seed) {
    world_options o = of_one_disk_for_routes(seed);
    o.fault_profile = {.delay_min = {}, .delay_max = milliseconds(3), .ignore_abort_chance = 0.5};
    o.limits.transition_timeout_ms = 200;
    o.tcp = seed % 2 == 0;
    world w(o);
    wandering all;
    {
        wanderer h(w, o.tcp);
        for (int step = 0; step < 150; ++step) {
            h.act();
            for (std::uint64_t rounds = w.pick(20); rounds != 0; --rounds) w.round();
        }
        h.end();
        all = {.ended = h.ended(), .failed = h.failed()};
    }
    w.rest();
    return all;
}

TEST(cross_reset, nothing_of_an_ended_controller_lands_after_the_answer) {
    wandering all;
    std::uint64_t played = 0;
    many_seeds("hosts that end their own controllers", 1'000, [&](std::uint64_t seed) {
        const wandering one_run = wander(seed);
        all.ended += one_run.ended;
        all.failed += one_run.failed;
        ++played;
    });
    EXPECT_GT(all.ended, 2 * played) << "hardly anything was ended";
    EXPECT_GE(all.failed, played / 2) << "no disk kept anything past the deadline";
}

/// Two paths of one host, on reactors of their own, and another host.
struct two_routes {
    explicit two_routes(world& w) {
        lost.who = host(0, one, 0);
        other.who = host(0, one, w.data_reactors() - 1);
        lost.join(w);
        other.join(w);
    }
    route lost, other;
};

TEST(cross_reset, a_write_that_is_held_at_the_disk_is_waited_for_and_others_go_on) {
    for (const unsigned reactors : {1u, 3u}) {
        world_options o = of_one_disk_for_routes(1);
        o.data_reactors = reactors;
        world w(o);
        {
            two_routes mine(w);
            w.disk_named("a").set_stalled(true);
            const command_ref before = mine.lost.io->write(1, 0);
            mine.lost.io->connection().set_sending_data(false);
            const command_ref owed = mine.lost.io->write(1, 1, 1, false);
            w.run_for(milliseconds(10));
            const command_ref asked = ask(w, *mine.other.admin, mine.lost);
            w.run_for(milliseconds(10));
            EXPECT_FALSE(asked->done) << "its write is at the disk still";
            EXPECT_TRUE(owed->done) << "its connections are closed at once";
            EXPECT_TRUE(w.wait(mine.other.admin->keep_alive(), seconds(1)));
            const command_ref friendly = mine.other.io->write(1, 64);
            w.disk_named("a").set_stalled(false);
            EXPECT_TRUE(w.wait(asked, seconds(1)) && succeeded(asked));
            EXPECT_EQ(asked->dw0, ended_before | result_bit::initiated);
            EXPECT_TRUE(before->done);
            EXPECT_TRUE(w.wait(friendly) && succeeded(friendly));
            mine.lost.join(w);
            const command_ref again = mine.lost.io->write(1, 2);
            EXPECT_TRUE(w.wait(again) && succeeded(again)) << "a new controller is another one";
        }
        w.rest();
    }
}

TEST(cross_reset, a_disk_that_gives_nothing_back_makes_it_fail_until_it_does) {
    world_options o = of_one_disk_for_routes(2);
    o.fault_profile.ignore_abort_chance = 1;
    o.limits.transition_timeout_ms = 200;
    world w(o);
    {
        two_routes mine(w);
        w.disk_named("a").set_stalled(true);
        (void)mine.lost.io->write(1, 0);
        w.run_for(milliseconds(10));
        mine.lost.leave();  // the target has noticed as well
        w.run_for(milliseconds(500));
        const command_ref asked = ask(w, *mine.other.admin, mine.lost);
        EXPECT_TRUE(w.wait(asked, seconds(1)));
        EXPECT_TRUE(has(asked, sc::internal_error)) << "its write may land still";
        const command_ref again = ask(w, *mine.other.admin, mine.lost);
        w.run_for(milliseconds(10));
        w.disk_named("a").set_stalled(false);
        EXPECT_TRUE(w.wait(again, seconds(1)) && succeeded(again));
        EXPECT_EQ(again->dw0, ended_before);
    }
    w.rest();
}

TEST(cross_reset, both_rounds_together_have_one_deadline) {
    world_options o = of_one_disk_for_routes(3);
    o.fault_profile.ignore_abort_chance = 1;
    o.limits.transition_timeout_ms = 200;
    world w(o);
    {
        two_routes mine(w);
        w.disk_named("a").set_stalled(true);
        (void)mine.lost.io->write(1, 0);
        w.run_for(milliseconds(10));
        const instant asked_at = w.now();
        const command_ref asked = ask(w, *mine.other.admin, mine.lost);
        EXPECT_TRUE(w.wait(asked, seconds(1)));
        EXPECT_TRUE(has(asked, sc::internal_error));
        EXPECT_LE(w.now() - asked_at, milliseconds(250));
        EXPECT_TRUE(mine.lost.io->closed()) << "it is ended all the same";
        w.disk_named("a").set_stalled(false);
    }
    w.rest();
}

TEST(cross_reset, another_host_is_refused) {
    world w(of_one_disk_for_routes(4));
    {
        two_routes mine(w);
        route stranger;
        stranger.who = host(1, one, 0);
        stranger.join(w);
        const command_ref known = ask(*stranger.admin, mine.lost.name);
        nvme::cross_reset nobody = mine.lost.name;
        nobody.icid = 0x7777;
        const command_ref unknown = ask(*stranger.admin, nobody);
        EXPECT_TRUE(w.wait(known) && w.wait(unknown));
        EXPECT_TRUE(has(known, sc::invalid_field)) << "a stranger has ended it";
        EXPECT_EQ(known->status, unknown->status) << "it could tell that there is one";
        EXPECT_EQ(known->dw0, unknown->dw0);
        const command_ref written = mine.lost.io->write(1, 0);
        EXPECT_TRUE(w.wait(written) && succeeded(written));
    }
    w.rest();
}

// Reservation commands take their turn among the operations: one that the controller had sent is
// behind its end, and must not take effect when its host believes that everything is over.
TEST(cross_reset, a_reservation_behind_it_is_not_carried_out) {
    for (const unsigned reactors : {1u, 3u}) {
        world_options o = of_one_disk_for_routes(5);
        o.data_reactors = reactors;
        world w(o);
        {
            two_routes mine(w);
            w.disk_named("a").set_stalled(true);
            (void)mine.lost.io->write(1, 0);
            w.run_for(milliseconds(10));
            // Another one of its controllers is ended first, and takes its time.
            route third;
            third.who = mine.lost.who;
            third.join(w);
            (void)third.io->write(1, 128);
            w.run_for(milliseconds(10));
            const command_ref first = ask(w, *mine.other.admin, third);
            w.run_for(milliseconds(10));
            const command_ref second = ask(w, *mine.other.admin, mine.lost);
            w.run_for(milliseconds(10));
            const auto keys = fulmar::test::reservation_keys(0, 5);
            (void)mine.lost.io->submit(
                fulmar::test::reservation_sqe(nvme::io_opcode::reservation_register, {}),
                nvme::wire_bytes(keys), true);
            w.run_for(milliseconds(10));
            EXPECT_FALSE(first->done || second->done);
            w.disk_named("a").set_stalled(false);
            EXPECT_TRUE(w.wait(second) && succeeded(first) && succeeded(second));
            w.run_for(milliseconds(10));
            EXPECT_FALSE(w.status_of(one).namespaces[0].reservation.has_value())
                << "its host was registered after its controller was ended";
        }
        w.rest();
    }
}

TEST(cross_reset, an_instance_that_has_gone_is_not_its_successor) {
    world_options o = of_one_disk_for_routes(6);
    o.subsystems.front().min_cntlid = 5;
    o.subsystems.front().max_cntlid = 6;
    world w(o);
    {
        two_routes mine(w);
        const nvme::cross_reset former = mine.lost.name;
        for (int i = 0; i < 3; ++i) {
            const nvme::cross_reset before = mine.lost.name;
            mine.lost.leave();
            w.run_for(milliseconds(10));
            mine.lost.join(w);
            EXPECT_EQ(mine.lost.name.icid, before.icid) << "no other number was free";
            EXPECT_NE(mine.lost.name.ciu, before.ciu);
            EXPECT_NE(mine.lost.name.cirn, before.cirn);
        }
        const command_ref asked = ask(*mine.other.admin, former);
        EXPECT_TRUE(w.wait(asked) && succeeded(asked));
        EXPECT_EQ(asked->dw0, ended_before);
        const command_ref written = mine.lost.io->write(1, 0);
        EXPECT_TRUE(w.wait(written) && succeeded(written)) << "its successor was ended";
    }
    w.rest();
}

}  // namespace
}  // namespace fulmar::sim
