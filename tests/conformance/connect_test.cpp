// Connect with every parameter wrong in turn: the status, and IATTR and IPO, which say where to
// look.
#include "suite.hpp"

#include <algorithm>
#include <cstring>

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(connect_parameters_test);

namespace parameter = nvme::connect_parameter;

/// A Connect as it will be sent.
struct attempt {
    nvme::connect_command command;
    nvme::connect_data data;
    std::uint32_t data_bytes = sizeof(nvme::connect_data);
};

host::raw_reply connect_with(host::raw_session& s, const host::connect_parameters& p,
                             const std::function<void(attempt&)>& spoil) {
    attempt a{.command = host::make_connect_command(p), .data = host::make_connect_data(p)};
    a.command.sgl1 = nvme::make_in_capsule_sgl(0, a.data_bytes);
    spoil(a);
    bytes data(a.data_bytes);
    std::memcpy(data.data(), &a.data, std::min<std::size_t>(data.size(), sizeof a.data));
    return must(s.run(nvme::to_sqe(a.command), data));
}

void fill(nvme::nqn_field& field, char with) { field.fill(with); }

void fill(nvme::nqn_field& field, std::string_view with) {
    field.fill(0);
    std::copy(with.begin(), with.end(), field.begin());
}

#define EXPECT_REFUSED(reply_, which)                                       \
    do {                                                                    \
        const host::raw_reply refused_ = (reply_);                          \
        EXPECT_STATUS(refused_, sc::connect_invalid_parameters.no_retry()); \
        EXPECT_EQ(refused_.answer.dw0.value(), (which).pack());             \
    } while (false)

/// The host may ask again: what it asks for can be there a moment later.
#define EXPECT_REFUSED_FOR_NOW(reply_, which)                    \
    do {                                                         \
        const host::raw_reply refused_ = (reply_);               \
        EXPECT_STATUS(refused_, sc::connect_invalid_parameters); \
        EXPECT_EQ(refused_.answer.dw0.value(), (which).pack());  \
    } while (false)

CONFORMANCE(connect_parameters_test, of_the_command, "B/connect", "D1/status") {
    host::raw_session s = raw();
    const auto p = parameters();
    EXPECT_STATUS(connect_with(s, p, [](attempt& a) { a.command.recfmt = std::uint16_t{1}; }),
                  sc::connect_incompatible_format.no_retry());
    EXPECT_REFUSED(connect_with(s, p, [](attempt& a) { a.command.sqsize = std::uint16_t{0}; }),
                   parameter::sqsize);
    EXPECT_REFUSED(connect_with(s, p, [](attempt& a) { a.command.sqsize = std::uint16_t{0xffff}; }),
                   parameter::sqsize);
    EXPECT_STATUS(must(s.connect_queue(p)), sc::success) << "the connection has stayed";
}

CONFORMANCE(connect_parameters_test, of_the_data, "B/connect", "D1/status") {
    host::raw_session s = raw();
    const auto p = parameters();
    const auto refused = [&](const std::function<void(attempt&)>& spoil) {
        return connect_with(s, p, spoil);
    };
    for (const std::uint16_t id : {std::uint16_t{0}, std::uint16_t{1}, nvme::cntlid_static_any})
        EXPECT_REFUSED(refused([&](attempt& a) { a.data.cntlid = id; }), parameter::cntlid);
    EXPECT_REFUSED(refused([](attempt& a) { a.data.hostid = {}; }), parameter::hostid);
    EXPECT_REFUSED(refused([](attempt& a) { fill(a.data.hostnqn, 'x'); }), parameter::hostnqn);
    EXPECT_REFUSED(refused([](attempt& a) { fill(a.data.hostnqn, "nqn.2026-01.io:\n\x1b[2J"); }),
                   parameter::hostnqn);
    EXPECT_REFUSED(refused([](attempt& a) { fill(a.data.subnqn, '\0'); }), parameter::subnqn);
    EXPECT_REFUSED(refused([](attempt& a) { fill(a.data.subnqn, 'x'); }), parameter::subnqn);
    EXPECT_STATUS(must(s.connect_queue(p)), sc::success) << "the connection has stayed";
}

