// ANA groups in a whole target: what two controllers of one host that came by different listeners
// are told, what is served, what counts and what ends by itself.
#include "support/ana_groups.hpp"

#include "absent_device.hpp"
#include "small_world.hpp"
#include "support/reservation_commands.hpp"

#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/logs.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>

namespace fulmar::core::test {
namespace {

namespace sc = nvme::sc;
namespace event = nvme::event;
using fulmar::test::ana_change_to;
using fulmar::test::ana_state_of;
using fulmar::test::move_to_ana_group;
using std::chrono::milliseconds;

const std::string nqn(subsystem_nqn);
constexpr std::string_view left = "tcp:192.0.2.1:4420";
constexpr std::string_view right = "tcp:192.0.2.2:4420";
constexpr std::uint32_t alone = limits::max_ana_groups;  ///< and the NSID

/// What a log says of a group.
struct told_group {
    int state = 0;
    std::vector<std::uint32_t> nsids;
    std::uint64_t changes = 0;
};

/// One controller: a path of the host.
struct path_of_host {
    host_queue* admin = nullptr;
    host_queue* io = nullptr;
    std::optional<std::size_t> waiting;
};

struct ana_groups : testing::Test {
    std::vector<absent_device*> devices;
    std::optional<small_world> made;
    path_of_host by_left, by_right;

    void start(const namespace_spec& policy = {}) {
        made.emplace(
            [this](const device_spec&) -> result<std::unique_ptr<backend::device>> {
                auto device = std::make_unique<absent_device>();
                devices.push_back(device.get());
                return device;
            },
            policy);
        by_left = come_by(left);
        by_right = come_by(right);
    }
    small_world& world() { return *made; }

    path_of_host come_by(std::string_view listener) {
        world().be({.listener = listener});
        path_of_host path;
        path.admin = &world().connect_admin();
        path.io = &world().new_queue();
        EXPECT_TRUE(nvme::is_success(
            world().connect(*path.io, subsystem_nqn, 1, world().controller_number()).status));
        nvme::sqe command = admin(nvme::admin_opcode::set_features);
        namespace bit = nvme::async_event_config;
        nvme::encode_set_features(
            command, {.fid = 0x0b, .cdw11 = bit::namespace_attribute | bit::ana_change});
        EXPECT_EQ(world().call(*path.admin, command).status, sc::success);
        return path;
    }

    nvme::status write(const path_of_host& path, std::uint32_t number = 1) {
        return world().call(*path.io, write_sqe(number), 0, block_).status;
    }
    static nvme::sqe write_sqe(std::uint32_t number) {
        nvme::sqe command{};
        command.opcode = static_cast<std::uint8_t>(nvme::io_opcode::write);
        command.nsid = number;
        nvme::encode_block_range(command, {.slba = 0, .blocks = 1});
        return command;
    }

    std::vector<std::byte> log_page(const path_of_host& path, nvme::lid page) {
        nvme::sqe command = admin(nvme::admin_opcode::get_log_page);
        nvme::encode_get_log_page(command,
                                  {.lid = static_cast<std::uint8_t>(page), .length_bytes = 4096});
        const reply answer = world().call(*path.admin, command, 4096);
        EXPECT_EQ(answer.status, sc::success);
        return answer.data;
    }
    std::map<std::uint32_t, told_group> groups_of(const path_of_host& path,
                                                  std::uint64_t* changes = nullptr) {
        const std::vector<std::byte> log = log_page(path, nvme::lid::ana);
        const auto header = *nvme::read_wire<nvme::ana_log_header>(log);
        if (changes != nullptr) *changes = header.change_count.value();
        std::map<std::uint32_t, told_group> out;
        std::size_t at = sizeof header;
        for (unsigned i = 0; i < header.groups.value(); ++i) {
            const std::span rest = std::span(log).subspan(at);
            const auto one = *nvme::read_wire<nvme::ana_group_descriptor>(rest);
            told_group& group = out[one.group_id.value()];
            group.state = one.state;
            group.changes = one.change_count.value();
            at += sizeof one;
            for (std::uint32_t n = 0; n < one.nsids.value(); ++n, at += 4)
                group.nsids.push_back(
                    nvme::read_wire<nvme::le32>(std::span(log).subspan(at))->value());
        }
        EXPECT_EQ(out.size(), header.groups.value()) << "two groups with one number";
        return out;
    }
    nvme::identify_namespace identify(const path_of_host& path, std::uint32_t number) {
        nvme::sqe command = admin(nvme::admin_opcode::identify, number);
        nvme::encode_identify(command, {.cns = 0});
        return world().call(*path.admin, command, 4096).as<nvme::identify_namespace>();
    }

