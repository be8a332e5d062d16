// What a drive that serves is asked and says: aborts, events, logs, namespaces, interrupts.
#include "pcie_fixture.hpp"

#include <fulmar/base/sanitizer.hpp>
#include <fulmar/nvme/async_event.hpp>

using namespace fulmar;
using backend::drive_state;
using backend::io_kind;
using backend::loss_cause;
using std::chrono::milliseconds;
using test::crowd;
using test::fake_drive;

namespace {

struct pcie_admin_test : test::pcie_fixture {
    test::test_op op;
    void read_into(std::span<std::byte> memory) {
        op.kind = io_kind::read;
        op.block_count = static_cast<std::uint32_t>(memory.size() / 512);
        op.set_data(memory);
        channel->submit(op);
    }
    bool event_asked() {
        return reactor.run_until([&] { return sim_drive.event_requests() == 4; });
    }
};

// --- aborts --------------------------------------------------------------------------------------

TEST_F(pcie_admin_test, a_command_that_is_late_is_aborted_and_nothing_else_suffers) {
    open();
    sim_drive.swallow(1);
    read_into(piece(0, 4096));
    std::uint32_t others = 0;
    ASSERT_TRUE(reactor.run_until([&] {
        EXPECT_TRUE(nvme::is_success(io().read(8, 8, piece(8192, 4096))));
        ++others;
        return op.finished();
    }));
    EXPECT_EQ(op.answers, 1);
    EXPECT_EQ(op.status, nvme::sc::internal_error) << "no host asked for an Abort";
    EXPECT_EQ(sim_drive.aborts(), 1u);
    EXPECT_EQ(device->status().aborts, 1u);
    EXPECT_GT(others, 0u);
    EXPECT_EQ(listener.losses, 0);
}

TEST_F(pcie_admin_test, a_command_that_outlives_its_abort_has_the_drive_reset) {
    open();
    sim_drive.ignore_aborts(true);
    sim_drive.swallow(1);
    read_into(piece(0, 4096));
    ASSERT_TRUE(reactor.run_until([&] {
        // Others are completed all the time: it is the one command that counts.
        if (listener.losses == 0) static_cast<void>(io().read(8, 8, piece(8192, 4096)));
        return listener.losses == 1;
    }));
    EXPECT_EQ(device->status().last_loss, loss_cause::timed_out);
    EXPECT_EQ(sim_drive.aborts(), 1u) << "first it was asked";
    ASSERT_TRUE(reactor.run_until([&] { return listener.returns == 2; }));
    EXPECT_EQ(op.answers, 1);
    EXPECT_EQ(op.status, backend::device_gone);
    EXPECT_TRUE(nvme::is_success(io().read(0, 8, piece(0, 4096))));
}

TEST_F(pcie_admin_test, what_a_host_aborts_is_aborted_at_the_drive) {
    open();
    sim_drive.hold(true);
    crowd all;
    all.submit(*channel, piece(0, test::buffer_bytes), 20);
    ASSERT_TRUE(reactor.run_until([&] { return sim_drive.held() == 20; }));
    // More than are aborted at once.
    for (std::size_t i = 0; i < 10; ++i) channel->abort(*all.ops[i]);
    ASSERT_TRUE(reactor.run_until([&] { return all.answered() == 10; }, milliseconds(1400)));
    for (std::size_t i = 0; i < 10; ++i)
        EXPECT_TRUE(all.ops[i]->status.is(nvme::sc::aborted_by_request));
    EXPECT_EQ(sim_drive.held(), 10u);
    sim_drive.hold(false);
    ASSERT_TRUE(reactor.run_until([&] { return all.answered() == 20; }));
    EXPECT_TRUE(all.each_once());
    EXPECT_EQ(listener.losses, 0);
}

// Identifiers come again. An Abort that is asked for a command must not meet another one.
struct pcie_abort_test : pcie_admin_test {
    /// So many commands, one after the other, through the slot that the last one had.
    void use_slot(std::size_t times) {
        for (std::size_t i = 0; i < times; ++i)
            ASSERT_TRUE(nvme::is_success(io().read(8, 1, piece(8192, 512))));
    }
};

TEST_F(pcie_abort_test, a_command_that_has_ended_takes_its_abort_along) {
    open();
    constexpr std::size_t incarnations = 256;  // of a slot, until its identifier comes again
    for (int attempt = 0; attempt < 10; ++attempt) {
        sim_drive.hold(true);
        test::test_op given_up;
        given_up.kind = io_kind::read;
        given_up.block_count = 1;
        given_up.set_data(piece(0, 512));
        channel->submit(given_up);
        ASSERT_TRUE(reactor.run_until([&] { return sim_drive.held() == 1; }));
        const std::uint16_t cid = sim_drive.commands().back().cid.value();
        channel->abort(given_up);
        sim_drive.hold(false);
        ASSERT_TRUE(reactor.run_until([&] { return given_up.finished(); }));
        use_slot(incarnations - 1);
        sim_drive.hold(true);
        test::test_op innocent;
        innocent.kind = io_kind::write;
        innocent.block_count = 1;
        innocent.set_data(piece(4096, 512));
        channel->submit(innocent);
        ASSERT_TRUE(reactor.run_until([&] { return sim_drive.held() == 1; }));
        const bool again = sim_drive.commands().back().cid.value() == cid;
        // Until whoever sends Aborts has looked at least once.
        const instant until = reactor->fresh_now() + milliseconds(250);
        ASSERT_TRUE(reactor.run_until([&] { return reactor->fresh_now() > until; }));
        EXPECT_FALSE(innocent.finished())
            << "the Abort of another command met it; same identifier: " << again;
        sim_drive.hold(false);
        ASSERT_TRUE(reactor.run_until([&] { return innocent.finished(); }));
        EXPECT_TRUE(nvme::is_success(innocent.status));
        if (HasFailure()) return;
    }
}

// The Abort is at the drive, which has not looked at it yet, when its command ends.
TEST_F(pcie_abort_test, a_slot_whose_abort_is_at_the_drive_is_not_used_again) {
    open();
    sim_drive.hold(true);
    test::test_op given_up;
    given_up.kind = io_kind::read;
    given_up.block_count = 1;
    given_up.set_data(piece(0, 512));
    channel->submit(given_up);
    ASSERT_TRUE(reactor.run_until([&] { return sim_drive.held() == 1; }));
    const std::uint16_t cid = sim_drive.commands().back().cid.value();
    sim_drive.ignore_admin(true);
    channel->abort(given_up);
    ASSERT_TRUE(reactor.run_until([&] { return device->status().aborts == 1; }));
    sim_drive.hold(false);
    ASSERT_TRUE(reactor.run_until([&] { return given_up.finished(); }));
    use_slot(600);
    std::size_t same_slot = 0;
    const auto all = sim_drive.commands();
    for (std::size_t i = 1; i < all.size(); ++i)
        same_slot += (all[i].cid.value() & 0xffu) == (cid & 0xffu);
    EXPECT_EQ(same_slot, 0u);
    sim_drive.ignore_admin(false);
    ASSERT_TRUE(reactor.run_until([&] { return sim_drive.aborts() == 1; }));
    // Answered: the slot is free for others.
    crowd many;
    many.submit(*channel, piece(0, test::buffer_bytes), 255);
    ASSERT_TRUE(reactor.run_until([&] { return many.answered() == 255; }));
    EXPECT_TRUE(reactor.run_until([&] {
        many.ops.clear();
        many.submit(*channel, piece(0, test::buffer_bytes), 255);
        EXPECT_TRUE(reactor.run_until([&] { return many.answered() == 255; }));
        const auto now = sim_drive.commands();
        return std::any_of(now.begin() + 601, now.end(), [&](const nvme::sqe& one) {
            return (one.cid.value() & 0xffu) == (cid & 0xffu);
        });
    }));
    EXPECT_EQ(listener.losses, 0);
}

// --- events and logs -----------------------------------------------------------------------------

TEST_F(pcie_admin_test, a_warning_of_its_health_is_seen) {
    close();
    make();
    channel = device->open_channel(*reactor).value();
    EXPECT_FALSE(channel->health()) << "nobody has asked the drive";
    ASSERT_TRUE(becomes(drive_state::ready));
    ASSERT_TRUE(reactor.run_until([&] { return device->status().health.has_value(); }));
    EXPECT_EQ(device->status().health->critical_warning, 0);
    EXPECT_EQ(device->note(), "");
    ASSERT_TRUE(event_asked());
    nvme::smart_log page{};
    page.critical_warning = nvme::critical_warning::spare;
    page.temperature_kelvin = 300;
    page.available_spare_percent = 3;
    page.spare_threshold_percent = 10;
    page.media_errors.low = 7;
    sim_drive.set_smart(page);
    sim_drive.raise(nvme::event::spare);
    ASSERT_TRUE(reactor.run_until([&] { return device->status().health->critical_warning != 0; }));
    EXPECT_EQ(device->status().events, 1u);
    EXPECT_EQ(device->status().health->media_errors, 7u);
    EXPECT_EQ(channel->health(), (backend::device_health{.critical_warning = page.critical_warning,
                                                         .temperature_kelvin = 300,
                                                         .available_spare_percent = 3,
                                                         .spare_threshold_percent = 10,
                                                         .media_errors = 7}))
        << "for whoever answers hosts";
    EXPECT_NE(device->note().find("little spare is left"), std::string::npos) << device->note();
    EXPECT_TRUE(event_asked()) << "for the next one";
}

TEST_F(pcie_admin_test, its_error_log_is_read_when_it_says_so) {
    open();
    ASSERT_TRUE(event_asked());
    nvme::error_log_entry entry{};
    entry.error_count = 42;
    entry.sqid = 1;
    entry.lba = 77;
    entry.nsid = 1;
    entry.status_field = nvme::sc::unrecovered_read_error.to_field(false);
    sim_drive.add_error(entry);
    sim_drive.raise(nvme::event::persistent_internal_error);
    ASSERT_TRUE(reactor.run_until([&] { return !device->status().errors.empty(); }));
    const backend::drive_error seen = device->status().errors.front();
    EXPECT_EQ(seen.number, 42u);
    EXPECT_EQ(seen.lba, 77u);
    EXPECT_TRUE(seen.status.is(nvme::sc::unrecovered_read_error));
    EXPECT_EQ(device->status().errors.size(), 1u) << "empty entries are none";
}

TEST_F(pcie_admin_test, a_drive_that_only_sends_events_keeps_nobody_from_anything) {
    open();
    ASSERT_TRUE(event_asked());
    for (int i = 0; i < 1000; ++i) sim_drive.raise(nvme::event::temperature);
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(nvme::is_success(io().read(0, 8, piece(0, 4096))));
    EXPECT_LT(device->status().events, 100u);
    EXPECT_EQ(listener.losses, 0);
}

// --- namespaces ----------------------------------------------------------------------------------

TEST_F(pcie_admin_test, a_namespace_that_is_resized_is_resized) {
    open();
    ASSERT_TRUE(event_asked());
    sim_drive.resize_namespace(1, 4096);
    sim_drive.raise(nvme::event::namespace_attribute_changed);
    ASSERT_TRUE(reactor.run_until([&] { return listener.resizes == 1; }));
    EXPECT_EQ(device->geometry().block_count, 4096u);
    EXPECT_TRUE(io().read(4096, 8, piece(0, 4096)).is(nvme::sc::lba_out_of_range));
    EXPECT_EQ(listener.losses, 0);
    EXPECT_EQ(sim_drive.openings(), 1u);
}

TEST_F(pcie_admin_test, a_namespace_that_is_deleted_is_lost_and_comes_back_without_a_reset) {
    open();
    ASSERT_TRUE(event_asked());
    sim_drive.resize_namespace(1, 0);
    sim_drive.raise(nvme::event::namespace_attribute_changed);
    ASSERT_TRUE(reactor.run_until([&] { return listener.losses == 1; }));
    EXPECT_EQ(device->state(), backend::device_state::lost);
    EXPECT_NE(device->note().find("no namespace 1"), std::string::npos) << device->note();
    EXPECT_EQ(io().read(0, 8, piece(0, 4096)), backend::device_gone);
    ASSERT_TRUE(event_asked());
    sim_drive.resize_namespace(1, 8192);
    sim_drive.raise(nvme::event::namespace_attribute_changed);
    ASSERT_TRUE(reactor.run_until([&] { return listener.returns == 2; }));
    EXPECT_TRUE(nvme::is_success(io().read(0, 8, piece(0, 4096))));
    EXPECT_EQ(sim_drive.openings(), 1u);
}

TEST_F(pcie_admin_test, the_next_namespace_never_stands_in_for_the_first_when_that_is_deleted) {
    restart({.namespaces = 2});  // neither has an id of its own
    const int returns = listener.returns;
    sim_drive.resize_namespace(1, 0);
    sim_drive.request_removal();
    ASSERT_TRUE(becomes(drive_state::absent));
    device->arrived();
    ASSERT_TRUE(reactor.run_until([&] {
        return device->status().last_loss == loss_cause::other_drive &&
               device->status().state == drive_state::absent;
    }));
    EXPECT_EQ(listener.returns, returns);
    EXPECT_NE(device->note().find("not the one that was there"), std::string::npos)
        << device->note();
}

struct two_namespaces_test : pcie_admin_test {
    test::counting_listener other_listener;
    std::unique_ptr<backend::pcie_device> other;
    std::unique_ptr<backend::io_channel> other_channel;

