// Drives with a volatile write cache that lose their power under `hold`: what was acknowledged and
// not flushed is gone, and no Flush may say otherwise. The invariant checker judges each one
// (flush_answered).
#include "drive_actors.hpp"
#include "many_seeds.hpp"

#include <gtest/gtest.h>

#include <array>

namespace fulmar::sim {
namespace {

using backend::drive_state;
using core::loss_policy;

/// One host, whose namespace 1 is on the drive.
struct cache_story {
    explicit cache_story(std::uint64_t seed, loss_policy on_loss = loss_policy::hold)
        : about{.seed = seed, .on_loss = on_loss, .cached = true}, w(around(about)) {
        EXPECT_TRUE(w.run_until([&] { return serves(); }));
        admin = w.admin(host());
        io = w.io(*admin, 1, 0);
    }
    bool serves() {
        return w.slots().state(drive_disk) == drive_state::ready &&
               w.status_of(one).namespaces.at(0).transition.state == "ready";
    }
    /// The slot loses its power, and the kernel says that the drive is gone.
    void pull() {
        w.give(drive_disk, w.pick(2) == 0 ? drive_fault::silent_ones : drive_fault::silent_zeros);
        w.give(drive_disk, drive_fault::removed);
    }
    void plug() {
        w.slots().heal(drive_disk);
        EXPECT_TRUE(w.run_until([&] { return w.slots().healthy(drive_disk); }));
        w.give(drive_disk, drive_fault::arrival);
        EXPECT_TRUE(w.run_until([&] { return w.slots().state(drive_disk) == drive_state::ready; },
                                seconds(30)));
        w.run_for(milliseconds(100));
    }
    command_ref flush() {
        const auto c = io->io(nvme::io_opcode::flush, 1);
        EXPECT_TRUE(w.wait(c, seconds(15))) << "the Flush waits";
        return c;
    }
    void write(std::uint64_t lba, bool fua = false) {
        const auto c =
            io->write(1, lba, 1 + static_cast<std::uint32_t>(w.pick(8)), w.pick(2) == 0, fua);
        EXPECT_TRUE(w.wait(c) && succeeded(c));
    }
    core::device_status device() {
        const ticket_ref t = w.ask(core::query(core::get_device{drive_disk}));
        EXPECT_TRUE(w.run_until([&] { return t->done(); }) && t->ok());
        return t->as<core::device_status>();
    }

    drive_case about;
    world w;
    std::unique_ptr<queue> admin;
    std::unique_ptr<queue> io;
};

TEST(lost_cache, a_flush_over_writes_that_are_gone_fails_until_an_operator_accepts_it) {
    for (std::uint64_t seed = 1; seed <= 24; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        cache_story s(seed);
        s.write(0);
        EXPECT_TRUE(succeeded(s.flush()));
        s.write(8);
        s.write(0);
        s.pull();
        if (seed % 2 == 0) s.w.run_for(milliseconds(s.w.pick(500)));
        s.plug();
        EXPECT_FALSE(succeeded(s.flush())) << "as though nothing had happened";
        const core::device_status lost = s.device();
        EXPECT_EQ(lost.state, "lost");
        EXPECT_NE(lost.reason.find("write cache"), std::string::npos) << lost.reason;
        EXPECT_TRUE(s.w.change(core::reopen_device{drive_disk})->ok());
        EXPECT_TRUE(s.w.run_until([&] { return s.serves(); }));
        EXPECT_TRUE(succeeded(s.flush()));
        const auto read = s.io->read(1, 0, 32);
        EXPECT_TRUE(s.w.wait(read) && succeeded(read));
        if (::testing::Test::HasFailure()) return;
    }
}

TEST(lost_cache, a_drive_that_owed_nothing_serves_again_with_all_that_was_flushed) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        cache_story s(seed);
        s.write(0);
        s.write(8);
        EXPECT_TRUE(succeeded(s.flush()));
        s.write(16, true);
        if (seed % 2 != 0) s.flush();
        s.pull();
        s.plug();
        EXPECT_TRUE(s.w.run_until([&] { return s.serves(); }, seconds(5)));
        EXPECT_TRUE(succeeded(s.flush()));
        const auto read = s.io->read(1, 0, 32);
        EXPECT_TRUE(s.w.wait(read) && succeeded(read));
        if (::testing::Test::HasFailure()) return;
    }
}

// A host at random, a drive that is pulled at random, and an operator who accepts its losses now
// and then.
void pull_at_any_moment(std::uint64_t seed) {
    cache_story s(seed, seed % 4 == 0 ? loss_policy::fail : loss_policy::hold);
    s.w.crowd([&s] {
        if (s.io->closed() || s.io->room() < 4) return;
        if (s.w.chance(0.9)) return;
        const std::uint64_t lba = s.w.pick(16);
        const auto blocks = static_cast<std::uint32_t>(1 + s.w.pick(4));
        switch (s.w.pick(4)) {
            case 0: (void)s.io->io(nvme::io_opcode::flush, 1); return;
            case 1: (void)s.io->read(1, lba, blocks); return;
            default: (void)s.io->write(1, lba, blocks, s.w.chance(0.5), s.w.chance(0.2)); return;
        }
    });
    for (int i = 0; i < 4; ++i) {
        s.w.run_for(milliseconds(s.w.pick(60)));
        s.pull();
        s.w.run_for(milliseconds(s.w.pick(300)));
        s.plug();
        s.w.run_for(milliseconds(s.w.pick(60)));
        if (s.w.chance(0.6)) (void)s.w.change(core::reopen_device{drive_disk});
    }
    s.w.crowd(nullptr);
}

TEST(lost_cache, whenever_a_drive_is_pulled_no_flush_tells_of_writes_that_are_gone) {
    many_seeds("drives that lose their caches", 200, pull_at_any_moment);
}

}  // namespace
}  // namespace fulmar::sim
