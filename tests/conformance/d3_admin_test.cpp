// D3: admin commands, and what holds for all of them.
#include "suite.hpp"

#include <set>

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(d3_admin);

using nvme::admin_opcode;

std::set<unsigned> opcodes(std::initializer_list<admin_opcode> list) {
    std::set<unsigned> all;
    for (const admin_opcode o : list) all.insert(static_cast<unsigned>(o));
    return all;
}

const std::set<unsigned> io_opcodes =
    opcodes({admin_opcode::get_log_page, admin_opcode::identify, admin_opcode::abort,
             admin_opcode::set_features, admin_opcode::get_features, admin_opcode::keep_alive,
             admin_opcode::async_event_request, admin_opcode::cross_controller_reset,
             admin_opcode::fabrics});

const std::set<unsigned> discovery_opcodes =
    opcodes({admin_opcode::get_log_page, admin_opcode::identify, admin_opcode::set_features,
             admin_opcode::get_features, admin_opcode::keep_alive,
             admin_opcode::async_event_request, admin_opcode::fabrics});

void expect_all_others_refused(host::controller& c, const std::set<unsigned>& but) {
    for (unsigned opcode = 0; opcode <= 0xff; ++opcode) {
        if (but.contains(opcode)) continue;
        for (const std::uint32_t nsid : {0u, 1u, nvme::nsid_broadcast}) {
            const nvme::sqe sqe = admin_sqe(static_cast<admin_opcode>(opcode), nsid);
            EXPECT_STATUS(run(c.admin(), {.sqe = sqe}), sc::invalid_opcode.no_retry()) << opcode;
        }
    }
    must(c.keep_alive());
}

CONFORMANCE(d3_admin, what_is_not_implemented, "D3/00", "D3/0D", "D3/10", "D3/14", "D3/19", "D3/1C",
            "D3/1D", "D3/21", "D3/24", "D3/28", "D3/7C", "D3/80", "D3/81", "D3/84", "D3/86",
            "D3/opcode", "D10/IOC") {
    expect_all_others_refused(*connect(), io_opcodes);
}

