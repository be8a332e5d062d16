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
    [[nodiscard]] static fake_manners fault_profile() { return {.shared_receives = GetParam()}; }
    static bool alone(rdma_world& w) { return w.rdma().connection_count() == 0; }
};
INSTANTIATE_TEST_SUITE_P(receives, rdma_faults, ::testing::Bool(), [](const auto& p) {
    return p.param ? std::string("shared") : std::string("own");
});

TEST_P(rdma_faults, a_request_that_is_no_good_is_rejected_with_its_reason) {
    rdma_world w(1, fault_profile());
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
    rdma_world w(1, fault_profile());
    const auto host = w.open(1, 64);
    ASSERT_TRUE(host->accepted);
    EXPECT_EQ(host->accepted->crqsize.value(), 64);
}

// SPDK 7d5ea70 and its like: a work completion in error says nothing but its wr_id.
TEST_P(rdma_faults, a_completion_in_error_with_a_meaningless_opcode_ends_that_connection_only) {
    rdma_world w(1, fault_profile());
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
    rdma_world w(1, fault_profile());
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
    rdma_world w(1, fault_profile());
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
    rdma_world w(1, fault_profile());
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
    fake_manners m = fault_profile();
    m.tells_last_receive = false;
    rdma_world w(1, m);
    auto admin = w.admin();
    w.fabric().kill(*admin);
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(3)));
}

TEST_P(rdma_faults, a_queue_pair_in_error_waits_for_the_drive_but_not_the_other_way_round) {
    rdma_world w(1, fault_profile());
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
    rdma_world w(1, fault_profile());
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
    rdma_world w(1, fault_profile());
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
    rdma_world w(1, fault_profile());
    auto host = w.open(0);
    host->capsules.emplace_back(63);
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(2)));
}

TEST_P(rdma_faults, a_capsule_that_is_too_long_ends_the_connection) {
    rdma_world w(1, fault_profile());
    auto host = w.open(0);
    host->capsules.emplace_back(1 << 20);
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(2)));
}

TEST_P(rdma_faults, a_host_that_sends_more_than_its_queue_holds_is_cut_off) {
    rdma_world w(1, fault_profile());
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
    rdma_world w(1, fault_profile());
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
    rdma_world w(1, fault_profile());
    auto host = w.open(0);
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(15)));
    EXPECT_EQ(host->now, state::ended);
}

TEST_P(rdma_faults, a_host_that_gives_up_while_it_is_being_taken_leaves_nothing) {
    rdma_world w(1, fault_profile());
    for (int i = 0; i < 50; ++i) {
        auto host = w.fabric().connect(w.request(0));
        for (int turns = 0; turns < i % 4; ++turns) w.turn();
        w.fabric().kill(*host);
        w.turn();
    }
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(3)));
}

TEST_P(rdma_faults, events_after_the_end_find_nobody) {
    rdma_world w(1, fault_profile());
    auto admin = w.admin();
    w.fabric().kill(*admin);
    w.fabric().kill(*admin);
    EXPECT_TRUE(w.pass_until([&] { return alone(w); }, std::chrono::seconds(3)));
    w.fabric().kill(*admin);
    for (int i = 0; i < 10; ++i) w.turn();
}

