// Faults under the RDMA transport, by fake verbs: each ends a connection or a device, on time, with
// nothing left and no memory given away that a device may still touch.
#include "support/rdma/rdma_world.hpp"

namespace fulmar::transport::rdma::test {
namespace {

namespace sc = nvme::sc;
using nvme::io_opcode;
using nvme::rdma::reject_reason;
using state = fake_host::state;

class rdma_faults : public ::testing::TestWithParam<bool> {
  protected:
    [[nodiscard]] static fake_manners manners() { return {.shared_receives = GetParam()}; }
    static bool alone(rdma_world& w) { return w.rdma().connection_count() == 0; }
};
INSTANTIATE_TEST_SUITE_P(receives, rdma_faults, ::testing::Bool(), [](const auto& p) {
    return p.param ? std::string("shared") : std::string("own");
});

TEST_P(rdma_faults, a_request_that_is_no_good_is_rejected_with_its_reason) {
    rdma_world w(1, manners());
    const auto reason = [&](const std::shared_ptr<fake_host>& host) {
        EXPECT_TRUE(w.turn_until([&] { return host->now == state::rejected; }));
        return static_cast<reject_reason>(host->rejected->sts.value());
    };
    const auto good = w.request(0);
    EXPECT_EQ(reason(w.fabric().connect_raw(nvme::wire_bytes(good).first(8))),
              reject_reason::invalid_private_data_length);
    EXPECT_EQ(reason(w.fabric().connect(w.request(2000))), reject_reason::invalid_qid);
    EXPECT_EQ(reason(w.fabric().connect(w.request(1, 2048))), reject_reason::invalid_hsqsize);
    EXPECT_EQ(reason(w.fabric().connect(good, 0)), reject_reason::invalid_ird);
    w.fabric().refuse_queue_pairs(true);
    EXPECT_EQ(reason(w.fabric().connect(good)), reject_reason::no_resources);
    w.fabric().refuse_queue_pairs(false);
    EXPECT_EQ(w.listener().rejected_total, 5u);
    EXPECT_TRUE(alone(w));
    EXPECT_EQ(w.open(0)->now, state::connected);
}

TEST_P(rdma_faults, the_answer_says_how_many_capsules_there_is_room_for) {
    rdma_world w(1, manners());
    const auto host = w.open(1, 64);
    ASSERT_TRUE(host->accepted);
    EXPECT_EQ(host->accepted->crqsize.value(), 64);
}

// SPDK 7d5ea70 and its like: a work completion in error says nothing but its wr_id.
TEST_P(rdma_faults, a_completion_in_error_with_a_meaningless_opcode_ends_that_connection_only) {
    rdma_world w(1, manners());
    auto admin = w.admin();
    auto io = w.io(1);
    auto other = w.io(2);
    host_memory& m = io->add_memory(65536);
    w.fabric().fail_next_work(IBV_WC_REM_ACCESS_ERR);
    io->send(w.keyed(io_opcode::write, 1, 0, m));
    EXPECT_TRUE(w.pass_until([&] { return io->now == state::ended; }, std::chrono::seconds(1)));
    EXPECT_TRUE(
        w.pass_until([&] { return w.rdma().connection_count() == 2; }, std::chrono::seconds(1)));
    host_memory& in = other->add_memory(4096);
    EXPECT_EQ(w.call(*other, w.keyed(io_opcode::read, 2, 0, in)), sc::success);
    EXPECT_EQ(other->now, state::connected);
}

TEST_P(rdma_faults, a_wrong_key_ends_the_connection_that_named_it) {
    rdma_world w(1, manners());
    auto admin = w.admin();
    auto io = w.io();
    host_memory m;
    m.bytes.resize(4096);
    m.key = 999;
    io->send(w.keyed(io_opcode::read, 1, 0, m));
    EXPECT_TRUE(
        w.pass_until([&] { return w.rdma().connection_count() == 1; }, std::chrono::seconds(2)));
}

// The READ's buffer must not go back to the pool before the device has let go of it.
TEST_P(rdma_faults, a_host_that_dies_in_the_middle_of_a_read_leaves_its_buffer_until_the_flush) {
    rdma_world w(1, manners());
    auto admin = w.admin();
    auto io = w.io();
    host_memory& m = io->add_memory(128 << 10);
    w.fabric().hold(true);
    io->send(w.keyed(io_opcode::write, 1, 0, m));
    ASSERT_TRUE(w.turn_until([&] { return w.group().pool().free_chunks() < w.free_at_rest(); }));
    for (int i = 0; i < 20; ++i) w.turn();
    const std::uint32_t lent = w.free_at_rest() - w.group().pool().free_chunks();
    EXPECT_GE(lent, 8u);
    w.fabric().kill(*io);
    for (int i = 0; i < 20; ++i) w.turn();
    EXPECT_EQ(w.free_at_rest() - w.group().pool().free_chunks(), lent)
        << "the device may still write into them";
    w.fabric().hold(false);
    EXPECT_TRUE(w.pass_until([&] { return w.group().pool().free_chunks() == w.free_at_rest(); },
                             std::chrono::seconds(1)));
}

TEST_P(rdma_faults, a_queue_pair_that_never_flushes_is_destroyed_at_its_deadline) {
    rdma_world w(1, manners());
    auto admin = w.admin();
    auto io = w.io();
    host_memory& m = io->add_memory(128 << 10);
    w.fabric().hold(true);
    io->send(w.keyed(io_opcode::write, 1, 0, m));
    for (int i = 0; i < 20; ++i) w.turn();
    w.fabric().kill(*io);
    const instant began = w.now();
    EXPECT_TRUE(
        w.pass_until([&] { return w.rdma().connection_count() == 1; }, std::chrono::seconds(5)));
    EXPECT_GE(w.now() - began, bounds::flush_limit);
    EXPECT_LE(w.now() - began, bounds::flush_limit + std::chrono::seconds(1));
    EXPECT_EQ(w.group().pool().free_chunks(), w.free_at_rest());
}

TEST_P(rdma_faults, a_device_that_never_tells_of_the_last_receive_is_waited_for_no_longer_either) {
    fake_manners m = manners();
    m.tells_last_receive = false;
    rdma_world w(1, m);
    auto admin = w.admin();
    w.fabric().kill(*admin);
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(3)));
}