    /// The events that have come, each log read so that it may come again.
    std::vector<nvme::async_event> events(path_of_host& path) {
        std::vector<nvme::async_event> out;
        for (;;) {
            if (!path.waiting)
                path.waiting = path.admin->send(admin(nvme::admin_opcode::async_event_request));
            world().turn();
            const auto answer = path.admin->take(*path.waiting);
            if (!answer) return out;
            path.waiting.reset();
            out.push_back(nvme::async_event::unpack(answer->dw0));
            log_page(path, static_cast<nvme::lid>(out.back().log_page));
        }
    }
    std::vector<nvme::async_event> forget_events(path_of_host& path) { return events(path); }

    void let_pass(milliseconds time) {  // in steps that do not look like a stalled reactor
        for (milliseconds gone{}; gone < time; gone += milliseconds(40)) {
            world().advance(milliseconds(40));
            world().turn();
        }
    }
    void make_group(std::uint32_t id, std::vector<std::uint32_t> members = {}) {
        world().change(create_ana_group{nqn, {.id = id}});
        for (const std::uint32_t nsid : members) world().change(move_to_ana_group(nqn, nsid, id));
    }
    void set_path(std::uint32_t group, std::string_view listener, std::optional<ana_state> state) {
        world().change(set_ana_path{nqn, group, std::string(listener), state});
    }

