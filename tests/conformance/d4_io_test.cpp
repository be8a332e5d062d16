// D4: the NVM command set, and what its commands promise. ANA and loss are in d4_paths_test.cpp.
#include "suite.hpp"
#include "support/spy_device.hpp"

namespace fulmar::conformance {
namespace {

using backend::io_kind;
using nvme::io_opcode;

class d4_io : public suite {
  protected:
    /// Namespace 1 becomes a device that tells what it is asked.
    testing::spy& spying() {
        setup.spec.devices[0].type = "spy";
        setup.devices = spy_.factory();
        return spy_;
    }

  private:
    testing::spy spy_;
};
INSTANTIATE_TEST_SUITE_P(reactors, d4_io, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

bytes zeroes(std::size_t size) { return bytes(size); }

nvme::status dsm(host::queue& q, std::vector<nvme::dsm_range> ranges,
                 std::uint32_t attributes = nvme::dsm_attribute::deallocate,
                 std::uint32_t nsid = 1) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(io_opcode::dataset_management);
    sqe.nsid = nsid;
    nvme::encode_dataset_management(
        sqe, {.ranges = static_cast<std::uint32_t>(ranges.size()), .attributes = attributes});
    return run_write(q, sqe, std::as_bytes(std::span(ranges))).status();
}

nvme::dsm_range range(std::uint64_t slba, std::uint32_t blocks) {
    nvme::dsm_range r{};
    r.slba = slba;
    r.blocks = blocks;
    return r;
}

CONFORMANCE(d4_io, writes_are_read, "D4/01", "D4/02") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    struct shape {
        std::uint32_t nsid, block_bytes;
    };
    for (const auto& [nsid, block_bytes] : {shape{1, 512}, shape{2, 4096}}) {
        // In the capsule, by R2T, one chunk, several, the largest.
        for (const std::size_t size : {4096u, 8192u, 16384u, 128u * 1024, 1024u * 1024}) {
            const bytes data = pattern(size, static_cast<std::uint32_t>(size + nsid));
            EXPECT_STATUS(write_blocks(q, 16, data, nsid, block_bytes), sc::success);
            bytes got(size);
            EXPECT_STATUS(read_blocks(q, 16, got, nsid, block_bytes), sc::success);
            EXPECT_EQ(got, data) << size;
        }
    }
    const bytes one = pattern(512);
    EXPECT_STATUS(write_blocks(q, 0, one), sc::success);
    bytes got(512);
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    EXPECT_EQ(got, one);
    EXPECT_TRUE(q.checker().clean()) << q.checker().text();
}

CONFORMANCE(d4_io, namespaces_do_not_overlap, "D4/01") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes one = pattern(4096, 1);
    const bytes two = pattern(4096, 2);
    EXPECT_STATUS(write_blocks(q, 0, one, 1), sc::success);
    EXPECT_STATUS(write_blocks(q, 0, two, 2, 4096), sc::success);
    bytes got(4096);
    EXPECT_STATUS(read_blocks(q, 0, got, 1), sc::success);
    EXPECT_EQ(got, one);
}

CONFORMANCE(d4_io, flush, "D4/00") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    spy.take();
    nvme::sqe flush{};
    flush.nsid = 1;
    EXPECT_STATUS(run(q, {.sqe = flush}), sc::success);
    const auto seen = spy.take();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].kind, io_kind::flush);
    flush.nsid = nvme::nsid_broadcast;
    EXPECT_STATUS(run(q, {.sqe = flush}), sc::invalid_namespace_or_format.no_retry())
        << "VWC says that broadcast is not supported";
    flush.nsid = 2;
    EXPECT_STATUS(run(q, {.sqe = flush}), sc::success) << "a RAM namespace has nothing to flush";
    spy.answer(io_kind::flush, sc::internal_error.no_retry());
    flush.nsid = 1;
    EXPECT_STATUS(run(q, {.sqe = flush}), sc::internal_error.no_retry());
}

