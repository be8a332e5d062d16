#include "unit/host/scripted_peer.hpp"

#include <fulmar/nvme/fabrics.hpp>

#include <algorithm>

namespace fulmar::host {
namespace {

using namespace nvme::tcp;
using namespace std::chrono_literals;

nvme::sqe command_of(nvme::io_opcode opcode) {
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(opcode);
    sqe.nsid = 1;
    return sqe;
}

void make_read(told_request& r, std::byte* to, std::uint32_t bytes) {
    r.command = command_of(nvme::io_opcode::read);
    r.direction = transfer::from_controller;
    r.data = to;
    r.data_bytes = bytes;
}

void make_write(told_request& r, std::vector<std::byte>& from) {
    r.command = command_of(nvme::io_opcode::write);
    r.direction = transfer::to_controller;
    r.data = from.data();
    r.data_bytes = static_cast<std::uint32_t>(from.size());
}

std::vector<std::byte> numbered(std::size_t bytes) {
    std::vector<std::byte> data(bytes);
    for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::byte>(i * 13 + i / 256);
    return data;
}

/// A connection whose first command, the Connect, is over, so that SQ heads count.
struct connection_test : ::testing::Test {
    std::unique_ptr<connection> open(const connection_options& options = {}) {
        auto c = peer.meet_well(options);
        told_request first;
        EXPECT_EQ(c->submit(first), submit_result::queued);
        c->poll();
        const auto capsule = peer.next().as<capsule_cmd>(pdu_type::capsule_cmd);
        EXPECT_TRUE(capsule);
        peer.send(scripted_peer::response(capsule->ccsqe.cid.value(),
                                          options.flow_control ? 1 : 0xffff, nvme::sc::success,
                                          options.header_digest));
        EXPECT_TRUE(poll_until(*c, [&] { return first.times == 1; }));
        return c;
    }
    std::uint16_t next_cid() {
        return peer.next().as<capsule_cmd>(pdu_type::capsule_cmd)->ccsqe.cid.value();
    }

