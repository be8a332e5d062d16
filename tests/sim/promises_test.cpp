// Durability and identity: promises 8, 9 and 10 of the architecture, where nothing else in here
// looks.
#include "scenario.hpp"

namespace fulmar::sim {
namespace {

TEST(durability, force_unit_access_and_flush_reach_the_disk) {
    world w(options());
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    const auto usual = io->write(1, 0);
    ASSERT_TRUE(w.wait(usual));
    EXPECT_EQ(w.disk_named("a").durable_writes(), 0u);
    const auto durable = io->write(1, 8, 8, true, true);
    const auto fetched = io->write(1, 16, 64, false, true);
    ASSERT_TRUE(w.wait(durable) && w.wait(fetched));
    EXPECT_TRUE(succeeded(durable) && succeeded(fetched));
    EXPECT_EQ(w.disk_named("a").durable_writes(), 2u) << "FUA has not reached the disk";
    const auto flush = io->io(nvme::io_opcode::flush, 1);
    ASSERT_TRUE(w.wait(flush));
    EXPECT_TRUE(succeeded(flush));
    EXPECT_EQ(w.disk_named("a").flushes(), 1u) << "Flush has not reached the disk";
    EXPECT_EQ(w.disk_named("b").flushes(), 0u);
}

TEST(identity, a_namespace_that_comes_back_has_its_uuid) {
    world w(options());
    const core::namespace_spec first = w.status_of(one).namespaces[0].spec;
    ASSERT_TRUE(w.change(core::remove_namespace{one, 1})->ok());
    ASSERT_TRUE(w.change(core::add_namespace{one, on("a", 1)})->ok());
    const core::namespace_spec again = w.status_of(one).namespaces[0].spec;
    EXPECT_EQ(first.nsid, again.nsid);
    EXPECT_EQ(first.uuid, again.uuid) << "hosts take it for another disk";
    EXPECT_EQ(first.nguid, again.nguid) << "hosts take it for another disk";
}

TEST(restart, keeps_subsystems_namespaces_and_identities) {
    world_options o = options(2);
    core::subsystem_status before;
    {
        world w(o);
        before = w.status_of(one);
        bool stopped = false;
        w.target().shut_down([&] { stopped = true; });
        ASSERT_TRUE(w.run_until([&] { return stopped; }));
        const core::target_spec kept = w.target().current_spec();
        EXPECT_EQ(kept.subsystems.size(), 1u) << "the configuration forgets what was stopped";
        o.subsystems = kept.subsystems;
    }
    if (o.subsystems.empty()) return;
    world w(o);
    const core::subsystem_status after = w.status_of(one);
    EXPECT_EQ(before.spec.serial, after.spec.serial);
    ASSERT_EQ(before.namespaces.size(), after.namespaces.size());
    for (std::size_t i = 0; i < before.namespaces.size(); ++i) {
        EXPECT_EQ(before.namespaces[i].spec.nsid, after.namespaces[i].spec.nsid);
        EXPECT_EQ(before.namespaces[i].spec.uuid, after.namespaces[i].spec.uuid);
        EXPECT_EQ(before.namespaces[i].spec.nguid, after.namespaces[i].spec.nguid);
    }
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    const auto read = io->read(1, 0);
    ASSERT_TRUE(w.wait(read));
    EXPECT_TRUE(has(read, sc::success));
}

}  // namespace
}  // namespace fulmar::sim
