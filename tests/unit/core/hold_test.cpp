// What hosts see of a namespace whose device is lost: by its policy, and by what the host follows.
#include "absent_device.hpp"
#include "small_world.hpp"

#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/logs.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace fulmar::core::test {

namespace {

namespace sc = nvme::sc;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct hold_test : testing::Test {
    std::vector<absent_device*> devices;
    std::unique_ptr<small_world> world;
    host_queue* admin_queue = nullptr;
    host_queue* io = nullptr;

    void start(loss_policy policy) {
        namespace_spec spec;
        spec.on_loss = policy;
        spec.park_ms = 1000;
        spec.hold_s = 5;
        world = std::make_unique<small_world>(
            [this](const device_spec&) -> result<std::unique_ptr<backend::device>> {
                auto made = std::make_unique<absent_device>();
                devices.push_back(made.get());
                return made;
            },
            spec);
        admin_queue = &world->connect_admin();
        io = &world->new_queue();
        ASSERT_TRUE(nvme::is_success(
            world->connect(*io, subsystem_nqn, 1, world->controller_number()).status));
    }
    absent_device& device() { return *devices.front(); }
    void TearDown() override {
        for (absent_device* d : devices) d->answer_kept(backend::device_gone);
    }
    /// One write of a block.
    std::size_t write(std::uint32_t nsid = 1) {
        nvme::sqe command{};
        command.opcode = static_cast<std::uint8_t>(nvme::io_opcode::write);
        command.nsid = nsid;
        nvme::encode_block_range(command, {.slba = 0, .blocks = 1});
        static const std::vector<std::byte> data(512, std::byte{7});
        return io->send(command, 0, data);
    }
    std::optional<reply> answer(std::size_t index) {
        world->turn();
        world->turn();
        return io->take(index);
    }
    void follow_ana() {
        nvme::sqe command = admin(nvme::admin_opcode::set_features);
        nvme::encode_set_features(
            command, {.fid = static_cast<std::uint8_t>(nvme::fid::async_event_configuration),
                      .cdw11 = nvme::async_event_config::ana_change});
        ASSERT_TRUE(nvme::is_success(world->call(*admin_queue, command).status));
    }
    /// The state of namespace 1's group, as the log says; reading it arms the event again.
    int ana_state_in_log() {
        nvme::sqe command = admin(nvme::admin_opcode::get_log_page, nvme::nsid_broadcast);
        constexpr std::uint32_t bytes = 16 + 2 * 40;
        command.cdw10 = static_cast<std::uint32_t>(nvme::lid::ana) | (bytes / 4 - 1) << 16;
        const reply log = world->call(*admin_queue, command, bytes);
        EXPECT_TRUE(nvme::is_success(log.status));
        // Header of 16 bytes, then the first descriptor: group, count, change count, state.
        return log.data.size() < 33 ? -1 : static_cast<int>(log.data[32]) & 0xf;
    }
    void pass(duration time) {
        for (duration left = time; left > duration::zero(); left -= milliseconds(50)) {
            world->advance(milliseconds(50));
            world->turn();
        }
    }
};

TEST_F(hold_test, fail_answers_everything_at_once_and_for_good) {
    start(loss_policy::fail);
    device().keep(true);
    const std::size_t outstanding = write();
    EXPECT_FALSE(answer(outstanding));
    device().go();
    EXPECT_EQ(answer(outstanding)->status, sc::internal_error.no_retry());
    const std::size_t later = write();
    EXPECT_EQ(answer(later)->status, sc::internal_error.no_retry());
    EXPECT_EQ(ana_state_in_log(), 1) << "the ANA state is left alone";
    const std::size_t other = write(2);
    EXPECT_TRUE(nvme::is_success(answer(other)->status));
    device().answer_kept(backend::device_gone);
    device().come_back();
    world->turn();
    const std::size_t again = write();
    EXPECT_TRUE(nvme::is_success(answer(again)->status));
}

TEST_F(hold_test, hold_parks_what_comes_and_runs_it_when_the_device_is_back) {
    start(loss_policy::hold);
    device().keep(true);
    const std::size_t outstanding = write();
    EXPECT_FALSE(answer(outstanding));
    device().go();
    EXPECT_EQ(answer(outstanding)->status, sc::namespace_not_ready) << "to be tried again";
    const std::size_t later = write();
    EXPECT_FALSE(answer(later));
    const std::size_t other = write(2);
    EXPECT_TRUE(nvme::is_success(answer(other)->status)) << "nobody else waits";
    pass(milliseconds(500));
    EXPECT_FALSE(answer(later));
    device().answer_kept(backend::device_gone);
    device().come_back();
    EXPECT_TRUE(nvme::is_success(answer(later)->status));
    EXPECT_EQ(ana_state_in_log(), 1);
}

TEST_F(hold_test, a_request_waits_no_longer_than_its_time) {
    start(loss_policy::hold);
    device().go();
    world->turn();
    const std::size_t first = write();
    EXPECT_FALSE(answer(first));
    pass(milliseconds(600));
    const std::size_t second = write();
    EXPECT_FALSE(answer(second));
    EXPECT_FALSE(answer(first));
    pass(milliseconds(500));
    EXPECT_EQ(answer(first)->status, sc::namespace_not_ready);
    EXPECT_FALSE(answer(second)) << "its own time is not over";
    pass(milliseconds(600));
    EXPECT_EQ(answer(second)->status, sc::namespace_not_ready);
}

TEST_F(hold_test, a_hold_ends_and_then_it_is_as_under_fail) {
    start(loss_policy::hold);
    device().go();
    world->turn();
    EXPECT_EQ(ana_state_in_log(), 3) << "inaccessible";
    pass(milliseconds(4800));
    const std::size_t waiting = write();
    EXPECT_FALSE(answer(waiting));
    pass(milliseconds(400));
    EXPECT_EQ(answer(waiting)->status, sc::internal_error.no_retry());
    const std::size_t later = write();
    EXPECT_EQ(answer(later)->status, sc::internal_error.no_retry());
    EXPECT_EQ(ana_state_in_log(), 1) << "or a multipath host would wait for ever";
    device().come_back();
    world->turn();
    const std::size_t again = write();
    EXPECT_TRUE(nvme::is_success(answer(again)->status));
    // The next loss is held as the first was.
    device().go();
    world->turn();
    EXPECT_EQ(ana_state_in_log(), 3);
}

TEST_F(hold_test, a_host_that_follows_the_ana_log_keeps_its_io_itself) {
    start(loss_policy::hold);
    follow_ana();
    EXPECT_EQ(ana_state_in_log(), 1);
    const std::size_t event = admin_queue->send(admin(nvme::admin_opcode::async_event_request));
    device().keep(true);
    const std::size_t outstanding = write();
    EXPECT_FALSE(answer(outstanding));
    device().go();
    EXPECT_EQ(answer(outstanding)->status, sc::ana_inaccessible);
    const std::size_t later = write();
    EXPECT_EQ(answer(later)->status, sc::ana_inaccessible) << "not parked";
    const auto told = admin_queue->take(event);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->dw0, nvme::event::ana_changed.pack());
    EXPECT_EQ(ana_state_in_log(), 3);
    const std::size_t next = admin_queue->send(admin(nvme::admin_opcode::async_event_request));
    device().answer_kept(backend::device_gone);
    device().come_back();
    world->turn();
    world->turn();
    ASSERT_TRUE(admin_queue->take(next)) << "it is told that it may go on";
    EXPECT_EQ(ana_state_in_log(), 1);
    const std::size_t again = write();
    EXPECT_TRUE(nvme::is_success(answer(again)->status));
}

