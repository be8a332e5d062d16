// What happens at the same time on several reactors: I/O Connects against the end of their
// controller, Abort, reset and keep alive; and hosts that vanish at every moment. Nobody else may
// notice, and everything must be gone in the end.
#include "suite.hpp"

#include <atomic>
#include <thread>

namespace fulmar::conformance {
namespace {

class races_test : public suite {
  protected:
    /// Everything that the hosts of a case left behind goes away.
    void expect_at_rest() {
        EXPECT_TRUE(testing::eventually([&] { return target().listener().connections == 0; }));
        EXPECT_TRUE(testing::eventually([&] {
            const auto s = target().must<core::subsystem_status>(
                core::get_subsystem{std::string(subsystem_nqn)});
            return s.controllers == 0;
        }));
        expect_alive();
    }
};
INSTANTIATE_TEST_SUITE_P(reactors, races_test, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

/// A Connect that may end in any way but one: without an answer or an end.
void try_io_connect(const host::endpoint& to, host::connect_parameters p) {
    auto s = host::raw_session::open(to);
    if (!s) return;
    const auto answer = s->connect_queue(p);
    if (!answer) return;
    const nvme::status status = answer->status();
    EXPECT_TRUE(nvme::is_success(status) || status.is(sc::connect_invalid_parameters) ||
                status.is(sc::command_sequence_error) || status.is(sc::connect_controller_busy))
        << host::text_of(status);
}

enum class ending { close, reset, disable, shutdown };

void end_admin(host::raw_session& admin, ending how) {
    const auto set = [&](const nvme::controller_configuration& cc) {
        (void)admin.send(host::make_capsule(
            raw_sqe(host::make_property_set(nvme::register_offset::cc, nvme::property_size::bytes_4,
                                            cc.pack()),
                    9)));
    };
    switch (how) {
        case ending::close: admin.half_close(); return;
        case ending::reset: admin.reset(); return;
        case ending::disable: set({}); return;
        case ending::shutdown:
            set({.en = true, .shn = nvme::shutdown_notification::normal, .iosqes = 6, .iocqes = 4});
            return;
    }
}

CONFORMANCE(races_test, io_connects_against_the_end_of_their_controller, "E/races", "D2/reset",
            "B/others") {
    const host::endpoint here = target().endpoint();
    for (int round = 0; round < 40; ++round) {
        std::uint16_t cntlid = 0;
        host::raw_session admin = raw_admin({}, &cntlid);
        host::connect_parameters p = parameters(1);
        p.cntlid = cntlid;
        std::atomic<int> ready{0};
        std::vector<std::jthread> hosts;
        for (std::uint16_t qid = 1; qid <= 3; ++qid)
            hosts.emplace_back([&, qid] {
                host::connect_parameters mine = p;
                mine.qid = qid;
                ++ready;
                try_io_connect(here, mine);
            });
        while (ready != 3) std::this_thread::yield();
        end_admin(admin, static_cast<ending>(round % 4));
        hosts.clear();
    }
    expect_at_rest();
}

CONFORMANCE(races_test, aborts_against_completions, "E/races", "E/abort", "D3/08") {
    const auto c = connect();
    host::raw_session io = raw_io(*c, 1, 64);
    std::jthread reader([&] {
        for (int round = 0; round < 200; ++round) {
            for (std::uint16_t cid = 0; cid < 8; ++cid)
                must(
                    io.send(host::make_capsule(raw_sqe(io_sqe(nvme::io_opcode::read, {.blocks = 8}),
                                                       cid, nvme::make_transport_sgl(4096)))));
            for (std::uint16_t cid = 0; cid < 8;) {
                const host::received got = io.await();
                ASSERT_EQ(got.kind, host::received_kind::pdu);
                if (got.pdu.response()) ++cid;
            }
        }
    });
    for (std::uint32_t i = 0; i < 400; ++i) {
        nvme::sqe abort = admin_sqe(nvme::admin_opcode::abort);
        abort.cdw10 = (i % 8) << 16 | 1u;
        EXPECT_STATUS(run(c->admin(), {.sqe = abort}), sc::success);
    }
    reader.join();
}

CONFORMANCE(races_test, queues_that_come_and_go_under_aborts, "E/races", "E/abort") {
    const auto c = connect();
    std::atomic<bool> over{false};
    std::jthread comer([&] {
        host::connect_parameters p = parameters(1);
        p.cntlid = c->id();
        const host::endpoint here = target().endpoint();
        for (int i = 0; i < 100; ++i) {
            auto s = must(host::raw_session::open(here));
            (void)s.connect_queue(p);
            (void)s.send(host::make_capsule(raw_sqe(io_sqe(nvme::io_opcode::flush, {}), 1)));
            if (i % 2 == 0) s.reset();
        }
        over = true;
    });
    while (!over) {
        nvme::sqe abort = admin_sqe(nvme::admin_opcode::abort);
        abort.cdw10 = 1u << 16 | 1u;
        EXPECT_STATUS(run(c->admin(), {.sqe = abort}), sc::success);
    }
    must(c->keep_alive());
}

CONFORMANCE(races_test, resets_under_load, "E/races", "D2/reset") {
    const auto c = connect();
    for (int round = 0; round < 20; ++round) {
        std::vector<host::raw_session> queues;
        for (std::uint16_t qid = 1; qid <= 3; ++qid) queues.push_back(raw_io(*c, qid, 64));
        for (host::raw_session& q : queues)
            for (std::uint16_t cid = 0; cid < 16; ++cid) {
                const bool write = cid % 2 == 0;
                must(q.send(host::make_capsule(raw_sqe(
                    io_sqe(write ? nvme::io_opcode::write : nvme::io_opcode::read, {.blocks = 64}),
                    cid, nvme::make_transport_sgl(32768)))));
            }
        must(c->disable());
        for (host::raw_session& q : queues) EXPECT_TRUE(q.await_end().has_value());
        must(c->enable());
    }
}

CONFORMANCE(races_test, keep_alive_time_outs_against_connects, "E/races", "E/kato") {
    const host::endpoint here = target().endpoint();
    std::vector<std::jthread> hosts;
    for (int n = 0; n < 6; ++n)
        hosts.emplace_back([&] {
            for (int round = 0; round < 4; ++round) {
                auto admin = must(host::raw_session::open(here));
                host::connect_parameters p = parameters();
                p.keep_alive_ms = 30;
                const auto answer = must(admin.connect_queue(p));
                const nvme::controller_configuration on{.en = true, .iosqes = 6, .iocqes = 4};
                (void)admin.send(host::make_capsule(
                    raw_sqe(host::make_property_set(nvme::register_offset::cc,
                                                    nvme::property_size::bytes_4, on.pack()),
                            1)));
                p.cntlid = static_cast<std::uint16_t>(answer.answer.dw0.value());
                const host::deadline until(std::chrono::milliseconds(60));
                for (std::uint16_t qid = 1; !until.passed(); ++qid) {
                    p.qid = static_cast<std::uint16_t>(qid % 8 + 1);
                    try_io_connect(here, p);
                }
                EXPECT_TRUE(admin.await_end().has_value());
            }
        });
    hosts.clear();
    expect_at_rest();
}

CONFORMANCE(races_test, hosts_that_ask_and_vanish, "E/races", "B/others", "D5/70") {
    for (int round = 0; round < 60; ++round) {
        host::raw_session s = raw();
        host::connect_parameters p = parameters();
        p.subnqn = nvme::discovery_nqn;
        must(s.connect_queue(p));
        const nvme::controller_configuration on{.en = true};
        must(s.run(raw_sqe(host::make_property_set(nvme::register_offset::cc,
                                                   nvme::property_size::bytes_4, on.pack()),
                           1)));
        // Its answer comes by way of the control reactor, and finds nobody.
        must(s.send(host::make_capsule(raw_sqe(log_sqe({.lid = 0x70, .length_bytes = 4096}), 2,
                                               nvme::make_transport_sgl(4096)))));
        if (round % 2 == 0) s.reset();
    }
    EXPECT_TRUE(testing::eventually([&] { return target().listener().connections == 0; }));
    expect_at_rest();
}

// --- an operator at the same time --------------------------------------------------------------

CONFORMANCE(races_test, a_connect_waits_for_a_resume, "E/namespace", "D1/01") {
    target().must<core::subsystem_status>(core::pause_subsystem{std::string(subsystem_nqn)});
    host::raw_session s = raw();
    host::raw_session gone = raw();
    const auto connect_pdu = [&] {
        nvme::connect_command cmd = host::make_connect_command(parameters());
        cmd.sgl1 = nvme::make_in_capsule_sgl(0, sizeof(nvme::connect_data));
        const nvme::connect_data data = host::make_connect_data(parameters());
        return host::make_capsule(nvme::to_sqe(cmd), nvme::wire_bytes(data));
    }();
    must(s.send(connect_pdu));
    must(gone.send(connect_pdu));
    EXPECT_EQ(s.await(std::chrono::milliseconds(20)).kind, host::received_kind::timed_out);
    gone.reset();
    target().must<core::subsystem_status>(core::resume_subsystem{std::string(subsystem_nqn)});
    EXPECT_STATUS(must(s.collect(0)), sc::success);
    EXPECT_TRUE(testing::eventually([&] { return target().listener().connections == 1; }));
}

CONFORMANCE(races_test, a_subsystem_is_deleted_under_load, "E/races", "E/namespace") {
    const auto c = connect();
    host::raw_session q = raw_io(*c, 1, 64);
    for (std::uint16_t cid = 0; cid < 32; ++cid)
        must(q.send(host::make_capsule(raw_sqe(io_sqe(nvme::io_opcode::write, {.blocks = 8}), cid,
                                               nvme::make_transport_sgl(4096)))));
    target().must(core::delete_subsystem{std::string(subsystem_nqn)});
    EXPECT_TRUE(q.await_end().has_value());
    EXPECT_TRUE(await_end(*c));
    host::raw_session again = raw();
    EXPECT_STATUS(must(again.connect_queue(parameters())), sc::connect_invalid_parameters);
    target().must<core::subsystem_status>(core::create_subsystem{offered()});
    expect_alive();
}

CONFORMANCE(races_test, a_listener_goes_with_its_connections, "E/namespace", "B/others") {
    setup.spec.listeners.push_back({.address = "127.0.0.1", .port = 0});
    host::controller_options options = host_options();
    const auto stays = connect(options);
    options.target = target().endpoint(1);
    const auto goes = connect(options);
    target().must(core::remove_listener{
        core::listener_spec{.address = "127.0.0.1", .port = options.target.port}.name()});
    EXPECT_TRUE(await_end(*goes));
    must(stays->keep_alive());
    EXPECT_FALSE(host::raw_session::connect(options.target).has_value());
}

// An operator ends connections: an I/O queue alone, a whole association by its admin queue, one
// that never got as far as a Connect; and nothing twice.
CONFORMANCE(races_test, an_operator_ends_connections, "E/races", "B/others") {
    const auto stays = connect();
    const auto goes = connect();
    host::queue& io = *must(goes->open_io_queue(1, 8));
    host::raw_session shaken = raw();
    const auto id_of = [&](std::uint16_t cntlid, std::uint16_t qid) {
        for (const core::connection_status& c : target().connections())
            if (c.cntlid == cntlid && c.qid == qid) return c.id;
        ADD_FAILURE() << "controller " << cntlid << " has no queue " << qid;
        return std::uint64_t{0};
    };
    const std::uint64_t io_id = id_of(goes->id(), 1);
    const std::uint64_t admin_id = id_of(goes->id(), 0);
    const std::uint64_t shaken_id = id_of(0, 0);
    const auto present = [&](std::uint64_t id) {
        for (const core::connection_status& c : target().connections())
            if (c.id == id) return true;
        return false;
    };
    target().must(core::end_connection{io_id});
    EXPECT_TRUE(await_end(io));
    EXPECT_TRUE(testing::eventually([&] { return !present(io_id); }));
    must(goes->keep_alive());
    target().must(core::end_connection{shaken_id});
    EXPECT_TRUE(shaken.await_end().has_value());
    target().must(core::end_connection{admin_id});
    EXPECT_TRUE(await_end(*goes));
    for (const std::uint64_t id : {io_id, shaken_id, admin_id}) {
        EXPECT_TRUE(testing::eventually([&] { return !present(id); }));
        const auto again = target().ask(core::end_connection{id});
        ASSERT_FALSE(again.has_value());
        EXPECT_EQ(again.error().code, errc::not_found);
    }
    must(stays->keep_alive());
    EXPECT_EQ(target().connections().size(), 1u);
    expect_alive();
}

CONFORMANCE(races_test, a_host_that_owes_its_data_does_not_hold_up_an_operator, "E/namespace",
            "E/stall") {
    setup.limits.transition_timeout_ms = 300;
    const auto c = connect();
    host::raw_session q = raw_io(*c);
    must(q.send(host::make_capsule(raw_sqe(io_sqe(nvme::io_opcode::write, {.blocks = 8}), 1,
                                           nvme::make_transport_sgl(4096)))));
    EXPECT_TRUE(q.await().pdu.is(nvme::tcp::pdu_type::r2t));
    const host::deadline until(std::chrono::seconds(5));
    target().must(core::remove_namespace{.nqn = std::string(subsystem_nqn), .nsid = 1});
    EXPECT_FALSE(until.passed());
    must(c->keep_alive());
    EXPECT_EQ(must(c->active_namespaces()), std::vector<std::uint32_t>{2});
}

CONFORMANCE(races_test, namespaces_come_and_go_under_load, "E/races", "E/namespace") {
    const auto c = connect();
    host::raw_session q = raw_io(*c, 1, 64);
    std::atomic<bool> over{false};
    std::jthread reader([&] {
        while (!over) {
            for (std::uint16_t cid = 0; cid < 8; ++cid)
                must(q.send(host::make_capsule(
                    raw_sqe(io_sqe(nvme::io_opcode::read, {.blocks = 8}, 1 + cid % 2u), cid,
                            nvme::make_transport_sgl(cid % 2 == 0 ? 4096 : 32768)))));
            for (std::uint16_t cid = 0; cid < 8;) {
                const host::received got = q.await();
                ASSERT_EQ(got.kind, host::received_kind::pdu);
                const auto answer = got.pdu.response();
                if (!answer) continue;
                ++cid;
                const nvme::status status = answer->get_status();
                EXPECT_TRUE(nvme::is_success(status) || status.is(sc::invalid_namespace_or_format))
                    << host::text_of(status);
            }
        }
    });
    const std::string nqn(subsystem_nqn);
    for (int i = 0; i < 30; ++i) {
        target().must(core::remove_namespace{.nqn = nqn, .nsid = 2});
        target().must<core::namespace_status>(
            core::add_namespace{.nqn = nqn, .spec = {.nsid = 2, .device = "b"}});
    }
    over = true;
    reader.join();
    must(c->keep_alive());
}

}  // namespace
}  // namespace fulmar::conformance
