// Bad input on the wire: every malformed PDU ends its own connection with the term request that the
// transport specification names, wherever the byte stream is cut; nobody else notices.
#include "suite.hpp"

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(bad_pdu);

namespace tcp = nvme::tcp;
using tcp::fatal_error;

/// What ended a connection.
struct term_ending {
    std::uint16_t fes = 0;
    std::uint32_t fei = 0;
    bytes echo;
    bool ended = false;
    std::size_t pdus_before = 0;
};

term_ending await_term(host::raw_session& s) {
    term_ending how;
    const auto pdus = s.await_end();
    how.ended = pdus.has_value();
    if (!pdus) return how;
    for (const host::raw_pdu& pdu : *pdus) {
        const auto term = pdu.as<tcp::term_req>(tcp::pdu_type::c2h_term_req);
        if (!term) {
            ++how.pdus_before;
            continue;
        }
        how.fes = term->fes.value();
        how.fei = term->fei.value();
        const auto rest = pdu.bytes().subspan(sizeof(tcp::term_req));
        how.echo.assign(rest.begin(), rest.end());
    }
    return how;
}

#define EXPECT_TERM(session, error, information)                      \
    do {                                                              \
        const term_ending how_ = await_term(session);                 \
        EXPECT_TRUE(how_.ended) << "the connection is still there";   \
        EXPECT_EQ(how_.fes, static_cast<std::uint16_t>(error));       \
        EXPECT_EQ(how_.fei, static_cast<std::uint32_t>(information)); \
    } while (false)

/// A flush of namespace 1: a PDU that is right.
host::raw_bytes flush(std::uint16_t cid = 1, const host::wire_settings& w = {}) {
    return host::make_capsule(raw_sqe(io_sqe(nvme::io_opcode::flush, {}), cid), {}, w);
}

struct spoiled {
    const char* what;
    std::size_t offset;
    std::uint8_t value;
    fatal_error error;
    std::uint32_t information;
};

CONFORMANCE(bad_pdu, headers_of_an_ic_req, "B/pdu", "T/term", "T/ic") {
    const spoiled cases[] = {
        {"a type that is none", 0, 0x08, fatal_error::invalid_header_field, 0},
        {"a type that is none", 0, 0xff, fatal_error::invalid_header_field, 0},
        {"a controller's type", 0, 0x01, fatal_error::invalid_header_field, 0},
        {"a capsule", 0, 0x04, fatal_error::pdu_sequence_error, 0},
        {"H2CData", 0, 0x06, fatal_error::pdu_sequence_error, 0},
        {"a digest flag", 1, 0x01, fatal_error::invalid_header_field, 1},
        {"a reserved flag", 1, 0x80, fatal_error::invalid_header_field, 1},
        {"HLEN too short", 2, 127, fatal_error::invalid_header_field, 2},
        {"HLEN 0", 2, 0, fatal_error::invalid_header_field, 2},
        {"HLEN too long", 2, 129, fatal_error::invalid_header_field, 2},
        {"PLEN too short", 4, 127, fatal_error::invalid_header_field, 4},
        {"PLEN too long", 4, 129, fatal_error::invalid_header_field, 4},
        {"PLEN huge", 7, 0x80, fatal_error::invalid_header_field, 4},
        {"PFV", 8, 1, fatal_error::unsupported_parameter, 8},
        {"HPDA", 10, 32, fatal_error::invalid_header_field, 10},
        {"HPDA", 10, 255, fatal_error::invalid_header_field, 10},
    };
    for (const spoiled& one : cases) {
        SCOPED_TRACE(one.what);
        host::raw_session s = must(host::raw_session::connect(target().endpoint()));
        host::raw_bytes pdu = host::make_ic_req();
        pdu[one.offset] = std::byte{one.value};
        must(s.send(pdu));
        EXPECT_TERM(s, one.error, one.information);
    }
    expect_alive();
}