CONFORMANCE(d4_io, fua_reaches_the_device, "D4/fua", "D4/01") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes data = pattern(4096);
    spy.take();
    EXPECT_STATUS(write_blocks(q, 0, data), sc::success);
    EXPECT_STATUS(write_blocks(q, 8, data, 1, 512, true), sc::success);
    EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::write_zeroes, {.slba = 8, .blocks = 8})}),
                  sc::success);
    EXPECT_STATUS(
        run(q, {.sqe = io_sqe(io_opcode::write_zeroes, {.slba = 8, .blocks = 8, .fua = true})}),
        sc::success);
    const auto seen = spy.take();
    ASSERT_EQ(seen.size(), 4u);
    EXPECT_EQ(seen[0].fua, false);
    EXPECT_EQ(seen[1].fua, true);
    EXPECT_EQ(seen[2].fua, false);
    EXPECT_EQ(seen[3].fua, true);
    EXPECT_EQ(seen[1].first_block, 8u);
    EXPECT_EQ(seen[1].block_count, 8u);
}

CONFORMANCE(d4_io, without_write_cache_every_write_is_durable, "D4/fua", "D7/06") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes data = pattern(4096);
    spy.take();
    must(c->set_features({.fid = 0x06, .cdw11 = 0}));
    EXPECT_STATUS(write_blocks(q, 0, data), sc::success);
    must(c->set_features({.fid = 0x06, .cdw11 = 1}));
    EXPECT_STATUS(write_blocks(q, 0, data), sc::success);
    const auto seen = spy.take();
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_TRUE(seen[0].fua);
    EXPECT_FALSE(seen[1].fua);
}

CONFORMANCE(d4_io, compare, "D4/05") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    for (const std::size_t size : {4096u, 64u * 1024}) {
        const bytes data = pattern(size);
        EXPECT_STATUS(write_blocks(q, 0, data), sc::success);
        const nvme::block_range all{.slba = 0, .blocks = static_cast<std::uint32_t>(size / 512)};
        const nvme::sqe compare = io_sqe(io_opcode::compare, all);
        EXPECT_STATUS(run_write(q, compare, data), sc::success);
        bytes other = data;
        other.back() ^= std::byte{1};
        EXPECT_STATUS(run_write(q, compare, other), sc::compare_failure.no_retry());
        bytes got(size);
        EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
        EXPECT_EQ(got, data) << "nothing was written";
    }
}

CONFORMANCE(d4_io, write_zeroes, "D4/08") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    EXPECT_STATUS(write_blocks(q, 0, pattern(16384)), sc::success);
    for (const bool deallocate : {false, true}) {
        const nvme::block_range some{.slba = 4, .blocks = 9, .deac = deallocate};
        EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::write_zeroes, some)}), sc::success);
    }
    bytes got(16384);
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    bytes wanted = pattern(16384);
    std::fill(wanted.begin() + 4 * 512, wanted.begin() + 13 * 512, std::byte{0});
    EXPECT_EQ(got, wanted);
    // No data moves, so MDTS is no limit.
    const nvme::block_range all{.slba = 0, .blocks = namespace_bytes / 512};
    EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::write_zeroes, all)}), sc::success);
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    EXPECT_EQ(got, zeroes(16384));
}

CONFORMANCE(d4_io, dataset_management, "D4/09") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    EXPECT_STATUS(write_blocks(q, 0, pattern(16384)), sc::success);
    EXPECT_EQ(dsm(q, {range(0, 2), range(8, 8), range(20, 0)}), sc::success);
    bytes got(16384);
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    bytes wanted = pattern(16384);
    std::fill(wanted.begin(), wanted.begin() + 2 * 512, std::byte{0});
    std::fill(wanted.begin() + 8 * 512, wanted.begin() + 16 * 512, std::byte{0});
    EXPECT_EQ(got, wanted);
    EXPECT_EQ(dsm(q, {range(0, 32)}, nvme::dsm_attribute::integral_write), sc::success);
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    EXPECT_EQ(got, wanted) << "a hint changes nothing";
    EXPECT_EQ(dsm(q, {range(0, 1), range(namespace_bytes / 512, 1)}),
              sc::lba_out_of_range.no_retry());
    EXPECT_EQ(dsm(q, {range(~0ull, 2)}), sc::lba_out_of_range.no_retry());
}

