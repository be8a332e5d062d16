// Peers that promise and do not send, ask and do not read, or send a byte now and then: nobody else
// may notice. Each case has a host that behaves beside them, whose commands have the ordinary
// deadline of the host library.
#include "suite.hpp"

#include <thread>

namespace fulmar::conformance {
namespace {

CONFORMANCE_SUITE(hostile_test);

constexpr std::size_t large = 1u << 20;
constexpr auto short_wait = std::chrono::milliseconds(1);

/// A discovery controller's admin queue, of a host that no subsystem allows.
host::raw_session stranger(host::raw_session to) {
    host::connect_parameters p{.subnqn = std::string(nvme::discovery_nqn),
                               .hostnqn = std::string(other_nqn),
                               .hostid = suite::host_id()};
    EXPECT_STATUS(must(to.connect_queue(p)), sc::success);
    const nvme::sqe enable = host::make_property_set(
        nvme::register_offset::cc, nvme::property_size::bytes_4,
        nvme::controller_configuration{.en = true, .iosqes = 6, .iocqes = 4}.pack());
    EXPECT_STATUS(must(to.run(raw_sqe(enable, 1))), sc::success);
    return to;
}

void send_only(host::raw_session& to, const nvme::sqe& command, std::uint16_t cid,
               std::uint32_t bytes) {
    must(to.send(host::make_capsule(raw_sqe(command, cid, nvme::make_transport_sgl(bytes)))));
}

/// Everything that needs memory: small and large I/O, both ways, and administration.
void expect_service(host::controller& c, host::queue& q, std::uint64_t slba = 0) {
    const bytes data = pattern(large);
    bytes got(large);
    EXPECT_STATUS(write_blocks(q, slba, data), sc::success);
    EXPECT_STATUS(read_blocks(q, slba, got), sc::success);
    EXPECT_EQ(got, data);
    EXPECT_STATUS(read_blocks(q, slba, std::span(got).first(4096)), sc::success);
    std::vector<std::byte> page(nvme::identify_bytes);
    EXPECT_STATUS(run_read(c.admin(), identify_sqe(1), page), sc::success);
}

void expect_service_for_a_while(host::controller& c, host::queue& q) {
    for (int i = 0; i < 5; ++i) expect_service(c, q);
}

CONFORMANCE(hostile_test, strangers_that_promise_data_are_given_no_memory, "E/hostile") {
    offered().allow_any_host = false;
    offered().hosts = {std::string(host_nqn)};
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 32));
    std::vector<host::raw_session> strangers;
    for (int i = 0; i < 31 * data_reactors(); ++i) {
        host::raw_session& s = strangers.emplace_back(stranger(raw()));
        for (std::uint16_t cid = 2; cid < 12; ++cid)
            send_only(s, feature_sqe(nvme::set_features{.fid = 0x0b}), cid, large);
    }
    std::this_thread::sleep_for(short_wait);
    expect_service_for_a_while(*c, q);
}

CONFORMANCE(hostile_test, strangers_that_never_read_the_discovery_log_have_a_budget_of_their_own,
            "E/hostile") {
    offered().allow_any_host = false;
    offered().hosts = {std::string(host_nqn)};
    const auto c = connect();
    host::queue& q = *must(c->open_io_queue(1, 32));
    std::vector<host::raw_session> strangers;
    for (int i = 0; i < 31 * data_reactors(); ++i) {
        host::raw_session& s = strangers.emplace_back(stranger(raw()));
        for (std::uint16_t cid = 2; cid < 30; ++cid) {
            const auto length = static_cast<std::uint32_t>(cid % 2 == 0 ? large : 64 * 1024);
            send_only(s, log_sqe({.lid = 0x70, .rae = true, .length_bytes = length}), cid, length);
        }
    }
    expect_service_for_a_while(*c, q);
}

