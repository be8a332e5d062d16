// The builders of data pointers against a reader of them, for every offset and length.
#include <gtest/gtest.h>
#include <pcie/data_pointer.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

using namespace fulmar;
using backend::pcie::build_prps;
using backend::pcie::build_sgl;
using backend::pcie::dma_piece;
using backend::pcie::list_memory;

namespace {

constexpr std::uint64_t list_address = 0x7000'0000;
using pieces = std::vector<dma_piece>;

// Joins neighbours, so that two descriptions of the same memory are equal.
pieces joined(const pieces& all) {
    pieces out;
    for (const dma_piece& p : all) {
        if (!out.empty() && out.back().address + out.back().bytes == p.address)
            out.back().bytes += p.bytes;
        else
            out.push_back(p);
    }
    return out;
}

// What a drive makes of PRPs (Base 2.0, 4.1.1): written from the specification.
pieces read_prps(const nvme::prp_pair& prps, std::uint64_t bytes, std::uint64_t page,
                 std::span<const nvme::le64> list) {
    pieces out;
    const auto take = [&](std::uint64_t address, std::uint64_t most) {
        const std::uint64_t length = std::min(most, bytes);
        out.push_back({address, length});
        bytes -= length;
    };
    const std::uint64_t first = prps.prp1.value();
    take(first, page - first % page);
    if (bytes == 0) return joined(out);
    if (bytes <= page) {
        EXPECT_EQ(prps.prp2.value() % page, 0u);
        take(prps.prp2.value(), page);
        return joined(out);
    }
    std::uint64_t at = prps.prp2.value();
    while (bytes != 0) {
        const std::uint64_t index = (at - list_address) / 8;
        if (at < list_address || index >= list.size()) {
            ADD_FAILURE() << "the list leads out of its memory";
            break;
        }
        const std::uint64_t entry = list[index].value();
        EXPECT_EQ(entry % page, 0u);
        if (at % page == page - 8 && bytes > page) {
            at = entry;
            continue;
        }
        take(entry, page);
        at += 8;
    }
    return joined(out);
}

pieces read_sgl(const nvme::sgl_descriptor& first, std::span<const nvme::le64> list) {
    if (first.type() == nvme::sgl_type::data_block)
        return {{first.address.value(), first.length.value()}};
    EXPECT_EQ(first.type(), nvme::sgl_type::last_segment);
    EXPECT_EQ(first.address.value(), list_address);
    pieces out;
    for (std::uint32_t i = 0; i < first.length.value() / 16; ++i) {
        const auto one = std::bit_cast<nvme::sgl_descriptor>(
            std::array<nvme::le64, 2>{list[2 * i], list[2 * i + 1]});
        EXPECT_EQ(one.type(), nvme::sgl_type::data_block);
        out.push_back({one.address.value(), one.length.value()});
    }
    return joined(out);
}

std::uint64_t total(const pieces& all) {
    std::uint64_t bytes = 0;
    for (const dma_piece& p : all) bytes += p.bytes;
    return bytes;
}

TEST(prp, every_offset_and_length_of_one_piece) {
    for (const std::uint64_t page : {32u, 64u, 128u}) {
        std::vector<nvme::le64> list(64 * page / 8);
        for (std::uint64_t offset = 0; offset < 2 * page; offset += 4)
            for (std::uint64_t bytes = 1; bytes <= 20 * page; ++bytes) {
                const pieces wanted{{0x10'0000 + offset, bytes}};
                const auto prps = build_prps(wanted, page, {list, list_address});
                ASSERT_TRUE(prps) << page << ' ' << offset << ' ' << bytes;
                const pieces got = read_prps(*prps, bytes, page, list);
                ASSERT_EQ(got.size(), 1u) << page << ' ' << offset << ' ' << bytes;
                ASSERT_EQ(got[0].address, wanted[0].address);
                ASSERT_EQ(got[0].bytes, bytes);
            }
    }
}

TEST(prp, every_offset_and_length_over_scattered_pages) {
    constexpr std::uint64_t page = 32;
    std::vector<nvme::le64> list(64 * page / 8);
    for (std::uint64_t offset = 0; offset < page; offset += 4)
        for (std::uint64_t bytes = 1; bytes <= 14 * page; ++bytes) {
            pieces wanted;
            std::uint64_t at = 0x10'0000 + offset;
            for (std::uint64_t left = bytes; left != 0;) {
                const std::uint64_t length = std::min(left, page - at % page);
                wanted.push_back({at, length});
                left -= length;
                at = (at & ~(page - 1)) + 3 * page;  // never the neighbour
            }
            const auto prps = build_prps(wanted, page, {list, list_address});
            ASSERT_TRUE(prps) << offset << ' ' << bytes;
            const pieces got = read_prps(*prps, bytes, page, list);
            ASSERT_EQ(got.size(), wanted.size()) << offset << ' ' << bytes;
            for (std::size_t i = 0; i < got.size(); ++i) {
                ASSERT_EQ(got[i].address, wanted[i].address);
                ASSERT_EQ(got[i].bytes, wanted[i].bytes);
            }
        }
}

TEST(prp, says_when_it_cannot) {
    constexpr std::uint64_t page = 64;
    std::vector<nvme::le64> list(page / 8);
    const list_memory memory{list, list_address};
    EXPECT_FALSE(build_prps(pieces{{0x1002, 8}}, page, memory)) << "not a multiple of 4";
    EXPECT_FALSE(build_prps(pieces{{0x1000, 64}, {0x2010, 48}}, page, memory))
        << "a later piece inside a page";
    EXPECT_FALSE(build_prps(pieces{{0x1000, 48}, {0x2000, 64}}, page, memory))
        << "an earlier piece ends inside a page";
    EXPECT_TRUE(build_prps(pieces{{0x1000, 9 * page}}, page, memory)) << "8 entries fit";
    EXPECT_FALSE(build_prps(pieces{{0x1000, 10 * page}}, page, memory)) << "9 do not";
}

TEST(prp, a_full_mebibyte_fits_a_page_of_entries) {
    constexpr std::uint64_t page = 4096;
    std::vector<nvme::le64> list(page / 8);
    for (std::uint64_t offset = 0; offset < page; offset += 4) {
        const pieces wanted{{0x1000'0000 + offset, 1 << 20}};
        const auto prps = build_prps(wanted, page, {list, list_address});
        ASSERT_TRUE(prps);
        ASSERT_EQ(total(read_prps(*prps, 1 << 20, page, list)), 1u << 20);
    }
}

TEST(sgl, every_split_of_a_buffer) {
    std::vector<nvme::le64> list(512);
    for (std::uint64_t bytes = 1; bytes <= 96; ++bytes)
        for (std::uint64_t piece = 1; piece <= bytes; ++piece) {
            pieces wanted;
            for (std::uint64_t at = 0; at < bytes; at += piece)
                wanted.push_back({0x5000 + 3 * at, std::min(piece, bytes - at)});
            const auto sgl = build_sgl(wanted, false, {list, list_address});
            ASSERT_TRUE(sgl);
            const pieces got = read_sgl(*sgl, list);
            const pieces same = joined(wanted);
            ASSERT_EQ(got.size(), same.size()) << bytes << ' ' << piece;
            for (std::size_t i = 0; i < got.size(); ++i) {
                ASSERT_EQ(got[i].address, same[i].address);
                ASSERT_EQ(got[i].bytes, same[i].bytes);
            }
        }
}

TEST(sgl, says_when_it_cannot) {
    std::vector<nvme::le64> list(4);
    const list_memory memory{list, list_address};
    EXPECT_TRUE(build_sgl(pieces{{0x1002, 6}}, false, memory));
    EXPECT_FALSE(build_sgl(pieces{{0x1002, 8}}, true, memory));
    EXPECT_FALSE(build_sgl(pieces{{0x1000, 6}}, true, memory));
    EXPECT_TRUE(build_sgl(pieces{{0x1000, 8}, {0x2000, 8}}, true, memory));
    EXPECT_FALSE(build_sgl(pieces{{0x1000, 8}, {0x2000, 8}, {0x3000, 8}}, true, memory));
    EXPECT_FALSE(build_sgl(pieces{{0x1000, std::uint64_t{1} << 32}}, false, memory));
    EXPECT_FALSE(build_sgl(pieces{}, false, memory));
}

}  // namespace
