// Cross-Controller Reset (TP8028) and the quiesce time (TP4129): one host, two controllers over
// two connections, one of which is ended over the other.
#include "suite.hpp"
#include "support/eventually.hpp"
#include "support/spy_device.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/nvme/cross_reset.hpp>

#include <chrono>
#include <memory>
#include <vector>

namespace fulmar::conformance {
namespace {

namespace result_bit = nvme::cross_reset_result;
using std::chrono::milliseconds;

constexpr nvme::status refused = sc::invalid_field.no_retry();
constexpr std::uint32_t over_before = result_bit::immediate | result_bit::validated;
constexpr std::uint32_t over_now = over_before | result_bit::initiated;

/// A command that is sent and not waited for.
struct sent_command final : host::request {
    bool ended = false;
    bytes data_sent;

    sent_command()
        : request([](host::request& r) noexcept { static_cast<sent_command&>(r).ended = true; }) {}
};

nvme::cross_reset name_of(const host::controller& c) {
    return {.icid = c.id(), .ciu = c.identity().ciu, .cirn = c.identity().cirn.value()};
}

nvme::sqe reset_sqe(const nvme::cross_reset& what) {
    nvme::sqe sqe = admin_sqe(nvme::admin_opcode::cross_controller_reset);
    nvme::encode_cross_reset(sqe, what);
    return sqe;
}

host::reply reset(host::controller& over, const nvme::cross_reset& what) {
    return run(over.admin(), {.sqe = reset_sqe(what)});
}

class cross_reset_test : public suite {
  protected:
    cross_reset_test() {
        setup.spec.devices[0].type = "spy";
        setup.devices = spy_.factory();
        setup.limits.transition_timeout_ms = 1'000;
    }
    ~cross_reset_test() override { spy_.hold(false); }

    struct way {
        std::unique_ptr<host::controller> c;
        host::queue* io = nullptr;
    };
    way come() { return come(host_options()); }
    static way come(const host::controller_options& options) {
        way w{.c = connect(options), .io = nullptr};
        w.io = must(w.c->open_io_queue(1, 16));
        return w;
    }
    sent_command& send(host::queue& q, const nvme::sqe& sqe) {
        sent_command& r = *sent_.emplace_back(std::make_unique<sent_command>());
        r.command = sqe;
        EXPECT_EQ(q.submit(r), host::submit_result::queued);
        q.poll();
        return r;
    }
    sent_command& send_write(host::queue& q, std::uint64_t slba, bytes data, bool in_capsule) {
        sent_command& r = *sent_.emplace_back(std::make_unique<sent_command>());
        r.command = io_sqe(nvme::io_opcode::write, {.slba = slba, .blocks = 1});
        r.data_sent = std::move(data);
        r.data = r.data_sent.data();
        r.data_bytes = static_cast<std::uint32_t>(r.data_sent.size());
        r.direction = host::transfer::to_controller;
        r.data_in_capsule = in_capsule;
        EXPECT_EQ(q.submit(r), host::submit_result::queued);
        q.poll();
        return r;
    }
    /// Holds a write of `w` at the device.
    void hold_a_write(const way& w, const bytes& data) {
        spy_.hold(true, true);
        send_write(*w.io, 0, data, true);
        ASSERT_TRUE(testing::eventually([this] { return spy_.held() == 1; }));
    }
    static bool turn_until_ended(host::queue& q, const sent_command& r, duration within) {
        const host::deadline until{within};
        while (!r.ended && !until.passed()) {
            q.wait(host::deadline(milliseconds(10)));
            q.poll();
        }
        return r.ended;
    }
    testing::spy spy_;