CONFORMANCE(d3_admin, what_a_discovery_controller_does_not_have, "D3/opcode", "D3/08", "D3/21",
            "D10/DISC") {
    expect_all_others_refused(*connect_discovery(30'000), discovery_opcodes);
}

CONFORMANCE(d3_admin, refused_commands_with_data_leave_the_queue_in_order, "D3/opcode") {
    const auto c = connect();
    const bytes data = pattern(4096);
    bytes room(4096);
    for (const bool in_capsule : {true, false})
        EXPECT_STATUS(
            run_write(c->admin(), admin_sqe(admin_opcode::firmware_download), data, in_capsule),
            sc::invalid_opcode.no_retry());
    EXPECT_STATUS(run_read(c->admin(), admin_sqe(admin_opcode::security_receive), room),
                  sc::invalid_opcode.no_retry());
    must(c->keep_alive());
    EXPECT_TRUE(c->admin().checker().clean()) << c->admin().checker().text();
}

CONFORMANCE(d3_admin, keep_alive, "D3/18") {
    must(connect()->keep_alive());
    must(connect_discovery(30'000)->keep_alive());
}

CONFORMANCE(d3_admin, identify_and_log_and_features, "D3/02", "D3/06", "D3/09", "D3/0A", "D3/7F") {
    const auto c = connect();
    EXPECT_EQ(must(c->identify_controller()).cntlid.value(), c->id());
    read_log<nvme::smart_log>(*c, nvme::lid::smart);
    must(c->set_features({.fid = 0x01, .cdw11 = 0x05}));
    EXPECT_EQ(must(c->get_features({.fid = 0x01})), 0x05u);
}

CONFORMANCE(d3_admin, nothing_but_fabrics_while_disabled, "D3/disabled") {
    host::controller_options options = host_options();
    options.enable = false;
    const auto io = connect(options);
    options.subnqn = nvme::discovery_nqn;
    const auto discovery = connect(options);
    for (host::controller* c : {io.get(), discovery.get()}) {
        for (const unsigned opcode : io_opcodes) {
            if (opcode == 0x7f) continue;
            const nvme::sqe sqe = admin_sqe(static_cast<admin_opcode>(opcode));
            EXPECT_STATUS(run(c->admin(), {.sqe = sqe}), sc::command_sequence_error.no_retry())
                << opcode;
        }
        must(c->enable());
        must(c->keep_alive());
        must(c->disable());
        EXPECT_STATUS(run(c->admin(), {.sqe = admin_sqe(admin_opcode::keep_alive)}),
                      sc::command_sequence_error.no_retry());
    }
}

CONFORMANCE(d3_admin, transfers_beyond_mdts, "D3/mdts") {
    setup.limits.max_transfer_bytes = 64 * 1024;
    const auto c = connect();
    EXPECT_EQ(c->max_transfer_bytes(), 64u * 1024);
    bytes most(64 * 1024);
    bytes more(64 * 1024 + 512);
    const nvme::sqe log = log_sqe({.lid = 0x02, .length_bytes = most.size()});
    EXPECT_STATUS(run_read(c->admin(), log, most), sc::success);
    const nvme::sqe longer = log_sqe({.lid = 0x02, .length_bytes = more.size()});
    EXPECT_STATUS(run_read(c->admin(), longer, more), sc::invalid_field.no_retry());
    host::queue& q = *must(c->open_io_queue(1, 4));
    EXPECT_STATUS(read_blocks(q, 0, most), sc::success);
    EXPECT_STATUS(read_blocks(q, 0, more), sc::invalid_field.no_retry());
    EXPECT_STATUS(write_blocks(q, 0, most), sc::success);
    EXPECT_STATUS(write_blocks(q, 0, more), sc::invalid_field.no_retry());
    EXPECT_STATUS(read_blocks(q, 0, most), sc::success);
}

// --- Abort -------------------------------------------------------------------------------------

nvme::sqe abort_sqe(std::uint16_t sqid, std::uint16_t cid) {
    nvme::sqe sqe = admin_sqe(admin_opcode::abort);
    sqe.cdw10 = std::uint32_t{cid} << 16 | sqid;
    return sqe;
}

CONFORMANCE(d3_admin, abort_of_what_is_not_there, "D3/08") {
    const auto c = connect();
    must(c->open_io_queue(1, 4));
    for (const std::uint16_t sqid : std::initializer_list<std::uint16_t>{0, 1, 2, 0xffff}) {
        const host::reply got = run(c->admin(), {.sqe = abort_sqe(sqid, 0x1234)});
        EXPECT_STATUS(got, sc::success);
        EXPECT_EQ(got.dw0() & 1, 1u) << "not aborted";
    }
}

CONFORMANCE(d3_admin, abort_of_an_event_request, "D3/08", "E/abort") {
    host::raw_session s = raw_admin();
    must(s.send(host::make_capsule(raw_sqe(admin_sqe(admin_opcode::async_event_request), 7))));
    const host::raw_reply got = must(s.run(raw_sqe(abort_sqe(0, 7), 8)));
    EXPECT_STATUS(got, sc::success);
    EXPECT_EQ(got.answer.dw0.value() & 1, 0u) << "aborted";
    std::size_t ended = 0;
    for (const host::raw_pdu& pdu : got.pdus)
        if (const auto answer = pdu.response(); answer && answer->cid.value() == 7) {
            ++ended;
            EXPECT_EQ(answer->get_status(), sc::aborted_by_request);
        }
    EXPECT_EQ(ended, 1u) << "the request is answered before the Abort";
    EXPECT_STATUS(must(s.run(raw_sqe(abort_sqe(0, 7), 9))), sc::success);
}

CONFORMANCE(d3_admin, an_abort_does_not_abort_itself, "D3/08") {
    host::raw_session s = raw_admin();
    const host::raw_reply got = must(s.run(raw_sqe(abort_sqe(0, 8), 8)));
    EXPECT_STATUS(got, sc::success);
    EXPECT_EQ(got.answer.dw0.value() & 1, 1u);
}

CONFORMANCE(d3_admin, abort_of_what_is_parked, "D3/08", "E/abort") {
    const auto c = connect();
    host::raw_session q = raw_io(*c);
    target().must<core::subsystem_status>(core::pause_subsystem{std::string(subsystem_nqn)});
    must(q.send(host::make_capsule(raw_sqe(io_sqe(nvme::io_opcode::flush, {}), 5))));
    ASSERT_TRUE(
        testing::eventually([&] { return target().count("fulmar_parked_requests_total") == 1; }));
    const host::reply got = run(c->admin(), {.sqe = abort_sqe(1, 5)});
    EXPECT_STATUS(got, sc::success);
    EXPECT_EQ(got.dw0() & 1, 0u);
    EXPECT_STATUS(must(q.collect(5)), sc::aborted_by_request.no_retry());
    target().must<core::subsystem_status>(core::resume_subsystem{std::string(subsystem_nqn)});
    EXPECT_STATUS(must(q.run(raw_sqe(io_sqe(nvme::io_opcode::flush, {}), 6))), sc::success);
}

// All in one packet: the first ones are still on their way when the next arrive.
CONFORMANCE(d3_admin, more_aborts_than_acl, "D3/limits") {
    host::raw_session s = raw_admin();
    const std::uint16_t most = 4;
    host::raw_bytes all;
    for (std::uint16_t i = 0; i <= most; ++i) {
        const auto one =
            host::make_capsule(raw_sqe(abort_sqe(0, 0x777), static_cast<std::uint16_t>(100 + i)));
        all.insert(all.end(), one.begin(), one.end());
    }
    must(s.send(all));
    unsigned refused = 0;
    for (std::uint16_t i = 0; i <= most; ++i) {
        const host::received got = s.await();
        ASSERT_EQ(got.kind, host::received_kind::pdu);
        const nvme::status status = got.pdu.response().value().get_status();
        if (nvme::is_success(status)) continue;
        EXPECT_EQ(status, sc::abort_limit_exceeded.no_retry());
        ++refused;
    }
    EXPECT_EQ(refused, 1u);
}

CONFORMANCE(d3_admin, more_event_requests_than_aerl, "D3/limits", "D8/limit", "D3/0C") {
    host::raw_session s = raw_admin();
    const unsigned most = connect()->identity().aerl + 1u;
    const nvme::sqe ask = admin_sqe(admin_opcode::async_event_request);
    for (std::uint16_t i = 0; i < most; ++i)
        must(s.send(host::make_capsule(raw_sqe(ask, static_cast<std::uint16_t>(100 + i)))));
    const host::raw_reply refused = must(s.run(raw_sqe(ask, 200)));
    EXPECT_STATUS(refused, sc::async_event_limit_exceeded.no_retry());
    EXPECT_EQ(refused.pdus.size(), 1u) << "the others wait";
}

// --- namespaces --------------------------------------------------------------------------------

CONFORMANCE(d3_admin, namespaces_that_cannot_be, "D3/nsid") {
    const auto c = connect();
    bytes page(512);
    const auto log = [&](std::uint32_t nsid) {
        return run_read(c->admin(), log_sqe({.lid = 0x02, .length_bytes = 512}, nsid), page)
            .status();
    };
    EXPECT_EQ(log(0), sc::success);
    EXPECT_EQ(log(nvme::nsid_broadcast), sc::success);
    EXPECT_EQ(log(0xffff'fffe), sc::invalid_namespace_or_format.no_retry());
    EXPECT_EQ(log(1), sc::invalid_field.no_retry()) << "LPA bit 0 is 0: no page per namespace";
}

}  // namespace
}  // namespace fulmar::conformance
