// Reservation commands on a whole target: what hosts send and see, and what waits for what.
#include "absent_device.hpp"
#include "slow_memory.hpp"
#include "small_world.hpp"
#include "support/reservation_commands.hpp"

#include <fulmar/core/fields/field_compare.hpp>
#include <fulmar/core/namespace_observer.hpp>
#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/logs.hpp>
#include <fulmar/nvme/reservation.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace fulmar::core::test {

namespace {

namespace sc = nvme::sc;
using nvme::io_opcode;
using nvme::reservation_type;
using std::chrono::seconds;

constexpr nvme::status conflict = sc::reservation_conflict.no_retry();

struct reservation_wire : testing::Test {
    struct host {
        host_queue* admin = nullptr;
        host_queue* io = nullptr;
    };
    slow_memory memory;
    std::vector<absent_device*> devices;
    std::unique_ptr<small_world> world;
    host a, b;

    void start(namespace_memory* with = nullptr, namespace_observer* ear = nullptr) {
        world = std::make_unique<small_world>(
            [this](const device_spec&) -> result<std::unique_ptr<backend::device>> {
                auto made = std::make_unique<absent_device>();
                devices.push_back(made.get());
                return made;
            },
            namespace_spec{}, with, ear);
        a = come("nqn.2026-11.io.fulmar:a", 0xaa);
        b = come("nqn.2026-11.io.fulmar:b", 0xbb);
    }
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

