// D5: log pages. Discovery has a file of its own; ANA and changed namespaces are with the events.
#include "suite.hpp"
#include "support/spy_device.hpp"

#include <set>

namespace fulmar::conformance {
namespace {

class d5_logs : public suite {
  protected:
    testing::spy spy;  // longer there than the target, which the end of a test stops
};
INSTANTIATE_TEST_SUITE_P(reactors, d5_logs, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

const std::set<unsigned> io_pages{0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0c, 0x12, 0x13, 0x1e, 0x80};
const std::set<unsigned> discovery_pages{0x00, 0x12, 0x13, 0x70};

nvme::status log_status(host::controller& c, const nvme::get_log_page& what) {
    bytes page(what.length_bytes);
    return run_read(c.admin(), log_sqe(what), page).status();
}

std::set<unsigned> supported(host::controller& c) {
    const auto page = read_log<nvme::supported_log_pages>(c, nvme::lid::supported_pages);
    std::set<unsigned> all;
    for (unsigned lid = 0; lid < page.lid.size(); ++lid)
        if ((page.lid[lid].value() & nvme::lid_support::supported) != 0) all.insert(lid);
    return all;
}

CONFORMANCE(d5_logs, supported_pages_are_the_supported_pages, "D5/00", "D5/06", "D5/09", "D5/10",
            "D5/1F", "D5/20", "D5/70", "D5/71", "D5/81", "D5/BF", "D3/unknown", "D10/IOC") {
    const auto c = connect();
    EXPECT_EQ(supported(*c), io_pages);
    for (unsigned lid = 0; lid <= 0xff; ++lid) {
        const nvme::status got =
            log_status(*c, {.lid = static_cast<std::uint8_t>(lid), .length_bytes = 64});
        EXPECT_EQ(got, io_pages.contains(lid) ? sc::success : sc::invalid_log_page.no_retry())
            << lid;
    }
}

CONFORMANCE(d5_logs, supported_pages_of_discovery, "D5/00", "D5/01", "D5/05", "D5/12", "D5/13",
            "D5/70", "D5/71", "D10/DISC") {
    const auto c = connect_discovery();
    EXPECT_EQ(supported(*c), discovery_pages);
    for (unsigned lid = 0; lid <= 0xff; ++lid) {
        const nvme::status got =
            log_status(*c, {.lid = static_cast<std::uint8_t>(lid), .length_bytes = 64});
        EXPECT_EQ(got,
                  discovery_pages.contains(lid) ? sc::success : sc::invalid_log_page.no_retry())
            << lid;
    }
}

CONFORMANCE(d5_logs, error_information, "D5/01") {
    const auto c = connect();
    struct page {
        std::array<nvme::error_log_entry, 3> entry;
    };
    EXPECT_EQ(read_log<page>(*c, nvme::lid::error_information).entry[0].error_count.value(), 0u);
    run(c->admin(), {.sqe = admin_sqe(nvme::admin_opcode::format_nvm, 7)});
    run(c->admin(), {.sqe = admin_sqe(nvme::admin_opcode::sanitize)});
    const page got = read_log<page>(*c, nvme::lid::error_information);
    const nvme::error_log_entry& newest = got.entry[0];
    EXPECT_EQ(newest.error_count.value(), 2u);
    EXPECT_EQ(newest.sqid.value(), 0);
    EXPECT_EQ(nvme::status::from_field(newest.status_field.value()), sc::invalid_opcode.no_retry());
    EXPECT_EQ(got.entry[1].error_count.value(), 1u);
    EXPECT_EQ(got.entry[1].nsid.value(), 7u);
    EXPECT_EQ(got.entry[2].error_count.value(), 0u) << "unused";
    EXPECT_EQ(read_log<nvme::smart_log>(*c, nvme::lid::smart).error_log_entries.low.value(), 2u);
}

// I/O queues may be on other reactors than the log: their errors are in it all the same.
CONFORMANCE(d5_logs, errors_of_the_medium, "D5/01", "D5/02") {
    setup.spec.devices[0].type = "spy";
    setup.devices = spy.factory();
    const auto c = connect();
    host::queue& first = *must(c->open_io_queue(1, 8));
    host::raw_session second = raw_io(*c, 2);
    spy.answer(backend::io_kind::read, sc::unrecovered_read_error.no_retry());
    bytes block(512);
    EXPECT_STATUS(read_blocks(first, 1234, block), sc::unrecovered_read_error.no_retry());
    spy.answer(backend::io_kind::write, sc::write_fault.no_retry());
    EXPECT_STATUS(must(second.run(raw_sqe(io_sqe(nvme::io_opcode::write, {.slba = 77}), 41,
                                          nvme::make_in_capsule_sgl(0, 512)),
                                  bytes(512))),
                  sc::write_fault.no_retry());
    spy.answer(backend::io_kind::read, std::nullopt);
    spy.answer(backend::io_kind::write, std::nullopt);
    // Errors, but not the medium's.
    EXPECT_STATUS(run_write(first, io_sqe(nvme::io_opcode::compare, {.slba = 5}), pattern(512)),
                  sc::compare_failure.no_retry());
    EXPECT_STATUS(read_blocks(first, namespace_bytes, block), sc::lba_out_of_range.no_retry());

    struct page {
        std::array<nvme::error_log_entry, 5> entry;
    };
    const page got = read_log<page>(*c, nvme::lid::error_information);
    struct wanted {
        std::uint16_t sqid;
        std::uint64_t lba;
        nvme::status status;
    };
    const wanted all[] = {{1, namespace_bytes, sc::lba_out_of_range.no_retry()},
                          {1, 5, sc::compare_failure.no_retry()},
                          {2, 77, sc::write_fault.no_retry()},
                          {1, 1234, sc::unrecovered_read_error.no_retry()}};
    for (std::size_t i = 0; i < std::size(all); ++i) {
        const nvme::error_log_entry& e = got.entry[i];
        EXPECT_EQ(e.error_count.value(), std::size(all) - i);
        EXPECT_EQ(e.sqid.value(), all[i].sqid);
        EXPECT_EQ(e.nsid.value(), 1u);
        EXPECT_EQ(e.lba.value(), all[i].lba);
        EXPECT_EQ(nvme::status::from_field(e.status_field.value()), all[i].status);
        EXPECT_EQ(e.parameter_error_location.value(), nvme::error_location_unknown);
    }
    EXPECT_EQ(got.entry[2].cid.value(), 41);
    EXPECT_EQ(got.entry[4].error_count.value(), 0u) << "unused";
    const auto smart = read_log<nvme::smart_log>(*c, nvme::lid::smart);
    EXPECT_EQ(smart.media_errors.low.value(), 2u);
    EXPECT_EQ(smart.error_log_entries.low.value(), 4u);
}

CONFORMANCE(d5_logs, errors_beyond_the_logs_length, "D5/01") {
    const auto c = connect();
    const unsigned slots = c->identity().elpe + 1u;
    for (unsigned i = 0; i < slots + 5; ++i)
        run(c->admin(), {.sqe = admin_sqe(nvme::admin_opcode::sanitize)});
    const bytes all =
        must(c->get_log({.lid = 0x01, .length_bytes = slots * sizeof(nvme::error_log_entry)}));
    for (unsigned i = 0; i < slots; ++i) {
        const auto entry = nvme::read_wire<nvme::error_log_entry>(std::span(all).subspan(i * 64));
        EXPECT_EQ(entry->error_count.value(), slots + 5 - i) << "newest first";
    }
}

CONFORMANCE(d5_logs, smart, "D5/02") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 4));
    const bytes data = pattern(64 * 1024);
    bytes got(64 * 1024);
    for (int i = 0; i < 20; ++i) EXPECT_STATUS(write_blocks(q, 0, data), sc::success);
    for (int i = 0; i < 10; ++i) EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    const auto log = read_log<nvme::smart_log>(*c, nvme::lid::smart);
    EXPECT_EQ(log.critical_warning, 0);
    EXPECT_GT(log.temperature_kelvin.value(), 273);
    EXPECT_EQ(log.available_spare_percent, 100);
    EXPECT_EQ(log.host_writes.low.value(), 20u);
    EXPECT_EQ(log.host_reads.low.value(), 10u);
    EXPECT_EQ(log.data_units_written.low.value(), 3u)
        << "1310720 bytes in units of 512000, rounded up";
    EXPECT_EQ(log.data_units_read.low.value(), 2u);
    EXPECT_EQ(log.media_errors.low.value(), 0u);
    must(c->disable());
    must(c->enable());
    EXPECT_EQ(read_log<nvme::smart_log>(*c, nvme::lid::smart).host_writes.low.value(), 20u)
        << "queues that have left still count";
}