    void SetUp() override {
        sim_drive.plug(fake_drive::options{.namespaces = 2});
        options.drive_nsid = 1;
        make();
        open();
        auto second = options;
        second.name = "drive1b";
        second.drive_nsid = 2;
        other = backend::make_pcie_device(second, environment).value();
        other->set_listener(&other_listener);
        ASSERT_TRUE(reactor.run_until([&] { return other_listener.returns == 1; }));
        other_channel = other->open_channel(*reactor).value();
    }
    void TearDown() override {
        other_channel.reset();
        other.reset();
        pcie_admin_test::TearDown();
    }
};

TEST_F(two_namespaces_test, share_one_drive_and_its_queues) {
    EXPECT_EQ(sim_drive.openings(), 1u);
    EXPECT_EQ(other->geometry().block_count, 4096u);
    EXPECT_NE(device->identity().claim, other->identity().claim);
    const auto one = filled(0, 4096, 1);
    const auto two = filled(8192, 4096, 2);
    test::io_runner second(reactor, *other_channel);
    ASSERT_TRUE(nvme::is_success(io().write(0, 8, one)));
    ASSERT_TRUE(nvme::is_success(second.write(0, 8, two)));
    ASSERT_TRUE(nvme::is_success(io().read(0, 8, piece(16384, 4096))));
    EXPECT_TRUE(std::ranges::equal(piece(16384, 4096), one));
    ASSERT_TRUE(nvme::is_success(second.read(0, 8, piece(16384, 4096))));
    EXPECT_TRUE(std::ranges::equal(piece(16384, 4096), two));
}

TEST_F(two_namespaces_test, neither_keeps_the_other_from_the_queue) {
    crowd many;
    sim_drive.hold(true);
    many.submit(*channel, piece(0, test::buffer_bytes), 1500);
    crowd few;
    few.submit(*other_channel, piece(0, test::buffer_bytes), 10);
    sim_drive.hold(false);
    ASSERT_TRUE(reactor.run_until([&] { return few.answered() == 10; }));
    EXPECT_LT(many.answered(), 1500u) << "it waited for all of the other's";
    ASSERT_TRUE(reactor.run_until([&] { return many.answered() == 1500; }));
    EXPECT_TRUE(many.each_once() && few.each_once());
}

TEST_F(two_namespaces_test, a_loss_answers_all_of_them_and_both_come_back) {
    sim_drive.hold(true);
    crowd here;
    crowd there;
    here.submit(*channel, piece(0, test::buffer_bytes), 200);
    there.submit(*other_channel, piece(0, test::buffer_bytes), 200);
    sim_drive.request_removal();
    ASSERT_TRUE(becomes(drive_state::absent));
    for (const crowd* all : {&here, &there}) {
        EXPECT_EQ(all->answered(), 200u);
        EXPECT_TRUE(all->each_once());
        for (const auto& o : all->ops) EXPECT_EQ(o->status, backend::device_gone);
    }
    EXPECT_EQ(listener.losses, 1);
    EXPECT_EQ(other_listener.losses, 1);
    sim_drive.hold(false);
    device->arrived();
    ASSERT_TRUE(
        reactor.run_until([&] { return listener.returns == 2 && other_listener.returns == 2; }));
    EXPECT_EQ(sim_drive.openings(), 2u);
}

TEST_F(two_namespaces_test, one_that_is_deleted_leaves_the_other_alone) {
    ASSERT_TRUE(event_asked());
    sim_drive.resize_namespace(2, 0);
    sim_drive.raise(nvme::event::namespace_attribute_changed);
    ASSERT_TRUE(reactor.run_until([&] { return other_listener.losses == 1; }));
    EXPECT_EQ(listener.losses, 0);
    EXPECT_TRUE(nvme::is_success(io().read(0, 8, piece(0, 4096))));
    // And a bring-up that does not find it is one for the other all the same.
    sim_drive.request_removal();
    ASSERT_TRUE(becomes(drive_state::absent));
    device->arrived();
    ASSERT_TRUE(reactor.run_until([&] { return listener.returns == 2; }));
    EXPECT_EQ(other->state(), backend::device_state::lost);
}

TEST_F(two_namespaces_test, a_third_device_on_the_same_namespace_is_refused) {
    auto again = options;
    again.drive_nsid = 2;
    const auto refused = backend::make_pcie_device(again, environment);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::conflict);
    again.drive_nsid = 0;  // its first, which is the other's
    auto alias = backend::make_pcie_device(again, environment).value();
    reactor.run_until([&] { return alias->note().find("stands on") != std::string::npos; });
    EXPECT_NE(alias->note().find("another device stands on namespace 1"), std::string::npos)
        << alias->note();
    EXPECT_EQ(alias->state(), backend::device_state::lost);
}

