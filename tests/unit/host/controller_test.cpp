#include "support/running_peer.hpp"

#include <fulmar/host/controller.hpp>
#include <fulmar/host/raw_session.hpp>
#include <fulmar/nvme/copy_text.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace fulmar::host {
namespace {

using namespace std::chrono_literals;

TEST(controller, connects_enables_and_identifies) {
    const test::running_peer peer;
    const auto c = peer.connect();
    ASSERT_TRUE(c);
    EXPECT_EQ(c->id(), 1);
    EXPECT_EQ(nvme::field_text(c->identity().mn), "null peer");
    EXPECT_EQ(c->in_capsule_bytes(), 8192u);
    EXPECT_EQ(c->max_transfer_bytes(), 1u << 20);
    const auto list = c->active_namespaces();
    ASSERT_TRUE(list) << list.error().text();
    EXPECT_EQ(*list, std::vector<std::uint32_t>{1});
    const auto ns = c->identify_namespace(1);
    ASSERT_TRUE(ns);
    EXPECT_EQ(ns->nsze.value(), 1024u);
    EXPECT_TRUE(c->keep_alive());
    EXPECT_TRUE(c->admin().checker().clean()) << c->admin().checker().text();
    EXPECT_TRUE(c->shutdown());
    EXPECT_FALSE(c->admin().is_open());
}

TEST(controller, opens_as_many_queues_as_asked) {
    const test::running_peer peer;
    const auto c = peer.connect();
    ASSERT_TRUE(c);
    const auto granted = c->request_io_queues(5);
    ASSERT_TRUE(granted);
    ASSERT_EQ(*granted, 5u);
    for (std::uint16_t qid = 1; qid <= 5; ++qid) {
        const auto q = c->open_io_queue(qid, 10'000);
        ASSERT_TRUE(q) << q.error().text();
        EXPECT_EQ((*q)->room(), c->capabilities().mqes)
            << "no more than the controller's queues take";
    }
}

TEST(connect, a_refusal_is_told_in_words_with_what_to_do) {
    namespace sc = nvme::sc;
    namespace parameter = nvme::connect_parameter;
    const connect_parameters admin{.subnqn = "nqn.2026-11.x:y", .hostnqn = "nqn.2026-11.x:me"};
    connect_parameters io = admin;
    io.qid = 3;
    io.cntlid = 7;
    struct refused {
        const connect_parameters& who;
        nvme::status status;
        nvme::invalid_parameter which;
        const char* why;
        const char* remedy;
    };
    for (const refused& r : {
             refused{admin,
                     sc::connect_invalid_host,
                     {},
                     "does not allow this host NQN: nqn.2026-11.x:me",
                     "hosts"},
             refused{admin, sc::connect_controller_busy, {}, "no controller left", "try again"},
             refused{admin, sc::connect_invalid_parameters, parameter::subnqn, "no such subsystem",
                     "discover"},
             refused{admin, sc::connect_invalid_parameters, parameter::hostnqn,
                     "no name that a host", "223 bytes"},
             refused{io, sc::connect_invalid_parameters, parameter::hostnqn, "another host NQN",
                     ""},
             refused{admin, sc::connect_invalid_parameters, parameter::hostid, "all zeroes",
                     "UUID"},
             refused{io, sc::connect_invalid_parameters, parameter::cntlid, "no controller 7",
                     "again"},
             refused{io, sc::connect_invalid_parameters, parameter::qid, "queue 3 is more",
                     "fewer"},
             refused{io, sc::connect_invalid_parameters, parameter::sqsize, "32 entries", "MQES"},
             refused{io, sc::connect_invalid_parameters, parameter::kato,
                     "offset 48 of the command", ""},
             refused{io, sc::command_sequence_error, {}, "queue 3 exists", "again"},
             refused{admin, sc::connect_incompatible_format, {}, "format", "target"},
             refused{admin, sc::authentication_required, {}, "authenticate", "cannot"},
             refused{admin, sc::internal_error, {}, "refuses", ""},
         }) {
        const error said = explain_refusal(r.who, r.status.no_retry(), r.which.pack());
        EXPECT_NE(said.message.find(r.why), std::string::npos) << said.text();
        EXPECT_NE(said.remedy.find(r.remedy), std::string::npos) << said.text();
        EXPECT_NE(said.message.find("nqn.2026-11.x:y"), std::string::npos) << said.text();
        EXPECT_NE(said.message.find(text_of(r.status.no_retry())), std::string::npos);
        EXPECT_EQ(said.code,
                  r.status.is(sc::connect_invalid_host) ? errc::permission_denied : errc::io_error);
    }
}

TEST(controller, turns_a_status_into_a_reply_or_an_error) {
    const test::running_peer peer;
    const auto c = peer.connect();
    ASSERT_TRUE(c);
    command unknown;
    unknown.sqe.opcode = 0xc5;
    const auto got = c->execute(unknown);
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->status().is(nvme::sc::invalid_opcode));
    EXPECT_TRUE(got->status().dnr);
    const auto log = c->get_log({.lid = 2, .length_bytes = 512});
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code, errc::io_error);
    EXPECT_NE(log.error().message.find("Get Log Page"), std::string::npos);
}

