// Write protection on a whole target (feature 84h): what hosts send and see, what waits for what,
// and what outlives the target.
#include "absent_device.hpp"
#include "slow_memory.hpp"
#include "small_world.hpp"

#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/logs.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

namespace fulmar::core::test {
namespace {

namespace sc = nvme::sc;
using backend::io_kind;
using nvme::io_opcode;
using nvme::write_protection;
using std::chrono::seconds;

constexpr nvme::status refused = sc::namespace_write_protected.no_retry();

struct write_protection_wire : testing::Test {
    struct host {
        host_queue* admin = nullptr;
        host_queue* io = nullptr;
    };
    slow_memory memory;
    std::vector<absent_device*> devices;
    bool cached = false;
    std::unique_ptr<small_world> world;
    host a, b;

    void start(namespace_memory* with) {
        devices.clear();
        world.reset();
        world = std::make_unique<small_world>(
            [this](const device_spec&) -> result<std::unique_ptr<backend::device>> {
                auto made = std::make_unique<absent_device>();
                made->cached = cached;
                devices.push_back(made.get());
                return made;
            },
            namespace_spec{}, with);
        a = come("nqn.2026-11.io.fulmar:a", 0xaa);
        b = come("nqn.2026-11.io.fulmar:b", 0xbb);
    }
    void start() { start(&memory); }
    void TearDown() override {
        for (absent_device* d : devices) d->answer_kept(backend::device_gone);
    }
    host come(std::string_view nqn, std::uint8_t identifier) {
        world->be({.nqn = nqn, .identifier = identifier});
        host h{.admin = &world->connect_admin(), .io = &world->new_queue()};
        EXPECT_TRUE(nvme::is_success(
            world->connect(*h.io, subsystem_nqn, 1, world->controller_number()).status));
        return h;
    }
    absent_device& device() { return *devices.front(); }
    [[nodiscard]] const kept_namespace& kept() const { return memory.known.begin()->second; }

