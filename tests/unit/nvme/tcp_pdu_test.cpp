// Unit tests of fulmar/nvme/tcp_pdu.hpp.
#include <fulmar/nvme/tcp_pdu.hpp>

#include <gtest/gtest.h>

namespace fulmar::nvme::tcp {
namespace {

constexpr pdu_type all_types[] = {
    pdu_type::ic_req,       pdu_type::ic_resp,     pdu_type::h2c_term_req,
    pdu_type::c2h_term_req, pdu_type::capsule_cmd, pdu_type::capsule_resp,
    pdu_type::h2c_data,     pdu_type::c2h_data,    pdu_type::r2t,
};

static_assert(alignment_bytes(0) == 4 && alignment_bytes(pda_max) == 128);
static_assert(data_offset(pdu_type::c2h_data, false, 0) == 24);
static_assert(data_offset(pdu_type::c2h_data, true, 0) == 28);
static_assert(data_offset(pdu_type::c2h_data, true, 7) == 32);
static_assert(data_offset(pdu_type::capsule_cmd, true, pda_max) == 128);
static_assert(pdu_length(pdu_type::capsule_cmd, 0, false, true, pda_max) == 72);
static_assert(pdu_length(pdu_type::capsule_cmd, 0, true, true, 0) == 76);
static_assert(pdu_length(pdu_type::capsule_cmd, 4096, true, true, 0) == 76 + 4096 + 4);
static_assert(pdu_length(pdu_type::h2c_data, 100, false, false, 15) == 64 + 100);

TEST(tcp_pdu, only_known_types_parse) {
    int known = 0;
    for (unsigned raw = 0; raw < 256; ++raw)
        if (parse_pdu_type(static_cast<std::uint8_t>(raw))) ++known;
    EXPECT_EQ(known, 9);
    EXPECT_FALSE(parse_pdu_type(0x08));
    EXPECT_FALSE(parse_pdu_type(0x0a));
}

TEST(tcp_pdu, header_lengths_fit_the_buffer_of_the_reader) {
    for (const pdu_type type : all_types) {
        EXPECT_GE(header_bytes(type), 24);
        EXPECT_LE(header_bytes(type), header_bytes_max);
        EXPECT_EQ(header_bytes(type) % 4, 0);
    }
}

TEST(tcp_pdu, data_offset_is_aligned_and_behind_header_and_digest) {
    for (const pdu_type type : {pdu_type::capsule_cmd, pdu_type::h2c_data, pdu_type::c2h_data}) {
        for (std::uint8_t pda = 0; pda <= pda_max; ++pda) {
            for (const bool digest : {false, true}) {
                const std::uint32_t offset = data_offset(type, digest, pda);
                const std::uint32_t end = header_bytes(type) + (digest ? 4u : 0u);
                EXPECT_EQ(offset % alignment_bytes(pda), 0u);
                EXPECT_GE(offset, end);
                EXPECT_LT(offset, end + alignment_bytes(pda));
                EXPECT_LE(offset, 144u);
            }
        }
    }
}

TEST(tcp_pdu, flags_of_short_pdus_are_reserved) {
    EXPECT_EQ(allowed_flags(pdu_type::ic_req), 0);
    EXPECT_EQ(allowed_flags(pdu_type::c2h_term_req), 0);
    EXPECT_EQ(allowed_flags(pdu_type::capsule_resp), 0x01);
    EXPECT_EQ(allowed_flags(pdu_type::h2c_data), 0x07);
    EXPECT_EQ(allowed_flags(pdu_type::c2h_data), 0x0f);
    for (const pdu_type type : all_types)
        EXPECT_EQ((allowed_flags(type) & pdu_flags::success) != 0, type == pdu_type::c2h_data);
}

TEST(tcp_pdu, made_headers_agree_with_the_arithmetic) {
    const common_header data = make_header(pdu_type::c2h_data, 512, true, true, 3,
                                           pdu_flags::last_pdu | pdu_flags::success);
    EXPECT_EQ(data.type, 0x07);
    EXPECT_EQ(data.flags, 0x0f);
    EXPECT_EQ(data.hlen, 24);
    EXPECT_EQ(data.pdo, 32);
    EXPECT_EQ(data.plen.value(), 32u + 512 + 4);

    const common_header bare = make_header(pdu_type::capsule_resp, 0, true, true, 3);
    EXPECT_EQ(bare.flags, pdu_flags::hdgstf);
    EXPECT_EQ(bare.pdo, 0);
    EXPECT_EQ(bare.plen.value(), 28u);
    for (const pdu_type type : all_types) {
        const common_header ch = make_header(type, 0, false, false, 0);
        EXPECT_EQ(ch.plen.value(), header_bytes(type));
    }
}

}  // namespace
}  // namespace fulmar::nvme::tcp