TEST_F(hold_test, what_the_device_answers_before_core_knows_follows_the_policy_too) {
    for (const loss_policy policy : {loss_policy::fail, loss_policy::hold}) {
        devices.clear();
        world.reset();
        start(policy);
        device().go(false);
        const std::size_t early = write();
        EXPECT_EQ(answer(early)->status, policy == loss_policy::fail ? sc::internal_error.no_retry()
                                                                     : sc::namespace_not_ready);
    }
}

// Waiting for it would end in a Flush that says that lost writes are durable.
TEST_F(hold_test, a_device_that_lost_acknowledged_writes_is_not_waited_for) {
    start(loss_policy::hold);
    device().owe(true);
    device().go();
    world->turn();
    EXPECT_EQ(ana_state_in_log(), 1) << "as under fail";
    const std::size_t later = write();
    EXPECT_EQ(answer(later)->status, sc::internal_error.no_retry());
    EXPECT_FALSE(device().come_back_without_data());
    pass(seconds(1));
    const std::size_t still = write();
    EXPECT_EQ(answer(still)->status, sc::internal_error.no_retry());
    const std::size_t other = write(2);
    EXPECT_TRUE(nvme::is_success(answer(other)->status));
    world->change(reopen_device{"ram1"});
    const std::size_t again = write();
    EXPECT_TRUE(nvme::is_success(answer(again)->status)) << "an operator has accepted it";
    // The next loss is judged by itself.
    device().go();
    world->turn();
    EXPECT_EQ(ana_state_in_log(), 3);
}

