// Cross-Controller Reset on a whole target: what a host gets that has one of its controllers ended
// by another, and what it cannot have.
#include "absent_device.hpp"
#include "small_world.hpp"
#include "support/reservation_commands.hpp"

#include <fulmar/nvme/cross_reset.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/logs.hpp>
#include <fulmar/nvme/reservation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace fulmar::core::test {
namespace {

namespace sc = nvme::sc;
namespace result_bit = nvme::cross_reset_result;
using nvme::admin_opcode;
using nvme::io_opcode;
using std::chrono::seconds;

constexpr nvme::status refused = sc::invalid_field.no_retry();
constexpr std::uint32_t ended_now =
    result_bit::immediate | result_bit::validated | result_bit::initiated;
constexpr std::uint32_t ended_before = result_bit::immediate | result_bit::validated;

struct cross_reset : testing::Test {
    struct path {
        host_queue* admin = nullptr;
        host_queue* io = nullptr;
        nvme::cross_reset name{};  ///< what ends it
    };
    std::vector<absent_device*> devices;
    std::unique_ptr<small_world> world;

    void SetUp() override {
        world = std::make_unique<small_world>(
            [this](const device_spec&) -> result<std::unique_ptr<backend::device>> {
                auto made = std::make_unique<absent_device>();
                devices.push_back(made.get());
                return made;
            });
    }
    void TearDown() override {
        for (absent_device* d : devices) d->answer_kept(backend::device_gone);
        world->turn();
    }
    absent_device& device() { return *devices.front(); }