CONFORMANCE(bad_pdu, headers_of_a_capsule, "B/pdu", "T/term") {
    const spoiled cases[] = {
        {"a type that is none", 0, 0x0a, fatal_error::invalid_header_field, 0},
        {"an ICResp", 0, 0x01, fatal_error::invalid_header_field, 0},
        {"a CapsuleResp", 0, 0x05, fatal_error::invalid_header_field, 0},
        {"C2HData", 0, 0x07, fatal_error::invalid_header_field, 0},
        {"an R2T", 0, 0x09, fatal_error::invalid_header_field, 0},
        {"a C2HTermReq", 0, 0x03, fatal_error::invalid_header_field, 0},
        {"a header digest that was not agreed on", 1, 0x01, fatal_error::invalid_header_field, 1},
        {"SUCCESS", 1, 0x08, fatal_error::invalid_header_field, 1},
        {"LAST_PDU", 1, 0x04, fatal_error::invalid_header_field, 1},
        {"a reserved flag", 1, 0x40, fatal_error::invalid_header_field, 1},
        {"HLEN too short", 2, 24, fatal_error::invalid_header_field, 2},
        {"HLEN too long", 2, 73, fatal_error::invalid_header_field, 2},
        {"PLEN below HLEN", 4, 71, fatal_error::invalid_header_field, 4},
        {"PLEN 0", 4, 0, fatal_error::invalid_header_field, 4},
        {"PLEN huge", 7, 0xff, fatal_error::invalid_header_field, 3},
    };
    const auto c = connect();
    std::uint16_t qid = 1;
    for (const spoiled& one : cases) {
        SCOPED_TRACE(one.what);
        host::raw_session s = raw_io(*c, qid++);
        host::raw_bytes pdu = flush();
        pdu[one.offset] = std::byte{one.value};
        must(s.send(pdu));
        EXPECT_TERM(s, one.error, one.information);
    }
    bytes block(512);
    must(c->keep_alive());
    expect_alive();
}

CONFORMANCE(bad_pdu, offsets_of_data, "B/pdu", "T/term") {
    const auto c = connect();
    std::uint16_t qid = 1;
    const bytes data = pattern(512);
    const nvme::sqe write =
        raw_sqe(io_sqe(nvme::io_opcode::write, {}), 1, nvme::make_in_capsule_sgl(0, 512));
    for (const unsigned pdo : {0u, 71u, 73u, 74u, 132u, 255u}) {
        SCOPED_TRACE(pdo);
        host::raw_session s = raw_io(*c, qid++);
        host::raw_bytes pdu = host::make_capsule(write, data);
        pdu[3] = static_cast<std::byte>(pdo);
        must(s.send(pdu));
        EXPECT_TERM(s, fatal_error::invalid_header_field, 3);
    }
    // CPDA is 0: any multiple of four from the header on is right.
    host::raw_session s = raw_io(*c, qid);
    host::raw_bytes pdu = host::make_capsule(write, data);
    pdu.insert(pdu.begin() + 72, 8, std::byte{0});
    pdu[3] = std::byte{80};
    host::overwrite(pdu, 4, nvme::le32(static_cast<std::uint32_t>(pdu.size())));
    must(s.send(pdu));
    EXPECT_STATUS(must(s.collect(1)), sc::success);
}

CONFORMANCE(bad_pdu, the_offender_is_shown_again, "T/term") {
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    host::raw_bytes pdu = flush(0x4711);
    pdu[1] = std::byte{0x40};
    must(s.send(pdu));
    const term_ending how = await_term(s);
    ASSERT_TRUE(how.ended);
    ASSERT_GE(how.echo.size(), 8u);
    ASSERT_LE(how.echo.size(), tcp::term_req_data_bytes_max);
    EXPECT_TRUE(std::equal(how.echo.begin(), how.echo.end(), pdu.begin()));
}