  private:
    const std::vector<std::byte> block_ = std::vector<std::byte>(512);
};

using heard = std::vector<nvme::async_event>;

/// What an operator asks for and does not wait for.
struct wish final : control_request {
    explicit wish(core::change what)
        : control_request(std::move(what), false, [](control_request& r) noexcept {
              static_cast<wish&>(r).answered = true;
          }) {}
    bool answered = false;
};

TEST_F(ana_groups, have_a_state_for_each_listener) {
    start();
    make_group(1, {1});
    set_path(1, right, ana_state::inaccessible);
    EXPECT_EQ(write(by_left), sc::success);
    EXPECT_EQ(write(by_right), sc::ana_inaccessible);
    EXPECT_EQ(write(by_right, 2), sc::success) << "it is in no group";
    EXPECT_EQ(groups_of(by_left)[1].state, 1);
    EXPECT_EQ(groups_of(by_right)[1].state, 3);
    set_path(1, right, ana_state::persistent_loss);
    EXPECT_EQ(write(by_right), sc::ana_persistent_loss);
    set_path(1, left, ana_state::change);
    EXPECT_EQ(write(by_left), sc::ana_transition);
    set_path(1, right, ana_state::non_optimized);
    EXPECT_EQ(write(by_right), sc::success);
    EXPECT_EQ(groups_of(by_right)[1].state, 2);
    world().change(ana_state_of(nqn, 1, ana_state::inaccessible));
    EXPECT_EQ(write(by_right), sc::success) << "it has a state of its own";
    set_path(1, right, std::nullopt);
    EXPECT_EQ(write(by_right), sc::ana_inaccessible) << "from now on it is as the others";
}

TEST_F(ana_groups, reach_whoever_comes_later) {
    start();
    make_group(1, {1, 2});
    set_path(1, right, ana_state::inaccessible);
    const path_of_host late = come_by(right);
    EXPECT_EQ(write(late), sc::ana_inaccessible);
    EXPECT_EQ(groups_of(late)[1].state, 3);
    EXPECT_EQ(groups_of(late)[1].nsids, (std::vector<std::uint32_t>{1, 2}));
    const path_of_host other = come_by("tcp:192.0.2.3:4420");
    EXPECT_EQ(write(other), sc::success) << "a listener that nobody names";
}

TEST_F(ana_groups, tell_those_whose_path_has_changed_and_nobody_else) {
    start();
    make_group(1, {1});
    forget_events(by_left);
    forget_events(by_right);
    std::uint64_t left_before = 0, right_before = 0;
    const auto left_groups = groups_of(by_left, &left_before);
    const auto right_groups = groups_of(by_right, &right_before);
    set_path(1, right, ana_state::inaccessible);
    EXPECT_EQ(events(by_right), heard{event::ana_changed});
    EXPECT_EQ(events(by_left), heard{});
    std::uint64_t now = 0;
    auto groups = groups_of(by_left, &now);
    EXPECT_EQ(now, left_before);
    EXPECT_EQ(groups[1].changes, left_groups.at(1).changes);
    groups = groups_of(by_right, &now);
    EXPECT_EQ(now, right_before + 1);
    EXPECT_GT(groups[1].changes, right_groups.at(1).changes);
    EXPECT_EQ(groups[alone + 2].changes, right_groups.at(alone + 2).changes)
        << "of this group alone";
    set_path(1, right, ana_state::inaccessible);
    groups_of(by_right, &now);
    EXPECT_EQ(now, right_before + 1) << "no change, no count";
    EXPECT_EQ(events(by_right), heard{});
    set_path(1, right, std::nullopt);
    world().change(ana_state_of(nqn, 1, ana_state::non_optimized));
    EXPECT_EQ(events(by_left), heard{event::ana_changed});
    EXPECT_EQ(events(by_right), heard{event::ana_changed}) << "two changes are one event";
}

TEST_F(ana_groups, exchange_a_namespace_while_hosts_watch) {
    start();
    make_group(1, {1, 2});
    make_group(7);
    set_path(7, right, ana_state::inaccessible);
    forget_events(by_left);
    forget_events(by_right);
    const auto before = groups_of(by_left);
    EXPECT_EQ(identify(by_left, 2).anagrpid.value(), 1u);
    world().change(move_to_ana_group(nqn, 2, 7));
    for (path_of_host* const path : {&by_left, &by_right}) {
        const auto came = events(*path);
        EXPECT_EQ(std::count(came.begin(), came.end(), event::ana_changed), 1);
        EXPECT_EQ(std::count(came.begin(), came.end(), event::namespace_attribute_changed), 1);
        EXPECT_EQ(came.size(), 2u);
        EXPECT_EQ(identify(*path, 2).anagrpid.value(), 7u);
        EXPECT_EQ(identify(*path, 1).anagrpid.value(), 1u);
    }
    auto now = groups_of(by_left);
    EXPECT_EQ(now[1].nsids, std::vector<std::uint32_t>{1});
    EXPECT_EQ(now[7].nsids, std::vector<std::uint32_t>{2});
    EXPECT_GT(now[1].changes, before.at(1).changes) << "its list is shorter";
    EXPECT_EQ(write(by_left, 2), sc::success);
    EXPECT_EQ(write(by_right, 2), sc::ana_inaccessible);
    EXPECT_EQ(write(by_right, 1), sc::success);
    world().change(move_to_ana_group(nqn, 2, 0));
    EXPECT_EQ(identify(by_right, 2).anagrpid.value(), alone + 2);
    EXPECT_EQ(write(by_right, 2), sc::success);
}

TEST_F(ana_groups, of_one_number_are_never_two) {
    start();
    EXPECT_EQ(identify(by_left, 1).anagrpid.value(), 1u) << "as long as nobody has made any";
    EXPECT_EQ(groups_of(by_left).size(), 2u);
    make_group(1);
    const auto came = events(by_left);
    EXPECT_EQ(std::count(came.begin(), came.end(), event::namespace_attribute_changed), 1);
    EXPECT_EQ(std::count(came.begin(), came.end(), event::ana_changed), 1);
    EXPECT_EQ(identify(by_left, 1).anagrpid.value(), alone + 1);
    EXPECT_EQ(groups_of(by_left).count(1), 0u) << "it is empty";
    make_group(2, {1});
    EXPECT_EQ(groups_of(by_left).count(2), 1u);
    world().change(move_to_ana_group(nqn, 1, 0));
    world().change(delete_ana_group{nqn, 2});
    world().change(delete_ana_group{nqn, 1});
    EXPECT_EQ(identify(by_left, 1).anagrpid.value(), 1u);
    EXPECT_EQ(groups_of(by_left).size(), 2u);
}

// NSZE, NCAP, formats and all the rest: a host that saw another size by the path that is closed
// would not take the two for one disk. NUSE is cleared there, as the specification has it.
TEST_F(ana_groups, show_one_geometry_by_every_path) {
    start();
    make_group(1, {1});
    set_path(1, right, ana_state::inaccessible);
    const nvme::identify_namespace open = identify(by_left, 1);
    nvme::identify_namespace closed = identify(by_right, 1);
    EXPECT_EQ(closed.nuse.value(), 0u);
    EXPECT_EQ(open.nuse.value(), open.nsze.value());
    closed.nuse = open.nuse.value();
    EXPECT_EQ(std::memcmp(&open, &closed, sizeof open), 0);
}

TEST_F(ana_groups, close_reservations_and_features_of_their_path) {
    start();
    make_group(1, {1});
    set_path(1, right, ana_state::inaccessible);
    nvme::sqe report{};
    report.opcode = static_cast<std::uint8_t>(nvme::io_opcode::reservation_report);
    report.nsid = 1u;
    report.cdw10 = 4096u / 4 - 1;
    report.cdw11 = 1u;
    EXPECT_EQ(world().call(*by_left.io, report, 4096).status, sc::success);
    EXPECT_EQ(world().call(*by_right.io, report, 4096).status, sc::ana_inaccessible);
    const auto feature = [&](const path_of_host& path, std::uint8_t fid, bool sets) {
        nvme::sqe command =
            admin(sets ? nvme::admin_opcode::set_features : nvme::admin_opcode::get_features, 1);
        if (sets)
            nvme::encode_set_features(command, {.fid = fid});
        else
            nvme::encode_get_features(command, {.fid = fid});
        return world().call(*path.admin, command).status;
    };
    for (const std::uint8_t fid : std::array<std::uint8_t, 3>{0x05, 0x82, 0x83}) {
        for (const bool sets : {false, true}) {
            EXPECT_EQ(feature(by_left, fid, sets), sc::success) << int{fid};
            EXPECT_EQ(feature(by_right, fid, sets), sc::ana_inaccessible) << int{fid};
        }
    }
    EXPECT_EQ(feature(by_right, 0x84, false), feature(by_left, 0x84, false));
}

// --- what operators may ask for ------------------------------------------------------------------

TEST_F(ana_groups, are_refused_where_they_would_not_be_what_they_say) {
    start();
    make_group(1, {1, 2});
    const auto code = [&](change what) {
        const auto outcome = world().try_change(std::move(what));
        return outcome ? errc::internal : outcome.error().code;
    };
    EXPECT_EQ(code(create_ana_group{nqn, {.id = 1}}), errc::already_exists);
    EXPECT_EQ(code(create_ana_group{nqn, {.id = 0}}), errc::invalid_argument);
    EXPECT_EQ(code(create_ana_group{nqn, {.id = limits::max_ana_groups + 1}}),
              errc::invalid_argument);
    EXPECT_EQ(code(create_ana_group{nqn, {.id = 2, .then = ana_state::change}}),
              errc::invalid_argument);
    EXPECT_EQ(code(delete_ana_group{nqn, 1}), errc::conflict);
    EXPECT_EQ(code(delete_ana_group{nqn, 2}), errc::not_found);
    EXPECT_EQ(code(move_to_ana_group(nqn, 1, 2)), errc::not_found);
    EXPECT_EQ(code(ana_state_of(nqn, 2, ana_state::optimized)), errc::not_found);
    EXPECT_EQ(code(ana_change_to(nqn, 1, ana_state::change)), errc::invalid_argument);
    EXPECT_EQ(code(set_ana_path{nqn, 2, "x", ana_state::optimized}), errc::not_found);
    EXPECT_EQ(code(set_ana_state{nqn, 1, ana_state::inaccessible}), errc::conflict)
        << "the group's state counts";
    EXPECT_EQ(write(by_left), sc::success) << "and nothing has changed";
    EXPECT_EQ(groups_of(by_left)[1].nsids, (std::vector<std::uint32_t>{1, 2}));
    for (std::uint32_t i = 0; i < limits::max_listeners; ++i)
        set_path(1, "l" + std::to_string(i), ana_state::optimized);
    EXPECT_EQ(code(set_ana_path{nqn, 1, "one more", ana_state::optimized}), errc::limit_reached);
    EXPECT_EQ(code(set_ana_path{nqn, 1, "l0", ana_state::inaccessible}), errc::internal);
}

TEST_F(ana_groups, take_the_state_of_a_namespace_with_them) {
    start();
    world().change(set_ana_state{nqn, 1, ana_state::inaccessible});
    EXPECT_EQ(write(by_left), sc::ana_inaccessible);
    make_group(3, {1});
    EXPECT_EQ(write(by_left), sc::success);
    world().change(move_to_ana_group(nqn, 1, 0));
    EXPECT_EQ(write(by_left), sc::success) << "it had none of its own any more";
}

// --- what is on its way when a path closes -------------------------------------------------------

TEST_F(ana_groups, answer_an_operator_when_nothing_is_at_the_device_by_that_path) {
    start();
    make_group(1, {1, 2});
    devices[0]->keep(true);
    const std::size_t slow = by_right.io->send(write_sqe(1), 0, std::vector<std::byte>(512));
    ASSERT_TRUE(world().turn_until([&] { return devices[0]->kept() == 1; }));
    wish closing(set_ana_path{nqn, 1, std::string(right), ana_state::inaccessible});
    world().submit(closing);
    for (int i = 0; i < 20; ++i) world().turn();
    EXPECT_FALSE(closing.answered);
    EXPECT_EQ(write(by_right, 1), sc::ana_inaccessible) << "nothing new is let in";
    EXPECT_EQ(write(by_left, 2), sc::success) << "and nobody else waits";
    devices[0]->answer_kept(sc::success);
    ASSERT_TRUE(world().turn_until([&] { return closing.answered; }));
    EXPECT_TRUE(closing.outcome.has_value());
    EXPECT_EQ(by_right.io->take(slow)->status, sc::success);
    devices[0]->keep(false);
}

// A reservation command that came by the path while another change was under way has its turn after
// the closing.
TEST_F(ana_groups, carry_out_no_reservation_that_waited_while_its_path_closed) {
    start();
    make_group(1, {1});
    devices[0]->keep(true);
    (void)by_left.io->send(write_sqe(1), 0, std::vector<std::byte>(512));
    ASSERT_TRUE(world().turn_until([&] { return devices[0]->kept() == 1; }));
    wish slow(set_ana_path{nqn, 1, std::string(left), ana_state::inaccessible});
    wish closing(set_ana_path{nqn, 1, std::string(right), ana_state::inaccessible});
    world().submit(slow);
    world().submit(closing);
    for (int i = 0; i < 5; ++i) world().turn();
    const auto keys = fulmar::test::reservation_keys(0, 5);
    const std::size_t asked =
        by_right.io->send(fulmar::test::reservation_sqe(nvme::io_opcode::reservation_register, {}),
                          0, nvme::wire_bytes(keys), true);
    for (int i = 0; i < 5; ++i) world().turn();
    EXPECT_FALSE(by_right.io->take(asked).has_value());
    devices[0]->answer_kept(sc::success);
    std::optional<reply> answer;
    ASSERT_TRUE(
        world().turn_until([&] { return (answer = by_right.io->take(asked)).has_value(); }));
    EXPECT_TRUE(slow.answered && closing.answered);
    EXPECT_EQ(answer->status, sc::ana_inaccessible);
    devices[0]->keep(false);
}

// --- the end of a transition ---------------------------------------------------------------------

TEST_F(ana_groups, end_the_change_of_a_namespace_that_is_in_none) {
    start();
    world().change(set_ana_state{nqn, 1, ana_state::change});
    EXPECT_EQ(write(by_left), sc::ana_transition);
    let_pass(milliseconds(5'500));
    EXPECT_EQ(write(by_left), sc::ana_inaccessible);
    world().change(set_ana_state{nqn, 1, ana_state::change});
    world().change(set_ana_state{nqn, 1, ana_state::optimized});
    let_pass(milliseconds(20'000));
    EXPECT_EQ(write(by_left), sc::success);
}

// The hosts' own time must not run out while the target waits for a device.
TEST_F(ana_groups, end_a_change_that_waits_for_a_device_in_time) {
    start();
    make_group(1, {1});
    devices[0]->keep(true);
    (void)by_left.io->send(write_sqe(1), 0, std::vector<std::byte>(512));
    ASSERT_TRUE(world().turn_until([&] { return devices[0]->kept() == 1; }));
    wish into(ana_change_to(nqn, 1, ana_state::non_optimized));
    world().submit(into);
    let_pass(milliseconds(4'000));
    EXPECT_FALSE(into.answered);
    let_pass(milliseconds(2'000));
    EXPECT_TRUE(into.answered);
    EXPECT_EQ(groups_of(by_right)[1].state, 2);
    devices[0]->answer_kept(backend::device_gone);
    devices[0]->keep(false);
}

TEST_F(ana_groups, go_on_from_a_change_by_themselves) {
    start();
    make_group(1, {1});
    make_group(2, {2});
    world().change(ana_change_to(nqn, 1, ana_state::non_optimized));
    set_path(2, right, ana_state::change);  // then: inaccessible, unless it is said
    forget_events(by_left);
    forget_events(by_right);
    EXPECT_EQ(write(by_left, 1), sc::ana_transition);
    EXPECT_EQ(write(by_right, 2), sc::ana_transition);
    let_pass(milliseconds(4'500));
    EXPECT_EQ(write(by_left, 1), sc::ana_transition) << "too early";
    let_pass(milliseconds(1'000));  // half of ANATT, 10 s
    EXPECT_EQ(write(by_left, 1), sc::success);
    EXPECT_EQ(write(by_right, 2), sc::ana_inaccessible);
    EXPECT_EQ(write(by_left, 2), sc::success);
    EXPECT_EQ(groups_of(by_left)[1].state, 2);
    EXPECT_EQ(groups_of(by_right)[2].state, 3);
    let_pass(milliseconds(20'000));
    EXPECT_EQ(groups_of(by_left)[1].state, 2) << "and there it stays";
}

TEST_F(ana_groups, tell_hosts_when_a_change_has_ended) {
    start();
    make_group(1, {1});
    world().change(ana_change_to(nqn, 1, ana_state::optimized));
    forget_events(by_left);
    let_pass(milliseconds(5'500));
    EXPECT_EQ(events(by_left), heard{event::ana_changed});
}

TEST_F(ana_groups, are_led_out_of_a_change_by_an_operator) {
    start();
    make_group(1, {1});
    world().change(ana_change_to(nqn, 1, ana_state::inaccessible));
    let_pass(milliseconds(3'000));
    world().change(ana_state_of(nqn, 1, ana_state::optimized));
    let_pass(milliseconds(20'000));
    EXPECT_EQ(write(by_left), sc::success) << "nothing is left of the change";
    world().change(ana_change_to(nqn, 1, ana_state::inaccessible));
    let_pass(milliseconds(4'500));
    EXPECT_EQ(write(by_left), sc::ana_transition) << "the next one has its own time";
    let_pass(milliseconds(1'000));
    EXPECT_EQ(write(by_left), sc::ana_inaccessible);
}

// --- a lost device -------------------------------------------------------------------------------

TEST_F(ana_groups, let_go_of_a_namespace_whose_io_waits_for_its_device) {
    namespace_spec policy;
    policy.on_loss = loss_policy::hold;
    policy.hold_s = 5;
    start(policy);
    make_group(1, {1, 2});
    devices[0]->go();
    ASSERT_TRUE(world().turn_until([&] { return groups_of(by_left).size() == 2; }));
    auto groups = groups_of(by_left);
    EXPECT_EQ(groups[1].nsids, std::vector<std::uint32_t>{2});
    EXPECT_EQ(groups[1].state, 1) << "nothing is wrong with the others";
    EXPECT_EQ(groups[alone + 1].nsids, std::vector<std::uint32_t>{1});
    EXPECT_EQ(groups[alone + 1].state, 3);
    EXPECT_EQ(write(by_left, 2), sc::success);
    EXPECT_EQ(write(by_left, 1), sc::ana_inaccessible);
    set_path(1, right, ana_state::inaccessible);
    devices[0]->come_back();
    ASSERT_TRUE(world().turn_until([&] { return groups_of(by_left).size() == 1; }));
    EXPECT_EQ(write(by_left, 1), sc::success);
    EXPECT_EQ(write(by_right, 1), sc::ana_inaccessible) << "what was said meanwhile holds";
}

TEST_F(ana_groups, close_with_what_a_device_that_is_away_still_has_is_no_success) {
    namespace_spec policy;
    policy.on_loss = loss_policy::hold;
    policy.hold_s = 60;
    start(policy);
    make_group(1, {1});
    devices[0]->keep(true);
    (void)by_left.io->send(write_sqe(1), 0, std::vector<std::byte>(512));
    ASSERT_TRUE(world().turn_until([&] { return devices[0]->kept() == 1; }));
    devices[0]->go();
    ASSERT_TRUE(world().turn_until([&] { return groups_of(by_left)[alone + 1].state == 3; }));
    wish closing(set_ana_path{nqn, 1, std::string(left), ana_state::inaccessible});
    world().submit(closing);
    let_pass(milliseconds(11'000));
    ASSERT_TRUE(closing.answered);
    ASSERT_FALSE(closing.outcome.has_value()) << "the write may land still";
    EXPECT_EQ(closing.outcome.error().code, errc::quiesce_incomplete);
    devices[0]->answer_kept(sc::success);
    world().change(set_ana_path{nqn, 1, std::string(left), ana_state::inaccessible});
}

TEST_F(ana_groups, do_not_wait_for_what_a_device_that_is_away_still_has) {
    namespace_spec policy;
    policy.on_loss = loss_policy::hold;
    policy.hold_s = 5;
    start(policy);
    devices[0]->keep(true);
    (void)by_left.io->send(write_sqe(1), 0, std::vector<std::byte>(512));
    ASSERT_TRUE(world().turn_until([&] { return devices[0]->kept() == 1; }));
    devices[0]->go();
    ASSERT_TRUE(world().turn_until([&] { return groups_of(by_left)[1].state == 3; }));
    world().change(set_ana_state{nqn, 1, ana_state::non_optimized});
    devices[0]->answer_kept(sc::success);
    devices[0]->come_back();
    ASSERT_TRUE(world().turn_until([&] { return groups_of(by_left)[1].state == 2; }));
    EXPECT_EQ(write(by_left), sc::success);
}

}  // namespace
}  // namespace fulmar::core::test