CONFORMANCE(d4_io, dataset_management_of256_ranges, "D4/09") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    spy.take();
    std::vector<nvme::dsm_range> all;
    for (unsigned i = 0; i < nvme::dsm_ranges_max; ++i) all.push_back(range(i * 2, 1));
    EXPECT_EQ(dsm(q, all), sc::success);
    const auto seen = spy.take();
    ASSERT_EQ(seen.size(), 1u);
    ASSERT_EQ(seen[0].ranges.size(), nvme::dsm_ranges_max);
    EXPECT_EQ(seen[0].ranges[255].first, 510u);
    EXPECT_EQ(seen[0].ranges[255].count, 1u);
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(io_opcode::dataset_management);
    sqe.nsid = 1;
    nvme::encode_dataset_management(sqe,
                                    {.ranges = 2, .attributes = nvme::dsm_attribute::deallocate});
    EXPECT_STATUS(run_write(q, sqe, bytes(16)), sc::data_sgl_length_invalid.no_retry());
    EXPECT_STATUS(run(q, {.sqe = sqe}), sc::data_sgl_length_invalid.no_retry());
}

// Everything that counts in blocks, on a namespace whose blocks have 4096 bytes.
CONFORMANCE(d4_io, blocks_of4096_bytes, "D4/01", "D4/02", "D4/05", "D4/08", "D4/09", "D4/range") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    constexpr std::uint32_t block = 4096;
    const std::uint64_t end = namespace_bytes / block;
    const bytes data = pattern(16 * block);
    EXPECT_STATUS(write_blocks(q, end - 16, data, 2, block), sc::success);
    const nvme::block_range all{.slba = end - 16, .blocks = 16};
    EXPECT_STATUS(run_write(q, io_sqe(io_opcode::compare, all, 2), data), sc::success);
    const nvme::block_range some{.slba = end - 3, .blocks = 2};
    EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::write_zeroes, some, 2)}), sc::success);
    EXPECT_STATUS(run_write(q, io_sqe(io_opcode::compare, all, 2), data),
                  sc::compare_failure.no_retry());
    EXPECT_EQ(dsm(q, {range(end - 16, 1)}, nvme::dsm_attribute::deallocate, 2), sc::success);
    bytes wanted = data;
    std::fill(wanted.begin(), wanted.begin() + block, std::byte{0});
    std::fill(wanted.begin() + 13 * block, wanted.begin() + 15 * block, std::byte{0});
    bytes got(16 * block);
    EXPECT_STATUS(read_blocks(q, end - 16, got, 2, block), sc::success);
    EXPECT_EQ(got, wanted);
    // Offsets, lengths and the end in blocks of this size, not of 512 bytes.
    EXPECT_STATUS(read_blocks(q, end - 15, got, 2, block), sc::lba_out_of_range.no_retry());
    EXPECT_STATUS(read_blocks(q, end, got, 2, block), sc::lba_out_of_range.no_retry());
    bytes little(512);
    EXPECT_STATUS(run_read(q, io_sqe(io_opcode::read, {.blocks = 1}, 2), little),
                  sc::data_sgl_length_invalid.no_retry());
    EXPECT_STATUS(run_write(q, io_sqe(io_opcode::write, {.blocks = 1}, 2), little),
                  sc::data_sgl_length_invalid.no_retry());
    const std::uint64_t most = c->max_transfer_bytes() / block;
    bytes large((most + 1) * block);
    EXPECT_STATUS(read_blocks(q, 0, large, 2, block), sc::invalid_field.no_retry()) << "MDTS";
}

