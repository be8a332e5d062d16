// What queues take from others before their host has proved who it is: nothing that anybody who has
// would miss.
#include "authentication_suite.hpp"
#include "support/reservation_commands.hpp"

namespace fulmar::conformance {
namespace {

class admission_test : public authentication_test {
  protected:
    host::raw_session raw_unproven_io(host::controller& c, std::uint16_t qid = 1) {
        host::raw_session s = raw();
        host::connect_parameters p = parameters(qid);
        p.cntlid = c.id();
        const auto joined = must(s.connect_queue(p));
        EXPECT_EQ(joined.status(), sc::success);
        EXPECT_EQ(joined.answer.dw0.value() >> 16, 2u);
        return s;
    }
    /// What the Send of the right response is answered with.
    static nvme::status answer_to_proof(host::raw_session& s,
                                        const security::dhchap_credentials& who) {
        security::dhchap_host exchange(who, 77);
        EXPECT_EQ(send(s, exchange.negotiate()), sc::success);
        return send(s, must(exchange.on_challenge(receive(s))));
    }
    host::controller_options of_other_host() {
        host::controller_options options = host_options();
        options.hostnqn = other_nqn;
        return options;
    }
    static host::queue& writes_and_reads(host::queue& q) {
        const bytes data = pattern(4096);
        bytes got(4096);
        EXPECT_TRUE(write_blocks(q, 0, data).ok());
        EXPECT_TRUE(read_blocks(q, 0, got).ok());
        EXPECT_EQ(got, data);
        return q;
    }
    static bytes negotiate_by_r2t(std::uint16_t cid, std::uint32_t length = 80) {
        const auto sqe = host::make_authentication(nvme::fctype::authentication_send, length);
        return host::make_capsule(raw_sqe(sqe, cid, nvme::make_transport_sgl(length)), {}, {});
    }
};
INSTANTIATE_TEST_SUITE_P(reactors, admission_test, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

TEST_P(admission_test, unproven_queues_leave_their_number_to_the_host) {
    auto c = connect(with(own_keys()));
    host::raw_session one = raw_unproven_io(*c);
    host::raw_session two = raw_unproven_io(*c);
    host::queue& q = writes_and_reads(*must(c->open_io_queue(1, 8)));
    EXPECT_EQ(answer_to_proof(one, raw_keys()), sc::command_interrupted) << "the number is taken";
    EXPECT_TRUE(one.await_end());
    writes_and_reads(q);
    EXPECT_TRUE(c->shutdown());
    EXPECT_TRUE(two.await_end()) << "they end with their controller all the same";
}

TEST_P(admission_test, whoever_proves_itself_first_has_the_number) {
    auto c = connect(with(own_keys()));
    host::raw_session one = raw_unproven_io(*c);
    host::raw_session two = raw_unproven_io(*c);
    EXPECT_EQ(failure_in(prove(two, raw_keys())), std::nullopt);
    EXPECT_STATUS(must(two.run(read_of(1, 1))), sc::success);
    EXPECT_EQ(answer_to_proof(one, raw_keys()), sc::command_interrupted);
    EXPECT_FALSE(host::controller::connect(with(own_keys(another_key))));
    // Its successor waits for it to leave, as ever.
    two.reset();
    writes_and_reads(*must(c->open_io_queue(1, 8)));
}

TEST_P(admission_test, queue_that_ends_while_it_is_given_its_place_leaves_nothing) {
    auto c = connect(with(own_keys()));
    for (int i = 0; i < 20; ++i) {
        host::raw_session s = raw_unproven_io(*c);
        const auto who = raw_keys();
        security::dhchap_host exchange(who, 77);
        EXPECT_EQ(send(s, exchange.negotiate()), sc::success);
        const bytes m = must(exchange.on_challenge(receive(s)));
        const auto length = static_cast<std::uint32_t>(m.size());
        const auto sqe =
            raw_sqe(host::make_authentication(nvme::fctype::authentication_send, length), 5,
                    nvme::make_in_capsule_sgl(0, length));
        must(s.send(host::make_capsule(sqe, m, s.wire())));
        if (i % 2 != 0) s.reset();
    }
    writes_and_reads(*must(c->open_io_queue(1, 8)));
    c.reset();
    EXPECT_TRUE(testing::eventually([&] { return target().connections().empty(); }));
}

TEST_P(admission_test, unproven_controllers_have_a_share_of_their_own) {
    offered().min_cntlid = 1;
    offered().max_cntlid = 16;  // of which two are for those who are unproven
    std::vector<host::raw_session> half;
    half.push_back(raw_connected());
    half.push_back(raw_connected());
    std::vector<std::unique_ptr<host::controller>> whole;
    for (int i = 0; i < 14; ++i) whole.push_back(connect(of_other_host()));
    EXPECT_FALSE(host::controller::connect(of_other_host())) << "the rest is not for them";
    EXPECT_EQ(target().count("fulmar_gave_way_total"), 0u);
    whole.pop_back();
    // Nor do they keep out whoever can prove itself.
    const auto proven = connect(with(own_keys()));
    writes_and_reads(*must(proven->open_io_queue(1, 8)));
    EXPECT_TRUE(half.front().await_end()) << "the oldest gave way";
    for (auto& one : whole) EXPECT_TRUE(one->identify_controller());
}

TEST_P(admission_test, unproven_controller_is_nobodys_namesake) {
    setup.memory = &memory;
    auto other = connect(of_other_host());
    const auto keys_of_other = test::reservation_keys(0, 7);
    const auto registers = [&] {
        host::queue& q = *must(other->open_io_queue(1, 8));
        return run_write(q, test::reservation_sqe(nvme::io_opcode::reservation_register, {}, 1),
                         nvme::wire_bytes(keys_of_other))
            .status();
    };
    EXPECT_EQ(registers(), sc::success);
    other.reset();
    EXPECT_TRUE(testing::eventually([&] { return target().connections().empty(); }));
    host::raw_session s = raw_connected();  // by the same identifier
    other = connect(of_other_host());
    EXPECT_TRUE(other->identify_controller());
    EXPECT_EQ(answer_to_proof(s, raw_keys()), sc::command_interrupted) << "now it is one";
    EXPECT_TRUE(s.await_end());
    EXPECT_TRUE(other->identify_controller());
}

TEST_P(admission_test, host_that_must_be_encrypted_meanwhile_does_not_come_in_plain) {
    keys.set("s", {"NVMeTLSkey-1:01:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:"});
    host::raw_session s = raw_connected();
    const core::host_keys_spec both{
        .nqn = std::string(host_nqn), .dhchap_key = "h", .tls_psk = "s"};
    target().must<core::subsystem_status>(core::set_host_keys{std::string(subsystem_nqn), both});
    EXPECT_NE(answer_to_proof(s, raw_keys()), sc::success)
        << "its key of TLS came after its Connect";
    EXPECT_TRUE(s.await_end());
}

TEST_P(admission_test, data_of_an_unproven_queue_has_little_time_and_room) {
    host::raw_session s = raw_connected();
    for (std::uint16_t cid = 1; cid <= 3; ++cid) must(s.send(negotiate_by_r2t(cid)));
    EXPECT_STATUS(must(s.collect(3)), sc::command_sequence_error.no_retry())
        << "two messages at a time are more than enough";
    if (data_reactors() != 1) return;  // once is enough
    const instant before = std::chrono::steady_clock::now();
    EXPECT_TRUE(s.await_end(limits::newcomer_patience + std::chrono::seconds(5)));
    EXPECT_LT(std::chrono::steady_clock::now() - before,
              std::chrono::seconds(core::target_options{}.data_stall_s));
}

}  // namespace
}  // namespace fulmar::conformance
