// Every PDU type, and every field of its header as it must not be: what the terminate request says
// about it (FES, FEI), by NVMe/TCP Transport 1.0, section 3.6; and that nothing is said too early.
#include "tcp/pdu_reader.hpp"

#include <fulmar/nvme/crc32c.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::transport::tcp {
namespace {

namespace wire = nvme::tcp;
using wire::fatal_error;
using wire::pdu_type;
using outcome = read_pdu::outcome;
using bytes = std::vector<std::byte>;

constexpr std::uint32_t type_at = 0;
constexpr std::uint32_t flags_at = 1;
constexpr std::uint32_t hlen_at = 2;
constexpr std::uint32_t pdo_at = 3;
constexpr std::uint32_t plen_at = 4;

constexpr reader_rules fresh{.in_capsule_bytes = 8192, .h2c_data_bytes = 65536};
constexpr reader_rules plain{
    .initialised = true, .in_capsule_bytes = 8192, .h2c_data_bytes = 65536};
constexpr reader_rules digests{.initialised = true,
                               .header_digest = true,
                               .data_digest = true,
                               .in_capsule_bytes = 8192,
                               .h2c_data_bytes = 65536};

void put_digest(bytes& pdu, std::size_t at, std::span<const std::byte> of) {
    nvme::le32 digest;
    digest = nvme::crc32c_of(of);
    std::memcpy(pdu.data() + at, &digest, sizeof digest);
}

/// As it must be, under `rules`; `change` spoils its header before the digests are made.
bytes make(pdu_type type, const reader_rules& rules, std::uint32_t data_bytes = 0,
           const std::function<void(wire::common_header&)>& change = {}) {
    const bool framed = type == pdu_type::capsule_cmd || type == pdu_type::h2c_data;
    const bool header_digest = rules.header_digest && framed;
    const bool data_digest = rules.data_digest && framed;
    wire::common_header ch = wire::make_header(type, data_bytes, header_digest, data_digest, 0);
    bytes pdu(ch.plen.value());
    const std::size_t hlen = ch.hlen;
    const std::size_t pdo = ch.pdo;
    if (change) change(ch);
    std::memcpy(pdu.data(), &ch, sizeof ch);
    for (std::size_t i = pdo; pdo != 0 && i < pdu.size(); ++i)
        pdu[i] = static_cast<std::byte>(i * 7);
    if (header_digest) put_digest(pdu, hlen, std::span(pdu).first(hlen));
    if (data_digest && data_bytes != 0)
        put_digest(pdu, pdo + data_bytes, std::span(pdu).subspan(pdo, data_bytes));
    return pdu;
}

struct sample {
    const char* name;
    pdu_type type;
    const reader_rules& rules;
    std::uint32_t data_bytes;
};

const std::vector<sample> good{
    {"ICReq", pdu_type::ic_req, fresh, 0},
    {"H2CTermReq", pdu_type::h2c_term_req, plain, 0},
    {"H2CTermReq before the ICReq", pdu_type::h2c_term_req, fresh, 0},
    {"CapsuleCmd", pdu_type::capsule_cmd, plain, 0},
    {"CapsuleCmd with data", pdu_type::capsule_cmd, plain, 512},
    {"CapsuleCmd with the most data", pdu_type::capsule_cmd, plain, 8192},
    {"CapsuleCmd, digests", pdu_type::capsule_cmd, digests, 0},
    {"CapsuleCmd with data, digests", pdu_type::capsule_cmd, digests, 512},
    {"H2CData", pdu_type::h2c_data, plain, 4096},
    {"H2CData, the most", pdu_type::h2c_data, plain, 65536},
    {"H2CData, digests", pdu_type::h2c_data, digests, 4096},
};

TEST(pdu_reader, takes_what_is_right_and_says_nothing_too_early) {
    for (const sample& s : good) {
        SCOPED_TRACE(s.name);
        const bytes pdu = make(s.type, s.rules, s.data_bytes);
        const read_pdu whole = read_next(pdu, s.rules);
        ASSERT_EQ(whole.what, outcome::whole);
        EXPECT_EQ(whole.type, s.type);
        EXPECT_EQ(whole.header.size(), wire::header_bytes(s.type));
        EXPECT_EQ(whole.data_bytes, s.data_bytes);
        const bool h2c = s.type == pdu_type::h2c_data;
        EXPECT_EQ(whole.bytes, h2c ? std::to_integer<std::size_t>(pdu[pdo_at]) : pdu.size());
        EXPECT_EQ(whole.data.size(), h2c ? 0 : s.data_bytes);
        EXPECT_EQ(whole.has_data_digest, s.rules.data_digest && s.data_bytes != 0);
        EXPECT_FALSE(whole.data_digest_wrong);
        // Cut anywhere: wanted is more than is there, and never more than the PDU has.
        for (std::size_t cut = 0; cut < whole.bytes; ++cut) {
            const read_pdu part = read_next(std::span(pdu).first(cut), s.rules);
            ASSERT_EQ(part.what, outcome::more) << cut;
            ASSERT_GT(part.bytes, cut);
            ASSERT_LE(part.bytes, whole.bytes);
        }
    }
}

struct bad_case {
    const char* name;
    pdu_type type;
    const reader_rules& rules;
    std::uint32_t data_bytes;
    std::function<void(wire::common_header&)> change;
    fatal_error fes;
    std::optional<std::uint32_t> fei;  ///< none: 0, the specification gives it no meaning
};

std::vector<bad_case> bad_types_flags_and_offsets() {
    using ch = wire::common_header;
    constexpr auto field = fatal_error::invalid_header_field;
    constexpr auto sequence = fatal_error::pdu_sequence_error;
    const auto set_flag = [](std::uint8_t bit) {
        return [bit](ch& h) { h.flags = static_cast<std::uint8_t>(h.flags ^ bit); };
    };
    const auto pdo = [](int by) {
        return [by](ch& h) { h.pdo = static_cast<std::uint8_t>(h.pdo + by); };
    };
    std::vector<bad_case> all;
    // The type: unknown ones, those that only a controller sends, and the wrong moment.
    for (const int type : {0x01, 0x03, 0x05, 0x07, 0x08, 0x09, 0x0a, 0x7f, 0xff})
        for (const reader_rules* rules : {&fresh, &plain})
            all.push_back({"type", pdu_type::ic_req, *rules, 0,
                           [type](ch& h) { h.type = static_cast<std::uint8_t>(type); }, field,
                           type_at});
    all.push_back({"a second ICReq", pdu_type::ic_req, plain, 0, {}, sequence, {}});
    all.push_back(
        {"a command before the ICReq", pdu_type::capsule_cmd, fresh, 0, {}, sequence, {}});
    all.push_back({"data before the ICReq", pdu_type::h2c_data, fresh, 512, {}, sequence, {}});
    // HLEN, of every type: one less, one more, none, all ones.
    for (const sample& s : good)
        for (const int hlen : {-1, 1, -1000, 1000})
            all.push_back({s.name, s.type, s.rules, s.data_bytes,
                           [hlen](ch& h) {
                               h.hlen = hlen == -1000  ? std::uint8_t{0}
                                        : hlen == 1000 ? std::uint8_t{0xff}
                                                       : static_cast<std::uint8_t>(h.hlen + hlen);
                           },
                           field, hlen_at});
    // Flags, of every type: reserved bits, and a digest that was not agreed on.
    for (const sample& s : good) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            const auto mask = static_cast<std::uint8_t>(1u << bit);
            const bool reserved = (wire::allowed_flags(s.type) & mask) == 0;
            const bool digest = mask == wire::pdu_flags::hdgstf ||
                                (mask == wire::pdu_flags::ddgstf && s.data_bytes != 0);
            if (reserved || digest)
                all.push_back(
                    {s.name, s.type, s.rules, s.data_bytes, set_flag(mask), field, flags_at});
        }
    }
    // PDO: inside the header, not a multiple of four, behind all that a header may be.
    for (const sample& s : good) {
        if (s.data_bytes < 512) continue;
        for (const int by : {-4, 1, 2, 3, 128})
            all.push_back({s.name, s.type, s.rules, s.data_bytes, pdo(by), field, pdo_at});
    }
    return all;
}

