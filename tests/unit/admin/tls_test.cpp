// REST over TLS: who is let in by a certificate and who is not, and requests that come oddly.
#include "rest_fixture.hpp"
#include "support/certificates.hpp"
#include "support/https_client.hpp"

#include <fmt/format.h>

namespace fulmar::admin {
namespace {

using nlohmann::json;
using test::certificate;
using test::http_answer;
using test::https_client;
using test::make_certificate;

struct admin_tls : testing_support::rest_fixture {
    void SetUp() override {
        rest_fixture::SetUp();
        setup.options.admin.tokens = folder + "/tokens";
        setup.options.admin.listeners = {
            {.address = "127.0.0.1",
             .port = 0,
             .certificate = folder + "/certificate",
             .key = folder + "/key",
             .client_ca = test::write_private(folder + "/ca", authority.text)}};
        setup.options.admin.client_roles = {{"CN=operator-*", role::operator_},
                                            {"URI:spiffe://example/*", role::metrics}};
        install("fulmard");
    }
    void install(const std::string& name) const {
        const certificate made = make_certificate(
            {.common_name = name, .alternative_names = "IP:127.0.0.1,DNS:localhost"}, authority);
        test::write_private(folder + "/certificate", made.text);
        test::write_private(folder + "/key", made.key);
    }
    void begin() {
        start();
        const std::string& address = server_->addresses().back();
        ASSERT_TRUE(address.starts_with("https://")) << address;
        port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    }
    https_client tls(const certificate& own = {}) const { return {port, authority.text, own}; }
    std::string make_token(const std::string& with_role) {
        const http_answer made = connect().send(
            "POST", "/v1/tokens", fmt::format(R"({{"name": "t", "role": "{}"}})", with_role));
        return json::parse(made.body).value("token", "");
    }
    const certificate authority = test::make_authority("test authority");
    std::uint16_t port = 0;
};

TEST_F(admin_tls, a_token_is_needed_without_a_certificate) {
    begin();
    const std::string token = make_token("viewer");
    https_client client = tls();
    ASSERT_TRUE(client.connected());
    EXPECT_EQ(client.version(), "TLSv1.3");
    EXPECT_EQ(client.get("/v1/devices").status, 401);
    EXPECT_EQ(client.get("/v1/devices", token).status, 200);
    EXPECT_EQ(client.get("/v1/health").status, 200);
    // Whoever speaks plainly there is not answered.
    auto plain = test::http_client::tcp("127.0.0.1", port);
    EXPECT_EQ(plain.send("GET", "/v1/health").status, 0);
}

TEST_F(admin_tls, a_client_certificate_has_the_role_of_the_first_name_that_fits) {
    begin();
    https_client by_name = tls(make_certificate({.common_name = "operator-anna"}, authority));
    EXPECT_EQ(json::parse(by_name.get("/v1/whoami").body)["role"], "operator");
    https_client by_uri = tls(make_certificate(
        {.common_name = "x", .alternative_names = "URI:spiffe://example/scraper"}, authority));
    EXPECT_EQ(by_uri.get("/metrics").status, 200);
    EXPECT_EQ(by_uri.get("/v1/devices").status, 403);
    https_client unknown = tls(make_certificate({.common_name = "operator"}, authority));
    const http_answer refused = unknown.get("/v1/devices");
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(refused.body, testing::HasSubstr("no role for the certificate CN=operator"));
    EXPECT_EQ(unknown.get("/v1/devices", make_token("viewer")).status, 200) << "a token counts";
}

TEST_F(admin_tls, certificates_that_are_not_good_are_refused) {
    begin();
    const certificate stranger = test::make_authority("test authority");
    for (const certificate& bad :
         {make_certificate({.common_name = "operator-x", .begins_s = -7200, .ends_s = -3600},
                           authority),
          make_certificate({.common_name = "operator-x", .begins_s = 3600, .ends_s = 7200},
                           authority),
          make_certificate({.common_name = "operator-x"}, stranger), stranger}) {
        https_client client = tls(bad);  // TLS 1.3 tells the client with the first answer
        EXPECT_EQ(client.get("/v1/health").status, 0);
    }
    EXPECT_FALSE(https_client(port, stranger.text).connected()) << "nor do clients take ours";
    EXPECT_TRUE(tls().connected());
}

TEST_F(admin_tls, slow_split_and_pipelined_requests_are_answered_in_order) {
    begin();
    const std::string token = make_token("viewer");
    https_client slow = tls();
    for (const char c : slow.request("/v1/version", token))
        ASSERT_TRUE(slow.write(std::string_view(&c, 1)));
    EXPECT_EQ(slow.read().status, 200);
    https_client many = tls();
    ASSERT_TRUE(many.write(many.request("/v1/version", token) +
                           many.request("/v1/devices/none", token) +
                           many.request("/v1/devices", token)));
    EXPECT_EQ(many.read().status, 200);
    EXPECT_EQ(many.read().status, 404);
    EXPECT_THAT(many.read().body, testing::HasSubstr("devices"));
    https_client large = tls();
    const std::string head = large.request("/v1/version", token);
    large.write(head.substr(0, head.size() - 2) + "X: " + std::string(20'000, 'x') + "\r\n\r\n");
    EXPECT_EQ(large.read().status, 431);
    https_client nonsense = tls();
    nonsense.write("this is no HTTP\r\n\r\n");
    EXPECT_EQ(nonsense.read().status, 400);
}

TEST_F(admin_tls, whoever_says_nothing_is_ended_and_delays_nobody) {
    begin();
    std::vector<test::http_client> silent;
    for (int i = 0; i < 300; ++i) silent.push_back(test::http_client::tcp("127.0.0.1", port));
    EXPECT_EQ(connect().send("GET", "/v1/health").status, 200);
    https_client other = tls();
    ASSERT_TRUE(other.connected()) << "one of those who wait gave way";
    EXPECT_EQ(other.get("/v1/health").status, 200);
    EXPECT_EQ(silent.back().read().status, 0) << "within the seconds that a stranger has";
    EXPECT_EQ(other.read().status, 0) << "a stranger still";
}

TEST_F(admin_tls, a_reload_takes_another_certificate_and_keeps_the_former_of_two_broken_files) {
    begin();
    https_client before = tls();
    EXPECT_EQ(before.common_name(), "fulmard");
    install("renewed");
    server_->reload();
    ASSERT_TRUE(test::eventually([&] { return tls().common_name() == "renewed"; }));
    EXPECT_EQ(before.get("/v1/health").status, 200) << "who is there stays";
    test::write_private(folder + "/key", "no key");
    server_->reload();
    test::write_private(folder + "/certificate", "no certificate");
    server_->reload();
    EXPECT_EQ(connect().send("GET", "/v1/health").status, 200);
    EXPECT_EQ(tls().common_name(), "renewed");
}

// Hosts are served, and whoever administrates by another way, whatever has become of these files.
TEST_F(admin_tls, a_start_goes_on_without_a_listener_whose_files_are_broken) {
    for (const bool readable_by_others : {false, true}) {
        server_.reset();
        if (readable_by_others) {
            install("again");
            ASSERT_EQ(::chmod((folder + "/key").c_str(), 0644), 0);
        } else {
            test::write_private(folder + "/certificate", "no certificate");
        }
        start();
        EXPECT_EQ(connect().send("GET", "/v1/health").status, 200);
        for (const std::string& address : server_->addresses())
            EXPECT_FALSE(address.starts_with("https://")) << address;
    }
    server_.reset();
    install("mended");
    begin();
    EXPECT_EQ(tls().common_name(), "mended");
}

TEST_F(admin_tls, a_listener_for_metrics_has_nothing_else) {
    setup.options.admin.listeners[0].serves = admin_service::metrics;
    begin();
    const std::string token = make_token("admin");
    https_client client = tls();
    EXPECT_EQ(client.get("/metrics").status, 401);
    EXPECT_EQ(client.get("/metrics", token).status, 200);
    for (const char* target : {"/v1/devices", "/v1/health", "/", "/v1/config"})
        EXPECT_NE(tls().get(target, token).status, 200) << target;
    for (const char* target : {"/v1/health", "/"})
        EXPECT_NE(tls().get(target).status, 200) << target;
}

TEST_F(admin_tls, pages_of_others_are_not_served) {
    begin();
    const std::string token = make_token("viewer");
    const auto with_origin = [&](const std::string& origin) {
        https_client client = tls();
        const std::string head = client.request("/v1/devices", token);
        client.write(head.substr(0, head.size() - 2) + "Origin: " + origin + "\r\n\r\n");
        return client.read().status;
    };
    EXPECT_EQ(with_origin(fmt::format("https://127.0.0.1:{}", port)), 200);
    EXPECT_EQ(with_origin("https://evil.example"), 403);
    EXPECT_EQ(with_origin(fmt::format("http://127.0.0.1:{}", port)), 403);
}

}  // namespace
}  // namespace fulmar::admin