CONFORMANCE(d5_logs, firmware_slot, "D5/03") {
    const auto c = connect();
    const auto log = read_log<nvme::firmware_slot_log>(*c, nvme::lid::firmware_slot);
    EXPECT_EQ(log.afi & 7, 1);
    EXPECT_EQ(std::string_view(log.frs[0].data(), 8), std::string_view(c->identity().fr.data(), 8));
}

CONFORMANCE(d5_logs, changed_namespaces_start_empty, "D5/04") {
    const auto c = connect();
    EXPECT_EQ(
        read_log<nvme::changed_namespace_log>(*c, nvme::lid::changed_namespaces).nsid[0].value(),
        0u);
}

CONFORMANCE(d5_logs, commands_supported, "D5/05") {
    const auto c = connect();
    const auto log = read_log<nvme::command_effects_log>(*c, nvme::lid::command_effects);
    const std::set<unsigned> admin{0x02, 0x06, 0x08, 0x09, 0x0a, 0x0c, 0x18, 0x38, 0x7f};
    const std::set<unsigned> io{0x00, 0x01, 0x02, 0x04, 0x05, 0x08, 0x09,
                                0x0c, 0x0d, 0x0e, 0x11, 0x15, 0x19};
    for (unsigned opcode = 0; opcode <= 0xff; ++opcode) {
        EXPECT_EQ((log.admin[opcode].value() & 1) != 0, admin.contains(opcode)) << opcode;
        EXPECT_EQ((log.io[opcode].value() & 1) != 0, io.contains(opcode)) << opcode;
    }
    for (const unsigned opcode : {0x01u, 0x04u, 0x08u, 0x09u, 0x19u})
        EXPECT_NE(log.io[opcode].value() & nvme::command_effect::content_change, 0u);
    nvme::get_log_page other{.lid = 0x05, .length_bytes = 64};
    other.csi = 2;
    EXPECT_EQ(log_status(*c, other), sc::invalid_log_page.no_retry());
}