CONFORMANCE(d4_io, ranges_that_do_not_fit, "D4/range") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    const std::uint64_t end = namespace_bytes / 512;
    for (const std::uint64_t slba : {end, end - 7, end + 1, std::uint64_t{1} << 55,
                                     ~std::uint64_t{0}, ~std::uint64_t{0} - 7}) {
        bytes data(4096);
        EXPECT_STATUS(read_blocks(q, slba, data), sc::lba_out_of_range.no_retry()) << slba;
        EXPECT_STATUS(write_blocks(q, slba, data), sc::lba_out_of_range.no_retry()) << slba;
        EXPECT_STATUS(
            run_write(q, io_sqe(io_opcode::compare, {.slba = slba, .blocks = 8}), data, false),
            sc::lba_out_of_range.no_retry());
        EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::write_zeroes, {.slba = slba, .blocks = 8})}),
                      sc::lba_out_of_range.no_retry());
    }
    bytes last(4096);
    EXPECT_STATUS(read_blocks(q, end - 8, last), sc::success);
    EXPECT_TRUE(q.checker().clean()) << q.checker().text();
}

CONFORMANCE(d4_io, namespaces_that_are_not_there, "D3/nsid", "D4/02") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    bytes data(4096);
    for (const std::uint32_t nsid : {0u, 3u, 1024u, 1025u, 0xffff'fffeu, nvme::nsid_broadcast}) {
        EXPECT_STATUS(read_blocks(q, 0, data, nsid), sc::invalid_namespace_or_format.no_retry());
        EXPECT_STATUS(write_blocks(q, 0, data, nsid), sc::invalid_namespace_or_format.no_retry());
        EXPECT_STATUS(run_write(q, io_sqe(io_opcode::write, {.blocks = 8}, nsid), data, false),
                      sc::invalid_namespace_or_format.no_retry());
        EXPECT_EQ(dsm(q, {range(0, 1)}, nvme::dsm_attribute::deallocate, nsid),
                  sc::invalid_namespace_or_format.no_retry());
    }
    EXPECT_STATUS(read_blocks(q, 0, data), sc::success);
}

nvme::status copy(host::queue& q, std::vector<backend::block_range> sources, std::uint64_t to,
                  nvme::copy_command more = {}) {
    std::vector<nvme::copy_range> wire;
    for (const backend::block_range& one : sources) {
        nvme::copy_range& r = wire.emplace_back();
        r.slba = one.first;
        r.nlb = static_cast<std::uint16_t>(one.count - 1);
    }
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(io_opcode::copy);
    sqe.nsid = 1;
    more.sdlba = to;
    more.ranges = static_cast<std::uint32_t>(sources.size());
    nvme::encode_copy(sqe, more);
    return run_write(q, sqe, std::as_bytes(std::span(wire))).status();
}

CONFORMANCE(d4_io, copy, "D4/19") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes data = pattern(24 * 512);
    EXPECT_STATUS(write_blocks(q, 0, data), sc::success);
    EXPECT_EQ(copy(q, {{16, 8}, {0, 16}}, 100), sc::success);
    bytes wanted(data.begin() + 16 * 512, data.end());
    wanted.insert(wanted.end(), data.begin(), data.begin() + 16 * 512);
    bytes got(24 * 512);
    EXPECT_STATUS(read_blocks(q, 100, got), sc::success);
    EXPECT_EQ(got, wanted);
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    EXPECT_EQ(got, data) << "the sources stay";
    // A hundred sources do not fit into the capsule beside the command everywhere.
    std::vector<backend::block_range> many;
    for (std::uint64_t i = 0; i < 100; ++i) many.push_back({i % 24, 1});
    EXPECT_EQ(copy(q, many, 200), sc::success);
    bytes hundred(100 * 512);
    EXPECT_STATUS(read_blocks(q, 200, hundred), sc::success);
    for (std::size_t i = 0; i < 100; ++i)
        EXPECT_TRUE(std::equal(hundred.begin() + static_cast<std::ptrdiff_t>(i * 512),
                               hundred.begin() + static_cast<std::ptrdiff_t>(i * 512 + 512),
                               data.begin() + static_cast<std::ptrdiff_t>(i % 24 * 512)))
            << i;
}

