// DH-HMAC-CHAP over the wire (NVMe Base 2.0, section 8.13.5): who proves what, when commands run,
// and what becomes of a queue that does not.
#include "authentication_suite.hpp"

namespace fulmar::conformance {
namespace {

INSTANTIATE_TEST_SUITE_P(reactors, authentication_test, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

CONFORMANCE(authentication_test, host_with_a_key_connects_and_does_io, "D1/05") {
    auto c = connect(with(own_keys()));
    host::queue& q1 = *must(c->open_io_queue(1, 8));
    host::queue& q2 = *must(c->open_io_queue(2, 8));
    const bytes data = pattern(4096);
    bytes got(4096);
    EXPECT_TRUE(write_blocks(q1, 0, data).ok());
    EXPECT_TRUE(read_blocks(q2, 0, got).ok());
    EXPECT_EQ(got, data);
    for (const auto& one : target().connections()) EXPECT_EQ(one.authentication, "host");
    EXPECT_EQ(target().count("fulmar_authentications_total"), 3u);
    EXPECT_TRUE(c->shutdown());
}

CONFORMANCE(authentication_test, mutual_on_every_queue, "D1/05") {
    auto c = connect(with(own_keys(key_of_host, key_of_target)));
    must(c->open_io_queue(1, 8));
    for (const auto& one : target().connections()) EXPECT_EQ(one.authentication, "mutual");
}

CONFORMANCE(authentication_test, every_hash_and_group, "D1/05") {
    allow_all_groups();
    for (const auto hash : nvme::all_dhchap_hashes)
        for (const auto group : nvme::all_dhchap_groups) {
            // The large ones take tens of milliseconds a side: once each.
            if (group > nvme::dhchap_group::ffdhe3072 &&
                (hash != nvme::dhchap_hash::sha384 || data_reactors() != 1))
                continue;
            SCOPED_TRACE(std::to_string(static_cast<int>(hash)) + " " +
                         std::to_string(static_cast<int>(group)));
            auto who = own_keys(key_of_host, key_of_target);
            offer(*who, hash, group);
            EXPECT_TRUE(host::controller::connect(with(who)));
        }
}

CONFORMANCE(authentication_test, connect_says_whether_it_is_needed, "D1/05") {
    std::uint32_t dw0 = 0;
    raw_connected(&dw0);
    EXPECT_EQ(dw0 >> 16, 2u) << "ATR, and no secure channel";
    host::raw_session other = raw();
    host::connect_parameters p = parameters();
    p.hostnqn = "nqn.2014-08.org.x:another";
    p.hostid = nvme::derive_uuid("another", 1);
    const auto got = must(other.connect_queue(p));
    EXPECT_STATUS(got, sc::success);
    EXPECT_EQ(got.answer.dw0.value() >> 16, 0u) << "this one has no key";
}

TEST_P(authentication_test, wrong_key_ends_the_queue) {
    const auto refused = host::controller::connect(with(own_keys(another_key)));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::permission_denied);
    host::raw_session s = raw_connected();
    EXPECT_EQ(failure_in(prove(s, raw_keys(another_key))), auth_failure::failed);
    EXPECT_TRUE(s.await_end());
    EXPECT_EQ(target().count("fulmar_failed_authentications_total"), 2u);
    EXPECT_TRUE(host::controller::connect(with(own_keys())));
}

TEST_P(authentication_test, host_that_does_not_believe_us_ends_the_queue) {
    const auto refused = host::controller::connect(with(own_keys(key_of_host, another_key)));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::permission_denied);
    EXPECT_TRUE(testing::eventually([&] { return target().connections().empty(); }));
}

TEST_P(authentication_test, host_without_a_key_says_what_is_missing) {
    const auto refused = host::controller::connect(host_options());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::permission_denied);
    EXPECT_NE(refused.error().remedy.find("--dhchap-key"), std::string::npos);
}

CONFORMANCE(authentication_test, nothing_else_runs_before, "D1/05") {
    host::raw_session s = raw_connected();
    const nvme::status wanted = sc::authentication_required.no_retry();
    const auto property =
        host::make_property_get(nvme::register_offset::cap, nvme::property_size::bytes_8);
    EXPECT_STATUS(must(s.run(raw_sqe(property, 1))), wanted);
    EXPECT_STATUS(must(s.run(raw_sqe(identify_sqe(1), 2, nvme::make_transport_sgl(4096)))), wanted);
    EXPECT_STATUS(must(s.run(raw_sqe(admin_sqe(nvme::admin_opcode::keep_alive), 3))), wanted);
    EXPECT_STATUS(must(s.connect_queue(parameters(), 4)), wanted);
    EXPECT_EQ(failure_in(prove(s, raw_keys())), std::nullopt);
    EXPECT_STATUS(must(s.run(raw_sqe(property, 7))), sc::success);
}