    std::size_t send(const host& h, io_opcode opcode, const nvme::reservation_command& how,
                     std::uint64_t current, std::uint64_t other, bool in_capsule = false) {
        const auto keys = fulmar::test::reservation_keys(current, other);
        const auto data = nvme::wire_bytes(keys);
        return h.io->send(fulmar::test::reservation_sqe(opcode, how), 0,
                          opcode == io_opcode::reservation_release ? data.first(8) : data,
                          in_capsule);
    }
    nvme::status status_of(const host& h, std::size_t index) {
        std::optional<reply> answer;
        for (int i = 0; i < 50 && !answer; ++i) {
            memory.turn();
            world->turn();
            answer = h.io->take(index);
        }
        EXPECT_TRUE(answer.has_value()) << "no answer";
        return answer ? answer->status : sc::internal_error;
    }
    nvme::status run(const host& h, io_opcode opcode, const nvme::reservation_command& how,
                     std::uint64_t current, std::uint64_t other, bool in_capsule = false) {
        return status_of(h, send(h, opcode, how, current, other, in_capsule));
    }
    nvme::status enrol(const host& h, std::uint64_t key) {
        return run(h, io_opcode::reservation_register, {.action = 0}, 0, key);
    }
    nvme::status acquire(const host& h, std::uint64_t key, reservation_type type) {
        return run(h, io_opcode::reservation_acquire,
                   {.action = 0, .type = static_cast<std::uint8_t>(type)}, key, 0);
    }
    static nvme::reservation_command preempting(bool and_abort, reservation_type type) {
        return {.action = static_cast<std::uint8_t>(and_abort ? 2 : 1),
                .type = static_cast<std::uint8_t>(type)};
    }
    static nvme::sqe block(io_opcode opcode) {
        nvme::sqe command{};
        command.opcode = static_cast<std::uint8_t>(opcode);
        command.nsid = 1u;
        nvme::encode_block_range(command, {.slba = 0, .blocks = 1});
        return command;
    }
    std::size_t send_write(const host& h) {
        static const std::vector<std::byte> data(512, std::byte{7});
        return h.io->send(block(io_opcode::write), 0, data);
    }
    nvme::status write(const host& h) { return status_of(h, send_write(h)); }
    nvme::status read(const host& h) {
        return status_of(h, h.io->send(block(io_opcode::read), 512));
    }
    reply report(const host& h, std::uint32_t bytes = 64 + 2 * 64) {
        nvme::sqe command{};
        command.opcode = static_cast<std::uint8_t>(io_opcode::reservation_report);
        command.nsid = 1u;
        nvme::encode_reservation_report(command, {.length_bytes = bytes, .extended = true});
        return world->call(*h.io, command, bytes);
    }
    nvme::reservation_status_extended reported(const host& h) {
        const reply got = report(h, 64);
        EXPECT_EQ(got.status, sc::success);
        return got.as<nvme::reservation_status_extended>();
    }
    nvme::reservation_notification_log notice(const host& h) {
        nvme::sqe command = admin(nvme::admin_opcode::get_log_page, nvme::nsid_broadcast);
        nvme::encode_get_log_page(
            command, {.lid = static_cast<std::uint8_t>(nvme::lid::reservation_notification),
                      .length_bytes = 64});
        const reply got = world->call(*h.admin, command, 64);
        EXPECT_EQ(got.status, sc::success);
        return got.as<nvme::reservation_notification_log>();
    }
};

TEST_F(reservation_wire, the_holder_writes_and_others_read) {
    start();
    EXPECT_EQ(enrol(a, 10), sc::success);
    EXPECT_EQ(acquire(a, 10, reservation_type::write_exclusive), sc::success);
    EXPECT_EQ(write(a), sc::success);
    EXPECT_EQ(write(b), conflict);
    EXPECT_EQ(read(b), sc::success);
    EXPECT_EQ(enrol(b, 20), sc::success);
    EXPECT_EQ(write(b), conflict) << "a registrant is no holder";
    EXPECT_EQ(
        run(a, io_opcode::reservation_release,
            {.action = 0, .type = static_cast<std::uint8_t>(reservation_type::write_exclusive)}, 10,
            0, true),
        sc::success);
    EXPECT_EQ(write(b), sc::success);
}

TEST_F(reservation_wire, a_report_tells_who_is_registered_however_short_it_is) {
    start();
    EXPECT_EQ(reported(a).basic.registrants.value(), 0u);
    ASSERT_EQ(enrol(a, 10), sc::success);
    ASSERT_EQ(enrol(b, 20), sc::success);
    ASSERT_EQ(acquire(b, 20, reservation_type::exclusive_access_registrants), sc::success);
    EXPECT_EQ(reported(a).basic.registrants.value(), 2u) << "of which none fits";
    const reply whole = report(b);
    ASSERT_EQ(whole.status, sc::success);
    const auto entry = [&](std::size_t n) {
        return nvme::read_wire<nvme::registered_controller_extended>(
                   std::span(whole.data).subspan(64 + 64 * n))
            .value();
    };
    EXPECT_EQ(entry(0).rkey.value(), 10u);
    EXPECT_EQ(entry(0).hostid[0], 0xaa);
    EXPECT_EQ(entry(0).rcsts, 0);
    EXPECT_EQ(entry(1).rkey.value(), 20u);
    EXPECT_EQ(entry(1).rcsts, nvme::registrant_holds_reservation);
    const reply padded = report(a, 4096 + 64);
    ASSERT_EQ(padded.status, sc::success);
    EXPECT_EQ(padded.data.back(), std::byte{0});
}

TEST_F(reservation_wire, preempt_waits_for_what_its_victim_has_at_the_device) {
    start();
    ASSERT_EQ(enrol(a, 10), sc::success);
    ASSERT_EQ(enrol(b, 20), sc::success);
    ASSERT_EQ(acquire(b, 20, reservation_type::write_exclusive_registrants), sc::success);
    device().keep(true);
    const std::size_t late = send_write(b);
    world->turn();
    ASSERT_EQ(device().kept(), 1u);
    const std::size_t preempt =
        send(a, io_opcode::reservation_acquire,
             preempting(true, reservation_type::write_exclusive_registrants), 10, 20);
    for (int i = 0; i < 20; ++i) world->turn();
    EXPECT_FALSE(a.io->take(preempt).has_value()) << "a write of the victim may land still";
    const std::size_t parked = send_write(b);
    world->turn();
    EXPECT_FALSE(b.io->take(parked).has_value()) << "it waits while the gate is shut";
    device().keep(false);
    device().answer_kept(sc::success);
    EXPECT_EQ(status_of(a, preempt), sc::success);
    EXPECT_EQ(status_of(b, late), sc::success) << "it was done before it was forbidden";
    EXPECT_EQ(status_of(b, parked), conflict);
    EXPECT_EQ(write(a), sc::success);
}

TEST_F(reservation_wire, preempt_is_refused_when_the_device_keeps_what_it_has) {
    start();
    ASSERT_EQ(enrol(a, 10), sc::success);
    ASSERT_EQ(enrol(b, 20), sc::success);
    ASSERT_EQ(acquire(b, 20, reservation_type::write_exclusive), sc::success);
    const std::uint32_t generation = reported(a).basic.generation.value();
    device().keep(true);
    const std::size_t late = send_write(b);
    world->turn();
    const std::size_t preempt = send(a, io_opcode::reservation_acquire,
                                     preempting(true, reservation_type::write_exclusive), 10, 20);
    for (int i = 0; i < 10; ++i) world->turn();
    world->advance(seconds(11));
    EXPECT_EQ(status_of(a, preempt), sc::command_interrupted);
    EXPECT_EQ(reported(a).basic.generation.value(), generation) << "nothing has changed";
    EXPECT_FALSE(b.io->take(late).has_value()) << "and nothing was given up";
    device().keep(false);
    EXPECT_EQ(write(a), conflict);
    EXPECT_EQ(write(b), sc::success);
    device().answer_kept(sc::success);
    EXPECT_EQ(status_of(b, late), sc::success);
}

TEST_F(reservation_wire, a_host_that_goes_while_it_waits_leaves_nothing_behind) {
    start();
    ASSERT_EQ(enrol(a, 10), sc::success);
    device().keep(true);
    const std::size_t late = send_write(b);
    world->turn();
    static_cast<void>(send(a, io_opcode::reservation_acquire,
                           {.type = static_cast<std::uint8_t>(reservation_type::write_exclusive)},
                           10, 0));
    for (int i = 0; i < 5; ++i) world->turn();
    a.io->close(close_reason::peer_closed);
    EXPECT_TRUE(world->turn_until([&] { return a.io->retired(); })) << "it waits for nobody";
    device().keep(false);
    device().answer_kept(sc::success);
    EXPECT_EQ(status_of(b, late), sc::success);
    EXPECT_EQ(reported(b).basic.type, static_cast<std::uint8_t>(reservation_type::write_exclusive));
    EXPECT_EQ(write(b), conflict) << "what it has asked for stands";
}

TEST_F(reservation_wire, those_whom_it_concerns_are_told) {
    start();
    ASSERT_EQ(enrol(a, 10), sc::success);
    ASSERT_EQ(enrol(b, 20), sc::success);
    const std::size_t event = b.admin->send(admin(nvme::admin_opcode::async_event_request));
    ASSERT_EQ(acquire(b, 20, reservation_type::write_exclusive), sc::success);
    ASSERT_EQ(run(a, io_opcode::reservation_acquire,
                  preempting(false, reservation_type::exclusive_access), 10, 20),
              sc::success);
    world->turn();
    const std::optional<reply> told = b.admin->take(event);
    ASSERT_TRUE(told.has_value());
    EXPECT_EQ(told->dw0, nvme::event::reservation_log_available.pack());
    const nvme::reservation_notification_log page = notice(b);
    EXPECT_EQ(page.type,
              static_cast<std::uint8_t>(nvme::reservation_notice::registration_preempted));
    EXPECT_EQ(page.nsid.value(), 1u);
    EXPECT_EQ(page.log_page_count.value(), 1u);
    EXPECT_EQ(notice(b).log_page_count.value(), 0u) << "there is no other one";
    EXPECT_EQ(notice(a).log_page_count.value(), 0u) << "who asked is not told";
    EXPECT_EQ(read(b), conflict);
}

TEST_F(reservation_wire, without_a_place_to_keep_them_nothing_persists) {
    start();
    EXPECT_EQ(run(a, io_opcode::reservation_register, {.persist = nvme::persist_change::on}, 0, 10),
              sc::invalid_field.no_retry());
    EXPECT_EQ(reported(a).basic.registrants.value(), 0u);
    nvme::sqe command = admin(nvme::admin_opcode::set_features, 1);
    nvme::encode_set_features(
        command,
        {.fid = static_cast<std::uint8_t>(nvme::fid::reservation_persistence), .cdw11 = 1});
    EXPECT_EQ(world->call(*a.admin, command).status, sc::invalid_field.no_retry());
}

TEST_F(reservation_wire, a_change_is_recorded_before_it_is_answered) {
    memory.holds = true;
    start(&memory);
    const std::size_t pending =
        send(a, io_opcode::reservation_register, {.persist = nvme::persist_change::on}, 0, 10);
    for (int i = 0; i < 20; ++i) world->turn();
    ASSERT_EQ(memory.asked, 1u);
    EXPECT_FALSE(a.io->take(pending).has_value());
    EXPECT_EQ(reported(b).basic.registrants.value(), 0u) << "it may come to nothing";
    memory.tell();
    EXPECT_EQ(status_of(a, pending), sc::success);
    EXPECT_EQ(reported(b).basic.registrants.value(), 1u);
    EXPECT_EQ(reported(b).basic.ptpls, 1);
    ASSERT_EQ(memory.known.size(), 1u);
    EXPECT_TRUE(memory.known.begin()->second.reservation->persistent);
}

TEST_F(reservation_wire, what_cannot_be_recorded_is_refused) {
    start(&memory);
    ASSERT_EQ(enrol(a, 10), sc::success);
    memory.fails = true;
    EXPECT_EQ(acquire(a, 10, reservation_type::exclusive_access), sc::internal_error);
    EXPECT_EQ(reported(a).basic.type, 0);
    EXPECT_EQ(write(b), sc::success);
    memory.fails = false;
    memory.holds = true;
    const std::size_t pending =
        send(a, io_opcode::reservation_acquire,
             {.type = static_cast<std::uint8_t>(reservation_type::exclusive_access)}, 10, 0);
    for (int i = 0; i < 10; ++i) world->turn();
    world->advance(seconds(11));
    EXPECT_EQ(status_of(a, pending), sc::internal_error) << "the storage hangs";
    EXPECT_EQ(memory.known.begin()->second.reservation->type, 0)
        << "what holds was written behind it";
    EXPECT_EQ(write(b), sc::success);
}

TEST_F(reservation_wire, what_was_recorded_holds_from_the_first_connect_on) {
    start(&memory);
    ASSERT_EQ(enrol(a, 10), sc::success);
    ASSERT_EQ(acquire(a, 10, reservation_type::exclusive_access), sc::success);
    devices.clear();
    world.reset();
    start(&memory);
    EXPECT_EQ(write(b), conflict);
    EXPECT_EQ(write(a), sc::success);
    world->change(remove_namespace{.nqn = std::string(subsystem_nqn), .nsid = 1});
    EXPECT_TRUE(memory.known.empty()) << "an operator has removed it";
}

TEST_F(reservation_wire, a_namespace_that_is_made_anew_stays_reserved) {
    start(&memory);
    ASSERT_EQ(enrol(a, 10), sc::success);
    ASSERT_EQ(acquire(a, 10, reservation_type::exclusive_access), sc::success);
    const subsystem_spec whole =
        std::get<subsystem_status>(world->change(resume_subsystem{std::string(subsystem_nqn)}))
            .spec;
    world->change(remove_namespace{.nqn = std::string(subsystem_nqn), .nsid = 1, .returns = true});
    world->change(add_namespace{std::string(subsystem_nqn), whole.namespaces.at(0)});
    EXPECT_EQ(write(b), conflict);
    EXPECT_EQ(write(a), sc::success);
    for (absent_device* d : std::exchange(devices, {})) d->answer_kept(backend::device_gone);
    world->change(delete_subsystem{.nqn = std::string(subsystem_nqn), .returning = {1}});
    EXPECT_FALSE(memory.known.empty());
    world->change(create_subsystem{whole});
    world->change(delete_subsystem{.nqn = std::string(subsystem_nqn)});
    EXPECT_TRUE(memory.known.empty());
}

TEST_F(reservation_wire, a_record_that_means_nothing_closes_the_namespace) {
    memory.damaged = true;
    start(&memory);
    EXPECT_EQ(read(a), conflict);
    constexpr nvme::status is_protected = sc::namespace_write_protected.no_retry();
    EXPECT_EQ(write(b), is_protected) << "for all that is known";
    ASSERT_EQ(enrol(a, 10), sc::success);
    EXPECT_EQ(read(a), sc::success);
    EXPECT_EQ(write(a), is_protected) << "to register does not lift that";
    EXPECT_EQ(read(b), conflict);
    EXPECT_EQ(run(a, io_opcode::reservation_release, {.action = 1}, 10, 0), sc::success);
    EXPECT_EQ(read(b), sc::success) << "it was cleared";
    EXPECT_EQ(write(b), is_protected);
}

/// A Host Identifier as it is written, of 16 equal bytes.
std::string repeated(std::string_view byte) {
    std::string out;
    for (int i = 0; i < 16; ++i) out += byte;
    return out;
}

field_edits<namespace_spec> hidden_from_all() {
    namespace_spec before, after;
    before.visible_to = host_choice{};
    after.visible_to = host_choice{.all = false, .named = {}};
    return edits_between(before, after);
}

struct written_events final : namespace_observer {
    void on_namespace_occurrence(const namespace_occurrence& one) noexcept override {
        lines.push_back(std::string(one.host.substr(one.host.rfind(':') + 1)) + " " +
                        std::string(one.what) + " " + std::to_string(one.nsid) + ": " + one.detail);
        EXPECT_EQ(one.subsystem, subsystem_nqn);
    }
    std::vector<std::string> lines;
};

TEST_F(reservation_wire, operators_are_told_who_took_what_from_whom) {
    written_events events;
    start(&memory, &events);
    ASSERT_EQ(enrol(a, 10), sc::success);
    ASSERT_EQ(enrol(b, 20), sc::success);
    ASSERT_EQ(acquire(a, 10, reservation_type::write_exclusive), sc::success);
    ASSERT_EQ(run(b, io_opcode::reservation_acquire,
                  preempting(false, reservation_type::exclusive_access), 20, 10),
              sc::success);
    ASSERT_EQ(run(a, io_opcode::reservation_release, {.action = 1}, 10, 0), conflict);
    ASSERT_EQ(run(b, io_opcode::reservation_release, {.action = 1}, 20, 0), sc::success);
    world->change(modify_namespace{std::string(subsystem_nqn), 1, hidden_from_all()});
    EXPECT_EQ(
        events.lines,
        (std::vector<std::string>{
            "a registered 1: nothing held, 1 registered",
            "b registered 1: nothing held, 2 registered",
            "a reserved 1: write-exclusive held, 2 registered",
            "b preempted 1: exclusive-access held, 1 registered; no longer registered: " +
                repeated("aa"),
            "b cleared 1: nothing held, 0 registered; no longer registered: " + repeated("bb"),
            " visibility 1: visible to nobody"}))
        << "what was refused is no event";
}

TEST_F(reservation_wire, one_host_does_not_fill_the_queue) {
    memory.holds = true;
    start(&memory);
    std::vector<std::size_t> sent;
    for (std::uint64_t key = 0; key < limits::pending_reservations_per_host + 2; ++key)
        sent.push_back(send(a, io_opcode::reservation_register,
                            {.action = 2, .ignore_existing_key = true}, 0, 10 + key));
    for (int i = 0; i < 10; ++i) world->turn();
    EXPECT_EQ(status_of(a, sent.back()), sc::command_interrupted) << "one runs, its share waits";
    const std::size_t other = send(b, io_opcode::reservation_register, {.action = 0}, 0, 20);
    world->turn();
    EXPECT_FALSE(b.io->take(other).has_value()) << "it waits its turn";
    memory.holds = false;
    memory.tell();
    sent.pop_back();
    for (const std::size_t one : sent) EXPECT_EQ(status_of(a, one), sc::success);
    EXPECT_EQ(status_of(b, other), sc::success);
}

TEST_F(reservation_wire, a_copy_of_a_registered_host_is_not_let_in) {
    start();
    const auto connects = [&](std::string_view nqn, std::uint8_t identifier) {
        world->be({.nqn = nqn, .identifier = identifier});
        host_queue& q = world->new_queue();
        const nvme::status got = world->connect(q, subsystem_nqn, 0, nvme::cntlid_dynamic).status;
        q.close(close_reason::peer_closed);
        EXPECT_TRUE(world->turn_until([&] { return q.retired(); }));
        world->turn();
        return got;
    };
    EXPECT_EQ(connects("nqn.2026-11.io.fulmar:copy", 0xaa), sc::success) << "with a warning";
    ASSERT_EQ(enrol(a, 10), sc::success);
    EXPECT_EQ(connects("nqn.2026-11.io.fulmar:copy", 0xaa), sc::connect_invalid_parameters);
    EXPECT_EQ(connects("nqn.2026-11.io.fulmar:a", 0xaa), sc::success) << "another path";
    EXPECT_EQ(connects("nqn.2026-11.io.fulmar:c", 0xcc), sc::success);
}

TEST_F(reservation_wire, persistence_is_a_feature_of_each_namespace) {
    start(&memory);
    const auto set = [&](std::uint32_t nsid, std::uint32_t value) {
        nvme::sqe command = admin(nvme::admin_opcode::set_features, nsid);
        nvme::encode_set_features(
            command,
            {.fid = static_cast<std::uint8_t>(nvme::fid::reservation_persistence), .cdw11 = value});
        const std::size_t index = a.admin->send(command);
        std::optional<reply> answer;
        for (int i = 0; i < 50 && !answer; ++i) {
            memory.turn();
            world->turn();
            answer = a.admin->take(index);
        }
        return answer.value_or(reply{.status = sc::internal_error}).status;
    };
    const auto get = [&](std::uint32_t nsid) {
        nvme::sqe command = admin(nvme::admin_opcode::get_features, nsid);
        nvme::encode_get_features(
            command, {.fid = static_cast<std::uint8_t>(nvme::fid::reservation_persistence)});
        return world->call(*b.admin, command).dw0;
    };
    EXPECT_EQ(set(1, 1), sc::success);
    EXPECT_EQ(get(1), 1u);
    EXPECT_EQ(get(2), 0u);
    EXPECT_EQ(set(nvme::nsid_broadcast, 1), sc::success);
    EXPECT_EQ(get(2), 1u);
    EXPECT_EQ(set(nvme::nsid_broadcast, 0), sc::success);
    EXPECT_EQ(get(1), 0u);
    EXPECT_EQ(get(2), 0u);
    EXPECT_EQ(set(1, 2), sc::invalid_field.no_retry());
}

}  // namespace
}  // namespace fulmar::core::test