  private:
    std::vector<std::unique_ptr<sent_command>> sent_;
};
INSTANTIATE_TEST_SUITE_P(reactors, cross_reset_test, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

CONFORMANCE(cross_reset_test, is_over_when_a_held_write_is, "D3/38") {
    const way lost = come(), other = come();
    hold_a_write(lost, pattern(512, 1));
    sent_command& asked = send(other.c->admin(), reset_sqe(name_of(*lost.c)));
    EXPECT_FALSE(turn_until_ended(other.c->admin(), asked, milliseconds(200)))
        << "its write may land still";
    EXPECT_TRUE(await_end(*lost.io)) << "its connections are closed at once";
    EXPECT_TRUE(await_end(*lost.c));
    must(other.c->keep_alive());
    spy_.hold(false);
    ASSERT_TRUE(turn_until_ended(other.c->admin(), asked, std::chrono::seconds(5)));
    EXPECT_STATUS(asked, sc::success);
    EXPECT_EQ(asked.answer.dw0.value(), over_now);
    const bytes newer = pattern(512, 2);
    EXPECT_STATUS(write_blocks(*other.io, 0, newer), sc::success);
    bytes found(512);
    EXPECT_STATUS(read_blocks(*other.io, 0, found), sc::success);
    EXPECT_EQ(found, newer) << "nothing of the other controller came after it";
    const way again = come();
    EXPECT_STATUS(write_blocks(*again.io, 0, newer), sc::success);
}

CONFORMANCE(cross_reset_test, data_that_is_owed_never_lands, "D3/38") {
    const way lost = come(), other = come();
    send_write(*lost.io, 0, pattern(512, 1), false);  // its host never reads the R2T
    const host::reply got = reset(*other.c, name_of(*lost.c));
    EXPECT_STATUS(got, sc::success);
    EXPECT_EQ(got.dw0(), over_now);
    lost.io->poll();
    bytes found(512);
    EXPECT_STATUS(read_blocks(*other.io, 0, found), sc::success);
    EXPECT_EQ(found, bytes(512));
    for (const testing::spied_op& op : spy_.take()) EXPECT_NE(op.kind, backend::io_kind::write);
}

CONFORMANCE(cross_reset_test, whoever_is_not_meant_goes_on, "D3/38") {
    const way mine = come(), other = come();
    host::controller_options options = host_options();
    options.hostnqn = other_nqn;
    const way same_identifier = come(options);
    options.hostid = nvme::derive_uuid("another host", 1);
    const way neighbour = come(options);
    options.hostnqn = host_nqn;
    const way same_name = come(options);
    nvme::cross_reset wrong = name_of(*mine.c);
    wrong.cirn += 1;
    EXPECT_STATUS(reset(*other.c, wrong), refused) << "CIRN";
    wrong = name_of(*mine.c);
    wrong.ciu = static_cast<std::uint8_t>(wrong.ciu + 1);
    EXPECT_STATUS(reset(*other.c, wrong), refused) << "CIU";
    EXPECT_STATUS(reset(*other.c, name_of(*other.c)), refused) << "itself";
    for (const way* stranger : {&same_identifier, &neighbour, &same_name}) {
        nvme::cross_reset nobody = name_of(*mine.c);
        nobody.icid = 0x7777;
        const host::reply known = reset(*stranger->c, name_of(*mine.c));
        const host::reply unknown = reset(*stranger->c, nobody);
        EXPECT_STATUS(known, refused);
        EXPECT_EQ(known.status(), unknown.status()) << "it can tell that there is one";
        EXPECT_EQ(known.dw0(), unknown.dw0());
    }
    bytes block(512);
    EXPECT_STATUS(read_blocks(*mine.io, 0, block), sc::success);
    EXPECT_STATUS(read_blocks(*same_name.io, 0, block), sc::success);
}

CONFORMANCE(cross_reset_test, a_device_that_keeps_the_write_makes_it_fail, "D3/38") {
    const way lost = come(), other = come();
    hold_a_write(lost, pattern(512, 1));
    const auto before = std::chrono::steady_clock::now();
    EXPECT_STATUS(reset(*other.c, name_of(*lost.c)), sc::internal_error);
    EXPECT_LT(std::chrono::steady_clock::now() - before, milliseconds(3'000)) << "one deadline";
    EXPECT_TRUE(await_end(*lost.c)) << "it is ended all the same";
    spy_.hold(false);
    const host::reply again = reset(*other.c, name_of(*lost.c));
    EXPECT_STATUS(again, sc::success) << "asked again, it tells when that is over";
    EXPECT_EQ(again.dw0(), over_before);
}

CONFORMANCE(cross_reset_test, a_controller_that_is_gone_is_known_to_its_host, "D3/38") {
    const nvme::cross_reset gone = [this] {
        const way lost = come();
        return name_of(*lost.c);
    }();
    const way other = come();
    EXPECT_TRUE(testing::eventually([&] { return reset(*other.c, gone).dw0() == over_before; }));
    host::controller_options options = host_options();
    options.hostnqn = other_nqn;
    options.hostid = nvme::derive_uuid("another host", 1);
    EXPECT_STATUS(reset(*come(options).c, gone), refused);
}

CONFORMANCE(cross_reset_test, identify_says_which_instance_and_how_long, "D6/instance", "D8/2.F4") {
    const auto a = connect(), b = connect();
    EXPECT_NE(a->identity().ciu, 0);
    EXPECT_NE(a->identity().cirn.value(), 0u);
    EXPECT_NE(a->identity().cirn.value(), b->identity().cirn.value());
    EXPECT_EQ(must(a->identify_controller()).cirn.value(), a->identity().cirn.value()) << "stays";
    EXPECT_EQ(a->identity().ccrl, limits::cross_resets);
    EXPECT_EQ(a->identity().cqt_ms.value(), 11'000) << "the deadline, and what a drive's reset has";
    EXPECT_EQ(a->identity().oaes.value() & (3u << 20), 0u) << "no events of it";
    const auto discovery = connect_discovery(30'000);
    EXPECT_EQ(discovery->identity().ccrl, 0);
    EXPECT_EQ(discovery->identity().cirn.value(), 0u);
}

CONFORMANCE(cross_reset_test, the_log_tells_what_is_under_way, "D5/1E") {
    const way lost = come(), other = come();
    const auto log = [&] { return must(other.c->get_log({.lid = 0x1e, .length_bytes = 16})); };
    EXPECT_EQ(log(), bytes(16));
    hold_a_write(lost, pattern(512, 1));
    sent_command& asked = send(other.c->admin(), reset_sqe(name_of(*lost.c)));
    const bytes page = log();
    EXPECT_EQ(nvme::read_wire<nvme::cross_reset_log_header>(page)->entries.value(), 1);
    const auto entry = nvme::read_wire<nvme::cross_reset_entry>(std::span(page).subspan(8)).value();
    EXPECT_EQ(entry.icid.value(), lost.c->id());
    EXPECT_EQ(entry.ciu, lost.c->identity().ciu);
    EXPECT_EQ(entry.acid.value(), other.c->id());
    spy_.hold(false);
    EXPECT_TRUE(turn_until_ended(other.c->admin(), asked, std::chrono::seconds(5)));
    EXPECT_EQ(log(), bytes(16)) << "what is over has been answered";
}

}  // namespace
}  // namespace fulmar::conformance