CONFORMANCE(d4_io, copies_that_cannot_be, "D4/19") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    const auto told = must(c->identify_namespace(1));
    ASSERT_EQ(told.mssrl.value(), 2048u) << "1 MiB";
    ASSERT_EQ(told.mcl.value(), 2048u);
    ASSERT_EQ(told.msrc, 127u);
    const std::uint64_t end = namespace_bytes / 512;
    const nvme::status too_much = sc::command_size_limit_exceeded.no_retry();
    EXPECT_EQ(copy(q, {{0, 2048}}, 4096), sc::success);
    EXPECT_EQ(copy(q, {{0, 2049}}, 4096), too_much);
    EXPECT_EQ(copy(q, {{0, 2048}, {0, 1}}, 4096), too_much);
    EXPECT_EQ(copy(q, std::vector<backend::block_range>(129, {0, 1}), 4096), too_much);
    EXPECT_EQ(copy(q, {{end, 1}}, 0), sc::lba_out_of_range.no_retry());
    EXPECT_EQ(copy(q, {{0, 2}}, end - 1), sc::lba_out_of_range.no_retry());
    EXPECT_EQ(copy(q, {{~0ull, 2}}, 0), sc::lba_out_of_range.no_retry());
    EXPECT_EQ(copy(q, {{0, 1}}, 8, {.descriptor_format = 1}), sc::invalid_field.no_retry());
}

// With descriptors of format 0 the specification leaves open what such a Copy leaves behind.
CONFORMANCE(d4_io, copies_onto_their_sources, "D4/19") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    spy.take();
    const nvme::status refused = sc::overlapping_io_range.no_retry();
    EXPECT_EQ(copy(q, {{8, 8}}, 8), refused) << "onto itself";
    EXPECT_EQ(copy(q, {{8, 8}}, 12), refused);
    EXPECT_EQ(copy(q, {{8, 8}}, 1), refused);
    EXPECT_EQ(copy(q, {{100, 4}, {8, 8}}, 15), refused) << "any of them";
    EXPECT_EQ(copy(q, {{8, 8}, {100, 90}}, 0), refused);
    EXPECT_TRUE(spy.take().empty()) << "no device sees it";
    EXPECT_EQ(copy(q, {{8, 8}}, 16), sc::success) << "side by side";
    EXPECT_EQ(copy(q, {{8, 8}, {8, 8}}, 64), sc::success) << "a source twice";
}

CONFORMANCE(d4_io, copy_reaches_the_device, "D4/19", "D4/fua") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    spy.take();
    EXPECT_EQ(copy(q, {{8, 2}, {32, 4}}, 64, {.fua = true}), sc::success);
    EXPECT_EQ(copy(q, {{8, 2}}, 64), sc::success);
    const auto seen = spy.take();
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].kind, io_kind::copy);
    EXPECT_TRUE(seen[0].fua);
    EXPECT_FALSE(seen[1].fua);
    EXPECT_EQ(seen[0].first_block, 64u);
    EXPECT_EQ(seen[0].block_count, 6u);
    ASSERT_EQ(seen[0].ranges.size(), 2u);
    EXPECT_EQ(seen[0].ranges[1].first, 32u);
    EXPECT_EQ(seen[0].ranges[1].count, 4u);
}

CONFORMANCE(d4_io, verify, "D4/0C") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::verify, {.slba = 8, .blocks = 9})}),
                  sc::success);
    EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::verify, {.slba = namespace_bytes / 512})}),
                  sc::lba_out_of_range.no_retry());
    spy.answer(io_kind::verify, sc::unrecovered_read_error.no_retry());
    EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::verify, {.slba = 8, .blocks = 9})}),
                  sc::unrecovered_read_error.no_retry());
}

