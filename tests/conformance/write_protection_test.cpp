// Namespace Write Protection (Base 2.0, section 8.12, and feature 84h): several hosts on one
// namespace.
#include "suite.hpp"
#include "support/spy_device.hpp"
#include "support/viewers.hpp"

#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/features.hpp>

#include <algorithm>
#include <atomic>
#include <thread>

namespace fulmar::conformance {
namespace {

using backend::io_kind;
using nvme::io_opcode;
using nvme::write_protection;

constexpr nvme::status refused = sc::namespace_write_protected.no_retry();
constexpr auto feature = static_cast<std::uint8_t>(nvme::fid::namespace_write_protection);

class write_protection_test : public suite {
  protected:
    write_protection_test() {
        setup.spec.devices[0].type = "spy";
        setup.devices = spy_.factory();
        setup.memory = &memory;
    }
    struct member {
        std::unique_ptr<host::controller> c;
        host::queue* io = nullptr;
    };
    member join(std::uint32_t number) {
        host::controller_options options = host_options();
        options.async_events = 2;
        options.hostnqn = "nqn.2026-01.io.fulmar:member-" + std::to_string(number);
        options.hostid = nvme::derive_uuid("a member of a cluster", number);
        member m{.c = connect(options)};
        m.io = must(m.c->open_io_queue(1, 32));
        return m;
    }
    static nvme::status set(const member& m, write_protection state, std::uint32_t nsid = 1,
                            bool save = false) {
        return run(m.c->admin(),
                   {.sqe =
                        feature_sqe(nvme::set_features{.fid = feature,
                                                       .save = save,
                                                       .cdw11 = static_cast<std::uint32_t>(state)},
                                    nsid)})
            .status();
    }
    static std::uint32_t get(const member& m, std::uint8_t select = 0, std::uint32_t nsid = 1) {
        return must(m.c->get_features({.fid = feature, .sel = select}, nsid));
    }
    static std::uint8_t attribute(const member& m, std::uint32_t nsid = 1) {
        const auto ns = must(m.c->identify_namespace(nsid)).nsattr;
        const auto page = must(m.c->identify({.cns = 0x08}, nsid));
        EXPECT_EQ(nvme::read_wire<nvme::identify_independent_namespace>(page)->nsattr, ns);
        return ns;
    }
    static nvme::status manage(const member& m, std::uint32_t attributes) {
        nvme::sqe dsm{};
        dsm.opcode = static_cast<std::uint8_t>(io_opcode::dataset_management);
        dsm.nsid = 1;
        nvme::encode_dataset_management(dsm, {.ranges = 1, .attributes = attributes});
        nvme::dsm_range one{};
        one.blocks = 1;
        return run_write(*m.io, dsm, nvme::wire_bytes(one)).status();
    }
    static nvme::status copy(const member& m) {
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(io_opcode::copy);
        sqe.nsid = 1;
        nvme::encode_copy(sqe, {.sdlba = 8, .ranges = 1});
        nvme::copy_range source{};
        return run_write(*m.io, sqe, nvme::wire_bytes(source)).status();
    }
    /// Every command that changes blocks, by its data in the capsule and out of it.
    static std::vector<nvme::status> change_blocks(const member& m) {
        const bytes zeroes(512);
        const nvme::sqe write = io_sqe(io_opcode::write, {.slba = 0, .blocks = 1});
        return {
            run(*m.io, {.sqe = io_sqe(io_opcode::write_uncorrectable, {.slba = 0, .blocks = 1})})
                .status(),
            run_write(*m.io, write, zeroes, true).status(),
            run_write(*m.io, write, zeroes, false).status(),
            run(*m.io, {.sqe = io_sqe(io_opcode::write_zeroes, {.slba = 0, .blocks = 1})}).status(),
            manage(m, nvme::dsm_attribute::deallocate),
            copy(m)};
    }
    /// And every one that does not.
    static std::vector<nvme::status> leave_blocks(const member& m) {
        bytes got(512);
        const bytes zeroes(512);
        nvme::sqe flush{};
        flush.nsid = 1;
        const nvme::block_range first{.slba = 0, .blocks = 1};
        return {read_blocks(*m.io, 0, got).status(),
                run_write(*m.io, io_sqe(io_opcode::compare, first), zeroes).status(),
                run(*m.io, {.sqe = io_sqe(io_opcode::verify, first)}).status(),
                run(*m.io, {.sqe = flush}).status(), manage(m, nvme::dsm_attribute::integral_read)};
    }
    static void expect_all(const std::vector<nvme::status>& got, nvme::status wanted) {
        for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], wanted) << "command " << i;
    }