TEST_F(two_namespaces_test, the_drive_stays_for_the_one_that_is_left) {
    channel.reset();
    device.reset();
    test::io_runner second(reactor, *other_channel);
    EXPECT_TRUE(nvme::is_success(second.read(0, 8, piece(0, 4096))));
    EXPECT_TRUE(sim_drive.is_open());
    other_channel.reset();
    other.reset();
    ASSERT_TRUE(reactor.run_until([&] { return !sim_drive.is_open(); }));
}

// More namespaces than the admin queue has places.
struct many_namespaces_test : pcie_admin_test {
    static constexpr std::uint32_t count = 32;
    std::vector<test::counting_listener> listeners = std::vector<test::counting_listener>(count);
    std::vector<std::unique_ptr<backend::pcie_device>> devices;

    void SetUp() override {
        sim_drive.plug(fake_drive::options{.namespaces = count});
        for (std::uint32_t i = 0; i < count; ++i) {
            auto one = options;
            one.drive_nsid = i + 1;
            devices.push_back(backend::make_pcie_device(one, environment).value());
            devices.back()->set_listener(&listeners[i]);
        }
        ASSERT_TRUE(reactor.run_until([&] {
            return std::ranges::all_of(listeners, [](const auto& l) { return l.returns == 1; });
        }));
    }
    void TearDown() override {
        devices.clear();
        EXPECT_TRUE(reactor.run_until([&] { return !sim_drive.is_open(); }));
        pcie_admin_test::TearDown();
    }
};