CONFORMANCE(d4_io, write_uncorrectable, "D4/04") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    constexpr nvme::status unreadable = sc::unrecovered_read_error.no_retry();
    const auto on = [&q](io_opcode opcode, const nvme::block_range& blocks,
                         std::uint32_t nsid = 1) {
        return run(q, {.sqe = io_sqe(opcode, blocks, nsid)}).status();
    };
    const bytes data = pattern(8 * 512);
    bytes got(8 * 512);
    EXPECT_STATUS(write_blocks(q, 0, data), sc::success);
    EXPECT_EQ(on(io_opcode::write_uncorrectable, {.slba = 6, .blocks = 4}), sc::success);
    EXPECT_STATUS(read_blocks(q, 0, got), unreadable);
    EXPECT_STATUS(read_blocks(q, 0, std::span(got).first(6 * 512)), sc::success);
    EXPECT_STATUS(run_write(q, io_sqe(io_opcode::compare, {.slba = 0, .blocks = 8}), data),
                  unreadable);
    EXPECT_EQ(on(io_opcode::verify, {.slba = 9}), unreadable);
    EXPECT_EQ(on(io_opcode::verify, {.slba = 10}), sc::success);
    EXPECT_EQ(copy(q, {{0, 2}, {9, 1}}, 64), unreadable);
    EXPECT_STATUS(write_blocks(q, 6, std::span(data).first(2 * 512)), sc::success);
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    EXPECT_EQ(on(io_opcode::verify, {.slba = 8}), unreadable) << "nobody has written that one";
    EXPECT_EQ(on(io_opcode::write_zeroes, {.slba = 8, .blocks = 2}), sc::success);
    EXPECT_EQ(on(io_opcode::verify, {.slba = 0, .blocks = 10}), sc::success);
    EXPECT_EQ(on(io_opcode::write_uncorrectable, {.slba = namespace_bytes / 512}),
              sc::lba_out_of_range.no_retry());
    EXPECT_EQ(on(io_opcode::write_uncorrectable, {.slba = namespace_bytes / 512 - 1, .blocks = 2}),
              sc::lba_out_of_range.no_retry());
}

CONFORMANCE(d4_io, write_uncorrectable_where_nothing_is_kept, "D4/04") {
    setup.spec.devices[0].type = "null";
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::write_uncorrectable, {.blocks = 8})}),
                  sc::invalid_opcode.no_retry());
    EXPECT_EQ(c->identity().oncs.value() & nvme::oncs::write_uncorrectable,
              nvme::oncs::write_uncorrectable)
        << "it is the controller's, and another namespace has it";
    EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::write_uncorrectable, {.blocks = 8}, 2)}),
                  sc::success);
}

CONFORMANCE(d4_io, what_is_not_implemented, "D4/12", "D4/18", "D4/79", "D10/IOC") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    for (unsigned opcode = 0; opcode <= 0xff; ++opcode) {
        if (opcode <= 2 || opcode == 4 || opcode == 5 || opcode == 8 || opcode == 9 ||
            opcode == 0x0c || opcode == 0x0d || opcode == 0x0e || opcode == 0x11 ||
            opcode == 0x15 || opcode == 0x19 || opcode == 0x7f)
            continue;
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(opcode);
        sqe.nsid = 1;
        EXPECT_STATUS(run(q, {.sqe = sqe}), sc::invalid_opcode.no_retry()) << opcode;
    }
    bytes data(4096);
    EXPECT_STATUS(read_blocks(q, 0, data), sc::success);
}

CONFORMANCE(d4_io, media_errors_are_told, "D4/01", "D4/02") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    spy.answer(io_kind::read, sc::unrecovered_read_error);
    spy.answer(io_kind::write, sc::write_fault);
    bytes data(4096);
    EXPECT_STATUS(read_blocks(q, 0, data), sc::unrecovered_read_error);
    EXPECT_STATUS(write_blocks(q, 0, data), sc::write_fault);
    EXPECT_TRUE(q.checker().clean()) << q.checker().text();
}

CONFORMANCE(d4_io, answers_come_as_they_are_ready, "D4/02") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::raw_session q = raw_io(*c);
    spy.hold(true);
    must(q.send(host::make_capsule(
        raw_sqe(io_sqe(io_opcode::read, {}, 1), 1, nvme::make_transport_sgl(512)))));
    ASSERT_TRUE(testing::eventually([&] { return spy.held() == 1; }));
    EXPECT_STATUS(
        must(q.run(raw_sqe(io_sqe(io_opcode::read, {}, 2), 2, nvme::make_transport_sgl(4096)))),
        sc::success);
    spy.hold(false);
    EXPECT_STATUS(must(q.collect(1)), sc::success);
}

}  // namespace
}  // namespace fulmar::conformance