    testing::spy spy_;
};
INSTANTIATE_TEST_SUITE_P(reactors, write_protection_test, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

CONFORMANCE(write_protection_test, nobody_changes_blocks_and_everybody_reads, "D7/84", "D6/00",
            "D6/01", "D6/08") {
    const member a = join(1), b = join(2);
    EXPECT_EQ(a.c->identity().nwpc, nvme::nwpc::write_protect | nvme::nwpc::until_power_cycle);
    EXPECT_EQ(attribute(a), 0);
    expect_all(change_blocks(a), sc::success);
    for (const auto state : {write_protection::write_protect, write_protection::none}) {
        ASSERT_EQ(set(a, state), sc::success);
        const bool is_protected = state != write_protection::none;
        for (const member* m : {&a, &b}) {
            expect_all(change_blocks(*m), is_protected ? refused : nvme::status(sc::success));
            expect_all(leave_blocks(*m), sc::success);
            EXPECT_EQ(get(*m), static_cast<std::uint32_t>(state));
            EXPECT_EQ(attribute(*m),
                      is_protected ? nvme::nsattr::write_protected : std::uint8_t{0});
        }
        EXPECT_STATUS(write_blocks(*b.io, 0, bytes(4096), 2, 4096), sc::success);
        EXPECT_EQ(attribute(b, 2), 0) << "of that namespace only";
    }
}

CONFORMANCE(write_protection_test, its_selections_and_what_is_refused, "D7/84", "D7/sel") {
    const member a = join(1);
    namespace cap = nvme::feature_capability;
    ASSERT_EQ(set(a, write_protection::write_protect), sc::success);
    EXPECT_EQ(get(a, 0), 1u);
    EXPECT_EQ(get(a, 1), 0u) << "the default";
    EXPECT_EQ(get(a, 2), 0u) << "nothing is saved by SV: the default";
    EXPECT_EQ(get(a, 3), cap::changeable | cap::namespace_specific);
    EXPECT_EQ(set(a, write_protection::none, 1, true), sc::feature_not_saveable.no_retry());
    EXPECT_EQ(set(a, write_protection::permanent), sc::invalid_field.no_retry());
    for (const std::uint32_t reserved : {4u, 7u, 8u, 0xffu})
        EXPECT_EQ(set(a, static_cast<write_protection>(reserved)), sc::invalid_field.no_retry());
    EXPECT_EQ(set(a, write_protection::none, 0), sc::invalid_namespace_or_format.no_retry());
    EXPECT_EQ(set(a, write_protection::none, 3), sc::invalid_field.no_retry()) << "inactive";
    EXPECT_EQ(get(a), 1u) << "nothing of that has changed anything";
    must(a.c->disable());
    must(a.c->enable());
    EXPECT_EQ(get(a), 1u) << "a reset does not lift it";
}

CONFORMANCE(write_protection_test, a_broadcast_is_for_every_namespace, "D7/84") {
    const member a = join(1);
    ASSERT_EQ(set(a, write_protection::write_protect, nvme::nsid_broadcast), sc::success);
    EXPECT_STATUS(write_blocks(*a.io, 0, bytes(512)), refused);
    EXPECT_STATUS(write_blocks(*a.io, 0, bytes(4096), 2, 4096), refused);
    ASSERT_EQ(set(a, write_protection::none, nvme::nsid_broadcast), sc::success);
    EXPECT_STATUS(write_blocks(*a.io, 0, bytes(512)), sc::success);
    EXPECT_STATUS(write_blocks(*a.io, 0, bytes(4096), 2, 4096), sc::success);
}

CONFORMANCE(write_protection_test, until_a_power_cycle_is_not_lifted_by_hosts, "D7/84") {
    const member a = join(1), b = join(2);
    ASSERT_EQ(set(a, write_protection::until_power_cycle), sc::success);
    for (const member* m : {&a, &b}) {
        EXPECT_EQ(set(*m, write_protection::none), sc::feature_not_changeable.no_retry());
        EXPECT_EQ(set(*m, write_protection::write_protect), sc::feature_not_changeable.no_retry());
        EXPECT_EQ(get(*m), 2u);
        expect_all(change_blocks(*m), refused);
        expect_all(leave_blocks(*m), sc::success);
    }
    EXPECT_EQ(set(b, write_protection::until_power_cycle), sc::success) << "it is that";
    // An operator does, whoever sees the namespace.
    const auto show = [this](core::host_choice hosts) {
        target().must<core::namespace_status>(
            test::visible_to(std::string(subsystem_nqn), 1, std::move(hosts)));
    };
    show(test::only({"nqn.2026-01.io.fulmar:member-2"}));
    target().must(core::query(core::lift_protection{std::string(subsystem_nqn), 1}));
    expect_all(change_blocks(b), sc::success);
    // A host that does not see it can neither ask nor protect.
    EXPECT_EQ(set(a, write_protection::write_protect), sc::invalid_field.no_retry());
    ASSERT_EQ(set(a, write_protection::write_protect, nvme::nsid_broadcast), sc::success);
    EXPECT_EQ(get(b), 0u);
    EXPECT_EQ(get(b, 0, 2), 1u);
}

CONFORMANCE(write_protection_test, it_outlives_the_target, "D7/84") {
    for (const auto state :
         {write_protection::write_protect, write_protection::until_power_cycle}) {
        {
            const member a = join(1);
            ASSERT_EQ(set(a, state), sc::success);
        }
        restart();
        const member b = join(2);
        EXPECT_EQ(get(b), static_cast<std::uint32_t>(state));
        expect_all(change_blocks(b), refused);
        target().must(core::query(core::lift_protection{std::string(subsystem_nqn), 1}));
    }
}

CONFORMANCE(write_protection_test, other_hosts_are_told, "D7/84", "D8/2.00", "D5/04") {
    const member a = join(1), b = join(2);
    must(b.c->set_features({.fid = 0x0b, .cdw11 = nvme::async_event_config::namespace_attribute}));
    const auto expect_told = [&] {
        EXPECT_EQ(await_events(*b.c), std::vector{nvme::event::namespace_attribute_changed});
        const auto log = read_log<nvme::changed_namespace_log>(*b.c, nvme::lid::changed_namespaces);
        EXPECT_EQ(log.nsid[0].value(), 1u);
        EXPECT_EQ(log.nsid[1].value(), 0u);
    };
    ASSERT_EQ(set(a, write_protection::write_protect), sc::success);
    expect_told();
    ASSERT_EQ(set(a, write_protection::write_protect), sc::success);
    expect_no_event(*b.c);
    ASSERT_EQ(set(a, write_protection::none), sc::success);
    expect_told();
}

// Base 2.0, section 8.12: what is in a volatile write cache is committed with the transition.
CONFORMANCE(write_protection_test, what_is_cached_is_flushed_first, "D7/84") {
    const member a = join(1);
    EXPECT_STATUS(write_blocks(*a.io, 0, bytes(512)), sc::success);
    (void)spy_.take();
    ASSERT_EQ(set(a, write_protection::write_protect), sc::success);
    EXPECT_GE(std::ranges::count_if(spy_.take(),
                                    [](const auto& one) { return one.kind == io_kind::flush; }),
              1);
    ASSERT_EQ(set(a, write_protection::none), sc::success);
    spy_.answer(io_kind::flush, sc::write_fault);
    EXPECT_EQ(set(a, write_protection::write_protect), sc::command_interrupted);
    EXPECT_STATUS(write_blocks(*a.io, 0, bytes(512)), sc::success) << "nothing has changed";
    EXPECT_EQ(get(a), 0u);
}

// While hosts write without a pause: what is there when Set Features is answered stays.
CONFORMANCE(write_protection_test, nothing_lands_after_the_answer, "D7/84") {
    const member judge = join(0);
    std::vector<member> writers;
    for (std::uint32_t i = 1; i <= 3; ++i) writers.push_back(join(i));
    std::atomic<bool> over{false};
    std::atomic<std::uint32_t> done{0}, wrong{0};
    std::vector<std::jthread> threads;
    for (std::uint32_t w = 0; w < writers.size(); ++w)
        threads.emplace_back([&, w] {
            for (std::uint32_t round = 1; !over.load(); ++round) {
                const nvme::status got =
                    write_blocks(*writers[w].io, w, pattern(512, round * 16 + w)).status();
                if (nvme::is_success(got))
                    ++done;
                else if (got != refused)
                    ++wrong;
            }
        });
    const auto look = [&] {
        bytes all(3 * 512);
        EXPECT_STATUS(read_blocks(*judge.io, 0, all), sc::success);
        return all;
    };
    for (int round = 0; round < 20; ++round) {
        const std::uint32_t before = done.load();
        EXPECT_TRUE(testing::eventually([&] { return done.load() > before + 20; }));
        ASSERT_EQ(set(judge, write_protection::write_protect), sc::success);
        const std::uint32_t answered = done.load();
        const bytes then = look();
        for (int again = 0; again < 10; ++again) EXPECT_EQ(look(), then) << "round " << round;
        // One that was answered before Set Features may be counted after it.
        EXPECT_LE(done.load(), answered + writers.size());
        ASSERT_EQ(set(judge, write_protection::none), sc::success);
    }
    over = true;
    threads.clear();
    EXPECT_EQ(wrong.load(), 0u);
}

}  // namespace
}  // namespace fulmar::conformance