TEST_P(rdma_faults, a_queue_pair_in_error_waits_for_the_drive_but_not_the_other_way_round) {
    rdma_world w(1, manners());
    auto admin = w.admin();
    auto io = w.io();
    w.spy().hold(true, true);
    host_memory& m = io->add_memory(4096);
    io->send(w.keyed(io_opcode::read, 1, 0, m, 2));
    ASSERT_TRUE(w.turn_until([&] { return w.spy().held() == 1; }));
    w.fabric().kill(*io);
    EXPECT_TRUE(
        w.pass_until([&] { return w.fabric().live().queue_pairs == 1; }, std::chrono::seconds(1)))
        << "its queue pair goes, whatever the drive does";
    EXPECT_EQ(w.rdma().connection_count(), 2u) << "its request is still at the drive";
    w.spy().hold(false);
    EXPECT_TRUE(w.turn_until([&] { return w.rdma().connection_count() == 1; }));
}

TEST_P(rdma_faults, a_device_that_takes_no_work_costs_one_connection) {
    rdma_world w(1, manners());
    auto admin = w.admin();
    auto io = w.io();
    host_memory& m = io->add_memory(4096);
    w.fabric().refuse_posts(EIO);
    io->send(w.keyed(io_opcode::read, 1, 0, m));
    for (int i = 0; i < 20; ++i) w.turn();
    w.fabric().refuse_posts(0);
    EXPECT_TRUE(
        w.pass_until([&] { return w.rdma().connection_count() == 1; }, std::chrono::seconds(2)));
    host_memory& page = admin->add_memory(4096);
    nvme::sqe c{};
    c.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::identify);
    c.flags = nvme::make_flags(nvme::fuse::none, nvme::psdt::sgl);
    c.cdw10 = 1u;
    c.sgl1 = nvme::make_keyed_sgl(page.address, 4096, page.key);
    EXPECT_EQ(w.call(*admin, c), sc::success);
}

