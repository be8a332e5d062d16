// The parser gives the same PDUs however the stream is cut, and refuses every wrong length.
#include <fulmar/host/pdu_parser.hpp>
#include <fulmar/host/raw_pdu.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fulmar::host {
namespace {

using namespace nvme::tcp;

/// Writes down what it is told.
struct scribe {
    std::string said;
    std::vector<std::byte> data;
    std::size_t stop_after = ~std::size_t{0};
    std::size_t pdus = 0;

    bool on_pdu(pdu_type type, std::span<const std::byte> header, std::uint32_t data_bytes) {
        said += "pdu " + std::to_string(static_cast<int>(type)) + " " +
                std::to_string(header.size()) + " " + std::to_string(data_bytes) + "\n";
        return ++pdus < stop_after;
    }
    void on_data(std::span<const std::byte> piece) {
        data.insert(data.end(), piece.begin(), piece.end());
    }
    bool on_data_end(bool right) {
        said += right ? "end\n" : "end, wrong\n";
        return true;
    }
};

raw_bytes bytes_of(const auto& pdu) {
    const auto wire = nvme::wire_bytes(pdu);
    return {wire.begin(), wire.end()};
}

raw_bytes response(bool header_digest) {
    capsule_resp pdu{};
    pdu.ch = make_header(pdu_type::capsule_resp, 0, header_digest, false, 0);
    pdu.rccqe = nvme::make_cqe(7, nvme::sc::success);
    raw_bytes out = bytes_of(pdu);
    out.resize(pdu.ch.plen.value());
    if (header_digest) redo_header_digest(out);
    return out;
}

raw_bytes data_pdu(std::size_t bytes, const wire_settings& w) {
    c2h_data pdu{};
    pdu.ch = make_header(pdu_type::c2h_data, static_cast<std::uint32_t>(bytes), w.header_digest,
                         w.data_digest, w.pda, pdu_flags::last_pdu);
    pdu.datal = static_cast<std::uint32_t>(bytes);
    raw_bytes out = bytes_of(pdu);
    out.resize(pdu.ch.plen.value());
    if (w.header_digest) redo_header_digest(out);
    for (std::size_t i = 0; i < bytes; ++i) out[pdu.ch.pdo + i] = static_cast<std::byte>(i * 7);
    if (w.data_digest && bytes != 0) {
        const auto crc = nvme::crc32c_of(std::span(out).subspan(pdu.ch.pdo, bytes));
        overwrite(out, pdu.ch.pdo + bytes, digest_field{nvme::le32(crc)});
    }
    return out;
}

raw_bytes ready(bool header_digest) {
    r2t pdu{};
    pdu.ch = make_header(pdu_type::r2t, 0, header_digest, false, 0);
    raw_bytes out = bytes_of(pdu);
    out.resize(pdu.ch.plen.value());
    if (header_digest) redo_header_digest(out);
    return out;
}

raw_bytes term(std::size_t extra) {
    term_req pdu{};
    pdu.ch.type = static_cast<std::uint8_t>(pdu_type::c2h_term_req);
    pdu.ch.hlen = sizeof pdu;
    pdu.ch.plen = static_cast<std::uint32_t>(sizeof pdu + extra);
    raw_bytes out = bytes_of(pdu);
    out.resize(sizeof pdu + extra);
    return out;
}

raw_bytes stream_of(const wire_settings& w) {
    raw_bytes all;
    for (const raw_bytes& each :
         {response(w.header_digest), data_pdu(300, w), ready(w.header_digest), data_pdu(1, w),
          data_pdu(0, w), response(w.header_digest), data_pdu(513, w), term(40)})
        all.insert(all.end(), each.begin(), each.end());
    return all;
}

/// Feeds `bytes` in pieces of at most `piece`, keeping leftovers as a connection does.
pdu_parser::outcome feed(pdu_parser& parser, scribe& to, std::span<const std::byte> bytes,
                         std::size_t piece) {
    raw_bytes held;
    auto last = pdu_parser::outcome::need_more;
    while (!bytes.empty()) {
        const std::size_t now = std::min(piece, bytes.size());
        held.insert(held.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(now));
        bytes = bytes.subspan(now);
        std::span<const std::byte> rest(held);
        last = parser.consume(rest, to);
        if (last != pdu_parser::outcome::need_more) return last;
        EXPECT_LE(rest.size(), pdu_parser::leftover_max);
        held = raw_bytes(rest.begin(), rest.end());
    }
    EXPECT_TRUE(held.empty());
    return last;
}

class any_split : public ::testing::TestWithParam<wire_settings> {};

TEST_P(any_split, gives_the_same_pdus) {
    const wire_settings w = GetParam();
    const raw_bytes stream = stream_of(w);
    const pdu_parser::settings s{w.header_digest, w.data_digest, w.pda};
    scribe whole;
    pdu_parser at_once;
    at_once.configure(s);
    EXPECT_EQ(feed(at_once, whole, stream, stream.size()), pdu_parser::outcome::need_more);
    EXPECT_EQ(whole.pdus, 8u);
    EXPECT_EQ(whole.data.size(), 300u + 1 + 513);
    for (std::size_t piece = 1; piece < 400; ++piece) {
        scribe cut;
        pdu_parser parser;
        parser.configure(s);
        ASSERT_EQ(feed(parser, cut, stream, piece), pdu_parser::outcome::need_more) << piece;
        ASSERT_EQ(cut.said, whole.said) << piece;
        ASSERT_EQ(cut.data, whole.data) << piece;
    }
}

INSTANTIATE_TEST_SUITE_P(
    pdu_parser, any_split,
    ::testing::Values(wire_settings{}, wire_settings{.header_digest = true},
                      wire_settings{.data_digest = true},
                      wire_settings{.header_digest = true, .data_digest = true, .pda = 31},
                      wire_settings{.pda = 7}));

TEST(pdu_parser, takes_data_that_was_placed_elsewhere) {
    const wire_settings w{.data_digest = true};
    const raw_bytes pdu = data_pdu(300, w);
    pdu_parser parser;
    parser.configure({.data_digest = true});
    scribe to;
    std::span<const std::byte> head = std::span(pdu).first(24 + 100);
    EXPECT_EQ(parser.consume(head, to), pdu_parser::outcome::need_more);
    EXPECT_EQ(parser.data_missing(), 200u);
    parser.placed(std::span(pdu).subspan(124, 200));
    EXPECT_EQ(parser.data_missing(), 0u);
    std::span<const std::byte> tail = std::span(pdu).last(4);
    EXPECT_EQ(parser.consume(tail, to), pdu_parser::outcome::need_more);
    EXPECT_TRUE(to.said.ends_with("end\n"));
    EXPECT_EQ(to.data.size(), 100u);
}

TEST(pdu_parser, sees_a_wrong_data_digest) {
    raw_bytes pdu = data_pdu(300, {.data_digest = true});
    pdu[100] ^= std::byte{4};
    pdu_parser parser;
    parser.configure({.data_digest = true});
    scribe to;
    EXPECT_EQ(feed(parser, to, pdu, 50), pdu_parser::outcome::need_more);
    EXPECT_TRUE(to.said.ends_with("end, wrong\n"));
}

TEST(pdu_parser, stops_when_the_sink_says_so) {
    const raw_bytes stream = stream_of({});
    pdu_parser parser;
    scribe to;
    to.stop_after = 3;
    std::span<const std::byte> bytes(stream);
    EXPECT_EQ(parser.consume(bytes, to), pdu_parser::outcome::stopped);
    EXPECT_EQ(to.pdus, 3u);
}

struct spoiled {
    const char* what;
    raw_bytes pdu;
    pdu_parser::settings settings;
    fatal_error fes;
    std::uint32_t fei;
};

template <typename T>
raw_bytes with(raw_bytes pdu, std::size_t offset, T value) {
    overwrite(pdu, offset, value);
    return pdu;
}

raw_bytes with_byte(raw_bytes pdu, std::size_t offset, unsigned value) {
    pdu[offset] = static_cast<std::byte>(value);
    return pdu;
}

TEST(pdu_parser, refuses_every_wrong_header) {
    using enum fatal_error;
    const std::vector<spoiled> cases{
        {"a type that does not exist",
         with_byte(response(false), 0, 0x08),
         {},
         invalid_header_field,
         0},
        {"a host's PDU", with_byte(response(false), 0, 0x04), {}, pdu_sequence_error, 0},
        {"a late ICResp", with_byte(response(false), 0, 0x01), {}, pdu_sequence_error, 0},
        {"HLEN too small", with_byte(response(false), 2, 20), {}, invalid_header_field, 2},
        {"HLEN too large", with_byte(response(false), 2, 72), {}, invalid_header_field, 2},
        {"a reserved flag", with_byte(response(false), 1, 0x80), {}, invalid_header_field, 1},
        {"SUCCESS in a response", with_byte(response(false), 1, 8), {}, invalid_header_field, 1},
        {"a digest not agreed on", response(true), {}, invalid_header_field, 1},
        {"no digest though agreed on",
         response(false),
         {.header_digest = true},
         invalid_header_field,
         1},
        {"PLEN too small", with(response(false), 4, nvme::le32(23)), {}, invalid_header_field, 4},
        {"PLEN too large", with(response(false), 4, nvme::le32(28)), {}, invalid_header_field, 4},
        {"PLEN of nothing", with(response(false), 4, nvme::le32(0)), {}, invalid_header_field, 4},
        {"data before the header ends",
         with_byte(data_pdu(8, {}), 3, 20),
         {},
         invalid_header_field,
         3},
        {"data not aligned", data_pdu(8, {}), {.hpda = 3}, invalid_header_field, 3},
        {"PLEN inside the padding",
         with(data_pdu(8, {.pda = 31}), 4, nvme::le32(100)),
         {.hpda = 31},
         invalid_header_field,
         4},
        {"no data digest though agreed on",
         data_pdu(8, {}),
         {.data_digest = true},
         invalid_header_field,
         1},
        {"a data digest and no data",
         with(data_pdu(8, {.data_digest = true}), 4, nvme::le32(28)),
         {.data_digest = true},
         invalid_header_field,
         4},
        {"a term request too long",
         with(term(0), 4, nvme::le32(24 + 129)),
         {},
         invalid_header_field,
         4},
    };
    for (const spoiled& each : cases) {
        pdu_parser parser;
        parser.configure(each.settings);
        scribe to;
        std::span<const std::byte> bytes(each.pdu);
        ASSERT_EQ(parser.consume(bytes, to), pdu_parser::outcome::bad) << each.what;
        EXPECT_EQ(parser.error().fes, each.fes) << each.what;
        EXPECT_EQ(parser.error().fei, each.fei) << each.what;
        EXPECT_EQ(to.pdus, 0u) << each.what;
    }
}

TEST(pdu_parser, refuses_a_wrong_header_digest) {
    raw_bytes pdu = response(true);
    pdu[20] ^= std::byte{1};
    pdu_parser parser;
    parser.configure({.header_digest = true});
    scribe to;
    std::span<const std::byte> bytes(pdu);
    EXPECT_EQ(parser.consume(bytes, to), pdu_parser::outcome::bad);
    EXPECT_EQ(parser.error().fes, fatal_error::header_digest_error);
}

}  // namespace
}  // namespace fulmar::host