// A Linux host that meets "do not retry" while a subsystem is deleted and created again stops
// reconnecting for good (nvmf_should_reconnect).
CONFORMANCE(connect_parameters_test, a_subsystem_that_is_not_there_may_come_back, "B/connect",
            "D1/status") {
    host::raw_session s = raw();
    const auto p = parameters();
    EXPECT_REFUSED_FOR_NOW(
        connect_with(s, p, [](attempt& a) { fill(a.data.subnqn, "nqn.2026-01.io:none"); }),
        parameter::subnqn);
    const core::subsystem_spec former =
        *std::find_if(setup.spec.subsystems.begin(), setup.spec.subsystems.end(),
                      [](const core::subsystem_spec& one) { return one.nqn == subsystem_nqn; });
    target().must(core::delete_subsystem{.nqn = std::string(subsystem_nqn)});
    EXPECT_REFUSED_FOR_NOW(must(s.connect_queue(p)), parameter::subnqn);
    EXPECT_REFUSED_FOR_NOW(must(s.connect_queue(p)), parameter::subnqn);
    target().must<core::subsystem_status>(core::create_subsystem{former});
    EXPECT_STATUS(must(s.connect_queue(p)), sc::success);
}

// Its admin queue had connected to a former incarnation of the subsystem, or has just ended.
CONFORMANCE(connect_parameters_test, an_io_queue_whose_controller_went_may_come_back, "B/connect",
            "D1/status") {
    const auto c = connect();
    host::raw_session s = raw();
    host::connect_parameters p = parameters(1);
    p.cntlid = static_cast<std::uint16_t>(c->id() + 1);
    EXPECT_REFUSED_FOR_NOW(must(s.connect_queue(p)), parameter::cntlid);
    p.cntlid = c->id();
    p.hostnqn = other_nqn;
    EXPECT_REFUSED_FOR_NOW(must(s.connect_queue(p)), parameter::hostnqn);
    p = parameters(1);
    p.cntlid = c->id();
    p.hostid.bytes[0] ^= 1;
    EXPECT_REFUSED_FOR_NOW(must(s.connect_queue(p)), parameter::hostid);
}

CONFORMANCE(connect_parameters_test, every_refusal_is_counted_by_reason, "B/connect") {
    offered().allow_any_host = false;
    const auto refused = [&](std::string_view why) {
        const auto report = target().must<core::counters_report>(core::get_counters{});
        for (const core::counter_sample& one : report.samples)
            if (one.name == "fulmar_connects_refused_total" && one.labels.front().second == why)
                return one.value;
        return -1.0;
    };
    host::raw_session s = raw();
    const auto p = parameters();
    EXPECT_EQ(refused("host_not_allowed"), 0);
    EXPECT_STATUS(must(s.connect_queue(p)), sc::connect_invalid_host.no_retry());
    EXPECT_STATUS(must(s.connect_queue(p)), sc::connect_invalid_host.no_retry());
    EXPECT_EQ(refused("host_not_allowed"), 2);
    (void)connect_with(s, p, [](attempt& a) { fill(a.data.subnqn, "nqn.2026-01.io:none"); });
    EXPECT_EQ(refused("unknown_subsystem"), 1);
    (void)connect_with(s, p, [](attempt& a) { a.data.hostid = {}; });
    EXPECT_EQ(refused("wrong_parameter"), 1);
    (void)connect_with(s, p, [](attempt& a) { fill(a.data.hostnqn, "a\nb"); });
    EXPECT_EQ(refused("wrong_name"), 1);
    (void)connect_with(s, p, [](attempt& a) { a.command.recfmt = std::uint16_t{1}; });
    EXPECT_EQ(refused("malformed"), 1);
}

