// A subsystem that asked for 4,096 namespaces and has them: what a host is told, what an operator
// can do, and what the next start finds.
#include "daemon.hpp"
#include "support/http_client.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/host/controller.hpp>
#include <fulmar/nvme/logs.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>

namespace fulmar::e2e {
namespace {

using nlohmann::json;

const std::string many_nqn = "nqn.2026-11.io.fulmar:many";
const std::string many_place = "/v1/subsystems/nqn.2026-11.io.fulmar%3Amany";
constexpr std::uint32_t most = limits::max_namespaces;
constexpr std::uint32_t page_entries = 1024;  // of the changed namespace list

json a_namespace(std::uint32_t nsid) {
    return {{"nsid", nsid}, {"device", fmt::format("null{}", nsid)}};
}

std::string many_configuration() {
    json devices = json::array();
    json all = json::array();
    for (std::uint32_t nsid = 1; nsid <= most; ++nsid) {
        devices.push_back(
            {{"name", fmt::format("null{}", nsid)}, {"type", "null"}, {"size", "1MiB"}});
        all.push_back(a_namespace(nsid));
    }
    devices.push_back({{"name", "one-more"}, {"type", "null"}, {"size", "1MiB"}});
    std::string text =
        json{{"admin", {{"unix_socket", "admin.sock"}}},
             {"cores", {{"data", 1}}},
             {"listeners",
              json::array({{{"transport", "tcp"}, {"address", "127.0.0.1"}, {"port", "PORT"}}})},
             {"devices", devices},
             {"subsystems", json::array({{{"nqn", many_nqn},
                                          {"allow_any_host", true},
                                          {"max_namespaces", most},
                                          {"namespaces", all}}})}}
            .dump();
    return text.replace(text.find("\"PORT\""), 6, "@PORT@");
}

struct many_namespaces : testing::Test {
    void start() {
        d.start();
        ASSERT_TRUE(d.wait_until_serving(120)) << d.log();  // a round trip for each
    }
    test::http_client rest() { return test::http_client::unix_socket(d.folder() + "/admin.sock"); }
    std::unique_ptr<host::controller> connect() {
        host::controller_options options;
        options.target = {.address = "127.0.0.1", .port = d.port()};
        options.subnqn = many_nqn;
        options.hostnqn = "nqn.2026-11.io.fulmar:some-host";
        options.keep_alive_ms = 0;  // nobody speaks for it while the test waits for REST
        auto made = host::controller::connect(options);
        EXPECT_TRUE(made.has_value()) << made.error().text();
        return made ? std::move(*made) : nullptr;
    }
    /// The changed namespace list; reading it makes it empty.
    std::vector<std::uint32_t> changed(host::controller& host) {
        const auto page = host.get_log(
            {.lid = static_cast<std::uint8_t>(nvme::lid::changed_namespaces), .length_bytes = 4096},
            nvme::nsid_broadcast);
        EXPECT_TRUE(page.has_value()) << page.error().text();
        std::vector<std::uint32_t> out;
        if (!page) return out;
        const auto list = *nvme::read_wire<nvme::changed_namespace_log>(*page);
        for (const nvme::le32& nsid : list.nsid)
            if (nsid.value() != 0) out.push_back(nsid.value());
        return out;
    }
    daemon_process d{many_configuration()};
};

TEST_F(many_namespaces, all_of_them_are_served_changed_and_kept) {
    ASSERT_NO_FATAL_FAILURE(start());
    auto host = connect();
    ASSERT_NE(host, nullptr);
    EXPECT_EQ(host->identity().nn.value(), most);
    EXPECT_EQ(host->identity().mnan.value(), most);
    const auto active = host->active_namespaces();
    ASSERT_TRUE(active.has_value()) << active.error().text();
    ASSERT_EQ(active->size(), most);
    EXPECT_EQ(active->back(), most);
    EXPECT_TRUE(host->identify_descriptors(most).has_value());

    auto client = rest();
    const json listed = json::parse(client.send("GET", many_place + "/namespaces").body);
    EXPECT_EQ(listed["namespaces"].size(), most);
    const auto whole = client.send("GET", many_place);
    ASSERT_EQ(whole.status, 200) << whole.body.substr(0, 200);
    EXPECT_EQ(json::parse(whole.body)["namespaces"].size(), most);
    const finished table =
        run({"fulmar", "namespace", "list", many_nqn, "--admin", d.folder() + "/admin.sock"});
    EXPECT_EQ(table.exit_code, 0) << table.output.substr(0, 200);
    EXPECT_THAT(table.output, testing::HasSubstr(fmt::format("null{}", most)));
    const auto refused =
        client.send("POST", many_place + "/namespaces", R"({"device": "one-more"})");
    EXPECT_EQ(refused.status, 507) << refused.body;

    // A change of a few names them; one of more than the page can hold says "many".
    ASSERT_EQ(client.send("DELETE", many_place + "/namespaces/4096").status, 204);
    EXPECT_EQ(changed(*host), (std::vector<std::uint32_t>{most}));
    json fewer = json::parse(client.send("GET", many_place).body);
    fewer.erase("status");
    json kept = json::array();
    for (std::uint32_t nsid = page_entries + 2; nsid < most; ++nsid)
        kept.push_back(a_namespace(nsid));
    fewer["namespaces"] = kept;
    const auto put = rest().send("PUT", many_place + "?force=true", fewer.dump());
    ASSERT_EQ(put.status, 200) << put.body;
    EXPECT_EQ(changed(*host), (std::vector<std::uint32_t>{nvme::nsid_broadcast}));
    const auto left = host->active_namespaces();
    ASSERT_TRUE(left.has_value()) << left.error().text();
    EXPECT_EQ(left->size(), most - page_entries - 2);

    ASSERT_EQ(d.stop(SIGKILL), 128 + SIGKILL);
    ASSERT_NO_FATAL_FAILURE(start());
    host = connect();
    ASSERT_NE(host, nullptr);
    EXPECT_EQ(host->active_namespaces().value(), *left);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

}  // namespace
}  // namespace fulmar::e2e
