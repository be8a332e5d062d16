// Unit tests of transport/rdma/sgl_walk.hpp.
#include "sgl_walk.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace fulmar::transport::rdma {
namespace {

namespace sc = nvme::sc;
using nvme::make_keyed_sgl;

nvme::sqe command(nvme::io_opcode opcode, const nvme::sgl_descriptor& sgl) {
    nvme::sqe c{};
    c.opcode = static_cast<std::uint8_t>(opcode);
    c.sgl1 = sgl;
    return c;
}

nvme::sgl_descriptor last_segment(std::uint64_t offset, std::uint32_t length) {
    return nvme::make_sgl(
        nvme::sgl_identifier(nvme::sgl_type::last_segment, nvme::sgl_subtype::offset), offset,
        length);
}

std::vector<std::byte> list_of(std::span<const nvme::sgl_descriptor> all) {
    std::vector<std::byte> bytes(all.size_bytes());
    std::memcpy(bytes.data(), all.data(), bytes.size());
    return bytes;
}

sgl_view walk(const nvme::sqe& c, std::span<const std::byte> extra = {}) {
    sgl_view v;
    walk_sgl(c, extra, v);
    return v;
}

TEST(rdma_sgl, one_key) {
    const sgl_view v = walk(command(nvme::io_opcode::read, make_keyed_sgl(0x1000, 4096, 77)));
    EXPECT_EQ(v.status, sc::success);
    ASSERT_EQ(v.segment_count, 1u);
    EXPECT_EQ(v.segments[0].address, 0x1000u);
    EXPECT_EQ(v.segments[0].length, 4096u);
    EXPECT_EQ(v.segments[0].key, 77u);
    EXPECT_EQ(v.bytes, 4096u);
    EXPECT_FALSE(v.invalidate);
    EXPECT_TRUE(v.in_capsule.empty());
}

TEST(rdma_sgl, the_key_to_invalidate_is_told) {
    const sgl_view v = walk(command(nvme::io_opcode::read, make_keyed_sgl(0, 512, 9, true)));
    EXPECT_EQ(v.status, sc::success);
    ASSERT_TRUE(v.invalidate);
    EXPECT_EQ(*v.invalidate, 9u);
}

TEST(rdma_sgl, an_empty_key_describes_nothing) {
    const sgl_view v = walk(command(nvme::io_opcode::flush, make_keyed_sgl(0, 0, 0)));
    EXPECT_EQ(v.status, sc::success);
    EXPECT_EQ(v.segment_count, 0u);
    EXPECT_EQ(v.bytes, 0u);
}

TEST(rdma_sgl, memory_that_wraps_round_is_refused) {
    const sgl_view v =
        walk(command(nvme::io_opcode::read, make_keyed_sgl(~std::uint64_t{0} - 10, 512, 1)));
    EXPECT_EQ(v.status, sc::data_sgl_length_invalid);
    EXPECT_EQ(v.segment_count, 0u);
}

TEST(rdma_sgl, data_in_the_capsule) {
    const std::vector<std::byte> extra(1024, std::byte{5});
    sgl_view v = walk(command(nvme::io_opcode::write, nvme::make_in_capsule_sgl(0, 1024)), extra);
    EXPECT_EQ(v.status, sc::success);
    EXPECT_EQ(v.in_capsule.data(), extra.data());
    EXPECT_EQ(v.in_capsule.size(), 1024u);
    EXPECT_EQ(v.bytes, 1024u);

    v = walk(command(nvme::io_opcode::write, nvme::make_in_capsule_sgl(512, 512)), extra);
    EXPECT_EQ(v.status, sc::success);
    EXPECT_EQ(v.in_capsule.data(), extra.data() + 512);
}

TEST(rdma_sgl, data_beyond_the_capsule_is_refused) {
    const std::vector<std::byte> extra(1024);
    const auto judge = [&](std::uint64_t offset, std::uint32_t length) {
        return walk(command(nvme::io_opcode::write, nvme::make_in_capsule_sgl(offset, length)),
                    extra);
    };
    EXPECT_EQ(judge(0, 1025).status, sc::data_sgl_length_invalid);
    EXPECT_EQ(judge(1024, 1).status, sc::data_sgl_length_invalid);
    EXPECT_EQ(judge(1025, 1).status, sc::sgl_offset_invalid);
    EXPECT_EQ(judge(~std::uint64_t{0}, 1).status, sc::sgl_offset_invalid);
    EXPECT_EQ(judge(1, 0xffff'ffff).status, sc::data_sgl_length_invalid);
    EXPECT_TRUE(judge(1, 0xffff'ffff).in_capsule.empty());
}

TEST(rdma_sgl, no_answer_fits_into_a_capsule) {
    const std::vector<std::byte> extra(512);
    EXPECT_EQ(walk(command(nvme::io_opcode::read, nvme::make_in_capsule_sgl(0, 512)), extra).status,
              sc::sgl_type_invalid);
}

TEST(rdma_sgl, several_keys_in_the_capsule) {
    const std::array keys{make_keyed_sgl(0x1000, 100, 1), make_keyed_sgl(0x9000, 0, 2),
                          make_keyed_sgl(0x5000, 50, 3, true)};
    const auto extra = list_of(keys);
    const sgl_view v = walk(
        command(nvme::io_opcode::read, last_segment(0, static_cast<std::uint32_t>(extra.size()))),
        extra);
    EXPECT_EQ(v.status, sc::success);
    ASSERT_EQ(v.segment_count, 2u) << "the empty one does not count";
    EXPECT_EQ(v.segments[1].address, 0x5000u);
    EXPECT_EQ(v.bytes, 150u);
    EXPECT_EQ(v.invalidate, 3u);
}

TEST(rdma_sgl, as_many_keys_as_identify_promises_and_no_more) {
    std::vector<nvme::sgl_descriptor> keys(max_segments + 1, make_keyed_sgl(0, 16, 1));
    const auto extra = list_of(keys);
    const std::uint32_t all = max_segments * sizeof(nvme::sgl_descriptor);
    EXPECT_EQ(walk(command(nvme::io_opcode::write, last_segment(0, all)), extra).segment_count,
              max_segments);
    const sgl_view more = walk(command(nvme::io_opcode::write, last_segment(0, all + 16)), extra);
    EXPECT_EQ(more.status, sc::invalid_sgl_count);
    EXPECT_EQ(more.segment_count, 0u);
}

TEST(rdma_sgl, a_list_that_does_not_fit_is_refused) {
    const std::vector<std::byte> extra(32);
    const auto judge = [&](std::uint64_t offset, std::uint32_t length) {
        return walk(command(nvme::io_opcode::write, last_segment(offset, length)), extra).status;
    };
    EXPECT_EQ(judge(0, 0), sc::invalid_sgl_segment);
    EXPECT_EQ(judge(0, 17), sc::invalid_sgl_segment);
    EXPECT_EQ(judge(0, 48), sc::invalid_sgl_segment);
    EXPECT_EQ(judge(24, 16), sc::invalid_sgl_segment);
    EXPECT_EQ(judge(33, 16), sc::sgl_offset_invalid);
    EXPECT_EQ(judge(0, 16), sc::sgl_type_invalid) << "zeroes are no keys";
}

TEST(rdma_sgl, other_types_are_refused) {
    for (unsigned type : {2u, 5u, 6u, 15u}) {
        nvme::sgl_descriptor d = nvme::make_sgl(static_cast<std::uint8_t>(type << 4 | 0xa), 0, 16);
        EXPECT_EQ(walk(command(nvme::io_opcode::read, d)).status, sc::sgl_type_invalid) << type;
    }
    EXPECT_EQ(walk(command(nvme::io_opcode::read, nvme::make_sgl(0x00, 0x1000, 16))).status,
              sc::sgl_type_invalid)
        << "an address without a key";
}

TEST(rdma_sgl, whatever_the_bytes_nothing_is_read_beyond_the_capsule) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 20'000; ++round) {
        std::vector<std::byte> extra(random() % 300);
        for (std::byte& b : extra) b = static_cast<std::byte>(random() % 4 == 0 ? random() : 0x40);
        nvme::sqe c{};
        std::array<std::uint8_t, sizeof c> raw;
        for (auto& b : raw) b = static_cast<std::uint8_t>(random() % 2 == 0 ? random() : 0);
        std::memcpy(&c, raw.data(), sizeof c);
        constexpr std::uint8_t likely[] = {0x31, 0x01, 0x40, 0x4f};
        if (random() % 4 != 0) c.sgl1.identifier = likely[random() % 4];
        if (random() % 2 == 0) c.sgl1.length = static_cast<std::uint32_t>(random() % 20 * 16);
        if (random() % 2 == 0) c.sgl1.address = random() % 64;
        const sgl_view v = walk(c, extra);
        ASSERT_LE(v.segment_count, max_segments);
        if (!nvme::is_success(v.status)) {
            ASSERT_EQ(v.segment_count, 0u);
            ASSERT_TRUE(v.in_capsule.empty());
            continue;
        }
        std::uint64_t sum = v.in_capsule.size();
        for (std::uint32_t i = 0; i < v.segment_count; ++i) sum += v.segments[i].length;
        ASSERT_EQ(sum, v.bytes);
        if (!v.in_capsule.empty()) {
            ASSERT_GE(v.in_capsule.data(), extra.data());
            ASSERT_LE(v.in_capsule.data() + v.in_capsule.size(), extra.data() + extra.size());
        }
    }
}

}  // namespace
}  // namespace fulmar::transport::rdma