// SPDK #1184, #1507, #1520.
TEST_P(rdma_faults, a_port_that_changes_is_news_and_no_more) {
    rdma_world w(1, fault_profile());
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
    rdma_world w(1, fault_profile());
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
    rdma_world w(1, fault_profile());
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
    rdma_world w(1, fault_profile());
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

// The data reactor has refused it and said so; before that is heard the host leaves, which the data
// reactor is told. The connection is there until that has been heard, too.
TEST(rdma_ends, a_connection_that_is_refused_while_its_host_leaves_stays_until_both_know) {
    rdma_world w(1, {.shared_receives = false});
    w.fabric().refuse_receives(true);
    auto host = w.fabric().connect(w.request(0));
    w.fabric().meanwhile([&] {
        w.turn_data();
        w.fabric().kill(*host);
    });
    w.turn_control();
    EXPECT_EQ(w.rdma().connection_count(), 1u);
    w.turn_control();
    EXPECT_EQ(w.rdma().connection_count(), 1u) << "the data reactor has yet to hear of the end";
    EXPECT_EQ(w.fabric().live().queue_pairs, 0);
    EXPECT_TRUE(w.turn_until([&] { return w.rdma().connection_count() == 0; }));
    EXPECT_EQ(w.group().load.load(), 0u);
    w.fabric().refuse_receives(false);
    EXPECT_EQ(w.open(0)->now, state::connected);
}

// Hardware takes the completions of a queue pair that is destroyed out of the completion queue, and
// with each goes the receive slot that it would have brought back.
class rdma_slots : public ::testing::Test {
  protected:
    static constexpr std::uint16_t capsules = 400;  // more than a turn takes out of the queue
    /// A host dies while so many of its capsules are in the completion queue.
    static void die_with_capsules(rdma_world& w, fake_host& host) {
        host_memory& m = host.add_memory(512);
        for (std::uint16_t i = 0; i < capsules; ++i) host.send(w.keyed(io_opcode::read, i, 0, m));
        for (int i = 0; i < 400; ++i) w.fabric().step();
        EXPECT_TRUE(host.capsules.empty());
        w.fabric().kill(host);
        w.turn_control();  // which fails the queue pair
    }
    static void expect_whole(rdma_world& w) {
        EXPECT_TRUE(w.pass_until([&] { return w.rdma().connection_count() == 1; },
                                 std::chrono::seconds(3)));
        EXPECT_EQ(w.fabric().missing_receives(), 0u);
        EXPECT_EQ(static_cast<std::size_t>(w.counter("fulmar_rdma_shared_receives")),
                  w.fabric().shared_receives());
    }
};

TEST_F(rdma_slots, come_back_from_a_queue_pair_that_has_received_its_last) {
    rdma_world w;
    auto admin = w.admin();
    auto io = w.io();
    die_with_capsules(w, *io);
    for (int i = 0; i < 10; ++i) w.fabric().step();  // the device tells of the last receive
    w.turn_control();
    w.turn_data();
    w.turn_control();
    expect_whole(w);
}

TEST_F(rdma_slots, come_back_from_a_queue_pair_that_is_destroyed_at_its_deadline) {
    fake_manners m;
    m.tells_last_receive = false;
    rdma_world w(1, m);
    auto admin = w.admin();
    auto io = w.io();
    die_with_capsules(w, *io);
    w.turn_data();
    w.turn_control();
    w.advance(bounds::flush_limit + std::chrono::milliseconds(1));
    w.turn_control();
    expect_whole(w);
}

TEST_F(rdma_slots, are_as_many_after_a_thousand_connections) {
    for (const bool drops : {false, true}) {
        fake_manners m;
        m.drops_completions = drops;
        rdma_world w(3, m);
        auto admin = w.admin();
        for (int i = 0; i < 500; ++i) {
            auto io = w.io();
            host_memory& in = io->add_memory(512);
            for (std::uint16_t c = 0; c < 30; ++c) io->send(w.keyed(io_opcode::read, c, 0, in));
            for (int n = 0; n < i % 5; ++n) w.fabric().step();
            w.fabric().kill(*io);
            for (int n = 0; n < i % 7; ++n) w.fabric().step();
        }
        expect_whole(w);
    }
}

// iWARP: a host serves a READ by writing, with a key to memory of ours.
TEST(rdma_devices, that_speak_iwarp_are_refused_by_name) {
    fake_fabric fabric(1, {.iwarp = true});
    rdma_world w;
    rdma_control control(w.target(), fabric.make_source());
    std::uint16_t port = 0;
    const auto id = control.open_identifier({.transport = "rdma", .address = "10.0.0.1"}, port);
    ASSERT_FALSE(id);
    EXPECT_EQ(id.error().code, errc::not_supported);
    EXPECT_NE(id.error().message.find("fake0"), std::string::npos) << id.error().message;
    EXPECT_FALSE(id.error().remedy.empty());
}

TEST(rdma_devices, that_speak_iwarp_take_no_connection_of_a_listener_that_is_everywhere) {
    rdma_world w(1, {.iwarp = true, .bound_to_device = false});
    auto host = w.fabric().connect(w.request(0));
    EXPECT_TRUE(w.turn_until([&] { return host->now != state::connecting; }));
    EXPECT_EQ(host->now, state::rejected);
    EXPECT_EQ(w.fabric().live().queue_pairs, 0);
}

// A completion queue or a shared receive queue fails, and the reactor that has it is idle from then
// on: it must not be what new hosts are sent to.
class rdma_queues : public ::testing::TestWithParam<queue_fault> {
  protected:
    static void fail_under_load(rdma_world& w) {
        auto admin = w.admin();
        auto io = w.io();
        w.fabric().break_queues(GetParam());
        for (fake_host* host : {admin.get(), io.get()})  // the two may be on different reactors
            host->send(w.keyed(io_opcode::read, 1, 0, host->add_memory(512)));
        for (int i = 0; i < 10; ++i) w.turn();
    }
    static void expect_served(rdma_world& w) {
        auto admin = w.admin();
        auto io = w.io();
        host_memory& m = io->add_memory(4096);
        EXPECT_EQ(w.call(*io, w.keyed(io_opcode::read, 1, 0, m)), sc::success);
    }
};
INSTANTIATE_TEST_SUITE_P(all, rdma_queues,
                         ::testing::Values(queue_fault::polling_fails, queue_fault::posting_fails,
                                           queue_fault::completion_event,
                                           queue_fault::receive_event));

TEST_P(rdma_queues, that_fail_are_made_anew) {
    rdma_world w;
    fail_under_load(w);
    EXPECT_EQ(w.counter("fulmar_rdma_serving"), 0.0);
    EXPECT_NE(w.listener().waits_for, "") << "nobody can connect now";
    EXPECT_EQ(w.open(0)->now, state::rejected) << "at once, not by a time-out";
    EXPECT_TRUE(
        w.pass_until([&] { return w.fabric().live().verbs() == 0; }, std::chrono::seconds(2)));
    EXPECT_NE(w.listener().waits_for, "") << "there is a pause before they are made";
    w.pass_until([] { return false; }, bounds::part_interval);
    EXPECT_EQ(w.listener().waits_for, "") << "the next host has them made";
    expect_served(w);
    EXPECT_EQ(w.counter("fulmar_rdma_serving"), 1.0);
    EXPECT_EQ(w.counter("fulmar_rdma_queue_failures_total"), 1.0);
    EXPECT_EQ(w.listener().waits_for, "");
}

TEST_P(rdma_queues, that_fail_leave_new_hosts_to_another_reactor) {
    rdma_world w(1, {}, {}, 2);
    fail_under_load(w);
    EXPECT_EQ(w.counter("fulmar_rdma_queue_failures_total"), 1.0);
    EXPECT_EQ(w.listener().waits_for, "");
    expect_served(w);
}

TEST_P(rdma_queues, that_cannot_be_made_leave_new_hosts_to_another_reactor) {
    rdma_world w(1, {}, {}, 2);
    auto one = w.open(0);
    auto two = w.open(0);  // now both reactors have theirs
    w.fabric().refuse_queues(true);
    fail_under_load(w);
    w.pass_until([] { return false; }, std::chrono::seconds(2));
    expect_served(w);
}

TEST_P(rdma_queues, fail_while_their_device_goes) {
    rdma_world w;
    {
        auto admin = w.admin();
        w.fabric().break_queues(GetParam());
        w.fabric().remove_device(true);
    }
    EXPECT_TRUE(w.pass_until([&] { return w.fabric().device_closed(); }, std::chrono::seconds(3)));
    w.fabric().add_device();
    EXPECT_TRUE(
        w.pass_until([&] { return w.listener().waits_for.empty(); }, std::chrono::seconds(3)));
    expect_served(w);
}

}  // namespace
}  // namespace fulmar::transport::rdma::test