CONFORMANCE(d5_logs, features_supported, "D5/12") {
    const auto features = [](host::controller& c) {
        const auto log = read_log<nvme::feature_effects_log>(c, nvme::lid::feature_effects);
        std::set<unsigned> all;
        for (unsigned fid = 0; fid < log.fid.size(); ++fid)
            if ((log.fid[fid].value() & nvme::feature_effect::supported) != 0) all.insert(fid);
        return all;
    };
    EXPECT_EQ(features(*connect()), (std::set<unsigned>{0x01, 0x02, 0x04, 0x05, 0x06, 0x07, 0x0a,
                                                        0x0b, 0x0f, 0x16, 0x81, 0x82, 0x83, 0x84}));
    EXPECT_EQ(features(*connect_discovery()), (std::set<unsigned>{0x0b, 0x0f}));
}

CONFORMANCE(d5_logs, no_mi_commands, "D5/13") {
    for (const auto& c : {connect(), connect_discovery()}) {
        const auto log = read_log<nvme::mi_command_effects_log>(*c, nvme::lid::mi_command_effects);
        for (const nvme::le32& command : log.command) EXPECT_EQ(command.value(), 0u);
    }
}

CONFORMANCE(d5_logs, offsets, "D5/offset") {
    const auto c = connect();
    const bytes whole = must(c->get_log({.lid = 0x05, .length_bytes = 4096}));
    for (const std::uint64_t at : {4u, 1024u, 2048u, 4092u}) {
        bytes piece(4096);
        const nvme::sqe sqe = log_sqe({.lid = 0x05, .length_bytes = 4096, .offset_bytes = at});
        EXPECT_STATUS(run_read(c->admin(), sqe, piece), sc::success);
        bytes wanted(whole.begin() + static_cast<std::ptrdiff_t>(at), whole.end());
        wanted.resize(4096);
        EXPECT_EQ(piece, wanted) << "zeroes behind the end";
    }
    EXPECT_EQ(log_status(*c, {.lid = 0x05, .length_bytes = 64, .offset_bytes = 4096}), sc::success);
    for (const std::uint64_t at : {1ull, 2ull, 3ull, 4100ull, 1ull << 32, ~3ull})
        EXPECT_EQ(log_status(*c, {.lid = 0x05, .length_bytes = 64, .offset_bytes = at}),
                  sc::invalid_field.no_retry())
            << at;
    EXPECT_EQ(log_status(*c, {.lid = 0x02, .length_bytes = 64, .offset_bytes = 516}),
              sc::invalid_field.no_retry());
    nvme::get_log_page index{.lid = 0x02, .length_bytes = 64};
    index.offset_is_index = true;
    EXPECT_EQ(log_status(*c, index), sc::invalid_field.no_retry()) << "no page has index offsets";
}

CONFORMANCE(d5_logs, lengths_that_contradict_the_buffer, "D5/offset", "D3/sgl") {
    const auto c = connect();
    bytes room(512);
    for (const std::uint64_t said : {4u, 508u, 516u, 1024u}) {
        const nvme::sqe sqe = log_sqe({.lid = 0x02, .length_bytes = said});
        EXPECT_STATUS(run_read(c->admin(), sqe, room), sc::data_sgl_length_invalid.no_retry())
            << said;
    }
    EXPECT_STATUS(run(c->admin(), {.sqe = log_sqe({.lid = 0x02, .length_bytes = 512})}),
                  sc::data_sgl_length_invalid.no_retry());
    // NUMDU: 16 GiB were asked for.
    const nvme::sqe huge = log_sqe({.lid = 0x02, .length_bytes = std::uint64_t{1} << 34});
    EXPECT_STATUS(run_read(c->admin(), huge, room), sc::invalid_field.no_retry());
}

}  // namespace
}  // namespace fulmar::conformance
