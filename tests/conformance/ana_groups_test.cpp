// ANA groups over TCP: a host with a controller by each of two listeners (Base 2.0, sections
// 5.16.1.13 and 8.1.3). What it is told by each path, what each path serves, who hears of a change,
// and how namespaces move between groups while the host works.
#include "support/ana_groups.hpp"

#include "suite.hpp"
#include "support/reservation_commands.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

namespace fulmar::conformance {
namespace {

using core::ana_state;
using test::ana_change_to;
using test::ana_state_of;
using test::move_to_ana_group;
namespace bit = nvme::async_event_config;
namespace event = nvme::event;

class ana_groups_test : public suite {
  protected:
    ana_groups_test() {
        setup.spec.listeners.push_back({.address = "127.0.0.1", .port = 0});
        offered().ana_groups = {{.id = 1}, {.id = 2}};
        offered().namespaces[0].ana_group = 1;
        offered().namespaces[1].ana_group = 1;
    }
    struct path {
        std::unique_ptr<host::controller> c;
        host::queue* io = nullptr;
    };
    path come_by(std::size_t listener) {
        host::controller_options options = host_options();
        options.target = target().endpoint(listener);
        options.async_events = 4;
        path p{.c = suite::connect(options), .io = nullptr};
        p.io = must(p.c->open_io_queue(1, 8));
        must(p.c->set_features({.fid = 0x0b, .cdw11 = bit::namespace_attribute | bit::ana_change}));
        return p;
    }
    std::string listener_name(std::size_t which) { return target().listener(which).spec.name(); }
    void set_path(std::size_t listener, std::optional<ana_state> state, std::uint32_t group = 1) {
        target().must<core::subsystem_status>(
            core::set_ana_path{nqn_, group, listener_name(listener), state});
    }
    void move(std::uint32_t nsid, std::uint32_t group) {
        target().must<core::namespace_status>(move_to_ana_group(nqn_, nsid, group));
    }
    static nvme::status write(const path& p, std::uint32_t nsid = 1) {
        const std::uint32_t block = nsid == 1 ? 512 : 4096;
        return write_blocks(*p.io, 0, pattern(4096), nsid, block).status();
    }