// A host that goes on talking still gets to read why: a reset would overtake the term request.
CONFORMANCE(bad_pdu, the_end_is_not_a_reset, "T/term") {
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    host::raw_bytes offence = flush();
    offence[1] = std::byte{0x40};
    const host::raw_bytes more(256 * 1024, std::byte{0x5a});
    offence.insert(offence.end(), more.begin(), more.end());
    must(s.send(offence));
    const host::received term = s.await();
    ASSERT_EQ(term.kind, host::received_kind::pdu);
    EXPECT_TRUE(term.pdu.as<tcp::term_req>(tcp::pdu_type::c2h_term_req));
    const host::received end = s.await();
    EXPECT_EQ(end.kind, host::received_kind::closed) << describe(end.kind);
}

CONFORMANCE(bad_pdu, ic_req_twice, "B/sequence", "T/term") {
    {
        host::raw_session s = raw();
        must(s.send(host::make_ic_req()));
        EXPECT_TERM(s, fatal_error::pdu_sequence_error, 0);
    }
    // In one packet: the second is there before the answer to the first has left.
    host::raw_session s = must(host::raw_session::connect(target().endpoint()));
    host::raw_bytes both = host::make_ic_req();
    const host::raw_bytes second = host::make_ic_req();
    both.insert(both.end(), second.begin(), second.end());
    must(s.send(both));
    const term_ending how = await_term(s);
    EXPECT_TRUE(how.ended);
    EXPECT_EQ(how.pdus_before, 1u) << "the ICResp";
    EXPECT_EQ(how.fes, static_cast<std::uint16_t>(fatal_error::pdu_sequence_error));
}

CONFORMANCE(bad_pdu, before_the_ic_req, "B/sequence", "T/term") {
    for (const host::raw_bytes& pdu :
         {flush(), host::make_h2c_data({}, pattern(64)),
          host::make_capsule(raw_sqe(admin_sqe(nvme::admin_opcode::keep_alive), 1))}) {
        host::raw_session s = must(host::raw_session::connect(target().endpoint()));
        must(s.send(pdu));
        EXPECT_TERM(s, fatal_error::pdu_sequence_error, 0);
    }
}

CONFORMANCE(bad_pdu, term_requests_of_a_host, "B/sequence") {
    const auto c = connect();
    std::uint16_t qid = 1;
    for (const std::size_t echoed : {0u, 1u, 72u, 128u}) {
        host::raw_session s = raw_io(*c, qid++);
        must(s.send(host::make_h2c_term_req(fatal_error::header_digest_error, 0, pattern(echoed))));
        const auto before = s.await_end();
        ASSERT_TRUE(before.has_value()) << "the connection is still there";
        EXPECT_TRUE(before->empty()) << "a term request is not answered";
    }
    host::raw_session early = must(host::raw_session::connect(target().endpoint()));
    must(early.send(host::make_h2c_term_req(fatal_error::pdu_sequence_error, 0)));
    EXPECT_TRUE(early.await_end().has_value());
    host::raw_session s = raw_io(*c, qid);
    must(s.send(host::make_h2c_term_req(fatal_error::pdu_sequence_error, 0, pattern(129))));
    EXPECT_TERM(s, fatal_error::invalid_header_field, 4);
    expect_alive();
}

// The same offences with the stream cut at every byte: the answer may not depend on it.
CONFORMANCE(bad_pdu, cut_at_every_byte, "B/pdu", "T/split", "T/term") {
    const auto c = connect();
    struct offence {
        std::size_t offset;
        std::uint8_t value;
        fatal_error error;
        std::uint32_t information;
    };
    for (const offence& one : {offence{1, 0x40, fatal_error::invalid_header_field, 1},
                               offence{0, 0x00, fatal_error::pdu_sequence_error, 0}}) {
        for (std::size_t cut = 1; cut < 72; cut += 5) {
            SCOPED_TRACE(cut);
            host::raw_session s = raw_io(*c, 1);
            EXPECT_STATUS(must(s.run(raw_sqe(io_sqe(nvme::io_opcode::flush, {}), 1))), sc::success);
            host::raw_bytes bad = flush(2);
            bad[one.offset] = std::byte{one.value};
            must(s.send(std::span(bad).first(cut)));
            (void)s.send(std::span(bad).subspan(cut));  // the connection may be over by now
            EXPECT_TERM(s, one.error, one.information);
        }
    }
}