CONFORMANCE(connect_parameters_test, length_of_the_data, "B/connect") {
    host::raw_session s = raw();
    for (const std::uint32_t size : {1023u, 1025u, 512u, 2048u, 4u}) {
        const host::raw_reply got = connect_with(s, parameters(), [&](attempt& a) {
            a.data_bytes = size;
            a.command.sgl1 = nvme::make_in_capsule_sgl(0, size);
        });
        EXPECT_STATUS(got, sc::data_sgl_length_invalid.no_retry()) << size;
    }
    const host::raw_reply elsewhere = connect_with(s, parameters(), [](attempt& a) {
        a.command.sgl1 = nvme::make_in_capsule_sgl(4, a.data_bytes);
    });
    EXPECT_STATUS(elsewhere, sc::sgl_offset_invalid.no_retry());
    EXPECT_STATUS(must(s.connect_queue(parameters())), sc::success);
}

CONFORMANCE(connect_parameters_test, a_host_that_is_not_allowed, "B/connect", "D1/status") {
    offered().allow_any_host = false;
    offered().hosts = {std::string(host_nqn)};
    host::raw_session s = raw();
    host::connect_parameters p = parameters();
    p.hostnqn = other_nqn;
    EXPECT_STATUS(must(s.connect_queue(p)), sc::connect_invalid_host.no_retry());
    p.hostnqn = host_nqn;
    EXPECT_STATUS(must(s.connect_queue(p)), sc::success);
}

// Old nvme-cli makes the first, people the next two; names are compared byte for byte.
CONFORMANCE(connect_parameters_test, names_that_real_hosts_have, "B/connect", "D1/names") {
    offered().allow_any_host = false;
    host::connect_parameters p = parameters();
    for (const char* name : {"nqn.2014-08.org.nvmexpress:uuid:f81d4fae7dec11d0a76500a0c91e6bf6",
                             "uuid:node-1", "host", "nqn.2014-08.org.nvmexpress:uuid:F81D4FAE"}) {
        p.hostnqn = name;
        host::raw_session s = raw();
        EXPECT_STATUS(must(s.connect_queue(p)), sc::connect_invalid_host.no_retry()) << name;
        target().must(core::add_host{.nqn = std::string(subsystem_nqn), .host = name});
        EXPECT_STATUS(must(s.connect_queue(p)), sc::success) << name;
    }
    p.hostnqn = "Host";
    host::raw_session s = raw();
    EXPECT_STATUS(must(s.connect_queue(p)), sc::connect_invalid_host.no_retry());
}

CONFORMANCE(connect_parameters_test, a_host_without_a_name_is_a_host_where_every_host_is,
            "B/connect") {
    const auto p = parameters();
    const auto unnamed = [](attempt& a) { fill(a.data.hostnqn, '\0'); };
    host::raw_session s = raw();
    EXPECT_STATUS(connect_with(s, p, unnamed), sc::success);
    EXPECT_EQ(target().connections().front().host_nqn, "");
    target().must(core::add_host{.nqn = std::string(subsystem_nqn), .host = "host"});
    target().must<core::subsystem_status>(
        core::set_allow_any_host{.nqn = std::string(subsystem_nqn), .allow = false});
    host::raw_session later = raw();
    EXPECT_STATUS(connect_with(later, p, unnamed), sc::connect_invalid_host.no_retry());
}

CONFORMANCE(connect_parameters_test, a_subsystem_as_blktests_names_it, "B/connect", "D1/names") {
    setup.spec.subsystems.push_back({.nqn = "blktests-subsystem-0", .allow_any_host = true});
    host::raw_session s = raw();
    host::connect_parameters p = parameters();
    p.subnqn = "blktests-subsystem-0";
    EXPECT_STATUS(must(s.connect_queue(p)), sc::success);
}

