// TLS 1.3 with pre-shared keys (NVMe/TCP Transport 1.0, section 3.6.1): who may talk how, what is
// bound together, and that nothing else changes.
#include "suite.hpp"
#include "support/eventually.hpp"
#include "transport/tcp/tls_desk.hpp"
#include "unit/security/vectors.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/host/authenticate.hpp>
#include <fulmar/security/tls_psk.hpp>

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fulmar::conformance {
namespace {

using security::tls_derivation;
using security::tls_identity_version;

constexpr std::string_view tls_key_text =
    "NVMeTLSkey-1:01:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:";
constexpr std::string_view tls_key_384 =
    "NVMeTLSkey-1:02:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wyg3Bcw==:";
constexpr std::string_view plain_chap_key =
    "DHHC-1:01:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAl7OaH:";

class tls_test : public suite {
  protected:
    tls_test() {
        keys.set("k", {std::string(tls_key_text)});
        setup.keys = &keys;
        setup.spec.listeners.front().tls = "require";
        offered().host_keys = {{.nqn = std::string(host_nqn), .tls_psk = "k"}};
    }
    static std::shared_ptr<host::tls_offer> offer(std::string_view key = tls_key_text) {
        auto made = std::make_shared<host::tls_offer>();
        made->key = must(security::parse_tls_key(key));
        return made;
    }
    host::controller_options with(std::shared_ptr<const host::tls_offer> tls) {
        host::controller_options options = host_options();
        options.tls = std::move(tls);
        return options;
    }
    static std::string new_key() {
        const auto key = must(security::generate_tls_key(security::tls_suite::aes128_gcm_sha256));
        return std::string(security::write_tls_key(key).reveal_text());
    }
    /// Of the Connect of an admin queue.
    std::string refusal(const host::controller_options& options) {
        const auto got = host::controller::connect(options);
        return got ? "it connects" : got.error().text();
    }
    static host::tls_link& link_of(host::queue& q) {
        return *dynamic_cast<host::connection&>(q).tls();
    }
    /// A connection that says nothing of its own.
    unique_fd bare() {
        return must(
            host::connect_tcp(target().endpoint(), host::deadline(std::chrono::seconds(5))));
    }
    static bool ends(int fd, duration within = std::chrono::seconds(10)) {
        const host::deadline until(within);
        std::array<std::byte, 512> some{};
        while (host::wait_readable(fd, until) == host::readiness::ready)
            if (::recv(fd, some.data(), some.size(), MSG_DONTWAIT) <= 0) return true;
        return false;
    }
};
INSTANTIATE_TEST_SUITE_P(reactors, tls_test, ::testing::Values(1, 3),
                         [](const auto& instance) { return std::to_string(instance.param); });

TEST_P(tls_test, reads_and_writes_of_all_sizes_on_several_queues) {
    for (const std::string_view key : {tls_key_text, tls_key_384}) {
        keys.set("k", {std::string(key)});
        auto c = connect(with(offer(key)));
        host::queue& q1 = *must(c->open_io_queue(1, 8));
        host::queue& q2 = *must(c->open_io_queue(2, 8));
        for (const std::size_t size : {512u, 4096u, 8192u, 65536u, 262144u}) {
            const bytes data = pattern(size, static_cast<std::uint32_t>(size));
            bytes got(size);
            ASSERT_TRUE(write_blocks(q1, 8, data).ok()) << size;
            ASSERT_TRUE(read_blocks(q2, 8, got).ok()) << size;
            EXPECT_EQ(got, data) << size;
        }
        for (const auto& one : target().connections()) {
            EXPECT_EQ(one.security, "tls");
            EXPECT_EQ(one.cipher,
                      key == tls_key_384 ? "TLS_AES_256_GCM_SHA384" : "TLS_AES_128_GCM_SHA256");
        }
        EXPECT_TRUE(c->shutdown());
    }
    EXPECT_EQ(target().count("fulmar_tls_handshakes_total"), 6u);
}

TEST_P(tls_test, keys_for_tls_alone_keep_no_controllers_for_the_unproven) {
    offered().min_cntlid = 1;
    offered().max_cntlid = 16;
    std::vector<std::unique_ptr<host::controller>> all;
    for (int i = 0; i < 16; ++i) all.push_back(connect(with(offer())));
    for (auto& one : all) EXPECT_TRUE(one->identify_controller());
}

TEST_P(tls_test, digests_alignment_and_many_r2ts_go_together_with_it) {
    auto options = with(offer());
    options.header_digest = options.data_digest = true;
    options.hpda = 15;
    options.max_r2t = 4;
    auto c = connect(options);
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes data = pattern(1 << 20);
    bytes got(data.size());
    ASSERT_TRUE(write_blocks(q, 0, data).ok());
    ASSERT_TRUE(read_blocks(q, 0, got).ok());
    EXPECT_EQ(got, data);
    EXPECT_TRUE(q.checker().clean()) << q.checker().text();
}

TEST_P(tls_test, many_commands_at_once_in_both_directions) {
    auto c = connect(with(offer()));
    host::queue& q = *must(c->open_io_queue(1, 64));
    struct one_command final : host::request {
        one_command()
            : request([](host::request& r) noexcept { static_cast<one_command&>(r).over = true; }) {
        }
        bool over = false;
        bytes memory;
    };
    for (unsigned round = 0; round < 5; ++round) {
        std::vector<std::unique_ptr<one_command>> all;
        for (unsigned i = 0; i < 60; ++i) {
            auto& r = *all.emplace_back(std::make_unique<one_command>());
            const bool writes = i % 2 == 0;
            r.memory = writes ? pattern(32768, i) : bytes(32768);
            r.command = io_sqe(writes ? nvme::io_opcode::write : nvme::io_opcode::read,
                               {.slba = i * 64u, .blocks = 64});
            r.data = r.memory.data();
            r.data_bytes = 32768;
            r.direction = writes ? host::transfer::to_controller : host::transfer::from_controller;
            ASSERT_EQ(q.submit(r), host::submit_result::queued);
        }
        const host::deadline until(std::chrono::seconds(20));
        const auto over = [&] {
            return std::all_of(all.begin(), all.end(), [](const auto& r) { return r->over; });
        };
        while (!over() && !until.passed()) {
            q.poll();
            if (!over()) q.wait(until);
        }
        for (const auto& r : all) ASSERT_TRUE(r->over && r->succeeded());
    }
    for (unsigned i = 0; i < 60; i += 2) {
        bytes got(32768);
        ASSERT_TRUE(read_blocks(q, i * 64u, got).ok());
        EXPECT_EQ(got, pattern(32768, i));
    }
}

TEST_P(tls_test, admin_commands_aborts_and_events_go_on) {
    auto options = with(offer());
    options.async_events = 1;
    auto c = connect(options);
    EXPECT_TRUE(c->identify_namespace(1));
    auto sqe = admin_sqe(nvme::admin_opcode::abort);
    sqe.cdw10 = 0x1234u << 16;
    EXPECT_STATUS(run(c->admin(), {.sqe = sqe}), sc::success);
    EXPECT_TRUE(c->keep_alive());
    EXPECT_TRUE(c->shutdown());
}

TEST_P(tls_test, wrong_key_and_unknown_identity_end_in_an_alert) {
    EXPECT_NE(refusal(with(offer(new_key()))).find("handshake"), std::string::npos);
    auto stranger = with(offer());
    stranger.hostnqn = other_nqn;
    EXPECT_NE(refusal(stranger).find("unknown psk identity"), std::string::npos);
    // Of version 0 the identity is right, and the key is not.
    auto plain_identity = offer(new_key());
    plain_identity->version = tls_identity_version::plain;
    EXPECT_NE(refusal(with(plain_identity)).find("handshake"), std::string::npos);
    EXPECT_TRUE(testing::eventually(
        [&] { return target().count("fulmar_failed_tls_handshakes_total") == 3; }));
    EXPECT_TRUE(host::controller::connect(with(offer())));
}

TEST_P(tls_test, both_versions_of_identities_and_the_old_derivation_where_it_is_allowed) {
    for (const auto version : {tls_identity_version::plain, tls_identity_version::digest}) {
        auto made = offer();
        made->version = version;
        EXPECT_TRUE(host::controller::connect(with(made)));
        made = offer();
        made->version = version;
        made->how = tls_derivation::old_libnvme;
        EXPECT_FALSE(host::controller::connect(with(made)));
    }
    target().must(
        core::set_host_keys{std::string(subsystem_nqn),
                            {.nqn = std::string(host_nqn), .tls_psk = "k", .tls_compat = true}});
    for (const auto version : {tls_identity_version::plain, tls_identity_version::digest})
        for (const auto how : {tls_derivation::standard, tls_derivation::old_libnvme}) {
            auto made = offer();
            made->version = version;
            made->how = how;
            EXPECT_TRUE(host::controller::connect(with(made)));
        }
}

TEST_P(tls_test, former_key_is_accepted_beside_the_present_one) {
    const std::string fresh = new_key();
    keys.set("k", {fresh, std::string(tls_key_text)});
    for (const auto version : {tls_identity_version::plain, tls_identity_version::digest})
        for (const std::string_view key : {std::string_view(fresh), tls_key_text}) {
            auto made = offer(key);
            made->version = version;
            EXPECT_TRUE(host::controller::connect(with(made)));
        }
    keys.set("k", {fresh});
    EXPECT_FALSE(host::controller::connect(with(offer())));
    EXPECT_TRUE(host::controller::connect(with(offer(fresh))));
}

TEST_P(tls_test, connect_has_to_name_whom_the_key_belongs_to) {
    offered().host_keys.push_back({.nqn = std::string(other_nqn), .tls_psk = "k"});
    auto other_host = offer();
    other_host->hostnqn = other_nqn;
    EXPECT_NE(refusal(with(other_host)).find("SC 84h, DNR"), std::string::npos)
        << refusal(with(other_host));
    auto other_subsystem = offer();
    other_subsystem->subnqn = nvme::discovery_nqn;
    EXPECT_NE(refusal(with(other_subsystem)).find("SC 84h, DNR"), std::string::npos);
    // What is told of it.
    EXPECT_TRUE(host::controller::connect(with(offer())));
}

TEST_P(tls_test, queues_of_a_controller_are_secured_alike) {
    setup.spec.listeners.front().tls = "allow";
    offered().host_keys.front().tls_optional = true;
    auto plain_queues = offer();
    plain_queues->io_queues = false;
    auto c = connect(with(plain_queues));
    const auto mixed = c->open_io_queue(1, 8);
    ASSERT_FALSE(mixed);
    EXPECT_NE(mixed.error().text().find("SC 84h, DNR"), std::string::npos) << mixed.error().text();
    auto plain_admin = offer();
    plain_admin->admin_queue = false;
    auto d = connect(with(plain_admin));
    EXPECT_FALSE(d->open_io_queue(1, 8));
    auto all_plain = connect();
    EXPECT_TRUE(all_plain->open_io_queue(1, 8));
}

TEST_P(tls_test, listener_that_requires_it_ends_plain_connections) {
    EXPECT_FALSE(host::controller::connect(host_options()));
    EXPECT_TRUE(testing::eventually(
        [&] { return target().count("fulmar_failed_tls_handshakes_total") == 1; }));
}

TEST_P(tls_test, listener_that_allows_it_lets_in_plain_who_has_no_key) {
    setup.spec.listeners.front().tls = "allow";
    auto keyless = host_options();
    keyless.hostnqn = other_nqn;
    keyless.hostid = nvme::derive_uuid("another", 1);
    auto c = connect(keyless);
    for (const auto& one : target().connections()) {
        EXPECT_EQ(one.security, "none");
        EXPECT_EQ(one.cipher, "");
    }
    // Whoever has one does not come in without it, unless its entry says so.
    EXPECT_NE(refusal(host_options()).find("SC 84h"), std::string::npos);
    EXPECT_EQ(refusal(host_options()).find("DNR"), std::string::npos) << "it may be allowed later";
    EXPECT_TRUE(host::controller::connect(with(offer())));
    target().must(
        core::set_host_keys{std::string(subsystem_nqn),
                            {.nqn = std::string(host_nqn), .tls_psk = "k", .tls_optional = true}});
    EXPECT_TRUE(host::controller::connect(host_options()));
    EXPECT_TRUE(host::controller::connect(with(offer())));
}

TEST_P(tls_test, listener_that_refuses_it_ends_tls_and_keeps_who_has_a_key_out) {
    setup.spec.listeners.front().tls = "refuse";
    EXPECT_FALSE(host::controller::connect(with(offer())));
    EXPECT_NE(refusal(host_options()).find("SC 84h"), std::string::npos);
    auto keyless = host_options();
    keyless.hostnqn = other_nqn;
    keyless.hostid = nvme::derive_uuid("another", 1);
    EXPECT_TRUE(host::controller::connect(keyless));
}

TEST_P(tls_test, missing_or_broken_key_keeps_the_host_out_for_the_time_being) {
    setup.spec.listeners.front().tls = "allow";
    offered().host_keys.front().tls_optional = true;
    for (const std::vector<std::string>& texts :
         {std::vector<std::string>{}, {std::string("nonsense")}, {std::string(plain_chap_key)}}) {
        keys.set("k", texts);
        EXPECT_FALSE(host::controller::connect(with(offer())));
        const std::string why = refusal(host_options());
        EXPECT_NE(why.find("SC 84h"), std::string::npos) << why;
        EXPECT_EQ(why.find("DNR"), std::string::npos) << why;
    }
    keys.set("k", {std::string(tls_key_text)});
    EXPECT_TRUE(host::controller::connect(with(offer())));
}

TEST_P(tls_test, host_authenticates_inside_of_it_as_well) {
    keys.set("h", {std::string(plain_chap_key)});
    offered().host_keys.front().dhchap_key = "h";
    auto options = with(offer());
    EXPECT_NE(refusal(options).find("--dhchap-key"), std::string::npos) << refusal(options);
    options.keys = std::make_shared<security::dhchap_credentials>();
    options.keys->host_key = must(security::parse_dhchap_key(plain_chap_key));
    auto c = connect(options);
    must(c->open_io_queue(1, 8));
    for (const auto& one : target().connections()) {
        EXPECT_EQ(one.authentication, "host");
        EXPECT_EQ(one.security, "tls");
    }
}

TEST_P(tls_test, key_of_tls_is_no_key_to_authenticate_with) {
    offered().dhchap_required = true;
    const std::string why = refusal(with(offer()));
    EXPECT_NE(why.find("SC 84h, DNR"), std::string::npos) << why;
}

TEST_P(tls_test, discovery_tells_each_host_what_its_entry_wants) {
    setup.spec.listeners = {{.address = "127.0.0.1", .port = 0, .tls = "require"},
                            {.address = "127.0.0.1", .port = 0, .tls = "allow"},
                            {.address = "127.0.0.1", .port = 0}};
    using told = std::pair<unsigned, unsigned>;  // SECTYPE, TREQ
    const auto ask = [&](std::string_view host, std::size_t listener,
                         std::shared_ptr<const host::tls_offer> tls) {
        host::controller_options options = with(std::move(tls));
        options.target = target().endpoint(listener);
        options.subnqn = nvme::discovery_nqn;
        options.hostnqn = host;
        auto c = connect(options);
        std::vector<told> out(3);
        for (const auto& e : must(host::read_discovery_log(*c)).entries)
            for (std::size_t i = 0; i < out.size(); ++i)
                if (e.subnqn == subsystem_nqn &&
                    e.service == std::to_string(target().endpoint(i).port))
                    out[i] = {e.tcp_security, e.treq & 3u};
        return out;
    };
    const told required{2, 1};
    const told optional{2, 2};
    const told none{0, 2};
    EXPECT_EQ(ask(host_nqn, 0, offer()), (std::vector{required, required, none}));
    EXPECT_EQ(ask(host_nqn, 1, nullptr), (std::vector{required, required, none}));
    EXPECT_EQ(ask(other_nqn, 1, nullptr), (std::vector{required, none, none}));
    target().must(
        core::set_host_keys{std::string(subsystem_nqn),
                            {.nqn = std::string(host_nqn), .tls_psk = "k", .tls_optional = true}});
    EXPECT_EQ(ask(host_nqn, 2, nullptr), (std::vector{required, optional, none}));
}

TEST_P(tls_test, key_update_of_the_host_is_answered_under_io) {
    auto c = connect(with(offer()));
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes data = pattern(65536);
    bytes got(data.size());
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(link_of(q).update_keys());
        ASSERT_TRUE(link_of(c->admin()).update_keys());
        ASSERT_TRUE(write_blocks(q, 0, data).ok());
        ASSERT_TRUE(read_blocks(q, 0, got).ok());
        ASSERT_EQ(got, data);
        ASSERT_TRUE(c->keep_alive());
    }
    EXPECT_LT(link_of(q).session().records(), 40u) << "the answers came: records count anew";
}

// The number of records is the cipher's; here it is made small.
TEST_P(tls_test, connection_ends_in_good_order_before_its_key_is_used_up) {
    constexpr std::uint64_t records = 1000;
    transport::tcp::tls_desk::set_records_per_key(records);
    auto c = connect(with(offer()));
    host::queue& q = *must(c->open_io_queue(1, 8));
    const bytes data = pattern(4096);
    std::uint64_t answered = 0;
    bytes got(data.size());
    const nvme::sqe write = io_sqe(nvme::io_opcode::write, {.slba = 0, .blocks = 8});
    while (answered < 2 * records && q.is_open()) {
        bytes copy = data;
        const auto done = host::execute(
            q, {.sqe = write, .direction = host::transfer::to_controller, .data = copy},
            host::deadline(std::chrono::seconds(5)));
        if (!done) break;
        EXPECT_TRUE(done->ok());
        ++answered;
        // Its end may be here before anything else is sent.
        if (answered > records / 4) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        q.poll();
    }
    transport::tcp::tls_desk::set_records_per_key(limits::tls_records_per_key);
    EXPECT_FALSE(q.is_open());
    EXPECT_EQ(q.outstanding(), 0u);
    EXPECT_EQ(q.checker().commands_lost(), 0u) << "every command was answered";
    EXPECT_GT(answered, records / 5);
    EXPECT_LT(answered, records);
    auto again = connect(with(offer()));
    host::queue& fresh = *must(again->open_io_queue(1, 8));
    EXPECT_TRUE(read_blocks(fresh, 0, got).ok());
    EXPECT_EQ(got, data);
}

TEST_P(tls_test, connection_that_is_cut_in_a_record_is_forgotten) {
    for (const std::size_t cut : {1u, 3u, 5u, 60u}) {
        unique_fd fd = bare();
        const std::array<unsigned char, 64> record{0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3};
        ASSERT_EQ(::send(fd.get(), record.data(), cut, MSG_NOSIGNAL), static_cast<ssize_t>(cut));
    }
    auto c = connect(with(offer()));
    host::queue& q = *must(c->open_io_queue(1, 8));
    const int fd = dynamic_cast<host::connection&>(q).fd();
    const std::array<unsigned char, 100> half{0x17, 3, 3, 4, 0};
    ASSERT_EQ(::send(fd, half.data(), half.size(), MSG_NOSIGNAL), 100);
    q.close();
    c->admin().close();
    EXPECT_TRUE(testing::eventually([&] { return target().connections().empty(); }));
    EXPECT_TRUE(host::controller::connect(with(offer())));
}

TEST_P(tls_test, garbage_ends_its_connection_alone) {
    auto c = connect(with(offer()));
    host::queue& q = *must(c->open_io_queue(1, 8));
    for (const unsigned first : {0x16u, 0x15u, 0x17u, 0x00u, 0x80u, 0xffu}) {
        unique_fd fd = bare();
        std::vector<unsigned char> garbage(4000);
        for (std::size_t i = 0; i < garbage.size(); ++i)
            garbage[i] = static_cast<unsigned char>(i * 37 + 11);
        garbage.front() = static_cast<unsigned char>(first);
        (void)::send(fd.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
        EXPECT_TRUE(ends(fd.get())) << first;
    }
    unique_fd in_session = bare();
    const bytes data = pattern(4096);
    EXPECT_TRUE(write_blocks(q, 0, data).ok());
}

TEST_P(tls_test, half_open_handshakes_do_not_keep_a_host_out) {
    setup.limits.first_pdu_timeout_ms = 60'000;
    target();
    std::vector<unique_fd> silent;
    std::vector<unique_fd> stuck;
    const auto key = must(derive_tls_psk(must(security::parse_tls_key(tls_key_text)), host_nqn,
                                         subsystem_nqn, tls_identity_version::digest));
    std::vector<std::byte> room(limits::tls_scratch_bytes);
    for (unsigned i = 0; i < limits::max_pending_handshakes; ++i) {
        silent.push_back(bare());
        if (i % 4 != 0) continue;
        // It knows a key, says hello, and does not go on.
        stuck.push_back(bare());
        auto hello = must(security::tls_socket::connect(
            stuck.back().get(), room, {key.identity, key.key.clone(), key.suite}));
        EXPECT_EQ(hello->shake_hands().what, security::tls_io::outcome::would_block);
    }
    const auto begun = std::chrono::steady_clock::now();
    auto c = connect(with(offer()));
    host::queue& q = *must(c->open_io_queue(1, 8));
    EXPECT_TRUE(write_blocks(q, 0, pattern(4096)).ok());
    RecordProperty("milliseconds",
                   static_cast<int>((std::chrono::steady_clock::now() - begun).count() / 1000000));
}

// A peer that nobody here wrote.
TEST_P(tls_test, openssl_shakes_hands) {
    const auto key = must(derive_tls_psk(must(security::parse_tls_key(tls_key_text)), host_nqn,
                                         subsystem_nqn, tls_identity_version::digest));
    const auto run_openssl = [&](const std::string& hex, const std::string& more) {
        const std::string line = fmt::format(
            "openssl s_client -connect 127.0.0.1:{} -tls1_3 -psk {} -psk_identity '{}' {} "
            "</dev/null 2>&1",
            target().endpoint().port, hex, key.identity, more);
        std::string said;
        std::FILE* const pipe = ::popen(line.c_str(), "r");
        std::array<char, 4096> some{};
        while (std::fgets(some.data(), some.size(), pipe) != nullptr) said += some.data();
        ::pclose(pipe);
        return said;
    };
    const std::string hex = test::dhchap_vectors::hex_of(key.key.reveal());
    for (const std::string more :
         {"", "-ciphersuites TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256", "-groups P-256",
          "-groups P-384:X25519"}) {
        const std::string said = run_openssl(hex, more);
        EXPECT_NE(said.find("Reused, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256"), std::string::npos)
            << more << "\n"
            << said;
    }
    EXPECT_EQ(run_openssl(std::string(64, '1'), "").find("Reused"), std::string::npos);
    EXPECT_EQ(run_openssl(hex, "-groups P-521").find("Reused"), std::string::npos);
    // Without a key there is no certificate to fall back to.
    EXPECT_EQ(run_openssl(hex, "-allow_no_dhe_kex").find("Reused, TLSv1.2"), std::string::npos);
}

}  // namespace
}  // namespace fulmar::conformance