TEST_P(rdma_faults, completions_of_nothing_are_dropped) {
    rdma_world w(1, manners());
    auto admin = w.admin();
    const std::uint32_t number = w.fabric().last_queue_pair();
    for (const std::uint32_t at : {number, number + 100}) {
        w.fabric().stray_completion(work_id{work_id::queue::send, 12345, 3}.pack(), at);
        w.fabric().stray_completion(work_id{work_id::queue::send, 0, 0xffff}.pack(), at);
    }
    for (int i = 0; i < 10; ++i) w.turn();
    EXPECT_EQ(w.rdma().connection_count(), 1u);
}

TEST_P(rdma_faults, a_capsule_that_is_too_short_ends_the_connection) {
    rdma_world w(1, manners());
    auto host = w.open(0);
    host->capsules.emplace_back(63);
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(2)));
}

TEST_P(rdma_faults, a_capsule_that_is_too_long_ends_the_connection) {
    rdma_world w(1, manners());
    auto host = w.open(0);
    host->capsules.emplace_back(1 << 20);
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(2)));
}

TEST_P(rdma_faults, a_host_that_sends_more_than_its_queue_holds_is_cut_off) {
    rdma_world w(1, manners());
    auto admin = w.admin();
    auto io = w.io(1, 8);
    w.spy().hold(true);
    host_memory& m = io->add_memory(512);
    for (std::uint16_t i = 0; i < 20; ++i) io->send(w.keyed(io_opcode::read, i, 0, m, 2));
    for (int i = 0; i < 50; ++i) w.turn();
    EXPECT_NE(io->now, state::connected);
    w.spy().hold(false);
    EXPECT_TRUE(
        w.pass_until([&] { return w.rdma().connection_count() == 1; }, std::chrono::seconds(2)));
}

TEST_P(rdma_faults, the_queue_that_connects_is_the_one_that_was_announced) {
    rdma_world w(1, manners());
    auto admin = w.admin();
    auto host = w.open(1);
    const auto data = w.connect_data(1);
    host->send(w.connect_command(2, 32, nvme::make_in_capsule_sgl(0, 1024)),
               nvme::wire_bytes(data));
    EXPECT_TRUE(
        w.pass_until([&] { return w.rdma().connection_count() == 1; }, std::chrono::seconds(2)));
    EXPECT_TRUE(host->answers.empty());
}

TEST_P(rdma_faults, a_host_that_connects_and_says_nothing_is_cut_off) {
    rdma_world w(1, manners());
    auto host = w.open(0);
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(15)));
    EXPECT_EQ(host->now, state::ended);
}

TEST_P(rdma_faults, a_host_that_gives_up_while_it_is_being_taken_leaves_nothing) {
    rdma_world w(1, manners());
    for (int i = 0; i < 50; ++i) {
        auto host = w.fabric().connect(w.request(0));
        for (int turns = 0; turns < i % 4; ++turns) w.turn();
        w.fabric().kill(*host);
        w.turn();
    }
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(3)));
}

TEST_P(rdma_faults, events_after_the_end_find_nobody) {
    rdma_world w(1, manners());
    auto admin = w.admin();
    w.fabric().kill(*admin);
    w.fabric().kill(*admin);
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(3)));
    w.fabric().kill(*admin);
    for (int i = 0; i < 10; ++i) w.turn();
}

// SPDK #1184, #1507, #1520.
TEST_P(rdma_faults, a_port_that_changes_is_news_and_no_more) {
    rdma_world w(1, manners());
    auto admin = w.admin();
    w.fabric().port_event();
    for (int i = 0; i < 10; ++i) w.turn();
    EXPECT_EQ(admin->now, state::connected);
}