TEST_P(authentication_test, nothing_else_runs_before_on_an_io_queue) {
    auto c = connect(with(own_keys()));
    host::raw_session s = raw();
    host::connect_parameters p = parameters(1);
    p.cntlid = c->id();
    const auto joined = must(s.connect_queue(p));
    ASSERT_EQ(joined.status(), sc::success);
    EXPECT_EQ(joined.answer.dw0.value() >> 16, 2u);
    const nvme::status wanted = sc::authentication_required.no_retry();
    EXPECT_STATUS(must(s.run(read_of(1, 1))), wanted);
    nvme::sqe compare = write_of(1, 2);
    compare.opcode = static_cast<std::uint8_t>(nvme::io_opcode::compare);
    compare.flags = nvme::make_flags(nvme::fuse::first, nvme::psdt::sgl);
    EXPECT_STATUS(must(s.run_write(compare, bytes(512))), wanted) << "nor the first of a pair";
    EXPECT_EQ(failure_in(prove(s, raw_keys())), std::nullopt);
    EXPECT_STATUS(must(s.run(read_of(1, 3))), sc::success);
}

CONFORMANCE(authentication_test, fields_of_the_commands_are_checked, "D1/05") {
    host::raw_session s = raw_connected();
    const auto refused = [&](auto change) {
        auto command = nvme::view_as<nvme::authentication_command>(
            host::make_authentication(nvme::fctype::authentication_receive, 64));
        change(command);
        return must(s.run(raw_sqe(nvme::to_sqe(command), 9, nvme::make_transport_sgl(64))))
            .status();
    };
    const nvme::status wanted = sc::invalid_field.no_retry();
    EXPECT_EQ(refused([](auto& c) { c.secp = 0; }), wanted);
    EXPECT_EQ(refused([](auto& c) { c.spsp0 = 0; }), wanted);
    EXPECT_EQ(refused([](auto& c) { c.spsp1 = 2; }), wanted);
    EXPECT_EQ(refused([](auto& c) { c.length_bytes = 0; }), wanted);
    EXPECT_EQ(refused([](auto& c) { c.length_bytes = 63; }), wanted);
    EXPECT_EQ(refused([](auto& c) { c.length_bytes = 65; }), wanted);
    const auto large = host::make_authentication(nvme::fctype::authentication_receive, 8192);
    EXPECT_STATUS(must(s.run(raw_sqe(large, 9, nvme::make_transport_sgl(8192)))), wanted);
    const auto send_large = host::make_authentication(nvme::fctype::authentication_send, 8192);
    EXPECT_STATUS(must(s.run_write(raw_sqe(send_large, 9, nvme::make_transport_sgl(8192)), {})),
                  wanted)
        << "no data is asked for";
    EXPECT_EQ(failure_in(prove(s, raw_keys())), std::nullopt) << "none of that changed anything";
}

TEST_P(authentication_test, answer_that_does_not_fit_stays_there) {
    host::raw_session s = raw_connected();
    const auto who = raw_keys();
    security::dhchap_host exchange(who, 77);
    EXPECT_EQ(send(s, exchange.negotiate()), sc::success);
    const auto sqe = host::make_authentication(nvme::fctype::authentication_receive, 16);
    EXPECT_STATUS(must(s.run(raw_sqe(sqe, 6, nvme::make_transport_sgl(16)))),
                  sc::invalid_field.no_retry());
    EXPECT_TRUE(exchange.on_challenge(receive(s, 48)));
    // Nor does a failure, where nothing is ready.
    host::raw_session t = raw_connected(nullptr, 300);
    const auto tiny = host::make_authentication(nvme::fctype::authentication_receive, 8);
    EXPECT_STATUS(must(t.run(raw_sqe(tiny, 6, nvme::make_transport_sgl(8)))),
                  sc::invalid_field.no_retry());
    EXPECT_TRUE(t.await_end()) << "it is late then";
}

TEST_P(authentication_test, message_by_r2_t) {
    host::raw_session s = raw_connected();
    const auto who = raw_keys();
    const bytes message = security::dhchap_host(who, 77).negotiate();
    const auto length = static_cast<std::uint32_t>(message.size());
    const auto sqe = host::make_authentication(nvme::fctype::authentication_send, length);
    EXPECT_STATUS(must(s.run_write(raw_sqe(sqe, 5, nvme::make_transport_sgl(length)), message)),
                  sc::success);
    EXPECT_EQ(failure_in(receive(s)), std::nullopt);
}

