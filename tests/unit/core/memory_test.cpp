// Every allocation on the way of a Connect and of admin commands fails once: the host gets an
// answer, nothing is left behind, and its next try works.
#include "small_world.hpp"
#include "support/failing_memory.hpp"

#include <fulmar/nvme/logs.hpp>

namespace fulmar::core::test {
namespace {

// Failures that tell a host to try again, or that it was the target's.
bool is_honest(nvme::status s) {
    return s.is(nvme::sc::connect_controller_busy) || s.is(nvme::sc::internal_error) ||
           nvme::is_success(s);
}

TEST(connect_without_memory, of_an_admin_queue_is_answered_and_the_next_works) {
    small_world world;
    const std::uint64_t failed = fulmar::test::fail_each_allocation([&](std::uint64_t nth) {
        host_queue& q = world.new_queue();
        const reply first = world.connect(q, subsystem_nqn, 0, nvme::cntlid_dynamic);
        EXPECT_TRUE(is_honest(first.status)) << nth << ": " << nvme::describe(first.status);
        const fulmar::test::unwatched_memory enough;
        host_queue& second = world.connect_admin();
        q.close(close_reason::host_disconnected);
        second.close(close_reason::host_disconnected);
        world.turn();
    });
    EXPECT_GT(failed, 3u) << "a controller, its name, its slot";
}

TEST(connect_without_memory, of_an_io_queue_is_answered_and_the_next_works) {
    small_world world;
    world.connect_admin();
    const std::uint16_t controller = world.controller_number();
    const std::uint64_t failed = fulmar::test::fail_each_allocation([&](std::uint64_t nth) {
        host_queue& q = world.new_queue();
        const reply first = world.connect(q, subsystem_nqn, 1, controller);
        EXPECT_TRUE(is_honest(first.status)) << nth << ": " << nvme::describe(first.status);
        const fulmar::test::unwatched_memory enough;
        q.close(close_reason::host_disconnected);
        world.turn();
        host_queue& second = world.new_queue();
        EXPECT_TRUE(nvme::is_success(world.connect(second, subsystem_nqn, 1, controller).status));
        second.close(close_reason::host_disconnected);
        world.turn();
    });
    EXPECT_GT(failed, 0u);
}

// One after the other on a controller whose state is new: the discovery page, the list of changed
// features, whatever grows.
TEST(admin_without_memory, commands_are_answered_and_the_next_works) {
    small_world world;
    const auto commands = [&] {
        host_queue& q = world.connect_admin(nvme::discovery_nqn);
        nvme::sqe log = admin(nvme::admin_opcode::get_log_page);
        log.cdw10 = 0x70u | (4096u / 4 - 1) << 16;
        const reply page = world.call(q, log, 4096);
        EXPECT_TRUE(is_honest(page.status)) << nvme::describe(page.status);
        q.close(close_reason::host_disconnected);
        host_queue& io = world.connect_admin();
        nvme::sqe recovery = admin(nvme::admin_opcode::set_features, nvme::nsid_broadcast);
        recovery.cdw10 = 0x05u;
        EXPECT_TRUE(is_honest(world.call(io, recovery).status));
        io.close(close_reason::host_disconnected);
        world.turn();
    };
    const std::uint64_t failed = fulmar::test::fail_each_allocation([&](std::uint64_t) {
        host_queue& q = world.new_queue();
        (void)world.connect(q, nvme::discovery_nqn, 0, nvme::cntlid_dynamic);
        if (q.state() == qpair_state::live) {
            (void)world.configure(q, true);
            nvme::sqe log = admin(nvme::admin_opcode::get_log_page);
            log.cdw10 = 0x70u | (4096u / 4 - 1) << 16;
            (void)world.call(q, log, 4096);
        }
        q.close(close_reason::host_disconnected);
        host_queue& io = world.new_queue();
        (void)world.connect(io, subsystem_nqn, 0, nvme::cntlid_dynamic);
        if (io.state() == qpair_state::live) {
            (void)world.configure(io, true);
            nvme::sqe recovery = admin(nvme::admin_opcode::set_features, nvme::nsid_broadcast);
            recovery.cdw10 = 0x05u;
            EXPECT_TRUE(is_honest(world.call(io, recovery).status));
        }
        io.close(close_reason::host_disconnected);
        world.turn();
        const fulmar::test::unwatched_memory enough;
        commands();
    });
    EXPECT_GT(failed, 5u);
}

// A reactor that has stopped takes no message any more: one made for it would be lost.
TEST(shutdown_without_memory, closes_what_has_not_connected_yet) {
    auto world = std::make_unique<small_world>();
    world->new_queue();
    world->connect_admin();
    const fulmar::test::failing_memory memory(0);
    world.reset();  // expects every queue to be retired
    EXPECT_FALSE(memory.hit()) << "teardown allocates nothing";
}

}  // namespace
}  // namespace fulmar::core::test
