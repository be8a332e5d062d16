// Unit tests of transport/rdma/transfer.hpp.
#include "transfer.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace fulmar::transport::rdma {
namespace {

iovec piece(std::uintptr_t at, std::size_t length) {
    return {.iov_base = reinterpret_cast<void*>(at), .iov_len = length};
}

TEST(rdma_transfer, one_part_when_everything_fits) {
    const std::vector<remote_segment> remote{{.address = 0x1000, .key = 5, .length = 8192}};
    std::vector<iovec> local{piece(0x10'0000, 8192)};
    const transfer_part p = next_part(remote, 0, local, {.pieces = 4, .bytes = 1 << 20});
    EXPECT_EQ(p.bytes, 8192u);
    EXPECT_EQ(p.pieces, 1u);
    EXPECT_EQ(p.remote_address, 0x1000u);
    EXPECT_EQ(p.remote_key, 5u);
    EXPECT_EQ(next_part(remote, 8192, {}, {.pieces = 4, .bytes = 1}).bytes, 0u);
}

TEST(rdma_transfer, a_part_never_crosses_two_keys) {
    const std::vector<remote_segment> remote{{.address = 0x1000, .key = 1, .length = 100},
                                             {.address = 0x2000, .key = 2, .length = 50}};
    std::vector<iovec> local{piece(0x10'0000, 150)};
    transfer_part p = next_part(remote, 0, local, {.pieces = 4, .bytes = 4096});
    EXPECT_EQ(p.bytes, 100u);
    EXPECT_EQ(local[0].iov_len, 100u) << "trimmed to the part";
    local = {piece(0x10'0000 + 100, 50)};
    p = next_part(remote, 100, local, {.pieces = 4, .bytes = 4096});
    EXPECT_EQ(p.bytes, 50u);
    EXPECT_EQ(p.remote_key, 2u);
    EXPECT_EQ(p.remote_address, 0x2000u);
}

TEST(rdma_transfer, a_part_has_no_more_pieces_than_the_device_takes) {
    const std::vector<remote_segment> remote{{.address = 0, .key = 1, .length = 3 * 16384}};
    std::vector<iovec> local{piece(0x10'0000, 16384), piece(0x20'0000, 16384),
                             piece(0x30'0000, 16384)};
    const transfer_part p = next_part(remote, 0, local, {.pieces = 2, .bytes = 1 << 30});
    EXPECT_EQ(p.pieces, 2u);
    EXPECT_EQ(p.bytes, 2u * 16384);
}

// Any shapes, any limits: the parts in order are the transfer, and each keeps to the limits.
TEST(rdma_transfer, the_parts_are_the_whole) {
    std::mt19937_64 random(7);
    for (int round = 0; round < 2000; ++round) {
        std::vector<remote_segment> remote(1 + random() % max_segments);
        std::uint32_t total = 0;
        std::vector<std::uint64_t> remote_bytes;  // key and address of each byte
        for (std::size_t i = 0; i < remote.size(); ++i) {
            remote[i] = {.address = i << 32,
                         .key = static_cast<std::uint32_t>(i),
                         .length = static_cast<std::uint32_t>(1 + random() % 60)};
            for (std::uint32_t b = 0; b < remote[i].length; ++b)
                remote_bytes.push_back(remote[i].address + b);
            total += remote[i].length;
        }
        std::vector<iovec> whole;
        std::vector<std::uintptr_t> local_bytes;
        for (std::uint32_t done = 0; done < total;) {
            const auto n = std::min(total - done, static_cast<std::uint32_t>(1 + random() % 40));
            const std::uintptr_t at = (whole.size() + 1) << 20;
            whole.push_back(piece(at, n));
            for (std::uint32_t b = 0; b < n; ++b) local_bytes.push_back(at + b);
            done += n;
        }
        const transfer_limits limits{.pieces = static_cast<std::uint32_t>(1 + random() % 5),
                                     .bytes = static_cast<std::uint32_t>(1 + random() % 100)};
        std::uint32_t moved = 0;
        while (moved < total) {
            std::vector<iovec> rest;  // what buffer_chain::fill_iovecs would give
            std::size_t skip = moved;
            for (const iovec& v : whole) {
                if (skip >= v.iov_len) {
                    skip -= v.iov_len;
                    continue;
                }
                rest.push_back(
                    piece(reinterpret_cast<std::uintptr_t>(v.iov_base) + skip, v.iov_len - skip));
                skip = 0;
            }
            const transfer_part p = next_part(remote, moved, rest, limits);
            ASSERT_GT(p.bytes, 0u);
            ASSERT_LE(p.bytes, limits.bytes);
            ASSERT_LE(p.pieces, limits.pieces);
            std::uint32_t at = 0;
            for (std::uint32_t i = 0; i < p.pieces; ++i)
                for (std::size_t b = 0; b < rest[i].iov_len; ++b, ++at) {
                    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(rest[i].iov_base) + b,
                              local_bytes[moved + at]);
                    ASSERT_EQ(p.remote_address + at, remote_bytes[moved + at]);
                    ASSERT_EQ(p.remote_key, remote_bytes[moved + at] >> 32);
                }
            ASSERT_EQ(at, p.bytes);
            moved += p.bytes;
        }
        ASSERT_EQ(moved, total);
    }
}

}  // namespace
}  // namespace fulmar::transport::rdma
