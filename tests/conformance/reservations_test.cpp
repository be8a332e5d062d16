// Reservations (Base 2.0, sections 7.2 to 7.5 and 8.19): several hosts on one namespace.
#include "suite.hpp"
#include "support/reservation_commands.hpp"

#include <fulmar/nvme/reservation.hpp>

#include <array>

namespace fulmar::conformance {
namespace {

using nvme::io_opcode;
using nvme::reservation_type;

constexpr nvme::status conflict = sc::reservation_conflict.no_retry();

class reservations_test : public suite {
  protected:
    struct member {
        std::unique_ptr<host::controller> c;
        host::queue* io = nullptr;
        std::uint64_t key = 0;
    };

    member join(std::uint32_t number) {
        host::controller_options options = host_options();
        options.async_events = 2;
        options.hostnqn = "nqn.2026-01.io.fulmar:member-" + std::to_string(number);
        options.hostid = nvme::derive_uuid("a member of a cluster", number);
        member m{.c = connect(options), .io = nullptr, .key = 0x1000u + number};
        m.io = must(m.c->open_io_queue(1, 8));
        return m;
    }

    static nvme::status send(const member& m, io_opcode opcode, nvme::reservation_command how,
                             std::uint64_t first, std::uint64_t second, std::uint32_t nsid = 1,
                             bool in_capsule = true) {
        const auto keys = test::reservation_keys(first, second);
        const auto data = nvme::wire_bytes(keys);
        return run_write(*m.io, test::reservation_sqe(opcode, how, nsid),
                         opcode == io_opcode::reservation_release ? data.first(8) : data,
                         in_capsule)
            .status();
    }
    static nvme::status enrol(const member& m, bool in_capsule = true) {
        return send(m, io_opcode::reservation_register, {.action = 0}, 0, m.key, 1, in_capsule);
    }
    static nvme::status acquire(const member& m, reservation_type type, std::uint8_t action = 0,
                                std::uint64_t victim = 0) {
        return send(m, io_opcode::reservation_acquire,
                    {.action = action, .type = static_cast<std::uint8_t>(type)}, m.key, victim);
    }
    static nvme::status clear(const member& m) {
        return send(m, io_opcode::reservation_release, {.action = 1}, m.key, 0);
    }
    static nvme::status report(const member& m, std::span<std::byte> into, bool extended = true,
                               std::uint32_t nsid = 1) {
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(io_opcode::reservation_report);
        sqe.nsid = nsid;
        nvme::encode_reservation_report(sqe, {.length_bytes = into.size(), .extended = extended});
        return run_read(*m.io, sqe, into).status();
    }
    static nvme::reservation_status header(const member& m) {
        bytes got(64);
        EXPECT_EQ(report(m, got), sc::success);
        return nvme::read_wire<nvme::reservation_status_extended>(got).value().basic;
    }
    /// Every command that reads, or every one that writes.
    static std::vector<nvme::status> try_all(const member& m, bool writes) {
        const bytes zeroes(512);
        bytes got(512);
        nvme::sqe flush{};
        flush.nsid = 1;
        const auto range = [](io_opcode opcode) {
            return io_sqe(opcode, {.slba = 0, .blocks = 1});
        };
        if (!writes)
            return {read_blocks(*m.io, 0, got).status(),
                    run_write(*m.io, range(io_opcode::compare), zeroes).status(),
                    run(*m.io, {.sqe = range(io_opcode::verify)}).status()};
        nvme::sqe dsm{};
        dsm.opcode = static_cast<std::uint8_t>(io_opcode::dataset_management);
        dsm.nsid = 1;
        nvme::encode_dataset_management(
            dsm, {.ranges = 1, .attributes = nvme::dsm_attribute::deallocate});
        nvme::dsm_range one{};
        one.blocks = 1;
        nvme::sqe copy{};
        copy.opcode = static_cast<std::uint8_t>(io_opcode::copy);
        copy.nsid = 1;
        nvme::encode_copy(copy, {.sdlba = 8, .ranges = 1});
        nvme::copy_range source{};
        return {run(*m.io, {.sqe = range(io_opcode::write_uncorrectable)}).status(),
                write_blocks(*m.io, 0, zeroes).status(),
                run(*m.io, {.sqe = range(io_opcode::write_zeroes)}).status(),
                run_write(*m.io, dsm, nvme::wire_bytes(one)).status(),
                run_write(*m.io, copy, nvme::wire_bytes(source)).status(),
                run(*m.io, {.sqe = flush}).status()};
    }
};
INSTANTIATE_TEST_SUITE_P(reactors, reservations_test, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

// Base 2.0, figure "Command behavior in the presence of a reservation".
CONFORMANCE(reservations_test, each_type_lets_through_what_it_may, "D4/0D") {
    struct row {
        reservation_type type;
        bool stranger_reads, registrant_reads, registrant_writes;
    };
    constexpr std::array rows{
        row{reservation_type::write_exclusive, true, true, false},
        row{reservation_type::exclusive_access, false, false, false},
        row{reservation_type::write_exclusive_registrants, true, true, true},
        row{reservation_type::exclusive_access_registrants, false, true, true},
        row{reservation_type::write_exclusive_all, true, true, true},
        row{reservation_type::exclusive_access_all, false, true, true},
    };
    const member holder = join(1), registrant = join(2), stranger = join(3);
    const auto expect_all = [](const member& m, bool writes, bool allowed, std::string_view who) {
        for (const nvme::status got : try_all(m, writes))
            EXPECT_EQ(got, allowed ? nvme::status(sc::success) : conflict)
                << who << (writes ? " writes" : " reads");
    };
    for (const row& r : rows) {
        SCOPED_TRACE("type " + std::to_string(static_cast<int>(r.type)));
        ASSERT_EQ(enrol(holder), sc::success);
        ASSERT_EQ(enrol(registrant), sc::success);
        ASSERT_EQ(acquire(holder, r.type), sc::success);
        expect_all(holder, false, true, "the holder");
        expect_all(holder, true, true, "the holder");
        expect_all(registrant, false, r.registrant_reads, "a registrant");
        expect_all(registrant, true, r.registrant_writes, "a registrant");
        expect_all(stranger, false, r.stranger_reads, "a stranger");
        expect_all(stranger, true, false, "a stranger");
        EXPECT_EQ(acquire(stranger, r.type), conflict);
        ASSERT_EQ(clear(holder), sc::success);
        expect_all(stranger, true, true, "anybody, once it is cleared");
    }
}

CONFORMANCE(reservations_test, registrations_belong_to_hosts, "D4/0D") {
    const member one = join(1);
    const member other = join(2);
    ASSERT_EQ(enrol(one, false), sc::success) << "by R2T";
    EXPECT_EQ(enrol(one), sc::success) << "the same key again";
    EXPECT_EQ(send(one, io_opcode::reservation_register, {.action = 0}, 0, 77), conflict);
    const member same = join(1);  // another controller of the same host
    EXPECT_EQ(acquire(same, reservation_type::exclusive_access), sc::success);
    bytes got(512);
    EXPECT_STATUS(read_blocks(*one.io, 0, got), sc::success);
    EXPECT_STATUS(read_blocks(*other.io, 0, got), conflict);
    EXPECT_EQ(header(other).registrants.value(), 1u);
    EXPECT_EQ(send(one, io_opcode::reservation_register, {.action = 2}, one.key, 77), sc::success);
    EXPECT_EQ(send(same, io_opcode::reservation_register, {.action = 1}, one.key, 0), conflict)
        << "the key was replaced";
    EXPECT_EQ(send(same, io_opcode::reservation_register, {.action = 1}, 77, 0), sc::success);
    EXPECT_EQ(header(other).registrants.value(), 0u);
    EXPECT_STATUS(read_blocks(*other.io, 0, got), sc::success) << "the holder has gone";
}

CONFORMANCE(reservations_test, release_may_bring_two_keys_as_linux_does, "D4/0D") {
    const member m = join(1);
    ASSERT_EQ(enrol(m), sc::success);
    ASSERT_EQ(acquire(m, reservation_type::write_exclusive), sc::success);
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(io_opcode::reservation_release);
    sqe.nsid = 1;
    nvme::encode_reservation(sqe, {.action = 1});
    nvme::reservation_register_data keys{};
    keys.crkey = m.key;
    for (const bool in_capsule : {true, false}) {
        EXPECT_EQ(run_write(*m.io, sqe, nvme::wire_bytes(keys), in_capsule).status(),
                  in_capsule ? nvme::status(sc::success) : conflict)
            << "cleared once, and then nobody is registered";
    }
    EXPECT_EQ(header(m).registrants.value(), 0u);
}

CONFORMANCE(reservations_test, what_is_wrong_is_said, "D4/0D") {
    const member m = join(1);
    bytes got(64);
    EXPECT_EQ(report(m, got, false), sc::host_id_inconsistent.no_retry());
    EXPECT_EQ(report(m, got, true, nvme::nsid_broadcast),
              sc::invalid_namespace_or_format.no_retry());
    EXPECT_EQ(send(m, io_opcode::reservation_register, {.action = 0}, 0, 1, nvme::nsid_broadcast),
              sc::invalid_namespace_or_format.no_retry());
    EXPECT_EQ(send(m, io_opcode::reservation_register, {.action = 5}, 0, 1),
              sc::invalid_field.no_retry());
    EXPECT_EQ(acquire(m, reservation_type::write_exclusive), conflict) << "nobody has registered";
    ASSERT_EQ(enrol(m), sc::success);
    EXPECT_EQ(acquire(m, static_cast<reservation_type>(7)), sc::invalid_field.no_retry());
    EXPECT_EQ(acquire(m, reservation_type::write_exclusive, 3), sc::invalid_field.no_retry());
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(io_opcode::reservation_register);
    sqe.nsid = 1;
    EXPECT_STATUS(run_write(*m.io, sqe, bytes(8)), sc::data_sgl_length_invalid.no_retry());
    EXPECT_STATUS(run_write(*m.io, sqe, bytes(32)), sc::data_sgl_length_invalid.no_retry());
    EXPECT_EQ(header(m).registrants.value(), 1u) << "nothing of it has changed anything";
}

CONFORMANCE(reservations_test, preempt_tells_whom_it_concerns, "D4/0D", "D5/80", "D8/6", "D7/82") {
    const member winner = join(1), loser = join(2);
    ASSERT_EQ(enrol(winner), sc::success);
    ASSERT_EQ(enrol(loser), sc::success);
    ASSERT_EQ(acquire(loser, reservation_type::write_exclusive_registrants), sc::success);
    const std::uint32_t generation = header(winner).generation.value();
    ASSERT_EQ(acquire(winner, reservation_type::exclusive_access, 2, loser.key), sc::success);
    EXPECT_EQ(header(winner).generation.value(), generation + 1);
    const auto events = await_events(*loser.c);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0], nvme::event::reservation_log_available);
    const auto page =
        read_log<nvme::reservation_notification_log>(*loser.c, nvme::lid::reservation_notification);
    EXPECT_EQ(page.type,
              static_cast<std::uint8_t>(nvme::reservation_notice::registration_preempted));
    EXPECT_EQ(page.nsid.value(), 1u);
    EXPECT_EQ(page.available_pages, 0);
    bytes got(512);
    EXPECT_STATUS(read_blocks(*loser.io, 0, got), conflict);

    ASSERT_EQ(enrol(loser), sc::success);
    must(loser.c->set_features({.fid = 0x82, .cdw11 = nvme::reservation_mask::all}, 1));
    ASSERT_EQ(clear(winner), sc::success);
    EXPECT_EQ(
        read_log<nvme::reservation_notification_log>(*loser.c, nvme::lid::reservation_notification)
            .log_page_count.value(),
        0u)
        << "it was masked";
    expect_no_event(*loser.c);
}

CONFORMANCE(reservations_test, are_claimed, "D6/01", "D6/00") {
    const member m = join(1);
    EXPECT_NE(m.c->identity().oncs.value() & nvme::oncs::reservations, 0);
    const auto ns = must(m.c->identify_namespace(1));
    EXPECT_EQ(ns.rescap & 0xfe, 0xfe) << "six types, IEKEY as since 1.3";
    EXPECT_EQ(ns.rescap & nvme::rescap::persist_through_power_loss, 0)
        << "this target has no place to keep them";
}

}  // namespace
}  // namespace fulmar::conformance
