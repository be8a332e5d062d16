// The TCP transport's own rows: handshake, digests, alignment, R2T, SUCCESS and SQHD, IPv6.
#include "suite.hpp"

#include <cstring>
#include <set>

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(tcp_test);

namespace tcp = nvme::tcp;
using nvme::io_opcode;

CONFORMANCE(tcp_test, handshake, "T/ic", "T/bytes") {
    for (unsigned digests = 0; digests <= 3; ++digests) {
        host::raw_session s = raw({.digests = static_cast<std::uint8_t>(digests)});
        const tcp::ic_resp& got = s.ic_response();
        EXPECT_EQ(got.ch.type, 1);
        EXPECT_EQ(got.ch.flags, 0);
        EXPECT_EQ(got.ch.hlen, 128);
        EXPECT_EQ(got.ch.pdo, 0);
        EXPECT_EQ(got.ch.plen.value(), 128u);
        EXPECT_EQ(got.pfv.value(), 0);
        EXPECT_LE(got.cpda, tcp::pda_max);
        EXPECT_EQ(got.dgst, digests);
        EXPECT_GE(got.maxh2cdata.value(), tcp::maxh2cdata_bytes_min);
        EXPECT_EQ(got.maxh2cdata.value() % 4, 0u);
    }
}

CONFORMANCE(tcp_test, largest_parameters, "T/ic", "T/align") {
    host::raw_session s = raw({.hpda = 31, .digests = 3, .maxr2t = 0xffff'ffff});
    EXPECT_STATUS(must(s.connect_queue(parameters())), sc::success);
}

// --- digests -----------------------------------------------------------------------------------

CONFORMANCE(tcp_test, digests, "T/hdgst", "T/ddgst") {
    for (unsigned digests = 0; digests <= 3; ++digests) {
        host::controller_options options = host_options();
        options.header_digest = (digests & 1) != 0;
        options.data_digest = (digests & 2) != 0;
        const auto c = connect(options);
        host::queue& q = *must(c->open_io_queue(1, 16));
        for (const std::size_t size : {512u, 8192u, 16384u, 1024u * 1024}) {
            const bytes data = pattern(size, digests);
            EXPECT_STATUS(write_blocks(q, 0, data), sc::success);
            bytes got(size);
            const host::reply read = read_blocks(q, 0, got);
            EXPECT_STATUS(read, sc::success);
            EXPECT_FALSE(read.data_damaged);
            EXPECT_EQ(got, data);
        }
        EXPECT_TRUE(q.checker().clean()) << q.checker().text();
    }
}

CONFORMANCE(tcp_test, what_is_sent_has_its_digests, "T/hdgst", "T/ddgst", "T/bytes") {
    const auto c = connect();
    host::raw_session s = raw_io(*c, 1, 32, {.digests = 3});
    const host::raw_reply read = must(s.run(read_of(16, 1)));
    ASSERT_EQ(read.pdus.size(), 2u);
    for (const host::raw_pdu& pdu : read.pdus) {
        EXPECT_NE(pdu.common().flags & tcp::pdu_flags::hdgstf, 0);
        EXPECT_TRUE(pdu.header_digest_right());
        EXPECT_TRUE(pdu.data_digest_right());
    }
    EXPECT_NE(read.pdus[0].common().flags & tcp::pdu_flags::ddgstf, 0);
    EXPECT_EQ(read.pdus[1].common().flags & tcp::pdu_flags::ddgstf, 0) << "no data, no digest";
    const host::raw_reply write = must(s.run_write(write_of(16, 2), pattern(8192)));
    ASSERT_EQ(write.pdus.size(), 2u);
    EXPECT_TRUE(write.pdus[0].is(tcp::pdu_type::r2t));
    EXPECT_TRUE(write.pdus[0].header_digest_right());
}

CONFORMANCE(tcp_test, a_wrong_header_digest_ends_the_connection, "T/hdgst", "T/term", "B/pdu") {
    const auto c = connect();
    std::uint16_t qid = 1;
    for (const std::size_t spoilt : {8u, 12u, 40u, 71u, 72u, 75u}) {
        SCOPED_TRACE(spoilt);
        host::raw_session s = raw_io(*c, qid++, 32, {.digests = 1});
        host::raw_bytes pdu =
            host::make_capsule(raw_sqe(io_sqe(io_opcode::flush, {}), 1), {}, s.wire());
        pdu[spoilt] ^= std::byte{1};
        nvme::le32 digest;
        std::memcpy(&digest, pdu.data() + 72, 4);
        must(s.send(pdu));
        const auto pdus = s.await_end();
        ASSERT_TRUE(pdus.has_value() && pdus->size() == 1);
        const auto term = pdus->front().as<tcp::term_req>(tcp::pdu_type::c2h_term_req);
        ASSERT_TRUE(term.has_value());
        EXPECT_EQ(term->fes.value(),
                  static_cast<std::uint16_t>(tcp::fatal_error::header_digest_error));
        EXPECT_EQ(term->fei.value(), digest.value()) << "the digest as it came";
    }
    expect_alive();
}

// Its length is not to be believed either: what a wrong digest covers says nothing.
CONFORMANCE(tcp_test, a_wrong_header_digest_over_a_wrong_length, "T/hdgst", "T/term", "B/pdu") {
    const auto c = connect();
    host::raw_session s = raw_io(*c, 1, 32, {.digests = 1});
    host::raw_bytes pdu =
        host::make_capsule(raw_sqe(io_sqe(io_opcode::flush, {}), 1), {}, s.wire());
    pdu[5] ^= std::byte{1};
    must(s.send(pdu));
    const auto pdus = s.await_end();
    ASSERT_TRUE(pdus.has_value() && pdus->size() == 1);
    EXPECT_EQ(pdus->front().as<tcp::term_req>(tcp::pdu_type::c2h_term_req)->fes.value(),
              static_cast<std::uint16_t>(tcp::fatal_error::header_digest_error));
}

CONFORMANCE(tcp_test, a_wrong_data_digest_ends_its_command_alone, "T/ddgst") {
    const auto c = connect();
    host::raw_session s = raw_io(*c, 1, 32, {.digests = 3});
    const bytes good = pattern(1024, 1);
    const bytes bad = pattern(1024, 2);
    EXPECT_STATUS(must(s.run_write(write_of(2, 1), good)), sc::success);
    {  // in the capsule
        const nvme::sqe write =
            raw_sqe(io_sqe(io_opcode::write, {.blocks = 2}), 2, nvme::make_in_capsule_sgl(0, 1024));
        host::raw_bytes pdu = host::make_capsule(write, bad, s.wire());
        pdu.back() ^= std::byte{1};
        must(s.send(pdu));
        EXPECT_STATUS(must(s.collect(2)), sc::transient_transport_error);
    }
    for (const std::size_t spoilt : {0u, 1u}) {  // in the first, and in the last of two H2CData
        must(s.send(host::make_capsule(write_of(2, 3), {}, s.wire())));
        const auto ask = s.await().pdu.as<tcp::r2t>(tcp::pdu_type::r2t);
        ASSERT_TRUE(ask.has_value());
        for (std::uint32_t i = 0; i < 2; ++i) {
            host::raw_bytes pdu = host::make_h2c_data(
                {.cid = 3, .ttag = ask->ttag.value(), .offset = i * 512, .last = i == 1},
                std::span(bad).subspan(i * 512, 512), s.wire());
            if (i == spoilt) pdu.back() ^= std::byte{1};
            must(s.send(pdu));
        }
        EXPECT_STATUS(must(s.collect(3)), sc::transient_transport_error);
    }
    const host::raw_reply read = must(s.run(read_of(2, 4)));
    EXPECT_STATUS(read, sc::success);
    EXPECT_EQ(read.data, good) << "nothing of the damaged data was written";
    EXPECT_STATUS(must(s.run_write(write_of(2, 5), bad)), sc::success)
        << "the connection has stayed";
}

// A write that follows in the same packet must not change what a digest was taken over.
CONFORMANCE(tcp_test, reads_keep_their_digest_while_their_blocks_are_written, "T/ddgst") {
    const auto c = connect();
    host::raw_session s = raw_io(*c, 1, 64, {.digests = 2});
    for (std::uint32_t round = 0; round < 20; ++round) {
        host::raw_bytes stream;
        for (std::uint16_t i = 0; i < 8; ++i) {
            const nvme::sqe write =
                raw_sqe(io_sqe(io_opcode::write, {.blocks = 8}),
                        static_cast<std::uint16_t>(100 + i), nvme::make_in_capsule_sgl(0, 4096));
            for (const host::raw_bytes& pdu :
                 {host::make_capsule(read_of(8, i), {}, s.wire()),
                  host::make_capsule(write, pattern(4096, round * 8 + i), s.wire())})
                stream.insert(stream.end(), pdu.begin(), pdu.end());
        }
        must(s.send(stream));
        for (int answers = 0; answers < 16;) {
            const host::received got = s.await();
            ASSERT_EQ(got.kind, host::received_kind::pdu);
            EXPECT_TRUE(got.pdu.data_digest_right());
            if (got.pdu.response()) ++answers;
        }
    }
}

// --- alignment ---------------------------------------------------------------------------------

CONFORMANCE(tcp_test, data_is_aligned_as_the_host_wants, "T/align", "T/bytes") {
    const auto c = connect();
    const bytes data = pattern(4096);
    std::uint16_t qid = 1;
    for (const std::uint8_t hpda : std::initializer_list<std::uint8_t>{0, 1, 2, 7, 15, 30, 31}) {
        for (const std::uint8_t digests : std::initializer_list<std::uint8_t>{0, 3}) {
            SCOPED_TRACE(static_cast<int>(hpda));
            host::raw_session s = raw_io(*c, qid++, 8, {.hpda = hpda, .digests = digests});
            EXPECT_STATUS(must(s.run_write(write_of(8, 1), data)), sc::success);
            const host::raw_reply read = must(s.run(read_of(8, 2)));
            ASSERT_FALSE(read.pdus.empty());
            EXPECT_EQ(read.pdus[0].common().pdo % tcp::alignment_bytes(hpda), 0u);
            EXPECT_EQ(read.data, data);
            EXPECT_TRUE(read.pdus[0].data_digest_right());
        }
    }
}

CONFORMANCE(tcp_test, a_host_library_with_every_alignment, "T/align") {
    for (const std::uint8_t hpda : std::initializer_list<std::uint8_t>{3, 31}) {
        host::controller_options options = host_options();
        options.hpda = hpda;
        options.header_digest = options.data_digest = hpda == 31;
        const auto c = connect(options);
        host::queue& q = *must(c->open_io_queue(1, 16));
        const bytes data = pattern(100 * 512);
        EXPECT_STATUS(write_blocks(q, 3, data), sc::success);
        bytes got(data.size());
        EXPECT_STATUS(read_blocks(q, 3, got), sc::success);
        EXPECT_EQ(got, data);
        EXPECT_TRUE(q.checker().clean()) << q.checker().text();
    }
}

// --- R2T ---------------------------------------------------------------------------------------

/// What has been asked for and not been sent, in order of arrival.
std::vector<tcp::r2t> await_r2ts(host::raw_session& s, std::size_t count) {
    std::vector<tcp::r2t> all;
    while (all.size() < count) {
        const auto ask = s.await(std::chrono::seconds(2)).pdu.as<tcp::r2t>(tcp::pdu_type::r2t);
        if (!ask) break;
        all.push_back(*ask);
    }
    return all;
}

CONFORMANCE(tcp_test, one_r2t_at_a_time, "T/r2t", "T/bytes") {
    const auto c = connect();
    host::raw_session s = raw_io(*c, 1, 8, {.maxr2t = 0});
    const bytes data = pattern(1024 * 1024);
    const host::raw_reply write = must(s.run_write(write_of(2048, 7), data));
    EXPECT_STATUS(write, sc::success);
    std::uint32_t asked = 0;
    for (const host::raw_pdu& pdu : write.pdus) {
        const auto ask = pdu.as<tcp::r2t>(tcp::pdu_type::r2t);
        if (!ask) continue;
        EXPECT_EQ(ask->ch.hlen, 24);
        EXPECT_EQ(ask->ch.plen.value(), 24u);
        EXPECT_EQ(ask->cccid.value(), 7);
        EXPECT_EQ(ask->r2to.value(), asked) << "in order, without a hole";
        asked += ask->r2tl.value();
    }
    EXPECT_EQ(asked, data.size());
    bytes got(data.size());
    host::queue& q = *must(c->open_io_queue(2, 8));
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    EXPECT_EQ(got, data);
}

CONFORMANCE(tcp_test, several_r2ts_at_a_time, "T/r2t") {
    const auto c = connect();
    const bytes data = pattern(1024 * 1024);
    std::uint16_t qid = 1;
    for (const std::uint32_t more : {1u, 2u, 15u, 100u}) {
        SCOPED_TRACE(more);
        host::raw_session s = raw_io(*c, qid++, 8, {.maxr2t = more});
        must(s.send(host::make_capsule(write_of(2048, 1))));
        std::vector<tcp::r2t> asks = await_r2ts(s, std::min<std::size_t>(more + 1, 4));
        ASSERT_GE(asks.size(), 2u);
        EXPECT_LE(asks.size(), more + 1);
        std::size_t sent = 0;
        // Each one in three pieces; new ones come as the old ones are done.
        for (std::size_t i = 0; i < asks.size(); ++i) {
            const std::uint32_t from = asks[i].r2to.value();
            const std::uint32_t length = asks[i].r2tl.value();
            for (std::uint32_t at = 0; at < length;) {
                const std::uint32_t piece = std::min(length - at, length / 3 / 4 * 4 + 4);
                must(s.send(host::make_h2c_data({.cid = 1,
                                                 .ttag = asks[i].ttag.value(),
                                                 .offset = from + at,
                                                 .last = at + piece == length},
                                                std::span(data).subspan(from + at, piece))));
                at += piece;
            }
            sent += length;
            if (sent == data.size() || i + 1 < asks.size()) continue;
            for (const tcp::r2t& next : await_r2ts(s, 1)) asks.push_back(next);
        }
        EXPECT_EQ(sent, data.size());
        EXPECT_STATUS(must(s.collect(1)), sc::success);
    }
    bytes got(data.size());
    host::queue& q = *must(c->open_io_queue(qid, 8));
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    EXPECT_EQ(got, data);
}

CONFORMANCE(tcp_test, many_writes_ask_at_once, "T/r2t") {
    host::controller_options options = host_options();
    options.max_r2t = 4;
    const auto c = connect(options);
    host::raw_session s = raw_io(*c, 1, 32, {.maxr2t = 3});
    const bytes data = pattern(16384);
    for (std::uint16_t cid = 0; cid < 16; ++cid)
        must(s.send(host::make_capsule(write_of(32, cid, cid * 32u))));
    const std::vector<tcp::r2t> asks = await_r2ts(s, 16);
    ASSERT_EQ(asks.size(), 16u);
    std::set<unsigned> tags;
    for (const tcp::r2t& ask : asks) tags.insert(ask.ttag.value());
    EXPECT_EQ(tags.size(), 16u) << "a tag each";
    // The last one first, and everything in pieces that mix.
    for (std::uint32_t half = 0; half < 2; ++half)
        for (auto ask = asks.rbegin(); ask != asks.rend(); ++ask)
            must(s.send(host::make_h2c_data({.cid = ask->cccid.value(),
                                             .ttag = ask->ttag.value(),
                                             .offset = half * 8192,
                                             .last = half == 1},
                                            std::span(data).subspan(half * 8192, 8192))));
    for (std::uint16_t cid = 0; cid < 16; ++cid) {
        const host::received got = s.await();
        ASSERT_EQ(got.kind, host::received_kind::pdu);
        EXPECT_EQ(got.pdu.response().value().get_status(), sc::success);
    }
    const host::raw_reply read = must(s.run(read_of(32, 99, 15 * 32)));
    EXPECT_EQ(read.data, data);
}

// --- SUCCESS and SQHD --------------------------------------------------------------------------

CONFORMANCE(tcp_test, success_flag_only_without_flow_control, "T/success", "T/bytes") {
    const auto c = connect();
    host::raw_session with = raw_io(*c, 1, 8, {}, true);
    host::raw_session without = raw_io(*c, 2, 8, {}, false);
    for (std::uint16_t i = 0; i < 20; ++i) {
        const host::raw_reply one = must(with.run(read_of(8, i)));
        EXPECT_FALSE(one.by_success_flag);
        EXPECT_EQ(one.answer.sqhd.value(), (i + 2) % 8) << "Connect was the first command";
        const host::raw_reply two = must(without.run(read_of(8, i)));
        EXPECT_TRUE(two.by_success_flag);
        ASSERT_EQ(two.pdus.size(), 1u);
        const auto flags = two.pdus[0].common().flags;
        EXPECT_EQ(flags & (tcp::pdu_flags::success | tcp::pdu_flags::last_pdu),
                  tcp::pdu_flags::success | tcp::pdu_flags::last_pdu);
    }
    const host::raw_reply write = must(without.run(raw_sqe(io_sqe(io_opcode::flush, {}), 1)));
    EXPECT_EQ(write.answer.sqhd.value(), nvme::sqhd_no_flow_control);
    const host::raw_reply failed = must(without.run(read_of(8, 1, 1u << 30)));
    EXPECT_STATUS(failed, sc::lba_out_of_range.no_retry());
    EXPECT_FALSE(failed.by_success_flag);
}

CONFORMANCE(tcp_test, admin_queues_without_flow_control, "T/success") {
    host::raw_session s = raw();
    host::connect_parameters p = parameters();
    p.flow_control = false;
    EXPECT_STATUS(must(s.connect_queue(p)), sc::success);
    const nvme::controller_configuration on{
        .en = true, .iosqes = nvme::io_sq_entry_size_log2, .iocqes = nvme::io_cq_entry_size_log2};
    nvme::sqe enable =
        host::make_property_set(nvme::register_offset::cc, nvme::property_size::bytes_4, on.pack());
    EXPECT_EQ(must(s.run(raw_sqe(enable, 1))).answer.sqhd.value(), nvme::sqhd_no_flow_control);
    const host::raw_reply identify =
        must(s.run(raw_sqe(identify_sqe(1), 2, nvme::make_transport_sgl(4096))));
    EXPECT_TRUE(identify.by_success_flag);
    EXPECT_EQ(identify.data.size(), 4096u);
}

CONFORMANCE(tcp_test, a_host_without_flow_control, "T/success") {
    host::controller_options options = host_options();
    options.flow_control = false;
    const auto c = connect(options);
    host::queue& q = *must(c->open_io_queue(1, 16));
    const bytes data = pattern(64 * 1024);
    for (std::uint64_t i = 0; i < 40; ++i)
        EXPECT_STATUS(write_blocks(q, i * 128, data), sc::success);
    bytes got(data.size());
    for (std::uint64_t i = 0; i < 40; ++i) EXPECT_STATUS(read_blocks(q, i * 128, got), sc::success);
    EXPECT_TRUE(q.checker().clean()) << q.checker().text();
}

// --- what is sent ------------------------------------------------------------------------------

CONFORMANCE(tcp_test, headers_of_what_is_sent, "T/bytes") {
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    const host::raw_reply read = must(s.run(read_of(24, 9)));
    ASSERT_EQ(read.pdus.size(), 2u);
    const auto data = read.pdus[0].as<tcp::c2h_data>(tcp::pdu_type::c2h_data);
    ASSERT_TRUE(data.has_value());
    EXPECT_EQ(data->ch.hlen, 24);
    EXPECT_EQ(data->ch.pdo, 24);
    EXPECT_EQ(data->ch.flags, tcp::pdu_flags::last_pdu);
    EXPECT_EQ(data->ch.plen.value(), 24u + 24 * 512);
    EXPECT_EQ(data->cccid.value(), 9);
    EXPECT_EQ(data->datao.value(), 0u);
    EXPECT_EQ(data->datal.value(), 24u * 512);
    EXPECT_EQ(data->reserved_10, nvme::reserved<2>{});
    EXPECT_EQ(data->reserved_20, nvme::reserved<4>{});
    const auto answer = read.pdus[1].as<tcp::capsule_resp>(tcp::pdu_type::capsule_resp);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->ch.hlen, 24);
    EXPECT_EQ(answer->ch.pdo, 0);
    EXPECT_EQ(answer->ch.flags, 0);
    EXPECT_EQ(answer->ch.plen.value(), 24u);
    EXPECT_EQ(answer->rccqe.sqid.value(), 0) << "reserved over fabrics";
    EXPECT_FALSE(answer->rccqe.phase()) << "reserved over fabrics";
}

// --- IPv6 --------------------------------------------------------------------------------------

CONFORMANCE(tcp_test, i_pv6, "T/ipv6", "D9/entry") {
    setup.spec.listeners.push_back({.address = "::1", .port = 0});
    host::controller_options options = host_options();
    options.target = target().endpoint(1);
    EXPECT_EQ(options.target.address, "::1");
    const auto c = connect(options);
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes data = pattern(32768);
    EXPECT_STATUS(write_blocks(q, 0, data), sc::success);
    bytes got(data.size());
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    EXPECT_EQ(got, data);
    bool seen = false;
    for (const core::connection_status& s : target().connections())
        seen = seen || s.peer.starts_with("[::1]:");
    EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace fulmar::conformance