TEST(controller, closes_a_queue_whose_command_is_not_answered) {
    const test::running_peer peer;
    auto options = peer.options();
    options.timeout = 50ms;
    const auto c = test::running_peer::connect(options);
    ASSERT_TRUE(c);
    command event;  // an AER is never answered by this peer
    event.sqe.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::async_event_request);
    const auto got = c->execute(event);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, errc::timed_out);
    EXPECT_FALSE(c->admin().is_open());
    EXPECT_EQ(c->admin().checker().commands_lost(), 1u);
}

TEST(controller, sends_keep_alive_in_time) {
    const test::running_peer peer;
    auto options = peer.options();
    options.keep_alive_ms = 200;
    options.async_events = 2;
    const auto c = test::running_peer::connect(options);
    ASSERT_TRUE(c);
    const std::uint64_t before = c->admin().checker().commands_answered();
    const deadline until(700ms);
    while (!until.passed()) ASSERT_TRUE(c->poll());
    EXPECT_GE(c->admin().checker().commands_answered(), before + 3);
    EXPECT_EQ(c->admin().outstanding(), 2u) << "the AERs";
    EXPECT_TRUE(c->take_events().empty());
}

TEST(controller, says_why_it_cannot_connect) {
    std::uint16_t port = 0;
    {
        const test::running_peer gone;
        port = gone.options().target.port;
    }
    const auto c =
        controller::connect({.target = {"127.0.0.1", port}, .subnqn = "x", .timeout = 500ms});
    ASSERT_FALSE(c);
    EXPECT_EQ(c.error().code, errc::unavailable);
    EXPECT_FALSE(c.error().remedy.empty());
    const auto name = controller::connect({.target = {"no such host.invalid", 1}, .subnqn = "x"});
    ASSERT_FALSE(name);
    EXPECT_EQ(name.error().code, errc::not_found);
}

TEST(raw_session, talks_byte_by_byte) {
    const test::running_peer peer;
    auto s = raw_session::open(peer.options().target);
    ASSERT_TRUE(s) << s.error().text();
    EXPECT_GE(s->ic_response().maxh2cdata.value(), 4096u);
    const auto connected = s->connect_queue({.subnqn = "x", .hostnqn = "y"}, 17);
    ASSERT_TRUE(connected) << connected.error().text();
    EXPECT_TRUE(nvme::is_success(connected->status()));
    nvme::sqe sqe{};
    sqe.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::identify);
    sqe.cid = 99;
    nvme::encode_identify(sqe, {.cns = 1});
    ASSERT_TRUE(s->send_split(make_capsule(sqe), 1));
    const auto got = s->collect(99);
    ASSERT_TRUE(got) << got.error().text();
    EXPECT_EQ(got->data.size(), nvme::identify_bytes);
    EXPECT_FALSE(got->by_success_flag);
    EXPECT_EQ(got->pdus.size(), 2u);
    EXPECT_EQ(s->await(10ms).kind, received_kind::timed_out);
    s->half_close();
    const auto rest = s->await_end();
    ASSERT_TRUE(rest);
    EXPECT_TRUE(rest->empty());
}

TEST(raw_session, obeys_r2ts) {
    const test::running_peer peer({.memory_bytes = 4u << 20, .max_h2c_data_bytes = 4096});
    auto s = raw_session::open(peer.options().target);
    ASSERT_TRUE(s);
    ASSERT_TRUE(s->connect_queue({.subnqn = "x", .hostnqn = "y", .qid = 1, .entries = 8}));
    raw_bytes data(20'480);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i / 5);
    nvme::sqe write{};
    write.opcode = static_cast<std::uint8_t>(nvme::io_opcode::write);
    write.cid = 5;
    nvme::encode_block_range(write, {.slba = 3, .blocks = 5});
    const auto wrote = s->run_write(write, data);
    ASSERT_TRUE(wrote) << wrote.error().text();
    EXPECT_TRUE(nvme::is_success(wrote->status()));
    nvme::sqe read = write;
    read.opcode = static_cast<std::uint8_t>(nvme::io_opcode::read);
    const auto back = s->run(read);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->data, data);
}

}  // namespace
}  // namespace fulmar::host