CONFORMANCE(connect_parameters_test, hosts_come_and_go, "B/connect", "D1/status") {
    offered().allow_any_host = false;
    const auto refused = [&] {
        host::raw_session s = raw();
        return must(s.connect_queue(parameters())).status();
    };
    EXPECT_EQ(refused(), sc::connect_invalid_host.no_retry());
    target().must(core::add_host{.nqn = std::string(subsystem_nqn), .host = std::string(host_nqn)});
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 4));
    target().must(
        core::remove_host{.nqn = std::string(subsystem_nqn), .host = std::string(host_nqn)});
    EXPECT_TRUE(await_end(*c)) << "a host that is not wanted any more is shown out";
    EXPECT_TRUE(await_end(q));
    EXPECT_EQ(refused(), sc::connect_invalid_host.no_retry());
    target().must<core::subsystem_status>(
        core::set_allow_any_host{.nqn = std::string(subsystem_nqn), .allow = true});
    EXPECT_EQ(refused(), sc::success);
}

CONFORMANCE(connect_parameters_test, of_an_io_queue, "B/connect", "D1/status") {
    const auto c = connect();
    host::raw_session s = raw();
    host::connect_parameters p = parameters(1);
    p.cntlid = c->id();
    const auto refused = [&](const std::function<void(attempt&)>& spoil) {
        return connect_with(s, p, spoil);
    };
    for (const std::uint16_t id : {static_cast<std::uint16_t>(c->id() + 1), std::uint16_t{0},
                                   nvme::cntlid_dynamic, nvme::cntlid_static_any})
        EXPECT_REFUSED_FOR_NOW(refused([&](attempt& a) { a.data.cntlid = id; }), parameter::cntlid);
    EXPECT_REFUSED_FOR_NOW(refused([](attempt& a) { fill(a.data.hostnqn, other_nqn); }),
                           parameter::hostnqn);
    EXPECT_REFUSED_FOR_NOW(refused([](attempt& a) { a.data.hostid[0] ^= 1; }), parameter::hostid);
    EXPECT_REFUSED_FOR_NOW(refused([](attempt& a) { a.data.hostid = {}; }), parameter::hostid);
    EXPECT_REFUSED_FOR_NOW(refused([&](attempt& a) { fill(a.data.subnqn, "nqn.2026-01.io:none"); }),
                           parameter::subnqn);
    EXPECT_REFUSED(refused([](attempt& a) { a.command.qid = std::uint16_t{0xffff}; }),
                   parameter::qid);
    EXPECT_REFUSED(refused([](attempt& a) { a.command.sqsize = std::uint16_t{0}; }),
                   parameter::sqsize);
    const auto beyond = static_cast<std::uint16_t>(c->capabilities().mqes + 1);
    EXPECT_REFUSED(refused([&](attempt& a) { a.command.sqsize = beyond; }), parameter::sqsize);
    EXPECT_STATUS(must(s.connect_queue(p)), sc::success) << "the connection has stayed";
}

CONFORMANCE(connect_parameters_test, a_controller_of_another_subsystem, "B/connect") {
    setup.spec.devices.push_back({.name = "c", .type = "null", .size_bytes = namespace_bytes});
    setup.spec.subsystems.push_back({.nqn = "nqn.2026-01.io.fulmar:second",
                                     .allow_any_host = true,
                                     .namespaces = {{.nsid = 1, .device = "c"}}});
    const auto c = connect();
    host::raw_session s = raw();
    host::connect_parameters p = parameters(1);
    p.cntlid = c->id();
    p.subnqn = "nqn.2026-01.io.fulmar:second";
    EXPECT_REFUSED_FOR_NOW(must(s.connect_queue(p)), parameter::cntlid);
}

CONFORMANCE(connect_parameters_test, only_the_queues_that_were_granted, "B/connect") {
    const auto c = connect();
    EXPECT_EQ(must(c->request_io_queues(2)), 2u);
    host::raw_session s = raw();
    host::connect_parameters p = parameters(3);
    p.cntlid = c->id();
    EXPECT_REFUSED(must(s.connect_queue(p)), parameter::qid);
    p.qid = 2;
    EXPECT_STATUS(must(s.connect_queue(p)), sc::success);
}