    nvme::identify_controller identity(host_queue& q) {
        nvme::sqe command = admin(admin_opcode::identify);
        nvme::encode_identify(command, {.cns = static_cast<std::uint8_t>(nvme::cns::controller)});
        return world->call(q, command, 4096).as<nvme::identify_controller>();
    }
    path come(std::string_view nqn = host_nqn, std::uint8_t identifier = 0x11) {
        world->be({.nqn = nqn, .identifier = identifier});
        path p{.admin = &world->connect_admin(), .io = &world->new_queue()};
        EXPECT_EQ(world->connect(*p.io, subsystem_nqn, 1, world->controller_number()).status,
                  sc::success);
        const nvme::identify_controller page = identity(*p.admin);
        p.name = {.icid = page.cntlid.value(), .ciu = page.ciu, .cirn = page.cirn.value()};
        return p;
    }
    static nvme::sqe ending(const nvme::cross_reset& what) {
        nvme::sqe command = admin(admin_opcode::cross_controller_reset);
        nvme::encode_cross_reset(command, what);
        return command;
    }
    static std::size_t ask(const path& over, const nvme::cross_reset& what) {
        return over.admin->send(ending(what));
    }
    reply end(const path& over, const nvme::cross_reset& what) {
        return world->call(*over.admin, ending(what));
    }
    static std::size_t send_write(const path& p) {
        static const std::vector<std::byte> data(512, std::byte{7});
        nvme::sqe command{};
        command.opcode = static_cast<std::uint8_t>(io_opcode::write);
        command.nsid = 1u;
        nvme::encode_block_range(command, {.slba = 0, .blocks = 1});
        return p.io->send(command, 0, data);
    }
    nvme::status status_of(host_queue& q, std::size_t index) {
        std::optional<reply> answer;
        EXPECT_TRUE(world->turn_until([&] { return (answer = q.take(index)).has_value(); }));
        return answer ? answer->status : sc::internal_error;
    }
    nvme::status write(const path& p) { return status_of(*p.io, send_write(p)); }
    /// A write of `p` that its device keeps.
    void leave_a_write(const path& p) {
        device().keep(true);
        static_cast<void>(send_write(p));
        world->turn();
        ASSERT_EQ(device().kept(), 1u);
        device().keep(false);
    }
    void turn(int times = 10) {
        for (int i = 0; i < times; ++i) world->turn();
    }
    [[nodiscard]] std::ptrdiff_t writes() {
        const auto& came = device().came;
        return std::count(came.begin(), came.end(), backend::io_kind::write);
    }
};

TEST_F(cross_reset, is_answered_when_what_the_other_controller_had_at_a_device_is_over) {
    const path lost = come(), other = come();
    leave_a_write(lost);
    const std::size_t asked = ask(other, lost.name);
    turn();
    EXPECT_FALSE(other.admin->take(asked).has_value()) << "its write may land still";
    EXPECT_EQ(write(other), sc::success) << "whoever asks goes on meanwhile";
    device().answer_kept(sc::success);
    std::optional<reply> answer;
    ASSERT_TRUE(world->turn_until([&] { return (answer = other.admin->take(asked)).has_value(); }));
    EXPECT_EQ(answer->status, sc::success);
    EXPECT_EQ(answer->dw0, ended_now);
    EXPECT_TRUE(lost.admin->retired() && lost.io->retired());
    EXPECT_EQ(write(other), sc::success);
}

TEST_F(cross_reset, tells_which_instance_each_controller_is) {
    const path a = come(), b = come();
    const nvme::identify_controller page = identity(*a.admin);
    EXPECT_NE(page.ciu, 0);
    EXPECT_NE(page.cirn.value(), 0u);
    EXPECT_NE(page.cirn.value(), b.name.cirn);
    EXPECT_EQ(page.ccrl, limits::cross_resets);
    EXPECT_EQ(page.cqt_ms.value(), 20'000) << "of the default options";
    EXPECT_EQ(page.oaes.value() & (3u << 20), 0u) << "no events of it";
    world->be({});
    host_queue& discovery = world->connect_admin(nvme::discovery_nqn);
    const nvme::identify_controller of_discovery = identity(discovery);
    EXPECT_EQ(of_discovery.ciu, 0);
    EXPECT_EQ(of_discovery.cirn.value(), 0u);
    EXPECT_EQ(of_discovery.ccrl, 0);
    EXPECT_EQ(world->call(discovery, ending(a.name)).status, sc::invalid_opcode.no_retry());
}

TEST_F(cross_reset, another_instance_and_another_host_are_refused_alike) {
    const path mine = come(), other = come();
    const path neighbour = come("nqn.2024-01.test:neighbour", 0x22);
    const path same_identifier = come("nqn.2024-01.test:copy", 0x11);
    const path same_name = come(host_nqn, 0x33);
    nvme::cross_reset wrong = mine.name;
    wrong.cirn ^= 1;
    EXPECT_EQ(end(other, wrong).status, refused) << "CIRN";
    wrong = mine.name;
    ++wrong.ciu;
    EXPECT_EQ(end(other, wrong).status, refused) << "CIU";
    wrong = mine.name;
    wrong.icid = 0x7777;
    EXPECT_EQ(end(other, wrong).status, refused) << "nobody has that number";
    EXPECT_EQ(end(other, other.name).status, refused) << "itself";
    for (const path& stranger : {neighbour, same_identifier, same_name}) {
        const reply told = end(stranger, mine.name);
        EXPECT_EQ(told.status, refused);
        EXPECT_EQ(told.dw0, 0u);
    }
    EXPECT_EQ(write(mine), sc::success) << "it goes on";
    EXPECT_EQ(end(other, mine.name).status, sc::success);
}

TEST_F(cross_reset, fails_at_the_deadline_and_can_be_asked_again) {
    const path lost = come(), other = come();
    leave_a_write(lost);
    const std::size_t asked = ask(other, lost.name);
    turn();
    world->advance(seconds(11));
    EXPECT_EQ(status_of(*other.admin, asked), sc::internal_error);
    EXPECT_TRUE(lost.io->retired()) << "it is ended all the same";
    const std::size_t again = ask(other, lost.name);
    turn();
    EXPECT_FALSE(other.admin->take(again).has_value()) << "what was given up may land still";
    device().answer_kept(sc::success);
    std::optional<reply> answer;
    ASSERT_TRUE(world->turn_until([&] { return (answer = other.admin->take(again)).has_value(); }));
    EXPECT_EQ(answer->status, sc::success);
    EXPECT_EQ(answer->dw0, ended_before) << "there was nothing to end any more";
}

TEST_F(cross_reset, asks_devices_also_when_the_controller_has_gone_by_itself) {
    const path lost = come(), other = come();
    leave_a_write(lost);
    lost.admin->close(close_reason::peer_closed);
    lost.io->close(close_reason::peer_closed);
    turn();
    world->advance(seconds(11));
    ASSERT_TRUE(world->turn_until([&] { return lost.io->retired() && lost.admin->retired(); }));
    const std::size_t asked = ask(other, lost.name);
    turn();
    EXPECT_FALSE(other.admin->take(asked).has_value());
    world->advance(seconds(11));
    EXPECT_EQ(status_of(*other.admin, asked), sc::internal_error);
    device().answer_kept(sc::success);
    const reply answer = end(other, lost.name);
    EXPECT_EQ(answer.status, sc::success);
    EXPECT_EQ(answer.dw0, ended_before);
    const path stranger = come("nqn.2024-01.test:neighbour", 0x22);
    EXPECT_EQ(end(stranger, lost.name).status, refused);
}

TEST_F(cross_reset, what_waits_for_a_gate_never_reaches_the_device) {
    const path lost = come(), other = come();
    world->change(pause_subsystem{std::string(subsystem_nqn)});
    static_cast<void>(send_write(lost));
    turn();
    EXPECT_EQ(end(other, lost.name).status, sc::success);
    world->change(resume_subsystem{std::string(subsystem_nqn)});
    turn();
    EXPECT_EQ(writes(), 0);
}

TEST_F(cross_reset, what_is_on_its_way_to_the_control_reactor_is_not_carried_out_afterwards) {
    const path lost = come(), other = come();
    leave_a_write(lost);
    const std::size_t asked = ask(other, lost.name);
    const auto keys = fulmar::test::reservation_keys(0, 5);
    static_cast<void>(
        lost.io->send(fulmar::test::reservation_sqe(io_opcode::reservation_register, {}), 0,
                      nvme::wire_bytes(keys), true));
    turn();
    device().answer_kept(sc::success);
    EXPECT_EQ(status_of(*other.admin, asked), sc::success);
    turn();
    nvme::sqe report{};
    report.opcode = static_cast<std::uint8_t>(io_opcode::reservation_report);
    report.nsid = 1u;
    nvme::encode_reservation_report(report, {.length_bytes = 64, .extended = true});
    const auto told = world->call(*other.io, report, 64).as<nvme::reservation_status_extended>();
    EXPECT_EQ(told.basic.registrants.value(), 0u) << "its host has not registered after the answer";
    EXPECT_EQ(told.basic.generation.value(), 0u);
}

TEST_F(cross_reset, one_at_a_time_ends_a_controller_and_a_few_at_a_time_are_asked_for) {
    const path other = come(), third = come();
    std::vector<path> lost;
    for (std::uint32_t i = 0; i <= limits::cross_resets; ++i) lost.push_back(come());
    leave_a_write(lost[0]);
    std::vector<std::size_t> asked;
    for (std::uint32_t i = 0; i < limits::cross_resets; ++i)
        asked.push_back(ask(other, lost[i].name));
    turn();
    EXPECT_EQ(end(third, lost[0].name).status, sc::cross_reset_in_progress);
    EXPECT_EQ(end(third, lost[1].name).status, sc::cross_reset_in_progress) << "it waits its turn";
    EXPECT_EQ(end(other, lost.back().name).status, sc::cross_reset_limit_exceeded);
    device().answer_kept(sc::success);
    for (const std::size_t each : asked) EXPECT_EQ(status_of(*other.admin, each), sc::success);
    EXPECT_EQ(end(other, lost.back().name).status, sc::success) << "there is room again";
}

TEST_F(cross_reset, the_log_tells_what_is_under_way) {
    const auto log = [this](const path& p) {
        nvme::sqe command = admin(admin_opcode::get_log_page, nvme::nsid_broadcast);
        nvme::encode_get_log_page(
            command, {.lid = static_cast<std::uint8_t>(nvme::lid::cross_controller_reset),
                      .length_bytes = 16});
        return world->call(*p.admin, command, 16).data;
    };
    const auto count = [](const std::vector<std::byte>& page) {
        return nvme::read_wire<nvme::cross_reset_log_header>(page)->entries.value();
    };
    const path lost = come(), other = come(), third = come();
    EXPECT_EQ(count(log(other)), 0);
    leave_a_write(lost);
    const std::size_t asked = ask(other, lost.name);
    turn();
    const auto page = log(other);
    ASSERT_EQ(count(page), 1);
    const auto entry = nvme::read_wire<nvme::cross_reset_entry>(std::span(page).subspan(8)).value();
    EXPECT_EQ(entry.icid.value(), lost.name.icid);
    EXPECT_EQ(entry.ciu, lost.name.ciu);
    EXPECT_EQ(entry.acid.value(), other.name.icid);
    EXPECT_EQ(entry.state, 0);
    EXPECT_EQ(count(log(third)), 0) << "nobody asked it";
    device().answer_kept(sc::success);
    EXPECT_EQ(status_of(*other.admin, asked), sc::success);
    EXPECT_EQ(count(log(other)), 0);
}

TEST_F(cross_reset, whoever_asks_and_goes_is_not_waited_for) {
    const path lost = come(), other = come(), third = come();
    leave_a_write(lost);
    static_cast<void>(ask(other, lost.name));
    turn();
    other.admin->close(close_reason::peer_closed);
    EXPECT_TRUE(world->turn_until([&] { return other.admin->retired(); }));
    device().answer_kept(sc::success);
    turn();
    EXPECT_TRUE(lost.io->retired());
    EXPECT_EQ(end(third, lost.name).dw0, ended_before);
}

}  // namespace
}  // namespace fulmar::core::test