CONFORMANCE(bad_pdu, right_ones_cut_at_every_byte, "T/split") {
    const auto c = connect();
    for (const bool digests : {false, true}) {
        const host::ic_req_fields fields{.digests = static_cast<std::uint8_t>(digests ? 3 : 0)};
        host::raw_session s = raw_io(*c, digests ? 2 : 1, 32, fields);
        const bytes data = pattern(1024);
        const nvme::sqe write = io_sqe(nvme::io_opcode::write, {.slba = 4, .blocks = 2});
        const host::raw_bytes whole = host::make_capsule(
            raw_sqe(write, 1, nvme::make_in_capsule_sgl(0, 1024)), data, s.wire());
        for (const std::size_t piece :
             {1u, 2u, 3u, 7u, 8u, 71u, 72u, 73u, 75u, 76u, 77u, 500u, 1095u}) {
            SCOPED_TRACE(piece);
            must(s.send_split(whole, piece));
            EXPECT_STATUS(must(s.collect(1)), sc::success);
        }
        for (const std::size_t piece : {1u, 23u, 24u, 25u, 28u, 29u, 100u}) {
            const nvme::sqe by_r2t = raw_sqe(write, 2, nvme::make_transport_sgl(1024));
            must(s.send(host::make_capsule(by_r2t, {}, s.wire())));
            const host::received got = s.await();
            const auto ask = got.pdu.as<tcp::r2t>(tcp::pdu_type::r2t);
            ASSERT_TRUE(ask.has_value());
            const host::raw_bytes reply =
                host::make_h2c_data({.cid = 2, .ttag = ask->ttag.value()}, data, s.wire());
            must(s.send_split(reply, piece));
            EXPECT_STATUS(must(s.collect(2)), sc::success);
        }
    }
}

CONFORMANCE(bad_pdu, others_do_not_notice, "B/others") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes data = pattern(64 * 1024);
    for (std::uint16_t i = 0; i < 30; ++i) {
        host::raw_session s = raw_io(*c, 2);
        host::raw_bytes pdu = flush();
        pdu[i % 8u] ^= std::byte{0xa5};
        must(s.send(pdu));
        EXPECT_STATUS(write_blocks(q, i * 128u, data), sc::success);
        s.half_close();
        EXPECT_TRUE(s.await_end().has_value());
        // Its id is free again as soon as the target has let go of it.
    }
    bytes got(data.size());
    EXPECT_STATUS(read_blocks(q, 29 * 128, got), sc::success);
    EXPECT_EQ(got, data);
}

CONFORMANCE(bad_pdu, hosts_that_vanish_in_the_middle, "B/others") {
    const auto c = connect();
    const bytes data = pattern(8192);
    const host::raw_bytes whole =
        host::make_capsule(raw_sqe(io_sqe(nvme::io_opcode::write, {.blocks = 16}), 1,
                                   nvme::make_in_capsule_sgl(0, 8192)),
                           data);
    for (const std::size_t cut : {1u, 8u, 71u, 72u, 500u, 8263u}) {
        for (const bool abruptly : {false, true}) {
            host::raw_session s = raw_io(*c, 1);
            must(s.send(std::span(whole).first(cut)));
            if (abruptly) {
                s.reset();
                continue;
            }
            s.half_close();
            EXPECT_TRUE(s.await_end().has_value());
        }
    }
    expect_alive();
    bytes got(512);
    host::queue& q = *must(c->open_io_queue(2, 8));
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    EXPECT_EQ(got, bytes(512)) << "nothing of it was written";
}

}  // namespace
}  // namespace fulmar::conformance