// PLEN: shorter than the header, other than the header, more data than may be.
std::vector<bad_case> bad_lengths() {
    using ch = wire::common_header;
    constexpr auto field = fatal_error::invalid_header_field;
    const auto add_length = [](int by) {
        return [by](ch& h) { h.plen = h.plen.value() + static_cast<std::uint32_t>(by); };
    };
    std::vector<bad_case> all;
    for (const sample& s : good) {
        all.push_back(
            {s.name, s.type, s.rules, s.data_bytes, [](ch& h) { h.plen = 0u; }, field, plen_at});
        all.push_back({s.name, s.type, s.rules, s.data_bytes,
                       [](ch& h) { h.plen = std::uint32_t{h.hlen} - 1; }, field, plen_at});
    }
    all.push_back({"ICReq with a tail", pdu_type::ic_req, fresh, 0, add_length(4), field, plen_at});
    all.push_back({"H2CTermReq with too long a tail", pdu_type::h2c_term_req, plain, 0,
                   add_length(129), field, plen_at});
    all.push_back({"H2CData without data", pdu_type::h2c_data, plain, 512,
                   [](ch& h) { h.plen = std::uint32_t{h.hlen}; }, field, plen_at});
    all.push_back({"CapsuleCmd of padding alone", pdu_type::capsule_cmd, digests, 4, add_length(-4),
                   field, plen_at});
    all.push_back({"CapsuleCmd with more than IOCCSZ", pdu_type::capsule_cmd, plain, 8192,
                   add_length(4), field, plen_at});
    all.push_back({"CapsuleCmd of 4 GiB", pdu_type::capsule_cmd, plain, 512,
                   [](ch& h) { h.plen = 0xffff'ffffu; }, field, plen_at});
    all.push_back({"H2CData with more than MAXH2CDATA",
                   pdu_type::h2c_data,
                   plain,
                   65536,
                   add_length(4),
                   fatal_error::data_transfer_limit_exceeded,
                   {}});
    return all;
}

TEST(pdu_reader, says_of_every_wrong_header_which_field_it_is) {
    std::vector<bad_case> all = bad_types_flags_and_offsets();
    for (bad_case& c : bad_lengths()) all.push_back(std::move(c));
    EXPECT_GT(all.size(), 150u);
    for (const bad_case& c : all) {
        const bytes pdu = make(c.type, c.rules, c.data_bytes, c.change);
        SCOPED_TRACE(std::string(c.name) + ", header " +
                     ::testing::PrintToString(bytes(pdu.begin(), pdu.begin() + 8)));
        const read_pdu got = read_next(pdu, c.rules);
        ASSERT_EQ(got.what, outcome::bad);
        EXPECT_EQ(static_cast<int>(got.error), static_cast<int>(c.fes));
        EXPECT_EQ(got.error_information, c.fei.value_or(0));
        // And however little of it is there: nothing, or the same, never that it is whole.
        for (std::size_t cut = 0; cut < std::min<std::size_t>(pdu.size(), 160); ++cut) {
            const read_pdu part = read_next(std::span(pdu).first(cut), c.rules);
            ASSERT_NE(part.what, outcome::whole) << cut;
            if (part.what == outcome::bad) {
                ASSERT_EQ(part.error, got.error) << cut;
                ASSERT_EQ(part.error_information, got.error_information) << cut;
            }
        }
    }
}

// The digest comes before the lengths: what it covers says nothing while it is wrong.
TEST(pdu_reader, a_wrong_header_digest_is_told_with_the_digest_that_came) {
    for (const sample& s : good) {
        if (!s.rules.header_digest) continue;
        SCOPED_TRACE(s.name);
        const bytes right = make(s.type, s.rules, s.data_bytes);
        const std::size_t hlen = wire::header_bytes(s.type);
        for (const std::size_t at :
             {std::size_t{plen_at}, std::size_t{8}, hlen - 1, hlen, hlen + 3}) {
            bytes pdu = right;
            pdu[at] ^= std::byte{0x10};
            const read_pdu got = read_next(pdu, s.rules);
            ASSERT_EQ(got.what, outcome::bad) << at;
            EXPECT_EQ(got.error, fatal_error::header_digest_error);
            nvme::le32 stored;
            std::memcpy(&stored, pdu.data() + hlen, sizeof stored);
            EXPECT_EQ(got.error_information, stored.value());
        }
    }
}

// Only the command is damaged, not the connection: it is told, and the PDU is taken.
TEST(pdu_reader, a_wrong_data_digest_of_a_capsule_is_the_commands_matter) {
    for (const std::size_t from_end : {1u, 4u, 5u, 516u}) {
        bytes pdu = make(pdu_type::capsule_cmd, digests, 512);
        pdu[pdu.size() - from_end] ^= std::byte{1};
        const read_pdu got = read_next(pdu, digests);
        ASSERT_EQ(got.what, outcome::whole);
        EXPECT_TRUE(got.data_digest_wrong) << from_end;
        EXPECT_EQ(got.data_bytes, 512u);
    }
}

// Data may start at any multiple of four behind the header: what lies between is padding.
TEST(pdu_reader, padding_before_the_data_is_skipped) {
    for (const std::uint32_t pad : {4u, 8u, 56u}) {
        bytes pdu = make(pdu_type::capsule_cmd, plain, 512);
        const std::size_t pdo = std::to_integer<std::size_t>(pdu[pdo_at]);
        pdu.insert(pdu.begin() + static_cast<std::ptrdiff_t>(pdo), pad, std::byte{0xee});
        pdu[pdo_at] = static_cast<std::byte>(pdo + pad);
        nvme::le32 length;
        length = static_cast<std::uint32_t>(pdu.size());
        std::memcpy(pdu.data() + plen_at, &length, sizeof length);
        const read_pdu got = read_next(pdu, plain);
        ASSERT_EQ(got.what, outcome::whole) << pad;
        ASSERT_EQ(got.data.size(), 512u);
        EXPECT_EQ(got.data.front(), static_cast<std::byte>(pdo * 7));
    }
}

}  // namespace
}  // namespace fulmar::transport::tcp