    scripted_peer peer;
};

TEST_F(connection_test, says_in_its_ic_req_what_was_asked_for) {
    const connection_options options{
        .header_digest = true, .data_digest = true, .hpda = 3, .max_r2t = 5};
    const auto c = peer.meet(options, scripted_peer::ic_resp_bytes(digest_flags::header, 2, 4096));
    ASSERT_TRUE(c) << c.error().text();
    const auto sent = nvme::read_wire<ic_req>(peer.ic_req());
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->ch.plen.value(), 128u);
    EXPECT_EQ(sent->hpda, 3);
    EXPECT_EQ(sent->dgst, 3);
    EXPECT_EQ(sent->maxr2t.value(), 4u);
    EXPECT_TRUE((*c)->agreed().header_digest);
    EXPECT_FALSE((*c)->agreed().data_digest);
    EXPECT_EQ((*c)->agreed().cpda, 2);
    EXPECT_EQ((*c)->agreed().max_h2c_data_bytes, 4096u);
}

TEST_F(connection_test, refuses_a_bad_ic_resp) {
    const auto refused = [](const raw_bytes& answer) {
        scripted_peer p;
        const auto c = p.meet({}, answer);
        return !c && c.error().code == errc::io_error;
    };
    raw_bytes good = scripted_peer::ic_resp_bytes();
    EXPECT_FALSE(refused(good));
    EXPECT_TRUE(refused(scripted_peer::ic_resp_bytes(digest_flags::data)));  // not asked for
    EXPECT_TRUE(refused(scripted_peer::ic_resp_bytes(0, 32)));
    EXPECT_TRUE(refused(scripted_peer::ic_resp_bytes(0, 0, 4092)));
    raw_bytes format = good;
    format[8] = std::byte{1};
    EXPECT_TRUE(refused(format));
    raw_bytes type = good;
    type[0] = std::byte{3};
    EXPECT_TRUE(refused(type));
}

TEST_F(connection_test, tells_when_nobody_listens) {
    endpoint nowhere;
    {
        scripted_peer gone;
        nowhere = gone.where();
    }
    const auto c = connection::create(nowhere, {}, deadline(1s));
    ASSERT_FALSE(c);
    EXPECT_EQ(c.error().code, errc::unavailable);
}

TEST_F(connection_test, reads_data_and_its_response) {
    const auto c = open();
    std::vector<std::byte> to(1000);
    told_request r;
    make_read(r, to.data(), 1000);
    ASSERT_EQ(c->submit(r), submit_result::queued);
    c->poll();
    const auto capsule = *peer.next().as<capsule_cmd>(pdu_type::capsule_cmd);
    EXPECT_EQ(capsule.ccsqe.sgl1.identifier, nvme::sgl_transport);
    EXPECT_EQ(capsule.ccsqe.sgl1.length.value(), 1000u);
    const std::uint16_t cid = capsule.ccsqe.cid.value();
    const auto data = numbered(1000);
    peer.send(scripted_peer::data(cid, 0, std::span(data).first(600), 0));
    peer.send(scripted_peer::data(cid, 600, std::span(data).subspan(600)));
    peer.send(scripted_peer::response(cid, 2));
    ASSERT_TRUE(poll_until(*c, [&] { return r.times == 1; }));
    EXPECT_TRUE(r.succeeded());
    EXPECT_EQ(r.transferred, 1000u);
    EXPECT_EQ(to, data);
    EXPECT_GE(r.finished_ns, r.submitted_ns);
    EXPECT_TRUE(c->checker().clean()) << c->checker().text();
    EXPECT_EQ(c->outstanding(), 0u);
}

TEST_F(connection_test, reads_the_same_however_the_stream_is_cut) {
    const auto c = open();
    std::uint16_t head = 1;
    for (std::size_t cut = 1; cut < 24 + 64 + 24; ++cut) {
        std::vector<std::byte> to(64);
        told_request r;
        make_read(r, to.data(), 64);
        ASSERT_EQ(c->submit(r), submit_result::queued);
        c->poll();
        const std::uint16_t cid = next_cid();
        head = static_cast<std::uint16_t>((head + 1) % 32);
        const auto data = numbered(64);
        raw_bytes stream = scripted_peer::data(cid, 0, data);
        const raw_bytes end = scripted_peer::response(cid, head);
        stream.insert(stream.end(), end.begin(), end.end());
        peer.send(std::span(stream).first(cut));
        const deadline soon(2ms);
        while (!soon.passed()) c->poll();
        peer.send(std::span(stream).subspan(cut));
        ASSERT_TRUE(poll_until(*c, [&] { return r.times == 1; })) << cut;
        EXPECT_TRUE(r.succeeded());
        EXPECT_EQ(to, data);
    }
    EXPECT_TRUE(c->checker().clean()) << c->checker().text();
}

TEST_F(connection_test, receives_large_data_straight_to_its_place) {
    const auto c = open();
    const auto data = numbered(1 << 20);
    std::vector<std::byte> to(data.size());
    told_request r;
    make_read(r, to.data(), static_cast<std::uint32_t>(data.size()));
    ASSERT_EQ(c->submit(r), submit_result::queued);
    c->poll();
    const std::uint16_t cid = next_cid();
    std::jthread sending([&] {
        peer.send(scripted_peer::data(cid, 0, data));
        peer.send(scripted_peer::response(cid, 2));
    });
    ASSERT_TRUE(poll_until(*c, [&] { return r.times == 1; }));
    EXPECT_TRUE(r.succeeded());
    EXPECT_EQ(to, data);
}

TEST_F(connection_test, drops_data_that_nobody_wants) {
    const auto c = open();
    told_request r;
    make_read(r, nullptr, 4096);
    ASSERT_EQ(c->submit(r), submit_result::queued);
    c->poll();
    const std::uint16_t cid = next_cid();
    peer.send(scripted_peer::data(cid, 0, numbered(4096)));
    peer.send(scripted_peer::response(cid, 2));
    ASSERT_TRUE(poll_until(*c, [&] { return r.times == 1; }));
    EXPECT_EQ(r.transferred, 4096u);
    EXPECT_TRUE(c->checker().clean());
}

TEST_F(connection_test, takes_success_for_the_answer_where_it_is_allowed) {
    const auto c = open({.flow_control = false});
    told_request r;
    make_read(r, nullptr, 64);
    ASSERT_EQ(c->submit(r), submit_result::queued);
    c->poll();
    peer.send(
        scripted_peer::data(next_cid(), 0, numbered(64), pdu_flags::last_pdu | pdu_flags::success));
    ASSERT_TRUE(poll_until(*c, [&] { return r.times == 1; }));
    EXPECT_TRUE(r.succeeded());
    EXPECT_TRUE(c->checker().clean()) << c->checker().text();
}

TEST_F(connection_test, notes_success_where_it_is_not) {
    const auto c = open();
    told_request r;
    make_read(r, nullptr, 64);
    ASSERT_EQ(c->submit(r), submit_result::queued);
    c->poll();
    peer.send(
        scripted_peer::data(next_cid(), 0, numbered(64), pdu_flags::last_pdu | pdu_flags::success));
    ASSERT_TRUE(poll_until(*c, [&] { return r.times == 1; }));
    ASSERT_EQ(c->checker().violations(), 1u);
    EXPECT_EQ(c->checker().entries()[0].what, violation::success_not_allowed);
}

TEST_F(connection_test, writes_small_data_in_the_capsule) {
    const auto c = open();
    auto data = numbered(512);
    told_request r;
    make_write(r, data);
    ASSERT_EQ(c->submit(r), submit_result::queued);
    c->poll();
    const raw_pdu pdu = peer.next();
    const auto capsule = *pdu.as<capsule_cmd>(pdu_type::capsule_cmd);
    EXPECT_EQ(capsule.ccsqe.sgl1.identifier, nvme::sgl_in_capsule);
    EXPECT_EQ(capsule.ccsqe.sgl1.length.value(), 512u);
    EXPECT_TRUE(std::ranges::equal(pdu.data(), data));
    peer.send(scripted_peer::response(capsule.ccsqe.cid.value(), 2));
    ASSERT_TRUE(poll_until(*c, [&] { return r.times == 1; }));
    EXPECT_TRUE(r.succeeded());
}

TEST_F(connection_test, writes_large_data_as_it_is_asked_for) {
    const auto c = open({.max_r2t = 2});  // the peer takes 8192 bytes in one H2CData
    auto data = numbered(30'000);
    told_request r;
    make_write(r, data);
    ASSERT_EQ(c->submit(r), submit_result::queued);
    c->poll();
    const auto capsule = *peer.next().as<capsule_cmd>(pdu_type::capsule_cmd);
    EXPECT_EQ(capsule.ccsqe.sgl1.identifier, nvme::sgl_transport);
    const std::uint16_t cid = capsule.ccsqe.cid.value();
    peer.send(scripted_peer::ready(cid, 77, 0, 20'000));
    peer.send(scripted_peer::ready(cid, 78, 20'000, 10'000));
    std::vector<std::byte> seen;
    for (const std::uint32_t wanted : {8192u, 8192u, 3616u, 8192u, 1808u}) {
        raw_pdu pdu;
        std::jthread reading([&] { pdu = peer.next(); });
        const deadline soon(20ms);
        while (!soon.passed()) c->poll();
        reading.join();
        const auto head = pdu.as<h2c_data>(pdu_type::h2c_data);
        ASSERT_TRUE(head);
        EXPECT_EQ(head->datal.value(), wanted);
        EXPECT_EQ(head->datao.value(), seen.size());
        EXPECT_EQ(head->ttag.value(), seen.size() < 20'000 ? 77 : 78);
        EXPECT_EQ((head->ch.flags & pdu_flags::last_pdu) != 0, wanted == 3616 || wanted == 1808);
        seen.insert(seen.end(), pdu.data().begin(), pdu.data().end());
    }
    EXPECT_EQ(seen, data);
    EXPECT_EQ(r.times, 0);
    peer.send(scripted_peer::response(cid, 2));
    ASSERT_TRUE(poll_until(*c, [&] { return r.times == 1; }));
    EXPECT_EQ(r.transferred, 30'000u);
    EXPECT_TRUE(c->checker().clean()) << c->checker().text();
}

TEST_F(connection_test, adds_digests_and_padding) {
    connection_options options{.header_digest = true, .data_digest = true};
    auto made = peer.meet(options, scripted_peer::ic_resp_bytes(3, 31));
    ASSERT_TRUE(made);
    auto data = numbered(700);
    told_request r;
    make_write(r, data);
    ASSERT_EQ((*made)->submit(r), submit_result::queued);
    (*made)->poll();
    const raw_pdu pdu = peer.next();
    EXPECT_EQ(pdu.common().pdo, 128);
    EXPECT_TRUE(pdu.header_digest_right());
    EXPECT_TRUE(pdu.data_digest_right());
    EXPECT_TRUE(std::ranges::equal(pdu.data(), data));
    (*made)->close();
}

TEST_F(connection_test, holds_back_an_answer_until_the_data_is_sent) {
    const auto c = open();
    auto data = numbered(16 << 20);  // far more than the socket takes
    told_request r;
    make_write(r, data);
    ASSERT_EQ(c->submit(r), submit_result::queued);
    c->poll();
    const std::uint16_t cid = next_cid();
    peer.send(scripted_peer::ready(cid, 1, 0, static_cast<std::uint32_t>(data.size())));
    peer.send(scripted_peer::response(cid, 2, nvme::sc::internal_error));
    const deadline soon(50ms);
    while (!soon.passed()) c->poll();
    EXPECT_EQ(r.times, 0) << "its data is still being sent";
    std::jthread draining([&] {
        for (std::size_t left = data.size(); left != 0;) {
            const raw_pdu pdu = peer.next();
            if (pdu.bytes().empty()) return;
            left -= pdu.data().size();
        }
    });
    ASSERT_TRUE(poll_until(*c, [&] { return r.times == 1; }));
    EXPECT_TRUE(r.status().is(nvme::sc::internal_error));
    EXPECT_TRUE(c->checker().clean()) << c->checker().text();
}

TEST_F(connection_test, keeps_sq_flow_control) {
    const auto c = open({.depth = 3});  // four entries, three commands at once
    told_request r[4];
    for (int i = 0; i < 3; ++i) ASSERT_EQ(c->submit(r[i]), submit_result::queued);
    EXPECT_EQ(c->submit(r[3]), submit_result::full);
    c->poll();
    const std::uint16_t first = next_cid();
    // Taken (the head moved by one), answered: one place is free again.
    peer.send(scripted_peer::response(first, 2));
    ASSERT_TRUE(poll_until(*c, [&] { return r[0].times == 1; }));
    EXPECT_EQ(c->room(), 1u);
    ASSERT_EQ(c->submit(r[3]), submit_result::queued);
    EXPECT_EQ(c->submit(r[0]), submit_result::full);
    EXPECT_TRUE(c->checker().clean()) << c->checker().text();
    c->close();
}

TEST_F(connection_test, notes_a_bad_sq_head) {
    const auto c = open({.depth = 7});
    told_request r[2];
    for (auto& each : r) ASSERT_EQ(c->submit(each), submit_result::queued);
    c->poll();
    const std::uint16_t one = next_cid();
    const std::uint16_t two = next_cid();
    peer.send(scripted_peer::response(one, 5));  // sent: two, so at most 3
    peer.send(scripted_peer::response(two, 2));  // two answered, one taken
    ASSERT_TRUE(poll_until(*c, [&] { return r[1].times == 1; }));
    ASSERT_EQ(c->checker().violations(), 2u);
    EXPECT_EQ(c->checker().entries()[0].what, violation::sqhd_out_of_range);
    EXPECT_EQ(c->checker().entries()[1].what, violation::sqhd_behind);
}

TEST_F(connection_test, notes_a_second_answer_and_an_answer_to_nothing) {
    const auto c = open();
    told_request r;
    ASSERT_EQ(c->submit(r), submit_result::queued);
    c->poll();
    const std::uint16_t cid = next_cid();
    peer.send(scripted_peer::response(cid, 2));
    peer.send(scripted_peer::response(cid, 2));
    peer.send(scripted_peer::response(0x7000, 2));
    ASSERT_TRUE(poll_until(*c, [&] { return c->checker().violations() >= 2; }));
    EXPECT_EQ(r.times, 1);
    EXPECT_EQ(c->checker().entries()[0].what, violation::answered_twice);
    EXPECT_EQ(c->checker().entries().back().what, violation::unknown_cid);
}

TEST_F(connection_test, never_uses_the_reserved_command_id) {
    // Three commands stay under way, so that the fourth has the index whose ids end in binary 11.
    told_request waiting[3];  // ended with the connection, and so before it
    const auto c = open({.depth = 4, .flow_control = false});
    for (auto& each : waiting) ASSERT_EQ(c->submit(each), submit_result::queued);
    c->poll();
    for (int i = 0; i < 3; ++i) (void)next_cid();
    for (int i = 0; i < 20'000 && !HasFailure(); ++i) {
        told_request r;
        ASSERT_EQ(c->submit(r), submit_result::queued);
        ASSERT_EQ(r.command.cid.value() & 3, 3);
        ASSERT_NE(r.command.cid.value(), 0xffff);
        c->poll();
        peer.send(scripted_peer::response(next_cid(), 0xffff));
        ASSERT_TRUE(poll_until(*c, [&] { return r.times == 1; }));
    }
    EXPECT_TRUE(c->checker().clean());
}

TEST_F(connection_test, notes_missing_data) {
    const auto c = open();
    told_request r;
    make_read(r, nullptr, 4096);
    ASSERT_EQ(c->submit(r), submit_result::queued);
    c->poll();
    const std::uint16_t cid = next_cid();
    peer.send(scripted_peer::data(cid, 0, numbered(4000)));
    peer.send(scripted_peer::response(cid, 2));
    ASSERT_TRUE(poll_until(*c, [&] { return r.times == 1; }));
    ASSERT_EQ(c->checker().violations(), 1u);
    EXPECT_EQ(c->checker().entries()[0].what, violation::data_missing);
}

/// A violation after which there is no going on: the connection ends with a term request.
struct FatalCase {
    const char* what;
    violation noted;
    std::uint16_t fes;
    raw_bytes (*answer)(std::uint16_t cid);
};

class fatal_breach : public connection_test, public ::testing::WithParamInterface<FatalCase> {};

TEST_P(fatal_breach, ends_the_connection_and_answers_everybody) {
    const auto c = open();
    told_request read;
    told_request idle;
    std::vector<std::byte> to(4096);
    make_read(read, to.data(), 4096);
    ASSERT_EQ(c->submit(read), submit_result::queued);
    ASSERT_EQ(c->submit(idle), submit_result::queued);
    c->poll();
    const std::uint16_t cid = next_cid();
    (void)next_cid();
    peer.send(GetParam().answer(cid));
    ASSERT_TRUE(poll_until(*c, [&] { return !c->is_open(); }));
    EXPECT_EQ(read.times, 1);
    EXPECT_EQ(idle.times, 1);
    EXPECT_FALSE(read.answered);
    EXPECT_FALSE(idle.answered);
    ASSERT_FALSE(c->checker().clean());
    EXPECT_EQ(c->checker().entries()[0].what, GetParam().noted);
    EXPECT_EQ(c->checker().commands_lost(), 2u);
    EXPECT_FALSE(c->why_closed().message.empty());
    EXPECT_EQ(c->submit(read), submit_result::closed);
    const auto term = peer.next().as<term_req>(pdu_type::h2c_term_req);
    ASSERT_TRUE(term);
    EXPECT_EQ(term->fes.value(), GetParam().fes);
}

INSTANTIATE_TEST_SUITE_P(
    connection, fatal_breach,
    ::testing::Values(
        FatalCase{"data beyond the command", violation::data_out_of_range, 4,
                  [](std::uint16_t cid) { return scripted_peer::data(cid, 0, numbered(4100)); }},
        FatalCase{"data out of order", violation::data_out_of_range, 4,
                  [](std::uint16_t cid) { return scripted_peer::data(cid, 64, numbered(64)); }},
        FatalCase{"data for nobody", violation::unknown_cid, 1,
                  [](std::uint16_t) { return scripted_peer::data(0x7000, 0, numbered(64)); }},
        FatalCase{"an R2T for a read", violation::r2t_not_asked, 2,
                  [](std::uint16_t cid) { return scripted_peer::ready(cid, 1, 0, 64); }}));

TEST_F(connection_test, notes_bad_r2ts) {
    struct {
        raw_bytes (*ask)(std::uint16_t);
        violation noted;
    } const cases[] = {
        {[](std::uint16_t cid) { return scripted_peer::ready(cid, 1, 0, 40'000); },
         violation::r2t_out_of_range},
        {[](std::uint16_t cid) { return scripted_peer::ready(cid, 1, 512, 512); },
         violation::r2t_out_of_range},
        {[](std::uint16_t cid) { return scripted_peer::ready(cid, 1, 0, 0); },
         violation::r2t_out_of_range},
    };
    for (const auto& each : cases) {
        peer = scripted_peer();
        const auto c = open();
        auto data = numbered(30'000);
        told_request r;
        make_write(r, data);
        ASSERT_EQ(c->submit(r), submit_result::queued);
        c->poll();
        peer.send(each.ask(next_cid()));
        ASSERT_TRUE(poll_until(*c, [&] { return !c->is_open(); }));
        EXPECT_EQ(r.times, 1);
        EXPECT_EQ(c->checker().entries()[0].what, each.noted);
    }
}

TEST_F(connection_test, answers_everybody_when_the_peer_hangs_up) {
    const auto c = open();
    told_request r[5];
    for (auto& each : r) ASSERT_EQ(c->submit(each), submit_result::queued);
    c->poll();
    peer.hang_up();
    ASSERT_TRUE(poll_until(*c, [&] { return !c->is_open(); }));
    for (const auto& each : r) {
        EXPECT_EQ(each.times, 1);
        EXPECT_FALSE(each.answered);
    }
    EXPECT_EQ(c->checker().commands_lost(), 5u);
    EXPECT_EQ(c->checker().outstanding(), 0u);
}

TEST_F(connection_test, tells_what_a_term_request_said) {
    const auto c = open();
    term_req term{};
    term.ch.type = static_cast<std::uint8_t>(pdu_type::c2h_term_req);
    term.ch.hlen = sizeof term;
    term.ch.plen = sizeof term;
    term.fes = 2;
    peer.send(nvme::wire_bytes(term));
    ASSERT_TRUE(poll_until(*c, [&] { return !c->is_open(); }));
    EXPECT_NE(c->why_closed().message.find("status 2"), std::string::npos)
        << c->why_closed().message;
}

/// Submits again from its handler, and closes from it in the end.
class restless final : public request {
  public:
    explicit restless(connection& c)
        : request([](request& r) noexcept {
              auto& self = static_cast<restless&>(r);
              if (++self.times == 3)
                  self.on.close();
              else
                  (void)self.on.submit(self);
          }),
          on(c) {}
    connection& on;
    int times = 0;
};

TEST_F(connection_test, lets_handlers_submit_and_close) {
    const auto c = open();
    restless r(*c);
    told_request other;
    ASSERT_EQ(c->submit(r), submit_result::queued);
    ASSERT_EQ(c->submit(other), submit_result::queued);
    std::uint16_t head = 1;
    for (int i = 0; i < 3; ++i) {
        c->poll();
        std::uint16_t cid = next_cid();
        if (i == 0) (void)next_cid();
        peer.send(scripted_peer::response(
            cid, head = static_cast<std::uint16_t>(head + (i == 0 ? 2 : 1))));
        ASSERT_TRUE(poll_until(*c, [&] { return r.times == i + 1; }));
        EXPECT_EQ(c->is_open(), i < 2);
    }
    EXPECT_FALSE(c->is_open());
    EXPECT_EQ(other.times, 1);
    EXPECT_FALSE(other.answered);
}

}  // namespace
}  // namespace fulmar::host