// The specification wants Command Sequence Error here, and not an invalid parameter.
CONFORMANCE(connect_parameters_test, a_queue_that_exists, "B/connect", "D1/status") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 4));
    host::raw_session s = raw();
    host::connect_parameters p = parameters(1);
    p.cntlid = c->id();
    EXPECT_STATUS(must(s.connect_queue(p)), sc::command_sequence_error.no_retry());
    bytes block(512);
    EXPECT_STATUS(read_blocks(q, 0, block), sc::success) << "the queue in use does not notice";
    p.qid = 2;
    EXPECT_STATUS(must(s.connect_queue(p)), sc::success);
}

CONFORMANCE(connect_parameters_test, twice_on_one_connection, "B/connect") {
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    host::connect_parameters p = parameters(2);
    p.cntlid = c->id();
    EXPECT_STATUS(must(s.connect_queue(p)), sc::command_sequence_error.no_retry());
    host::raw_session admin = raw_admin();
    EXPECT_STATUS(must(admin.connect_queue(parameters())), sc::command_sequence_error.no_retry());
}

CONFORMANCE(connect_parameters_test, no_io_queues_on_discovery_controllers, "B/connect",
            "D1/status", "D10/DISC") {
    const auto c = connect_discovery();
    host::raw_session s = raw();
    host::connect_parameters p = parameters(1);
    p.subnqn = nvme::discovery_nqn;
    p.cntlid = c->id();
    EXPECT_REFUSED(must(s.connect_queue(p)), parameter::qid);
}

CONFORMANCE(connect_parameters_test, nothing_before_connect, "B/connect") {
    host::raw_session s = raw();
    std::uint16_t cid = 0;
    const auto status = [&](nvme::sqe sqe) { return must(s.run(raw_sqe(sqe, ++cid))).status(); };
    EXPECT_EQ(status(admin_sqe(nvme::admin_opcode::keep_alive)),
              sc::command_sequence_error.no_retry());
    EXPECT_EQ(status(host::make_property_get(0, nvme::property_size::bytes_8)),
              sc::command_sequence_error.no_retry());
    EXPECT_EQ(status(io_sqe(nvme::io_opcode::flush, {})), sc::command_sequence_error.no_retry());
    EXPECT_STATUS(must(s.connect_queue(parameters())), sc::success);
}

// A queue depth of 4096 is legal on the wire; it is the target's to say no. 2 entries is the least.
CONFORMANCE(connect_parameters_test, the_smallest_queue, "D1/01") {
    const auto c = connect();
    host::raw_session s = raw_io(*c, 1, 2);
    for (std::uint16_t i = 0; i < 5; ++i)
        EXPECT_STATUS(must(s.run(raw_sqe(io_sqe(nvme::io_opcode::flush, {}), i))), sc::success);
}

CONFORMANCE(connect_parameters_test, a_subsystem_that_is_not_offered_here, "B/connect") {
    setup.spec.listeners.push_back({.address = "127.0.0.1", .port = 0});
    offered().listeners = {"tcp:192.0.2.1:4420"};
    host::raw_session s = raw();
    EXPECT_REFUSED_FOR_NOW(must(s.connect_queue(parameters())), parameter::subnqn);
}

CONFORMANCE(connect_parameters_test, admin_queues_take_their_connect_in_capsule_whatever_ioccsz,
            "D1/01") {
    for (const std::uint64_t most : {std::uint64_t{0}, std::uint64_t{512}, std::uint64_t{4096}}) {
        setup.limits.in_capsule_bytes = most;
        const auto c = connect();
        EXPECT_EQ(c->in_capsule_bytes(), most);
        host::queue& q = *must(c->open_io_queue(1, 4));
        const bytes data = pattern(8192);
        EXPECT_STATUS(write_blocks(q, 0, data), sc::success);
        restart();
    }
}

}  // namespace
}  // namespace fulmar::conformance
