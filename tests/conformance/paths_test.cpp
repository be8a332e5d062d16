// D4, the path of a command rather than its content: ANA states, a namespace that is fenced or
// lost, and what a host is told to do about it.
#include "suite.hpp"
#include "support/spy_device.hpp"

namespace fulmar::conformance {
namespace {

using nvme::io_opcode;

class d4_paths : public suite {
  protected:
    testing::spy& spying() {
        setup.spec.devices[0].type = "spy";
        setup.devices = spy_.factory();
        return spy_;
    }
    void set_ana(core::ana_state state, std::uint32_t nsid = 1) {
        target().must<core::namespace_status>(
            core::set_ana_state{.nqn = std::string(subsystem_nqn), .nsid = nsid, .state = state});
    }
    void pause() {
        target().must<core::subsystem_status>(core::pause_subsystem{std::string(subsystem_nqn)});
    }
    void resume() {
        target().must<core::subsystem_status>(core::resume_subsystem{std::string(subsystem_nqn)});
    }

  private:
    testing::spy spy_;
};
INSTANTIATE_TEST_SUITE_P(reactors, d4_paths, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

CONFORMANCE(d4_paths, ana_states, "D4/ana", "D5/0C") {
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    struct answer {
        core::ana_state state;
        nvme::status status;
    };
    const bytes data = pattern(4096);
    bytes got(4096);
    for (const answer& one : {answer{core::ana_state::non_optimized, sc::success},
                              answer{core::ana_state::inaccessible, sc::ana_inaccessible},
                              answer{core::ana_state::persistent_loss, sc::ana_persistent_loss},
                              answer{core::ana_state::change, sc::ana_transition},
                              answer{core::ana_state::optimized, sc::success}}) {
        set_ana(one.state);
        EXPECT_STATUS(read_blocks(q, 0, got), one.status);
        EXPECT_STATUS(write_blocks(q, 0, data), one.status);
        EXPECT_STATUS(run_write(q, io_sqe(io_opcode::write, {.blocks = 8}), data, false),
                      one.status);
        EXPECT_STATUS(run(q, {.sqe = io_sqe(io_opcode::flush, {})}), one.status);
        EXPECT_STATUS(read_blocks(q, 0, got, 2, 4096), sc::success) << "the other namespace";
        must(c->identify_namespace(1));
    }
}

CONFORMANCE(d4_paths, ana_state_from_the_start, "D4/ana") {
    offered().namespaces[0].ana = core::ana_state::inaccessible;
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    bytes got(512);
    EXPECT_STATUS(read_blocks(q, 0, got), sc::ana_inaccessible);
    EXPECT_EQ(must(c->identify_namespace(1)).nuse.value(), 0u)
        << "a closed path tells nothing of its use";
}

CONFORMANCE(d4_paths, a_pause_parks_and_resumes, "D4/ready", "D8/pause") {
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    const bytes data = pattern(4096);
    pause();
    const nvme::sqe in_capsule =
        raw_sqe(io_sqe(io_opcode::write, {.blocks = 8}), 1, nvme::make_in_capsule_sgl(0, 4096));
    must(s.send(host::make_capsule(in_capsule, data)));
    const nvme::sqe by_r2t = raw_sqe(io_sqe(io_opcode::write, {.slba = 8, .blocks = 8}), 2,
                                     nvme::make_transport_sgl(4096));
    must(s.send(host::make_capsule(by_r2t)));
    ASSERT_TRUE(
        testing::eventually([&] { return target().count("fulmar_parked_requests_total") == 2; }));
    EXPECT_EQ(s.await(std::chrono::milliseconds(20)).kind, host::received_kind::timed_out);
    must(c->keep_alive());
    must(c->identify_controller());
    resume();
    EXPECT_STATUS(must(s.collect(1, data)), sc::success);
    EXPECT_STATUS(must(s.collect(2, data)), sc::success);
    host::queue& q = *must(c->open_io_queue(2, 8));
    bytes got(8192);
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
    EXPECT_TRUE(std::equal(data.begin(), data.end(), got.begin()));
    EXPECT_TRUE(std::equal(data.begin(), data.end(), got.begin() + 4096));
}

// Parked in-capsule data is bounded at 8 MiB, a chunk of 16 KiB for each command: 512 of them. What
// is beyond is to be sent again, after a delay if the host has said that it honours one.
CONFORMANCE(d4_paths, more_than_may_be_parked, "D4/ready", "E/crd", "D7/16") {
    setup.pool_bytes = 64u << 20;
    setup.limits.max_queue_depth = 1024;
    constexpr std::uint16_t fit = 512;
    constexpr std::uint16_t more = 50;
    const bytes data = pattern(512);
    for (const bool honours : {false, true}) {
        const auto c = connect();
        nvme::host_behavior_support wanted{};
        wanted.acre = honours ? 1 : 0;
        must(c->set_features({.fid = 0x16}, 0, nvme::writable_wire_bytes(wanted)));
        host::raw_session s = raw_io(*c, 1, 1024);
        pause();
        for (std::uint16_t cid = 0; cid < fit + more; ++cid)
            must(s.send(host::make_capsule(
                raw_sqe(io_sqe(io_opcode::write, {}), cid, nvme::make_in_capsule_sgl(0, 512)),
                data)));
        for (std::uint16_t i = 0; i < more; ++i) {
            const auto answer = s.await().pdu.response();
            ASSERT_TRUE(answer.has_value());
            EXPECT_EQ(answer->get_status(),
                      honours ? sc::namespace_not_ready.retry_after(1) : sc::namespace_not_ready);
        }
        EXPECT_EQ(s.await(std::chrono::milliseconds(10)).kind, host::received_kind::timed_out);
        resume();
        for (std::uint16_t i = 0; i < fit; ++i) {
            const auto answer = s.await().pdu.response();
            ASSERT_TRUE(answer.has_value());
            EXPECT_EQ(answer->get_status(), sc::success);
        }
    }
}

CONFORMANCE(d4_paths, a_lost_namespace_stays_but_fails, "D4/ready", "D6/08") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    target().on_control([&] { spy.lose("pulled out"); });
    bytes got(512);
    EXPECT_TRUE(
        testing::eventually([&] { return !nvme::is_success(read_blocks(q, 0, got).status()); }));
    EXPECT_STATUS(read_blocks(q, 0, got), sc::internal_error.no_retry())
        << "EIO at once, and not EOPNOTSUPP";
    EXPECT_EQ(must(c->active_namespaces()), (std::vector<std::uint32_t>{1, 2}))
        << "or a host would delete its disk";
    const auto page = must(c->identify({.cns = 0x08}, 1));
    EXPECT_EQ(
        nvme::read_wire<nvme::identify_independent_namespace>(page)->nstat & nvme::nstat::ready, 0);
    EXPECT_GT(must(c->identify_namespace(1)).nsze.value(), 0u) << "the last good copy";
    bytes other(4096);
    EXPECT_STATUS(read_blocks(q, 0, other, 2, 4096), sc::success);
    EXPECT_EQ(target().must<core::device_status>(core::get_device{"a"}).reason, "pulled out");
    const auto back = target().must<core::device_status>(core::reopen_device{"a"});
    EXPECT_EQ(back.state, "ready");
    EXPECT_EQ(back.reason, "");
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
}

CONFORMANCE(d4_paths, a_lost_device_is_not_offered_as_ready, "D4/ready") {
    testing::spy& spy = spying();
    const core::remove_namespace away{.nqn = std::string(subsystem_nqn), .nsid = 1};
    target().must(away);
    target().on_control([&] { spy.lose("pulled out"); });
    core::add_namespace back{.nqn = std::string(subsystem_nqn), .spec = {.nsid = 1, .device = "a"}};
    target().must<core::namespace_status>(back);  // it keeps its place until its device is back
    const auto state = [&] {
        const auto now =
            target().must<core::subsystem_status>(core::get_subsystem{std::string(subsystem_nqn)});
        return now.namespaces.front().transition.state;
    };
    EXPECT_TRUE(testing::eventually([&] { return state() == "lost"; })) << state();
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 8));
    bytes got(512);
    EXPECT_STATUS(read_blocks(q, 0, got), sc::internal_error.no_retry());
    target().must<core::device_status>(core::reopen_device{"a"});
    EXPECT_TRUE(testing::eventually([&] { return state() == "ready"; })) << state();
    EXPECT_STATUS(read_blocks(q, 0, got), sc::success);
}