/// Raw I/O queues of `greedy`, with `depth` commands each that stay unanswered for ever.
std::vector<host::raw_session> greedy_queues(const host::endpoint& to, host::controller& greedy,
                                             int queues, std::uint16_t depth,
                                             nvme::io_opcode opcode) {
    std::vector<host::raw_session> all;
    for (int i = 0; i < queues; ++i) {
        host::raw_session& s = all.emplace_back(must(host::raw_session::open(to)));
        EXPECT_STATUS(must(s.connect_queue({.subnqn = std::string(subsystem_nqn),
                                            .hostnqn = std::string(other_nqn),
                                            .hostid = suite::host_id(),
                                            .cntlid = greedy.id(),
                                            .qid = static_cast<std::uint16_t>(i + 1)})),
                      sc::success);
        for (std::uint16_t cid = 1; cid <= depth; ++cid)
            send_only(s, io_sqe(opcode, {.slba = 0, .blocks = large / 512}), cid, large);
    }
    return all;
}

CONFORMANCE(hostile_test, a_host_with_forty_queues_that_owe_data_starves_no_other, "E/hostile") {
    const auto honest = connect();
    host::queue& q = *must(honest->open_io_queue(1, 32));
    host::controller_options who = host_options();
    who.hostnqn = other_nqn;
    const auto greedy = connect(who);
    const auto owing = greedy_queues(target().endpoint(), *greedy, 40, 16, nvme::io_opcode::write);
    std::this_thread::sleep_for(short_wait);
    expect_service_for_a_while(*honest, q);
}

CONFORMANCE(hostile_test, a_host_that_never_reads_starves_no_other, "E/hostile") {
    const auto honest = connect();
    host::queue& q = *must(honest->open_io_queue(1, 32));
    host::controller_options who = host_options();
    who.hostnqn = other_nqn;
    const auto greedy = connect(who);
    const auto deaf = greedy_queues(target().endpoint(), *greedy, 40, 24, nvme::io_opcode::read);
    std::this_thread::sleep_for(short_wait);
    expect_service_for_a_while(*honest, q);
}

// The data of an R2T is due, whatever else the host sends meanwhile.
CONFORMANCE(hostile_test, other_commands_do_not_extend_the_time_of_an_r2_t, "E/hostile",
            "E/stall") {
    setup.limits.data_stall_s = 1;
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    send_only(s, io_sqe(nvme::io_opcode::write, {.slba = 0, .blocks = 128}), 1, 65536);
    const host::deadline until(std::chrono::seconds(8));
    bool open = true;
    for (std::uint16_t cid = 2; open && !until.passed(); cid = cid == 9 ? 2 : cid + 1) {
        const nvme::sqe flush = io_sqe(nvme::io_opcode::flush, {});
        open = s.send(host::make_capsule(raw_sqe(flush, cid))).has_value() &&
               s.await(std::chrono::milliseconds(100)).kind != host::received_kind::closed;
    }
    EXPECT_FALSE(open) << "the connection should have ended";
    expect_alive();
}

// Nor does a byte now and then: the whole is due, by its size.
CONFORMANCE(hostile_test, a_trickle_does_not_extend_the_time_of_an_r2_t, "E/hostile", "E/stall") {
    setup.limits.data_stall_s = 1;
    const auto c = connect();
    host::raw_session s = raw_io(*c);
    send_only(s, io_sqe(nvme::io_opcode::write, {.slba = 0, .blocks = 128}), 1, 65536);
    const host::received ask = s.await();
    const auto r2t = ask.pdu.as<nvme::tcp::r2t>(nvme::tcp::pdu_type::r2t);
    ASSERT_TRUE(r2t.has_value());
    const bytes data = pattern(65536);
    const host::raw_bytes whole =
        host::make_h2c_data({.cid = 1, .ttag = r2t->ttag.value(), .offset = 0, .last = true}, data);
    const host::deadline until(std::chrono::seconds(8));
    bool open = true;
    for (std::size_t at = 0; open && at < whole.size() && !until.passed(); ++at)
        open = s.send(std::span(whole).subspan(at, 1)).has_value() &&
               s.await(std::chrono::milliseconds(50)).kind == host::received_kind::timed_out;
    EXPECT_FALSE(open) << "the connection should have ended";
    expect_alive();
}

}  // namespace
}  // namespace fulmar::conformance