    const std::string nqn_{subsystem_nqn};
};
INSTANTIATE_TEST_SUITE_P(reactors, ana_groups_test, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

struct group_told {
    int state = 0;
    std::uint64_t changes = 0;
    std::vector<std::uint32_t> nsids;
};
using groups_told = std::map<std::uint32_t, group_told>;

groups_told ana_told(host::controller& c, std::uint64_t* changes = nullptr) {
    const bytes log = must(c.get_log({.lid = 0x0c, .length_bytes = 4096}));
    const auto header = nvme::read_wire<nvme::ana_log_header>(log).value();
    if (changes != nullptr) *changes = header.change_count.value();
    groups_told out;
    std::size_t at = sizeof header;
    for (unsigned i = 0; i < header.groups.value(); ++i) {
        const auto one =
            nvme::read_wire<nvme::ana_group_descriptor>(std::span(log).subspan(at)).value();
        at += sizeof one;
        group_told& group = out[one.group_id.value()];
        group.state = one.state;
        group.changes = one.change_count.value();
        for (std::uint32_t n = 0; n < one.nsids.value(); ++n, at += 4)
            group.nsids.push_back(nvme::read_wire<nvme::le32>(std::span(log).subspan(at))->value());
    }
    EXPECT_EQ(out.size(), header.groups.value()) << "no two groups have one number";
    EXPECT_EQ(bytes(log.begin() + static_cast<std::ptrdiff_t>(at), log.end()), bytes(4096 - at));
    return out;
}

CONFORMANCE(ana_groups_test, each_path_has_a_state_of_its_own, "D4/ana", "D5/0C") {
    const path first = come_by(0), second = come_by(1);
    for (const auto& [state, status] :
         {std::pair{ana_state::inaccessible, sc::ana_inaccessible},
          std::pair{ana_state::persistent_loss, sc::ana_persistent_loss},
          std::pair{ana_state::change, sc::ana_transition},
          std::pair{ana_state::non_optimized, sc::success}}) {
        set_path(1, state);
        EXPECT_EQ(write(first), sc::success);
        for (const std::uint32_t nsid : {1u, 2u}) EXPECT_EQ(write(second, nsid), status);
        EXPECT_EQ(ana_told(*first.c)[1].state, 1);
        EXPECT_EQ(ana_told(*second.c)[1].state, static_cast<int>(state));
        EXPECT_EQ(ana_told(*second.c)[1].nsids, (std::vector<std::uint32_t>{1, 2}));
        EXPECT_EQ(ana_told(*second.c).count(2), 0u) << "nothing is in it";
    }
    set_path(1, std::nullopt);
    target().must<core::subsystem_status>(ana_state_of(nqn_, 1, ana_state::inaccessible));
    EXPECT_EQ(write(first), sc::ana_inaccessible);
    EXPECT_EQ(write(second), sc::ana_inaccessible);
}

CONFORMANCE(ana_groups_test, a_failover_and_back, "D4/ana", "D8/2.03") {
    path first = come_by(0), second = come_by(1);
    set_path(1, ana_state::inaccessible);
    EXPECT_EQ(await_events(*second.c), std::vector{event::ana_changed});
    ana_told(*second.c);
    const bytes data = pattern(4096, 7);
    EXPECT_STATUS(write_blocks(*first.io, 8, data), sc::success);
    set_path(1, ana_state::optimized);
    set_path(0, ana_state::inaccessible);
    EXPECT_EQ(await_events(*first.c), std::vector{event::ana_changed});
    EXPECT_EQ(await_events(*second.c), std::vector{event::ana_changed});
    bytes got(data.size());
    EXPECT_STATUS(read_blocks(*first.io, 8, got), sc::ana_inaccessible);
    EXPECT_STATUS(read_blocks(*second.io, 8, got), sc::success);
    EXPECT_EQ(got, data);
}

CONFORMANCE(ana_groups_test, only_those_paths_hear, "D8/2.03", "D5/0C") {
    path first = come_by(0), second = come_by(1);
    std::uint64_t first_before = 0, second_before = 0, now = 0;
    const groups_told untouched = ana_told(*first.c, &first_before);
    groups_told before = ana_told(*second.c, &second_before);
    set_path(1, ana_state::non_optimized);
    EXPECT_EQ(await_events(*second.c), std::vector{event::ana_changed});
    expect_no_event(*first.c);
    EXPECT_EQ(ana_told(*first.c, &now)[1].changes, untouched.at(1).changes);
    EXPECT_EQ(now, first_before);
    EXPECT_GT(ana_told(*second.c, &now)[1].changes, before[1].changes);
    EXPECT_EQ(now, second_before + 1);
    set_path(1, ana_state::non_optimized);
    ana_told(*second.c, &now);
    EXPECT_EQ(now, second_before + 1) << "no change, no count";
}

CONFORMANCE(ana_groups_test, a_namespace_moves, "D6/00", "D6/08", "D8/2.00", "D8/2.03") {
    set_path(1, ana_state::inaccessible, 2);
    path first = come_by(0), second = come_by(1);
    const groups_told before = ana_told(*second.c);
    move(2, 2);
    for (path* const p : {&first, &second}) {
        auto came = await_events(*p->c, 2);
        EXPECT_EQ(std::count(came.begin(), came.end(), event::ana_changed), 1);
        EXPECT_EQ(std::count(came.begin(), came.end(), event::namespace_attribute_changed), 1);
        const auto list =
            read_log<nvme::changed_namespace_log>(*p->c, nvme::lid::changed_namespaces);
        EXPECT_EQ(list.nsid[0].value(), 2u);
        EXPECT_EQ(list.nsid[1].value(), 0u);
        EXPECT_EQ(must(p->c->identify_namespace(2)).anagrpid.value(), 2u);
        EXPECT_EQ(must(p->c->identify_namespace(1)).anagrpid.value(), 1u);
        const auto page = must(p->c->identify({.cns = 0x08}, 2));
        EXPECT_EQ(nvme::read_wire<nvme::identify_independent_namespace>(page)->anagrpid.value(),
                  2u);
    }
    groups_told now = ana_told(*second.c);
    EXPECT_EQ(now[1].nsids, std::vector<std::uint32_t>{1});
    EXPECT_EQ(now[2].nsids, std::vector<std::uint32_t>{2});
    EXPECT_EQ(now[2].state, 3);
    EXPECT_GT(now[1].changes, before.at(1).changes);
    EXPECT_EQ(write(first, 2), sc::success);
    EXPECT_EQ(write(second, 2), sc::ana_inaccessible);
    EXPECT_EQ(write(second, 1), sc::success);
    move(2, 0);
    EXPECT_EQ(must(second.c->identify_namespace(2)).anagrpid.value(), limits::max_ana_groups + 2)
        << "what is in no group has a number that no group can have";
    EXPECT_EQ(write(second, 2), sc::success);
}

// A host takes what it sees by several paths for one disk; ANACAP says what may change.
CONFORMANCE(ana_groups_test, one_geometry_by_every_path, "D6/00", "D6/01", "D6/fields") {
    set_path(1, ana_state::inaccessible);
    const path first = come_by(0), second = come_by(1);
    for (const std::uint32_t nsid : {1u, 2u}) {
        const nvme::identify_namespace open = must(first.c->identify_namespace(nsid));
        nvme::identify_namespace closed = must(second.c->identify_namespace(nsid));
        EXPECT_EQ(closed.nuse.value(), 0u);
        closed.nuse = open.nuse.value();
        EXPECT_EQ(std::memcmp(&open, &closed, sizeof open), 0);
        for (const std::uint8_t cns : std::array<std::uint8_t, 2>{0x03, 0x08})
            EXPECT_EQ(must(first.c->identify({.cns = cns}, nsid)),
                      must(second.c->identify({.cns = cns}, nsid)));
    }
    const nvme::identify_controller id = must(second.c->identify_controller());
    EXPECT_EQ(id.anacap & nvme::anacap::group_id_constant, 0) << "ANAGRPID may change";
    EXPECT_EQ(id.anagrpmax.value(), limits::max_ana_groups + id.mnan.value());
    EXPECT_LE(id.nanagrpid.value(), id.anagrpmax.value());
    // What Linux reckons its buffer from.
    EXPECT_LE(16 + id.nanagrpid.value() * 32u + id.mnan.value() * 4u, 4096u << id.mdts);
}

CONFORMANCE(ana_groups_test, a_closed_path_tells_nothing_of_its_namespace, "D4/ana", "D7/05",
            "D7/82") {
    const path first = come_by(0), second = come_by(1);
    set_path(1, ana_state::persistent_loss);
    for (const std::uint8_t fid : std::array<std::uint8_t, 3>{0x05, 0x82, 0x83}) {
        EXPECT_STATUS(
            run(first.c->admin(), {.sqe = feature_sqe(nvme::get_features{.fid = fid}, 1)}),
            sc::success);
        EXPECT_STATUS(
            run(second.c->admin(), {.sqe = feature_sqe(nvme::get_features{.fid = fid}, 1)}),
            sc::ana_persistent_loss);
        EXPECT_STATUS(
            run(second.c->admin(), {.sqe = feature_sqe(nvme::set_features{.fid = fid}, 1)}),
            sc::ana_persistent_loss);
    }
    must(second.c->keep_alive());
    must(second.c->active_namespaces());
    const auto keys = fulmar::test::reservation_keys(0, 1);
    const nvme::sqe enrol =
        fulmar::test::reservation_sqe(nvme::io_opcode::reservation_register, {});
    EXPECT_STATUS(run_write(*second.io, enrol, nvme::wire_bytes(keys)), sc::ana_persistent_loss);
    EXPECT_STATUS(run_write(*first.io, enrol, nvme::wire_bytes(keys)), sc::success);
}

CONFORMANCE(ana_groups_test, a_change_goes_on_by_itself, "D4/ana", "D8/2.03") {
    setup.limits.ana_transition_s = 1;
    path first = come_by(0);
    EXPECT_EQ(must(first.c->identify_controller()).anatt, 1);
    target().must<core::subsystem_status>(ana_change_to(nqn_, 1, ana_state::non_optimized));
    EXPECT_EQ(await_events(*first.c), std::vector{event::ana_changed});
    EXPECT_EQ(ana_told(*first.c)[1].state, 15);
    EXPECT_EQ(await_events(*first.c), std::vector{event::ana_changed});
    EXPECT_EQ(ana_told(*first.c)[1].state, 2);
    EXPECT_EQ(write(first), sc::success);
}

CONFORMANCE(ana_groups_test, whoever_comes_later_finds_them, "D4/ana", "D5/0C") {
    set_path(1, ana_state::inaccessible);
    move(1, 2);
    const path late = come_by(1);
    EXPECT_EQ(write(late, 1), sc::success);
    EXPECT_EQ(write(late, 2), sc::ana_inaccessible);
    restart();
    offered().ana_groups[0].state = ana_state::persistent_loss;
    const path from_file = come_by(0);
    EXPECT_EQ(write(from_file, 2), sc::ana_persistent_loss);
}

}  // namespace
}  // namespace fulmar::conformance