TEST_F(many_namespaces_test, a_change_of_all_of_them_is_seen_of_each) {
    ASSERT_TRUE(event_asked());
    for (std::uint32_t i = 0; i < count; ++i) sim_drive.resize_namespace(i + 1, 64);
    sim_drive.raise(nvme::event::namespace_attribute_changed);
    EXPECT_TRUE(reactor.run_until(
        [&] {
            return std::ranges::all_of(listeners, [](const auto& l) { return l.resizes == 1; });
        },
        std::chrono::seconds(3)));
    for (std::uint32_t i = 0; i < count; ++i)
        EXPECT_EQ(devices[i]->geometry().block_count, 64u) << i + 1;
}

// While the queue is full of questions other events come. Each comes again only once its log has
// been read.
TEST_F(many_namespaces_test, every_events_log_is_read_in_the_end) {
    ASSERT_TRUE(event_asked());
    sim_drive.ignore_identify(true);
    for (std::uint32_t i = 0; i < count; ++i) sim_drive.resize_namespace(i + 1, 32);
    sim_drive.raise(nvme::event::namespace_attribute_changed);
    ASSERT_TRUE(reactor.run_until([&] { return sim_drive.identifies_ignored() >= 27; }));
    nvme::smart_log page{};
    page.critical_warning = nvme::critical_warning::spare;
    sim_drive.set_smart(page);
    for (std::uint64_t events = 2; events < 5; ++events) {
        sim_drive.raise(nvme::event::spare);
        ASSERT_TRUE(reactor.run_until([&] { return devices[0]->status().events == events; }))
            << "it is masked for ever";
    }
    sim_drive.ignore_identify(false);
    EXPECT_TRUE(reactor.run_until(
        [&] {
            return std::ranges::all_of(listeners, [](const auto& l) { return l.resizes == 1; });
        },
        std::chrono::seconds(3)));
    EXPECT_NE(devices[0]->status().health->critical_warning, 0);
}

