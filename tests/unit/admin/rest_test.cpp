// REST over a real socket: every resource through its life, and every way to ask for it wrongly.
#include "rest_fixture.hpp"
#include "support/schema_check.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

namespace fulmar::admin {
namespace {

using test::eventually;
using test::http_answer;
using test::http_client;
using testing_support::json;
using testing_support::rest_nqn;

const std::string ram = R"({"name":"ram0","type":"ram","size":"1MiB"})";

struct rest_test : testing_support::rest_fixture {
    void SetUp() override {
        rest_fixture::SetUp();
        start();
        client = std::make_unique<http_client>(connect());
    }
    http_answer ask(std::string_view method, std::string_view target, std::string_view body = {},
                    const http_client::headers& extra = {}) {
        http_answer out = client->send(method, target, body, extra);
        if (!client->connected() || out.headers["connection"] == "close") *client = connect();
        return out;
    }
    void expect_problem(const http_answer& answer, int status, const std::string& code) {
        EXPECT_EQ(answer.status, status) << answer.body;
        EXPECT_EQ(answer.headers.at("content-type"), "application/problem+json");
        const json document = json::parse(answer.body);
        EXPECT_EQ(document["type"], "urn:fulmar:problem:" + code);
        EXPECT_EQ(document["status"], status);
        EXPECT_FALSE(document["title"].get<std::string>().empty());
        EXPECT_FALSE(document["detail"].get<std::string>().empty());
        EXPECT_FALSE(document.value("remedy", "").empty()) << answer.body;
    }
    void make_subsystem() {
        ASSERT_EQ(ask("POST", "/v1/devices", ram).status, 201);
        ASSERT_EQ(ask("POST", "/v1/subsystems", json{{"nqn", rest_nqn}}.dump()).status, 201);
    }
    std::unique_ptr<http_client> client;
};

TEST_F(rest_test, tells_health_and_version) {
    const http_answer health = ask("GET", "/v1/health");
    EXPECT_EQ(json::parse(health.body)["missing"], json::array());
    EXPECT_EQ(health.status, 200);
    EXPECT_EQ(json::parse(health.body)["status"], "ok");
    EXPECT_EQ(json::parse(health.body)["durable"]["possible"], false);
    EXPECT_EQ(json::parse(ask("GET", "/v1/version").body)["name"], "fulmard");
}

TEST_F(rest_test, takes_a_referral_through_its_life) {
    EXPECT_EQ(json::parse(ask("GET", "/v1/referrals").body)["referrals"], json::array());
    const http_answer made =
        ask("POST", "/v1/referrals", R"({"address":"2001:db8::7","port":8010})");
    EXPECT_EQ(made.status, 201) << made.body;
    const std::string place = made.headers.at("location");
    EXPECT_EQ(json::parse(ask("GET", place).body)["name"], "tcp:[2001:db8::7]:8010");
    EXPECT_EQ(fake.spec().referrals.size(), 1u);
    expect_problem(ask("POST", "/v1/referrals", R"({"address":"2001:db8::7","port":8010})"), 409,
                   "already-exists");
    EXPECT_EQ(ask("DELETE", place).status, 204);
    EXPECT_TRUE(fake.spec().referrals.empty());
    expect_problem(ask("DELETE", place), 404, "not-found");
    expect_problem(ask("GET", place), 404, "not-found");
    expect_problem(ask("POST", "/v1/referrals", R"({"address":"example.org"})"), 422,
                   "invalid-argument");
}

TEST_F(rest_test, shows_one_listener_host_and_connection) {
    make_subsystem();
    const http_answer made = ask("POST", "/v1/listeners", R"({"address":"127.0.0.1","port":4430})");
    ASSERT_EQ(made.status, 201) << made.body;
    const http_answer shown = ask("GET", made.headers.at("location"));
    EXPECT_EQ(shown.status, 200) << shown.body;
    EXPECT_EQ(json::parse(shown.body), json::parse(made.body));
    expect_problem(ask("GET", "/v1/listeners/tcp:127.0.0.1:1"), 404, "not-found");
    const std::string hosts = "/v1/subsystems/" + std::string(rest_nqn) + "/hosts";
    const http_answer host = ask("POST", hosts, R"({"host":"nqn.2014-08.org.x:h"})");
    ASSERT_EQ(host.status, 201) << host.body;
    EXPECT_EQ(ask("GET", host.headers.at("location")).body, host.body);
    expect_problem(ask("GET", hosts + "/nqn.2014-08.org.x:other"), 404, "not-found");
    EXPECT_EQ(json::parse(ask("GET", "/v1/connections/1").body)["id"], 1);
    expect_problem(ask("GET", "/v1/connections/2"), 404, "not-found");
    EXPECT_EQ(ask("DELETE", "/v1/connections/1").status, 204);
    for (const char* gone : {"2", "01x", "-1", "99999999999999999999", "x"})
        expect_problem(ask("DELETE", std::string("/v1/connections/") + gone), 404, "not-found");
}

TEST_F(rest_test, takes_a_subsystem_through_its_life) {
    const http_answer device = ask("POST", "/v1/devices", ram);
    EXPECT_EQ(device.status, 201);
    EXPECT_EQ(device.headers.at("location"), "/v1/devices/ram0");
    EXPECT_EQ(json::parse(device.body)["size"], 1048576);

    const http_answer made = ask("POST", "/v1/subsystems", json{{"nqn", rest_nqn}}.dump());
    EXPECT_EQ(made.status, 201) << made.body;
    EXPECT_EQ(made.headers.at("location"), "/v1/subsystems/" + rest_nqn);
    EXPECT_EQ(json::parse(made.body)["status"]["state"], "active");

    const http_answer ns =
        ask("POST", "/v1/subsystems/" + rest_nqn + "/namespaces", R"({"device":"ram0"})");
    EXPECT_EQ(ns.status, 201) << ns.body;
    EXPECT_EQ(ns.headers.at("location"), "/v1/subsystems/" + rest_nqn + "/namespaces/1");
    EXPECT_EQ(json::parse(ns.body)["nsid"], 1);
    EXPECT_EQ(json::parse(ns.body)["status"]["block_count"], 2048);

    const http_answer ana = ask("PATCH", "/v1/subsystems/" + rest_nqn + "/namespaces/1",
                                R"({"ana_state":"inaccessible"})");
    EXPECT_EQ(ana.status, 200);
    EXPECT_EQ(json::parse(ana.body)["ana_state"], "inaccessible");

    const std::string host = "nqn.2014-08.org.nvmexpress:uuid:6f4ab7a4-94a3-4f32-a2f4-95ae7b2f1f10";
    const http_answer added =
        ask("POST", "/v1/subsystems/" + rest_nqn + "/hosts", json{{"host", host}}.dump());
    EXPECT_EQ(added.status, 201);
    EXPECT_EQ(added.headers.at("location"), "/v1/subsystems/" + rest_nqn + "/hosts/" + host);
    EXPECT_EQ(json::parse(ask("GET", "/v1/subsystems/" + rest_nqn + "/hosts").body)["hosts"][0],
              host);

    EXPECT_EQ(
        json::parse(ask("POST", "/v1/subsystems/" + rest_nqn + "/pause").body)["status"]["state"],
        "paused");
    EXPECT_EQ(
        json::parse(ask("POST", "/v1/subsystems/" + rest_nqn + "/resume").body)["status"]["state"],
        "active");
    EXPECT_EQ(json::parse(ask("PATCH", "/v1/subsystems/" + rest_nqn, R"({"allow_any_host":true})")
                              .body)["allow_any_host"],
              true);

    expect_problem(ask("DELETE", "/v1/devices/ram0"), 409, "conflict");
    const http_answer in_use = ask("DELETE", "/v1/subsystems/" + rest_nqn);
    expect_problem(in_use, 409, "would-disturb");
    EXPECT_EQ(json::parse(in_use.body)["namespaces"], json::array({rest_nqn + "/1"}))
        << "though no host is connected";
    EXPECT_EQ(ask("DELETE", "/v1/subsystems/" + rest_nqn + "/hosts/" + host).status, 204);
    EXPECT_EQ(ask("DELETE", "/v1/subsystems/" + rest_nqn + "/namespaces/1").status, 204);
    EXPECT_EQ(ask("DELETE", "/v1/subsystems/" + rest_nqn).status, 204);
    expect_problem(ask("DELETE", "/v1/subsystems/" + rest_nqn), 404, "not-found");
    EXPECT_EQ(ask("DELETE", "/v1/devices/ram0").status, 204);
    EXPECT_EQ(fake.spec(), core::target_spec{});
}

TEST_F(rest_test, manages_listeners_and_devices) {
    const http_answer made = ask("POST", "/v1/listeners", R"({"address":"::1","port":0})");
    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(json::parse(made.body)["name"], "tcp:[::1]:40000");
    EXPECT_EQ(made.headers.at("location"), "/v1/listeners/tcp:%5B::1%5D:40000");
    EXPECT_EQ(json::parse(ask("GET", "/v1/listeners").body)["listeners"].size(), 1u);
    EXPECT_EQ(ask("DELETE", made.headers.at("location")).status, 204);

    ASSERT_EQ(ask("POST", "/v1/devices", ram).status, 201);
    EXPECT_EQ(json::parse(ask("PATCH", "/v1/devices/ram0", R"({"size":"2MiB"})").body)["size"],
              2097152);
    const http_answer smaller = ask("PATCH", "/v1/devices/ram0", R"({"size":"1MiB"})");
    expect_problem(smaller, 409, "conflict");
    EXPECT_THAT(smaller.body, testing::HasSubstr("allow_shrink"));
    expect_problem(ask("PATCH", "/v1/devices/ram0", R"({"size":"1MiB","allow_shrink":1})"), 422,
                   "invalid-argument");
    EXPECT_EQ(ask("PATCH", "/v1/devices/ram0", R"({"size":"1MiB","allow_shrink":true})").status,
              200);
    EXPECT_EQ(ask("POST", "/v1/devices/ram0/reopen").status, 200);
    EXPECT_EQ(json::parse(ask("GET", "/v1/devices").body)["devices"].size(), 1u);
    EXPECT_EQ(ask("GET", "/v1/devices/ram1").status, 404);
    EXPECT_EQ(json::parse(ask("GET", "/v1/connections").body)["connections"][0]["id"], 1);
}

TEST_F(rest_test, a_name_with_slashes_and_spaces_is_one_segment) {
    ASSERT_EQ(ask("POST", "/v1/devices", R"({"name":"a/b c","type":"ram","size":512})")
                  .headers.at("location"),
              "/v1/devices/a%2Fb%20c");
    EXPECT_EQ(json::parse(ask("GET", "/v1/devices/a%2fb%20c").body)["name"], "a/b c");
    EXPECT_EQ(ask("DELETE", "/v1/devices/a%2Fb%20c").status, 204);
}

TEST_F(rest_test, put_makes_what_is_not_there_and_leaves_what_is) {
    ASSERT_EQ(ask("POST", "/v1/devices", ram).status, 201);
    const std::string target = "/v1/subsystems/" + rest_nqn;
    const std::string wanted = R"({"namespaces":[{"nsid":1,"device":"ram0"}]})";
    EXPECT_EQ(ask("PUT", target, wanted).status, 201);
    const auto before = fake.changes.load();
    EXPECT_EQ(ask("PUT", target, wanted).status, 200);
    EXPECT_EQ(fake.changes.load(), before);
    EXPECT_EQ(ask("PUT", target, wanted, {{"If-None-Match", "*"}}).status, 412);
    // What a GET tells can be put back, with a change in it.
    json document = json::parse(ask("GET", target).body);
    document["allow_any_host"] = true;
    document["namespaces"] = json::array();
    const http_answer refused = ask("PUT", target, document.dump());
    expect_problem(refused, 409, "would-disturb");
    EXPECT_EQ(json::parse(refused.body)["namespaces"], json::array({rest_nqn + "/1"}));
    const http_answer changed = ask("PUT", target + "?force=true", document.dump());
    EXPECT_EQ(changed.status, 200) << changed.body;
    EXPECT_EQ(json::parse(changed.body)["allow_any_host"], true);
    EXPECT_EQ(json::parse(changed.body)["namespaces"].size(), 0u);
    expect_problem(ask("PUT", target, R"({"serial":"OTHER"})"), 409, "conflict");
    EXPECT_EQ(
        json::parse(ask("PUT", target + "?force=true", R"({"serial":"OTHER"})").body)["serial"],
        "OTHER");
    expect_problem(ask("PUT", target, R"({"nqn":"nqn.2026-11.io.fulmar:b"})"), 422,
                   "invalid-argument");
    expect_problem(ask("PUT", target, R"({"namespaces":[{"device":"ram0"}]})"), 422,
                   "invalid-argument");
    EXPECT_EQ(ask("PUT", "/v1/subsystems/nqn.2026-11.io.fulmar:p", R"({"paused":true})").status,
              201);
    EXPECT_TRUE(fake.spec().subsystems[1].paused);
}

TEST_F(rest_test, says_everything_that_is_wrong_with_a_body) {
    const http_answer answer = ask("POST", "/v1/devices", R"({"name":7,"typ":"ram","size":"1XB"})");
    expect_problem(answer, 422, "invalid-argument");
    const json document = json::parse(answer.body);
    EXPECT_EQ(document["errors"].size(), 4u) << answer.body;
    EXPECT_EQ(document["where"], "/name");
    EXPECT_EQ(document["instance"], "/v1/devices");
    expect_problem(ask("POST", "/v1/devices", "{\"name\":"), 400, "malformed");
    expect_problem(ask("POST", "/v1/devices", R"({"name":"a","name":"b","type":"ram","size":1})"),
                   422, "invalid-argument");
    expect_problem(ask("POST", "/v1/devices", "[]"), 422, "invalid-argument");
    expect_problem(ask("POST", "/v1/subsystems", R"({"nqn":"a\u0007b"})"), 422, "invalid-argument");
    expect_problem(ask("PATCH", "/v1/subsystems/" + rest_nqn, "{}"), 422, "invalid-argument");
}

TEST_F(rest_test, names_what_a_body_refers_to_in_vain) {
    make_subsystem();
    const http_answer answer =
        ask("POST", "/v1/subsystems/" + rest_nqn + "/namespaces", R"({"device":"none"})");
    expect_problem(answer, 422, "not-found");
    EXPECT_EQ(json::parse(answer.body)["where"], "/device");
    expect_problem(
        ask("POST", "/v1/subsystems/nqn.2026-11.io.fulmar:none/namespaces", R"({"device":"ram0"})"),
        404, "not-found");
    expect_problem(ask("POST", "/v1/devices", ram), 409, "already-exists");
}

TEST_F(rest_test, answers_the_wrong_question_rightly) {
    expect_problem(ask("GET", "/v1/nothing"), 404, "not-found");
    expect_problem(ask("GET", "/v1/subsystems/"), 404, "not-found");
    expect_problem(ask("GET", "/v1/subsystems/" + rest_nqn + "/namespaces/x"), 404, "not-found");
    const http_answer method = ask("DELETE", "/v1/subsystems");
    expect_problem(method, 405, "method-not-allowed");
    EXPECT_EQ(method.headers.at("allow"), "GET, HEAD, POST, OPTIONS");
    const http_answer options = ask("OPTIONS", "/v1/devices/x");
    EXPECT_EQ(options.status, 204);
    EXPECT_EQ(options.headers.at("allow"), "GET, HEAD, PATCH, DELETE, OPTIONS");
    expect_problem(ask("GET", "/v1/health", {}, {{"Accept", "text/html"}}), 406, "not-acceptable");
    EXPECT_EQ(ask("GET", "/v1/health", {}, {{"Accept", "text/html, */*;q=0.1"}}).status, 200);
    EXPECT_EQ(ask("GET", "/v1/health", {}, {{"Accept", "application/*"}}).status, 200);
    expect_problem(ask("GET", "/v1/health", {}, {{"Accept", "application/json;q=0.0"}}), 406,
                   "not-acceptable");
    expect_problem(ask("POST", "/v1/devices"), 411, "length-required");
    expect_problem(ask("POST", "/v1/devices", ram, {{"Content-Type", "text/plain"}}), 415,
                   "unsupported-media-type");
    expect_problem(ask("POST", "/v1/devices?durable=perhaps", ram), 400, "malformed");
    expect_problem(ask("POST", "/v1/devices?durabel=true", ram), 400, "malformed");
    expect_problem(ask("GET", "/v1/devices?durable=false"), 400, "malformed");
    expect_problem(ask("POST", "/v1/subsystems/x/pause", "{\"a\":1}"), 400, "malformed");
    expect_problem(ask("GET", "/v1/%zz"), 400, "malformed");
    expect_problem(ask("GET", "/v1/devices/%ff"), 400, "malformed");  // no UTF-8: no name of ours
    expect_problem(ask("GET", "/v1/devices/%00"), 400, "malformed");
    const http_answer head = ask("HEAD", "/v1/version");
    EXPECT_EQ(head.status, 200);
    EXPECT_TRUE(head.body.empty());
    EXPECT_NE(head.headers.at("content-length"), "0");
}

TEST_F(rest_test, bounds_what_a_request_may_cost) {
    client->write(
        "POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 2000000\r\n\r\n");
    expect_problem(client->read(), 413, "malformed");
    *client = connect();
    client->write("GET /v1/health HTTP/1.1\r\nHost: x\r\nX: " + std::string(20000, 'x') +
                  "\r\n\r\n");
    expect_problem(client->read(), 431, "malformed");
    *client = connect();
    client->write("GARBAGE\r\n\r\n");
    expect_problem(client->read(), 400, "malformed");
    *client = connect();
    client->write("GET /v1/health HTTP/1.1\r\n\r\n");
    expect_problem(client->read(), 400, "malformed");
    *client = connect();
    client->write("GET /v1/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    expect_problem(client->read(), 400, "malformed");
    *client = connect();
    expect_problem(ask("POST", "/v1/devices", std::string(50, '[')), 422, "invalid-argument");
    EXPECT_EQ(ask("GET", "/v1/health").status, 200);
}

TEST_F(rest_test, takes_bodies_in_any_framing) {
    client->write(
        fmt::format("POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                    ram.size(), ram));
    EXPECT_EQ(client->read().status, 201);
    const std::string second = R"({"name":"r2","type":"ram","size":512})";
    client->write(
        fmt::format("POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    "Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
                    second.size()));
    EXPECT_EQ(client->read().status, 100);
    client->write(second);
    EXPECT_EQ(client->read().status, 201);
    // One byte at a time.
    for (const char c : std::string("GET /v1/devices/r2 HTTP/1.1\r\nHost: x\r\n\r\n"))
        client->write({&c, 1});
    EXPECT_EQ(client->read().status, 200);
}

TEST_F(rest_test, answers_pipelined_requests_in_order) {
    std::string all;
    for (int i = 0; i < 50; ++i) {
        const std::string body = fmt::format(R"({{"name":"d{}","type":"ram","size":512}})", i);
        all += fmt::format(
            "POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            "Content-Length: {}\r\n\r\n{}",
            body.size(), body);
        all += fmt::format("GET /v1/devices/d{} HTTP/1.1\r\nHost: x\r\n\r\n", i);
    }
    client->write(all);
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(client->read().status, 201);
        EXPECT_EQ(json::parse(client->read().body)["name"], fmt::format("d{}", i));
    }
}

TEST_F(rest_test, honours_the_revision) {
    const http_answer before = ask("GET", "/v1/devices");
    const std::string tag = before.headers.at("etag");
    EXPECT_EQ(tag, "\"1\"");
    const http_answer made = ask("POST", "/v1/devices", ram, {{"If-Match", tag}});
    EXPECT_EQ(made.status, 201);
    EXPECT_EQ(made.headers.at("etag"), "\"2\"");
    const http_answer late = ask("DELETE", "/v1/devices/ram0", {}, {{"If-Match", tag}});
    expect_problem(late, 412, "precondition-failed");
    EXPECT_EQ(late.headers.at("etag"), "\"2\"");
    EXPECT_EQ(ask("DELETE", "/v1/devices/ram0", {}, {{"If-Match", "\"2\""}}).status, 204);
}

TEST_F(rest_test, a_conditional_change_is_alone_with_the_configuration) {
    // Ten clients, each with the same revision in hand: exactly one may win.
    std::vector<std::thread> threads;
    std::atomic<int> won{0};
    std::atomic<int> lost{0};
    for (int i = 0; i < 10; ++i)
        threads.emplace_back([&, i] {
            http_client mine = connect();
            const auto answer =
                mine.send("POST", "/v1/devices",
                          fmt::format(R"({{"name":"d{}","type":"ram","size":512}})", i),
                          {{"If-Match", "\"1\""}});
            if (answer.status == 201) ++won;
            if (answer.status == 412) ++lost;
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(won, 1);
    EXPECT_EQ(lost, 9);
}

TEST_F(rest_test, passes_the_cores_errors_on) {
    fake.refuse = [](const core::change&) {
        return error{errc::quiesce_incomplete, "writes are still at the backend", "", "wait"};
    };
    expect_problem(ask("DELETE", "/v1/subsystems/" + rest_nqn), 504, "quiesce-incomplete");
    fake.refuse = [](const core::change&) { return error{errc::limit_reached, "full"}; };
    expect_problem(ask("POST", "/v1/devices", ram), 507, "limit-reached");
}

TEST_F(rest_test, serves_metrics_for_prometheus) {
    ask("GET", "/v1/nothing");
    const http_answer answer = ask("GET", "/metrics");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_THAT(answer.body, testing::HasSubstr("# TYPE fulmar_io_commands_total counter\n"
                                                "fulmar_io_commands_total{reactor=\"0\"} 7\n"
                                                "fulmar_io_commands_total{reactor=\"1\"} 7\n"));
    EXPECT_THAT(answer.body, testing::HasSubstr("fulmar_rest_answers_total{status=\"404\"} 1"));
    EXPECT_THAT(answer.body, testing::HasSubstr("# TYPE fulmar_connections gauge"));
}

TEST_F(rest_test, serves_the_page) {
    const http_answer answer = ask("GET", "/");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.headers.at("content-type"), "text/html; charset=utf-8");
    // It loads what is served beside it, and nothing from elsewhere; nothing in it runs by itself.
    EXPECT_THAT(answer.body, testing::HasSubstr("src=\"/page.js\""));
    EXPECT_THAT(answer.body, testing::HasSubstr("href=\"/page.css\""));
    for (const char* part : {"/", "/page.css", "/page.js"}) {
        const http_answer one = ask("GET", part);
        EXPECT_EQ(one.status, 200) << part;
        EXPECT_THAT(one.headers.at("content-security-policy"),
                    testing::AllOf(testing::HasSubstr("default-src 'none'"),
                                   testing::Not(testing::HasSubstr("unsafe")),
                                   testing::Not(testing::HasSubstr("http"))));
        EXPECT_EQ(one.headers.at("x-content-type-options"), "nosniff");
    }
    EXPECT_EQ(ask("GET", "/page.js").headers.at("content-type"), "text/javascript; charset=utf-8");
}

TEST_F(rest_test, a_client_that_goes_away_takes_nothing_with_it) {
    fake.hold(true);
    for (int i = 0; i < 20; ++i) {
        http_client mine = connect();
        mine.write("GET /v1/devices HTTP/1.1\r\nHost: x\r\n\r\n");
        ASSERT_TRUE(eventually([&] { return fake.waiting() == static_cast<std::size_t>(i + 1); }));
    }
    fake.hold(false);
    EXPECT_EQ(ask("GET", "/v1/health").status, 200);
}

TEST_F(rest_test, concurrent_operators_compose) {
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&, t] {
            http_client mine = connect();
            for (int i = 0; i < 50; ++i) {
                const std::string name = fmt::format("d{}-{}", t, i);
                const std::string sub = fmt::format("nqn.2026-11.io.fulmar:{}", name);
                const auto step = [&](int status, std::string_view method,
                                      const std::string& target, const std::string& body = {}) {
                    if (mine.send(method, target, body).status != status) ++wrong;
                };
                step(201, "POST", "/v1/devices",
                     fmt::format(R"({{"name":"{}","type":"ram","size":512}})", name));
                step(201, "POST", "/v1/subsystems", json{{"nqn", sub}}.dump());
                step(201, "POST", "/v1/subsystems/" + sub + "/namespaces",
                     json{{"device", name}}.dump());
                step(200, "POST", "/v1/subsystems/" + sub + "/pause");
                step(200, "POST", "/v1/subsystems/" + sub + "/resume");
                step(409, "DELETE", "/v1/subsystems/" + sub);
                step(204, "DELETE", "/v1/subsystems/" + sub + "?force=true");
                step(204, "DELETE", "/v1/devices/" + name);
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(fake.spec(), core::target_spec{});
}

/// "where" of an error is a JSON pointer into the body: to what is there, or is missing in
/// something that is.
void expect_place(const json& where, const json& body) {
    const std::string text = where.get<std::string>();
    if (text.empty()) return;  // the whole body
    ASSERT_EQ(text.front(), '/') << text;
    const json::json_pointer place(text);
    EXPECT_TRUE(body.contains(place) || body.contains(place.parent_pointer())) << text;
}

// Every object of every case that the configuration file is tested with, as a body.
TEST_F(rest_test, errors_of_a_body_point_into_it) {
    std::ifstream in(test::source_path("tests/unit/admin/data/config_cases.json"));
    const json table = json::parse(in);
    std::size_t errors = 0;
    std::size_t bodies = 0;
    const auto post = [&](const std::string& target, const json& body) {
        const http_answer answer = ask("POST", target, body.dump());
        ++bodies;
        if (answer.status < 400) return;
        SCOPED_TRACE(target + " " + body.dump() + " " + answer.body);
        const json problem = json::parse(answer.body);
        if (problem.contains("where")) expect_place(problem["where"], body);
        for (const json& one : problem.value("errors", json::array())) {
            ++errors;
            expect_place(one["where"], body);
            EXPECT_FALSE(one["message"].get<std::string>().empty());
            EXPECT_FALSE(one.value("remedy", "").empty());
        }
    };
    for (const json& one : table["cases"]) {
        const json document = table["base"].patch(one["patch"]);
        if (!document.is_object()) continue;
        for (const char* kind : {"devices", "listeners", "referrals", "subsystems"}) {
            if (!document.contains(kind) || !document[kind].is_array()) continue;
            for (const json& body : document[kind]) {
                post(std::string("/v1/") + kind, body);
                if (!body.is_object() || !body.contains("namespaces") ||
                    !body["namespaces"].is_array())
                    continue;
                for (const json& ns : body["namespaces"])
                    post("/v1/subsystems/nqn.2026-11.io.fulmar:a/namespaces", ns);
            }
        }
    }
    EXPECT_GT(bodies, 200u);
    EXPECT_GT(errors, 30u);
}

struct rest_stop : testing_support::rest_fixture {};

TEST_F(rest_stop, answers_what_is_under_way_and_no_more) {
    start();
    http_client busy = connect();
    http_client idle = connect();
    ASSERT_EQ(idle.send("GET", "/v1/version").status, 200);
    fake.hold(true);
    busy.write("GET /v1/devices HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return fake.waiting() == 1; }));
    std::thread release([&] {  // once nobody is let in any more
        EXPECT_TRUE(eventually([&] { return !connect().connected(); }));
        fake.hold(false);
    });
    server_->stop(std::chrono::seconds(10));
    release.join();
    const http_answer last = busy.read();
    EXPECT_EQ(last.status, 200);
    EXPECT_EQ(last.headers.at("connection"), "close");
    EXPECT_EQ(idle.read().status, 0);
    EXPECT_FALSE(connect().connected());
    EXPECT_FALSE(std::filesystem::exists(socket()));
}

TEST_F(rest_stop, does_not_wait_for_a_core_that_hangs) {
    start();
    http_client busy = connect();
    fake.hold(true);
    busy.write("GET /v1/devices HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(eventually([&] { return fake.waiting() == 1; }));
    server_->stop(std::chrono::milliseconds(20));
    EXPECT_EQ(busy.read().status, 0);
    fake.hold(false);  // the late answer finds nobody
    control.run([] {});
    control.run([] {});
}

TEST_F(rest_stop, a_silent_core_is_a_timeout) {
    setup.patience = std::chrono::milliseconds(100);
    start();
    fake.hold(true);
    http_client client = connect();
    const http_answer answer = client.send("GET", "/v1/devices");
    EXPECT_EQ(answer.status, 504) << answer.body;
    fake.hold(false);
    EXPECT_EQ(client.send("GET", "/v1/devices").status, 200);
}

TEST_F(rest_stop, replaces_a_stale_socket_and_respects_a_live_one) {
    start();
    setup.port = &fake;
    const auto second = server::start(setup);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, errc::conflict);
    server_.reset();
    std::ofstream(socket()) << "not a socket";
    const auto third = server::start(setup);
    ASSERT_FALSE(third.has_value());
    EXPECT_THAT(third.error().text(), testing::HasSubstr("no socket"));
    std::filesystem::remove(socket());
    start();
    struct stat about {};
    ASSERT_EQ(::stat(socket().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0660u);
}

struct rest_tcp : testing_support::rest_fixture {
    const std::string token = "a-token-of-some-length";
    void SetUp() override {
        rest_fixture::SetUp();
        token_file = folder + "/token";
        std::ofstream(token_file) << token << "\n";
        ::chmod(token_file.c_str(), 0600);
        setup.options.admin.tcp = tcp_options{"127.0.0.1", 0, token_file};
    }
    void begin() {
        start();
        const std::string& address = server_->addresses().back();
        port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    }
    http_client tcp() { return http_client::tcp("127.0.0.1", port); }
    std::string token_file;
    std::uint16_t port = 0;
};

TEST_F(rest_tcp, wants_the_token) {
    begin();
    http_client client = tcp();
    const http_answer none = client.send("GET", "/v1/devices");
    EXPECT_EQ(none.status, 401);
    EXPECT_THAT(none.headers.at("www-authenticate"), testing::HasSubstr("Bearer"));
    EXPECT_EQ(client.send("GET", "/v1/devices", {}, {{"Authorization", "Bearer wrong"}}).status,
              401);
    EXPECT_EQ(client.send("GET", "/v1/devices", {}, {{"Authorization", "Bearer " + token}}).status,
              200);
    EXPECT_EQ(client.send("GET", "/v1/health").status, 200);
}

TEST_F(rest_tcp, refuses_other_web_pages) {
    begin();
    const std::string bearer = "Bearer " + token;
    http_client client = tcp();
    const http_client::headers mine{{"Authorization", bearer},
                                    {"Origin", fmt::format("http://127.0.0.1:{}", port)}};
    EXPECT_EQ(client.send("GET", "/v1/devices", {}, mine).status, 200);
    EXPECT_EQ(client
                  .send("GET", "/v1/devices", {},
                        {{"Authorization", bearer}, {"Origin", "http://evil.example"}})
                  .status,
              403);
    client.host = "evil.example";
    EXPECT_EQ(client.send("GET", "/v1/devices", {}, {{"Authorization", bearer}}).status, 421);
    client.host = fmt::format("localhost:{}", port);
    EXPECT_EQ(client.send("GET", "/v1/devices", {}, {{"Authorization", bearer}}).status, 200);
}

TEST_F(rest_tcp, refuses_a_token_file_that_others_could_read) {
    ::chmod(token_file.c_str(), 0640);
    setup.port = &fake;
    const auto started = server::start(setup);
    ASSERT_FALSE(started.has_value());
    EXPECT_THAT(started.error().text(), testing::HasSubstr("chmod 600"));
    ::chmod(token_file.c_str(), 0600);
    std::ofstream(token_file) << "short";
    EXPECT_FALSE(server::start(setup).has_value());
}

// A hang-up reads the token anew; one that others could read is refused at that time too.
TEST_F(rest_tcp, takes_a_new_token_at_a_reload) {
    begin();
    http_client client = tcp();
    const auto status = [&](const std::string& with) {
        return client.send("GET", "/v1/devices", {}, {{"Authorization", "Bearer " + with}}).status;
    };
    ASSERT_EQ(status(token), 200);
    std::ofstream(token_file) << "another-token-of-some-length\n";
    server_->reload();
    ASSERT_TRUE(eventually([&] { return status("another-token-of-some-length") == 200; }));
    EXPECT_EQ(status(token), 401);
    std::ofstream(token_file) << "a-third-token-of-some-length\n";
    ::chmod(token_file.c_str(), 0644);
    server_->reload();
    server_->reload();
    EXPECT_EQ(status("another-token-of-some-length"), 200) << "the former one stays in force";
    EXPECT_EQ(status("a-third-token-of-some-length"), 401);
    ::chmod(token_file.c_str(), 0600);
    server_->reload();
    ASSERT_TRUE(eventually([&] { return status("a-third-token-of-some-length") == 200; }));
}

}  // namespace
}  // namespace fulmar::admin