TEST_F(hold_test, a_hold_ends_when_the_device_comes_back_without_data) {
    start(loss_policy::hold);
    device().go();
    world->turn();
    EXPECT_EQ(ana_state_in_log(), 3);
    const std::size_t waiting = write();
    EXPECT_FALSE(answer(waiting));
    EXPECT_FALSE(device().come_back_without_data());
    EXPECT_EQ(answer(waiting)->status, sc::internal_error.no_retry());
    EXPECT_EQ(ana_state_in_log(), 1);
    world->change(reopen_device{"ram1"});
    const std::size_t again = write();
    EXPECT_TRUE(nvme::is_success(answer(again)->status));
}

TEST_F(hold_test, both_signs_at_once_end_as_one_of_them) {
    start(loss_policy::hold);
    device().go();
    EXPECT_FALSE(device().come_back_without_data());
    world->turn();
    const std::size_t later = write();
    EXPECT_EQ(answer(later)->status, sc::internal_error.no_retry());
    EXPECT_EQ(ana_state_in_log(), 1);
}

TEST_F(hold_test, under_fail_hosts_were_told_and_it_serves_again) {
    start(loss_policy::fail);
    device().owe(true);
    device().go();
    world->turn();
    EXPECT_TRUE(device().come_back_without_data());
    world->turn();
    const std::size_t again = write();
    EXPECT_TRUE(nvme::is_success(answer(again)->status));
}

TEST_F(hold_test, resuming_a_subsystem_opens_no_gate_whose_device_is_away) {
    start(loss_policy::hold);
    world->change(pause_subsystem{std::string(subsystem_nqn)});
    device().go();
    world->turn();
    world->change(resume_subsystem{std::string(subsystem_nqn)});
    const std::size_t waiting = write();
    EXPECT_FALSE(answer(waiting));
    device().come_back();
    EXPECT_TRUE(nvme::is_success(answer(waiting)->status));
}

TEST_F(hold_test, a_device_that_comes_back_during_a_pause_is_opened_by_the_resume) {
    start(loss_policy::fail);
    device().go();
    world->turn();
    world->change(pause_subsystem{std::string(subsystem_nqn)});
    device().come_back();
    world->turn();
    const std::size_t waiting = write();
    EXPECT_FALSE(answer(waiting));
    world->change(resume_subsystem{std::string(subsystem_nqn)});
    EXPECT_TRUE(nvme::is_success(answer(waiting)->status));
}

TEST_F(hold_test, a_namespace_is_removed_in_the_middle_of_a_hold) {
    start(loss_policy::hold);
    device().go();
    world->turn();
    const std::size_t waiting = write();
    EXPECT_FALSE(answer(waiting));
    world->change(remove_namespace{std::string(subsystem_nqn), 1});
    EXPECT_TRUE(answer(waiting)->status.is(sc::invalid_namespace_or_format));
    pass(seconds(6));  // whatever was armed for it is gone as well
    const std::size_t other = write(2);
    EXPECT_TRUE(nvme::is_success(answer(other)->status));
}

}  // namespace
}  // namespace fulmar::core::test