// --- interrupts ----------------------------------------------------------------------------------

TEST_F(pcie_admin_test, there_are_no_interrupts_while_somebody_polls) {
    open();
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(nvme::is_success(io().read(0, 8, piece(0, 4096))));
    EXPECT_EQ(sim_drive.interrupts(1), 0u);
}

TEST_F(pcie_admin_test, a_reactor_that_sleeps_is_woken_by_each_completion) {
    open();
    struct chain final : test::test_op {
        backend::io_channel* channel = nullptr;
        engine::reactor* reactor = nullptr;
        int left = 200;
    } next;
    next.channel = channel.get();
    next.reactor = &*reactor;
    next.kind = io_kind::read;
    next.block_count = 8;
    next.set_data(piece(0, 4096));
    next.done = [](backend::io_op& o, nvme::status status) noexcept {
        auto& self = static_cast<chain&>(o);
        EXPECT_TRUE(nvme::is_success(status));
        if (--self.left == 0) return self.reactor->stop();
        self.channel->submit(self);
    };
    const auto began = std::chrono::steady_clock::now();
    channel->submit(next);
    reactor->run();  // it sleeps whenever it finds nothing
    EXPECT_EQ(next.left, 0);
    EXPECT_GE(sim_drive.interrupts(1), 100u);
    // Were a wake-up lost, a timer would end each wait, after 100 ms.
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

// --- hostile completions -------------------------------------------------------------------------

TEST_F(pcie_admin_test, a_status_that_does_not_exist_is_an_error_and_nothing_more) {
    open();
    sim_drive.misbehave(fake_drive::mischief::garbage_status);
    const nvme::status told = io().read(0, 8, piece(0, 4096));
    EXPECT_FALSE(nvme::is_success(told));
    EXPECT_FALSE(told.more);
    EXPECT_EQ(told.crd, 0);
    sim_drive.misbehave(fake_drive::mischief::none);
    EXPECT_TRUE(nvme::is_success(io().read(0, 8, piece(0, 4096))));
    EXPECT_EQ(listener.losses, 0);
}

TEST_F(pcie_admin_test, completions_in_the_wrong_phase_end_in_a_reset_with_everything_answered) {
#if FULMAR_TSAN
    GTEST_SKIP() << "a drive that lies about the phase races with its host on purpose";
#endif
    open();
    sim_drive.misbehave(fake_drive::mischief::wrong_phase);
    crowd all;
    all.submit(*channel, piece(0, test::buffer_bytes), 100);
    ASSERT_TRUE(reactor.run_until([&] { return all.answered() == 100; }));
    EXPECT_TRUE(all.each_once());
    sim_drive.misbehave(fake_drive::mischief::none);
    crowd more;
    more.submit(*channel, piece(0, test::buffer_bytes), 100);
    ASSERT_TRUE(reactor.run_until([&] { return more.answered() == 100; }));
    EXPECT_TRUE(more.each_once());
    ASSERT_TRUE(
        reactor.run_until([&] { return nvme::is_success(io().read(0, 8, piece(0, 4096))); }));
}

TEST_F(pcie_admin_test, faults_are_counted) {
    open();
    sim_drive.misbehave(fake_drive::mischief::wild_cid);
    ASSERT_TRUE(nvme::is_success(io().read(0, 8, piece(0, 4096))));
    sim_drive.misbehave(fake_drive::mischief::none);
    ASSERT_TRUE(reactor.run_until([&] { return device->status().faults == 1; }));
    EXPECT_EQ(listener.losses, 0);
}

}  // namespace