TEST_P(authentication_test, messages_that_are_wrong_or_out_of_order_end_the_queue) {
    const auto who = raw_keys();
    security::dhchap_host exchange(who, 77);
    const bytes good = exchange.negotiate();
    bytes cut = good;
    cut.pop_back();
    bytes channel = good;
    channel[6] = std::byte{1};
    const std::pair<bytes, auth_failure> cases[] = {
        {cut, auth_failure::incorrect_payload},
        {channel, auth_failure::concatenation_mismatch},
        {bytes(2), auth_failure::incorrect_payload},
        {bytes(16 + 64, std::byte{1}), auth_failure::incorrect_message}};
    for (const auto& [message, wanted] : cases) {
        host::raw_session s = raw_connected();
        EXPECT_EQ(send(s, message), sc::success);
        EXPECT_EQ(failure_in(receive(s)), wanted);
        EXPECT_TRUE(s.await_end());
    }
    host::raw_session s = raw_connected();
    EXPECT_EQ(failure_in(receive(s)), auth_failure::incorrect_message);
    EXPECT_TRUE(s.await_end());
    host::raw_session t = raw_connected();
    EXPECT_EQ(send(t, good), sc::success);
    bytes reply = must(exchange.on_challenge(receive(t)));
    reply[4] = std::byte{78};
    EXPECT_EQ(send(t, reply), sc::success);
    EXPECT_EQ(failure_in(receive(t)), auth_failure::incorrect_payload) << "another T_ID";
    EXPECT_TRUE(t.await_end());
}

TEST_P(authentication_test, silence_is_ended_by_the_keep_alive_time) {
    host::raw_session s = raw_connected(nullptr, 300);
    EXPECT_TRUE(s.await_end()) << "nothing came";
    host::raw_session t = raw_connected(nullptr, 300);
    const auto who = raw_keys();
    EXPECT_EQ(send(t, security::dhchap_host(who, 1).negotiate()), sc::success);
    EXPECT_TRUE(t.await_end()) << "the challenge was not read";
}

CONFORMANCE(authentication_test, again_while_io_runs, "D1/05") {
    auto c = connect(with(own_keys(key_of_host, key_of_target)));
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes data = pattern(4096);
    bytes got(4096);
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(write_blocks(q, 0, data).ok());
        EXPECT_TRUE(c->authenticate_again(q));
        EXPECT_TRUE(c->authenticate_again(c->admin()));
        EXPECT_TRUE(read_blocks(q, 0, got).ok());
    }
    // Half of it, with I/O between: the queue serves.
    const auto who = own_keys();
    who->host_nqn = host_nqn;
    who->subsystem_nqn = subsystem_nqn;
    bytes message = security::dhchap_host(*who, 9).negotiate();
    const auto length = static_cast<std::uint32_t>(message.size());
    EXPECT_TRUE(
        run_write(q, host::make_authentication(nvme::fctype::authentication_send, length), message)
            .ok());
    EXPECT_TRUE(read_blocks(q, 0, got).ok());
    EXPECT_EQ(got, data);
}

TEST_P(authentication_test, again_with_a_wrong_key_ends_that_queue) {
    auto who = own_keys();
    auto c = connect(with(who));
    host::queue& q = *must(c->open_io_queue(1, 8));
    who->host_key = must(security::parse_dhchap_key(another_key));
    EXPECT_FALSE(c->authenticate_again(q));
    EXPECT_TRUE(await_end(q));
    EXPECT_TRUE(c->admin().is_open()) << "the controller stays";
}

TEST_P(authentication_test, again_with_a_wrong_key_ends_a_queue_that_has_commands_under_way) {
    auto who = own_keys();
    host::controller_options options = with(who);
    options.async_events = 4;  // they wait for as long as nothing happens
    auto c = connect(options);
    who->host_key = must(security::parse_dhchap_key(another_key));
    EXPECT_FALSE(c->authenticate_again(c->admin()));
    EXPECT_TRUE(await_end(c->admin()));
}

TEST_P(authentication_test, key_that_is_taken_away_meanwhile_proves_nothing) {
    host::raw_session s = raw_connected();
    const auto who = raw_keys();
    security::dhchap_host exchange(who, 77);
    EXPECT_EQ(send(s, exchange.negotiate()), sc::success);
    const bytes challenge = receive(s);
    keys.set("h", {std::string(another_key)});
    EXPECT_EQ(send(s, must(exchange.on_challenge(challenge))), sc::success);
    EXPECT_EQ(failure_in(receive(s)), auth_failure::failed);
}