void remove_and_return(bool announced, bool shared) {
    rdma_world w(1, {.shared_receives = shared});
    auto admin = w.admin();
    auto io = w.io();
    w.spy().hold(true, true);
    host_memory& m = io->add_memory(65536);
    io->send(w.keyed(io_opcode::read, 1, 0, m, 2));
    host_memory& n = io->add_memory(65536);
    ASSERT_TRUE(w.turn_until([&] { return w.spy().held() == 1; }));
    w.fabric().hold(true);
    io->send(w.keyed(io_opcode::write, 2, 0, n));
    for (int i = 0; i < 10; ++i) w.turn();

    const instant began = w.now();
    w.fabric().remove_device(announced);
    EXPECT_TRUE(w.pass_until([&] { return w.fabric().device_closed(); }, std::chrono::seconds(5)));
    EXPECT_LE(w.now() - began, std::chrono::milliseconds(1500)) << "the kernel waits for us";
    EXPECT_EQ(w.fabric().live().verbs(), 0);
    EXPECT_FALSE(w.listener().waits_for.empty());
    w.spy().hold(false);
    w.fabric().hold(false);
    EXPECT_TRUE(
        w.pass_until([&] { return w.rdma().connection_count() == 0; }, std::chrono::seconds(3)));
    EXPECT_EQ(w.group().pool().free_chunks(), w.free_at_rest());

    w.fabric().add_device();
    EXPECT_TRUE(
        w.pass_until([&] { return w.listener().waits_for.empty(); }, std::chrono::seconds(3)));
    auto again = w.admin();
    auto io_again = w.io();
    host_memory& in = io_again->add_memory(4096);
    EXPECT_EQ(w.call(*io_again, w.keyed(io_opcode::read, 1, 0, in)), sc::success);
}

TEST_P(rdma_faults, a_device_that_is_removed_is_let_go_of_and_its_listener_returns_with_it) {
    remove_and_return(true, GetParam());
}

TEST_P(rdma_faults, a_device_that_vanishes_without_a_word_is_missed) {
    remove_and_return(false, GetParam());
}

TEST_P(rdma_faults, a_target_that_starts_before_its_device_serves_when_it_comes) {
    rdma_world w(1, manners());
    w.fabric().remove_device(true);
    EXPECT_TRUE(
        w.pass_until([&] { return !w.listener().waits_for.empty(); }, std::chrono::seconds(2)));
    w.fabric().add_device();
    EXPECT_TRUE(
        w.pass_until([&] { return w.listener().waits_for.empty(); }, std::chrono::seconds(2)));
    EXPECT_EQ(w.open(0)->now, state::connected);
}

// SPDK #2948: a listener is removed while a connection that it made has slow I/O.
TEST_P(rdma_faults, a_listener_that_is_removed_with_slow_requests_takes_its_connections_along) {
    rdma_world w(1, manners());
    auto admin = w.admin();
    auto io = w.io();
    w.spy().hold(true, true);
    host_memory& m = io->add_memory(4096);
    io->send(w.keyed(io_opcode::read, 1, 0, m, 2));
    ASSERT_TRUE(w.turn_until([&] { return w.spy().held() == 1; }));
    struct sink : core::control_request {
        using control_request::control_request;
        bool answered = false;
    };
    sink request(core::change(core::remove_listener{.name = "rdma:10.0.0.1:4420"}), false,
                 [](core::control_request& r) noexcept { static_cast<sink&>(r).answered = true; });
    w.target().submit(request);
    EXPECT_TRUE(w.turn_until([&] { return request.answered; }));
    EXPECT_TRUE(request.outcome.has_value());
    EXPECT_TRUE(
        w.pass_until([&] { return w.fabric().live().queue_pairs == 0; }, std::chrono::seconds(2)));
    w.spy().hold(false);
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(2)));
}

TEST_P(rdma_faults, fifty_connections_come_and_go_and_leave_nothing) {
    rdma_world w(1, manners());
    {
        auto admin = w.admin();
        auto io = w.io();
        w.fabric().kill(*io);
        w.fabric().kill(*admin);
        EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(3)));
    }
    const live_objects before = w.fabric().live();
    for (int i = 0; i < 50; ++i) {
        auto admin = w.admin();
        auto io = w.io();
        host_memory& in = io->add_memory(4096);
        EXPECT_EQ(w.call(*io, w.keyed(io_opcode::read, 1, 0, in)), sc::success);
        w.fabric().kill(*io);
        w.fabric().kill(*admin);
        EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(3)));
    }
    EXPECT_EQ(w.fabric().live().verbs(), before.verbs());
    EXPECT_EQ(w.fabric().live().identifiers, before.identifiers);
}

}  // namespace
}  // namespace fulmar::transport::rdma::test