    std::size_t send_set(const host& h, write_protection state, std::uint32_t number = 1) {
        nvme::sqe command = admin(nvme::admin_opcode::set_features, number);
        nvme::encode_set_features(
            command, {.fid = static_cast<std::uint8_t>(nvme::fid::namespace_write_protection),
                      .cdw11 = static_cast<std::uint32_t>(state)});
        return h.admin->send(command);
    }
    void turns(int count = 20) {
        for (int i = 0; i < count; ++i) {
            memory.turn();
            world->turn();
        }
    }
    nvme::status status_of(host_queue& q, std::size_t index) {
        std::optional<reply> answer;
        for (int i = 0; i < 50 && !answer; ++i) {
            turns(1);
            answer = q.take(index);
        }
        EXPECT_TRUE(answer.has_value()) << "no answer";
        return answer ? answer->status : sc::internal_error;
    }
    nvme::status set(const host& h, write_protection state, std::uint32_t number = 1) {
        return status_of(*h.admin, send_set(h, state, number));
    }
    reply get(const host& h, std::uint32_t number = 1, std::uint8_t select = 0) {
        nvme::sqe command = admin(nvme::admin_opcode::get_features, number);
        nvme::encode_get_features(
            command, {.fid = static_cast<std::uint8_t>(nvme::fid::namespace_write_protection),
                      .sel = select});
        return world->call(*h.admin, command);
    }
    static nvme::sqe block(io_opcode opcode, std::uint32_t number) {
        nvme::sqe command{};
        command.opcode = static_cast<std::uint8_t>(opcode);
        command.nsid = number;
        if (opcode != io_opcode::flush) nvme::encode_block_range(command, {.slba = 0, .blocks = 1});
        return command;
    }
    std::size_t send_write(const host& h, std::uint32_t number = 1) {
        static const std::vector<std::byte> data(512, std::byte{7});
        return h.io->send(block(io_opcode::write, number), 0, data);
    }
    nvme::status write(const host& h, std::uint32_t number = 1) {
        return status_of(*h.io, send_write(h, number));
    }
    nvme::status run(const host& h, io_opcode opcode) {
        return status_of(*h.io, h.io->send(block(opcode, 1), opcode == io_opcode::read ? 512 : 0));
    }
    bool attribute_says_protected(std::uint32_t number = 1) {
        nvme::sqe command = admin(nvme::admin_opcode::identify, number);
        nvme::encode_identify(command, {});
        const reply got = world->call(*a.admin, command, nvme::identify_bytes);
        EXPECT_EQ(got.status, sc::success);
        return got.as<nvme::identify_namespace>().nsattr == nvme::nsattr::write_protected;
    }
    void lift(std::uint32_t number = 1) {
        struct sink : control_request {
            using control_request::control_request;
            bool answered = false;
        };
        sink request(query(lift_protection{std::string(subsystem_nqn), number}), false,
                     [](control_request& r) noexcept { static_cast<sink&>(r).answered = true; });
        world->submit(request);
        for (int i = 0; i < 50 && !request.answered; ++i) turns(1);
        ASSERT_TRUE(request.answered);
        lifted = std::move(request.outcome);
    }
    result<control_answer> lifted{};
};

TEST_F(write_protection_wire, nobody_changes_blocks_and_everybody_reads) {
    start();
    EXPECT_EQ(get(a).dw0, 0u);
    EXPECT_FALSE(attribute_says_protected());
    ASSERT_EQ(set(a, write_protection::write_protect), sc::success);
    for (const host& h : {a, b}) {
        EXPECT_EQ(write(h), refused);
        EXPECT_EQ(run(h, io_opcode::write_zeroes), refused);
        EXPECT_EQ(run(h, io_opcode::read), sc::success);
        EXPECT_EQ(run(h, io_opcode::verify), sc::success);
        EXPECT_EQ(run(h, io_opcode::flush), sc::success);
        EXPECT_EQ(get(h).dw0, 1u);
    }
    EXPECT_EQ(get(a, 1, 1).dw0, 0u) << "the default";
    EXPECT_EQ(get(a, 1, 3).dw0,
              nvme::feature_capability::changeable | nvme::feature_capability::namespace_specific);
    EXPECT_TRUE(attribute_says_protected());
    EXPECT_EQ(write(a, 2), sc::success) << "it is the namespace's";
    EXPECT_FALSE(attribute_says_protected(2));
    ASSERT_EQ(set(b, write_protection::none), sc::success) << "any host may";
    EXPECT_EQ(write(a), sc::success);
    EXPECT_FALSE(attribute_says_protected());
}

TEST_F(write_protection_wire, what_is_no_state_here_is_refused) {
    start();
    EXPECT_EQ(set(a, write_protection::permanent), sc::invalid_field.no_retry());
    EXPECT_EQ(set(a, static_cast<write_protection>(4)), sc::invalid_field.no_retry());
    EXPECT_EQ(set(a, static_cast<write_protection>(9)), sc::invalid_field.no_retry());
    EXPECT_EQ(set(a, write_protection::write_protect, 0),
              sc::invalid_namespace_or_format.no_retry());
    EXPECT_EQ(write(a), sc::success);
    start(nullptr);
    EXPECT_EQ(set(a, write_protection::write_protect), sc::invalid_field.no_retry())
        << "nothing can keep it";
    EXPECT_EQ(write(a), sc::success);
}

TEST_F(write_protection_wire, the_answer_waits_for_writes_at_the_device) {
    start();
    device().keep(true);
    const std::size_t late = send_write(b);
    turns();
    ASSERT_EQ(device().kept(), 1u);
    const std::size_t protect = send_set(a, write_protection::write_protect);
    turns();
    EXPECT_FALSE(a.admin->take(protect).has_value()) << "a write may land still";
    const std::size_t parked = send_write(b);
    turns();
    EXPECT_FALSE(b.io->take(parked).has_value()) << "it waits at the gate";
    device().keep(false);
    device().answer_kept(sc::success);
    EXPECT_EQ(status_of(*a.admin, protect), sc::success);
    EXPECT_EQ(status_of(*b.io, late), sc::success) << "it was done before";
    EXPECT_EQ(status_of(*b.io, parked), refused);
}

TEST_F(write_protection_wire, a_device_that_keeps_what_it_has_leaves_all_as_it_was) {
    start();
    device().keep(true);
    const std::size_t late = send_write(b);
    turns();
    const std::size_t protect = send_set(a, write_protection::write_protect);
    turns();
    world->advance(seconds(11));
    EXPECT_EQ(status_of(*a.admin, protect), sc::command_interrupted);
    EXPECT_FALSE(b.io->take(late).has_value()) << "nothing was given up";
    device().keep(false);
    EXPECT_EQ(write(b), sc::success);
    EXPECT_EQ(get(a).dw0, 0u);
    EXPECT_TRUE(memory.known.empty());
    device().answer_kept(sc::success);
    EXPECT_EQ(status_of(*b.io, late), sc::success);
}

TEST_F(write_protection_wire, what_is_in_a_volatile_cache_is_flushed_before_the_answer) {
    cached = true;
    start();
    device().keep(true);
    const std::size_t late = send_write(b);
    turns();
    const std::size_t protect = send_set(a, write_protection::write_protect);
    turns();
    device().answer_kept(io_kind::write, sc::success);
    turns();
    EXPECT_EQ(status_of(*b.io, late), sc::success);
    ASSERT_EQ(device().kept(), 1u);
    EXPECT_EQ(device().came.back(), io_kind::flush) << "behind every write";
    EXPECT_FALSE(a.admin->take(protect).has_value());
    device().keep(false);
    device().answer_kept(sc::success);
    EXPECT_EQ(status_of(*a.admin, protect), sc::success);
    EXPECT_EQ(write(b), refused);
    const auto flushes = std::ranges::count(device().came, io_kind::flush);
    ASSERT_EQ(set(a, write_protection::none), sc::success);
    EXPECT_EQ(std::ranges::count(device().came, io_kind::flush), flushes) << "nothing to flush";
}

TEST_F(write_protection_wire, a_flush_that_fails_or_hangs_leaves_all_as_it_was) {
    cached = true;
    start();
    device().keep(true);
    std::size_t protect = send_set(a, write_protection::write_protect);
    turns();
    ASSERT_EQ(device().kept(), 1u);
    device().answer_kept(sc::write_fault);
    EXPECT_EQ(status_of(*a.admin, protect), sc::command_interrupted);
    EXPECT_EQ(get(a).dw0, 0u);
    protect = send_set(a, write_protection::write_protect);
    turns();
    world->advance(seconds(11));
    EXPECT_EQ(status_of(*a.admin, protect), sc::command_interrupted) << "it hangs";
    const std::size_t write_meanwhile = send_write(b);
    turns();
    EXPECT_EQ(device().kept(), 2u) << "the gate is open again";
    protect = send_set(a, write_protection::write_protect);
    turns();
    device().answer_kept(io_kind::flush, sc::write_fault);
    turns();
    EXPECT_FALSE(a.admin->take(protect).has_value()) << "that was the former one's";
    device().answer_kept(io_kind::write, sc::success);
    turns();
    EXPECT_EQ(status_of(*b.io, write_meanwhile), sc::success);
    device().keep(false);
    device().answer_kept(sc::success);
    EXPECT_EQ(status_of(*a.admin, protect), sc::success);
    EXPECT_EQ(write(b), refused);
}

TEST_F(write_protection_wire, a_namespace_that_goes_during_the_flush_takes_it_along) {
    cached = true;
    start();
    device().keep(true);
    const std::size_t protect = send_set(a, write_protection::write_protect);
    turns();
    ASSERT_EQ(device().kept(), 1u);
    world->advance(seconds(11));
    EXPECT_EQ(status_of(*a.admin, protect), sc::command_interrupted);
    struct sink : control_request {
        using control_request::control_request;
        bool answered = false;
    };
    sink removal(change(remove_namespace{.nqn = std::string(subsystem_nqn), .nsid = 1}), false,
                 [](control_request& r) noexcept { static_cast<sink&>(r).answered = true; });
    world->submit(removal);
    turns();
    EXPECT_FALSE(removal.answered) << "the device has something of it";
    world->advance(seconds(11));
    turns();
    ASSERT_TRUE(removal.answered);
    EXPECT_FALSE(removal.outcome.has_value()) << "which it has still";
    device().answer_kept(sc::success);
    turns();
}

TEST_F(write_protection_wire, it_is_recorded_before_it_is_answered_and_refused_when_it_cannot_be) {
    memory.holds = true;
    start();
    const std::size_t protect = send_set(a, write_protection::write_protect);
    turns();
    ASSERT_EQ(memory.asked, 1u);
    EXPECT_FALSE(a.admin->take(protect).has_value());
    EXPECT_EQ(get(b).dw0, 0u) << "it may come to nothing";
    memory.tell();
    EXPECT_EQ(status_of(*a.admin, protect), sc::success);
    EXPECT_EQ(kept().protection, write_protection::write_protect);
    EXPECT_FALSE(kept().reservation.has_value());
    memory.holds = false;
    memory.fails = true;
    EXPECT_EQ(set(a, write_protection::none), sc::internal_error);
    EXPECT_EQ(write(b), refused) << "it is as it was";
    memory.fails = false;
    ASSERT_EQ(set(a, write_protection::none), sc::success);
    memory.fails = true;
    EXPECT_EQ(set(a, write_protection::write_protect), sc::internal_error);
    EXPECT_EQ(write(b), sc::success);
}

TEST_F(write_protection_wire, it_holds_from_the_first_connect_of_the_next_target_on) {
    start();
    ASSERT_EQ(set(a, write_protection::write_protect), sc::success);
    start();
    EXPECT_EQ(write(b), refused);
    EXPECT_EQ(get(b).dw0, 1u);
    world->change(remove_namespace{.nqn = std::string(subsystem_nqn), .nsid = 1});
    EXPECT_TRUE(memory.known.empty()) << "an operator has removed it";
}

TEST_F(write_protection_wire, a_record_that_cannot_be_read_protects) {
    memory.damaged = true;
    start();
    EXPECT_EQ(get(a).dw0, 2u) << "it may have been the one that no host lifts";
    EXPECT_EQ(write(a), refused);
    EXPECT_EQ(set(a, write_protection::none), sc::feature_not_changeable.no_retry());
    EXPECT_TRUE(memory.known.empty());
    EXPECT_EQ(set(a, write_protection::until_power_cycle), sc::success);
    EXPECT_EQ(kept().protection, write_protection::until_power_cycle) << "it is written down";
    lift();
    EXPECT_TRUE(lifted.has_value());
    EXPECT_EQ(write(a), sc::reservation_conflict.no_retry())
        << "who has reserved it is not known either";
}

TEST_F(write_protection_wire, until_a_power_cycle_no_host_lifts_it_and_an_operator_does) {
    start();
    ASSERT_EQ(set(a, write_protection::write_protect), sc::success);
    ASSERT_EQ(set(a, write_protection::until_power_cycle), sc::success);
    EXPECT_EQ(get(b).dw0, 2u);
    for (const auto to : {write_protection::none, write_protection::write_protect})
        EXPECT_EQ(set(b, to), sc::feature_not_changeable.no_retry());
    EXPECT_EQ(set(b, write_protection::until_power_cycle), sc::success) << "that it is";
    EXPECT_EQ(write(a), refused);
    lift();
    EXPECT_TRUE(lifted.has_value()) << lifted.error().text();
    EXPECT_EQ(write(a), sc::success);
    EXPECT_EQ(kept().protection, write_protection::none);
    lift();
    EXPECT_TRUE(lifted.has_value()) << "nothing is left to lift";
    memory.fails = true;
    ASSERT_EQ(set(a, write_protection::write_protect), sc::internal_error);
    lift(9);
    ASSERT_FALSE(lifted.has_value());
    EXPECT_EQ(lifted.error().code, errc::not_found);
}

TEST_F(write_protection_wire, an_operator_hears_when_lifting_cannot_be_recorded) {
    start();
    ASSERT_EQ(set(a, write_protection::write_protect), sc::success);
    memory.fails = true;
    lift();
    ASSERT_FALSE(lifted.has_value());
    EXPECT_EQ(lifted.error().code, errc::io_error);
    EXPECT_EQ(write(a), refused);
}

TEST_F(write_protection_wire, a_broadcast_is_for_every_namespace) {
    start();
    ASSERT_EQ(set(a, write_protection::write_protect, nvme::nsid_broadcast), sc::success);
    EXPECT_EQ(write(b, 1), refused);
    EXPECT_EQ(write(b, 2), refused);
    EXPECT_EQ(get(a, nvme::nsid_broadcast).status, sc::invalid_namespace_or_format.no_retry());
    ASSERT_EQ(set(a, write_protection::none, nvme::nsid_broadcast), sc::success);
    EXPECT_EQ(write(b, 1), sc::success);
    EXPECT_EQ(write(b, 2), sc::success);
}

TEST_F(write_protection_wire, other_hosts_are_told) {
    start();
    nvme::sqe watch = admin(nvme::admin_opcode::set_features);
    nvme::encode_set_features(
        watch, {.fid = static_cast<std::uint8_t>(nvme::fid::async_event_configuration),
                .cdw11 = nvme::async_event_config::namespace_attribute});
    ASSERT_EQ(world->call(*b.admin, watch).status, sc::success);
    const std::size_t event = b.admin->send(admin(nvme::admin_opcode::async_event_request));
    ASSERT_EQ(set(a, write_protection::write_protect), sc::success);
    turns();
    const std::optional<reply> told = b.admin->take(event);
    ASSERT_TRUE(told.has_value());
    EXPECT_EQ(told->dw0, nvme::event::namespace_attribute_changed.pack());
    nvme::sqe log = admin(nvme::admin_opcode::get_log_page, nvme::nsid_broadcast);
    nvme::encode_get_log_page(log, {.lid = static_cast<std::uint8_t>(nvme::lid::changed_namespaces),
                                    .length_bytes = sizeof(nvme::changed_namespace_log)});
    const reply page = world->call(*b.admin, log, sizeof(nvme::changed_namespace_log));
    EXPECT_EQ(page.as<nvme::changed_namespace_log>().nsid[0].value(), 1u);
}

TEST_F(write_protection_wire, a_host_that_goes_while_it_waits_leaves_nothing_behind) {
    start();
    device().keep(true);
    const std::size_t late = send_write(b);
    turns();
    static_cast<void>(send_set(a, write_protection::write_protect));
    turns(5);
    a.io->close(close_reason::peer_closed);
    a.admin->close(close_reason::peer_closed);
    EXPECT_TRUE(world->turn_until([&] { return a.io->retired() && a.admin->retired(); }))
        << "it waits for nobody";
    device().keep(false);
    device().answer_kept(sc::success);
    EXPECT_EQ(status_of(*b.io, late), sc::success);
    turns();
    EXPECT_EQ(write(b), refused) << "what it has asked for stands";
}

}  // namespace
}  // namespace fulmar::core::test