TEST_P(authentication_test, key_is_exchanged_without_reconnect) {
    auto old_host = connect(with(own_keys()));
    keys.set("h", {std::string(another_key), std::string(key_of_host)});
    EXPECT_TRUE(old_host->authenticate_again(old_host->admin())) << "within its grace";
    EXPECT_TRUE(host::controller::connect(with(own_keys(another_key))));
    keys.set("h", {std::string(another_key)});
    EXPECT_FALSE(host::controller::connect(with(own_keys())));
    EXPECT_TRUE(old_host->identify_controller()) << "who is connected goes on";
    EXPECT_FALSE(old_host->authenticate_again(old_host->admin())) << "until it is asked again";
}

TEST_P(authentication_test, missing_or_broken_key_keeps_its_hosts_out_for_now) {
    for (const auto& texts : {std::vector<std::string>{}, std::vector<std::string>{"nonsense"}}) {
        keys.set("h", texts);
        host::raw_session s = raw();
        EXPECT_STATUS(must(s.connect_queue(parameters())), sc::connect_invalid_host)
            << "without DNR: a Linux host would never come back";
        host::controller_options other = host_options();
        other.hostnqn = "nqn.2014-08.org.x:another";
        other.hostid = nvme::derive_uuid("another", 1);
        EXPECT_TRUE(host::controller::connect(other)) << "the rest is served";
    }
    keys.set("h", {std::string(key_of_host)});
    EXPECT_TRUE(host::controller::connect(with(own_keys())));
    keys.set("t", {});
    host::raw_session s = raw();
    EXPECT_STATUS(must(s.connect_queue(parameters())), sc::connect_invalid_host) << "ours as well";
}

TEST_P(authentication_test, required_of_all_keeps_hosts_without_keys_out) {
    offered().dhchap_required = true;
    EXPECT_TRUE(host::controller::connect(with(own_keys())));
    host::raw_session s = raw();
    host::connect_parameters p = parameters();
    p.hostnqn = "nqn.2014-08.org.x:another";
    p.hostid = nvme::derive_uuid("another", 1);
    EXPECT_STATUS(must(s.connect_queue(p)), sc::connect_invalid_host.no_retry());
}

TEST_P(authentication_test, policy_and_keys_follow_the_configuration) {
    auto c = connect(with(own_keys()));
    target().must<core::subsystem_status>(
        core::set_host_keys{std::string(subsystem_nqn), {std::string(host_nqn), "t", ""}});
    EXPECT_FALSE(host::controller::connect(with(own_keys()))) << "another key now";
    EXPECT_TRUE(host::controller::connect(with(own_keys(key_of_target))));
    target().must<core::subsystem_status>(
        core::set_host_keys{std::string(subsystem_nqn), {std::string(host_nqn), "", ""}});
    EXPECT_TRUE(host::controller::connect(host_options())) << "none any more";
}

TEST_P(authentication_test, a_queue_without_keys_has_nothing_to_say) {
    offered().host_keys.clear();
    host::raw_session s = raw_connected();
    const auto sqe = host::make_authentication(nvme::fctype::authentication_receive, 64);
    EXPECT_STATUS(must(s.run(raw_sqe(sqe, 6, nvme::make_transport_sgl(64)))),
                  sc::command_sequence_error.no_retry());
}

// Peers that ask for what is dear, and never finish, do not keep others out.
TEST_P(authentication_test, half_open_queues_do_not_keep_others_out) {
    allow_all_groups();
    auto who = raw_keys();
    offer(who, nvme::dhchap_hash::sha512, nvme::dhchap_group::ffdhe4096);
    std::vector<host::raw_session> half;
    for (std::uint16_t i = 0; i < 40; ++i) {
        half.push_back(raw_connected());
        const bytes m = security::dhchap_host(who, i).negotiate();
        const auto length = static_cast<std::uint32_t>(m.size());
        const auto sqe =
            raw_sqe(host::make_authentication(nvme::fctype::authentication_send, length), 5,
                    nvme::make_in_capsule_sgl(0, length));
        must(half.back().send(host::make_capsule(sqe, m, half.back().wire())));
    }
    // It has their address, and may have to try again.
    EXPECT_TRUE(testing::eventually(
        [&] { return host::controller::connect(with(own_keys())).has_value(); }));
    half.clear();
    EXPECT_TRUE(testing::eventually([&] { return target().connections().empty(); }));
}

}  // namespace
}  // namespace fulmar::conformance