CONFORMANCE(d4_paths, loss_answers_what_is_outstanding, "D4/ready") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    spy.hold(true);
    must(s.send(host::make_capsule(
        raw_sqe(io_sqe(io_opcode::read, {}), 5, nvme::make_transport_sgl(512)))));
    ASSERT_TRUE(testing::eventually([&] { return spy.held() == 1; }));
    target().on_control([&] { spy.lose("pulled out"); });
    EXPECT_STATUS(must(s.collect(5)), sc::internal_error.no_retry());
    spy.hold(false);
    must(c->keep_alive());
}

CONFORMANCE(d4_paths, abort_of_what_is_at_the_device, "E/abort", "D3/08") {
    testing::spy& spy = spying();
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    spy.hold(true);
    must(s.send(host::make_capsule(
        raw_sqe(io_sqe(io_opcode::read, {}), 5, nvme::make_transport_sgl(512)))));
    ASSERT_TRUE(testing::eventually([&] { return spy.held() == 1; }));
    nvme::sqe abort = admin_sqe(nvme::admin_opcode::abort);
    abort.cdw10 = 5u << 16 | 1u;
    EXPECT_STATUS(run(c->admin(), {.sqe = abort}), sc::success);
    const host::raw_reply got = must(s.collect(5));
    EXPECT_TRUE(got.status().is(sc::aborted_by_request)) << host::text_of(got.status());
    spy.hold(false);
    EXPECT_STATUS(must(s.run(raw_sqe(io_sqe(io_opcode::flush, {}), 6))), sc::success);
}

CONFORMANCE(d4_paths, abort_of_a_write_whose_data_is_on_the_way, "E/abort", "D3/08") {
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    must(s.send(host::make_capsule(
        raw_sqe(io_sqe(io_opcode::write, {.blocks = 8}), 5, nvme::make_transport_sgl(4096)))));
    const auto ask = s.await().pdu.as<nvme::tcp::r2t>(nvme::tcp::pdu_type::r2t);
    ASSERT_TRUE(ask.has_value());
    nvme::sqe abort = admin_sqe(nvme::admin_opcode::abort);
    abort.cdw10 = 5u << 16 | 1u;
    const host::reply answer = run(c->admin(), {.sqe = abort});
    EXPECT_STATUS(answer, sc::success);
    must(s.send(host::make_h2c_data({.cid = 5, .ttag = ask->ttag.value()}, pattern(4096))));
    const host::raw_reply got = must(s.collect(5));
    if ((answer.dw0() & 1) == 0) {
        EXPECT_TRUE(got.status().is(sc::aborted_by_request));
    } else {
        EXPECT_STATUS(got, sc::success) << "not aborted, it said";
    }
    EXPECT_STATUS(must(s.run(raw_sqe(io_sqe(io_opcode::flush, {}), 6))), sc::success);
}

}  // namespace
}  // namespace fulmar::conformance
