// The `fulmar` tool: what is alike in all of its commands.
#include "daemon.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <string>

namespace fulmar::e2e {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* tool_config = R"({
  "admin": {"unix_socket": "admin.sock"},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}],
  "devices": [{"name": "ram0", "type": "ram", "size": "16MB"}],
  "subsystems": [{"nqn": "blktests-subsystem-0", "allow_any_host": true,
                  "namespaces": [{"nsid": 1, "device": "ram0"}]}]
})";

TEST(tool, says_ranges_in_plain_numbers) {
    const finished far = run({"fulmar", "discover", "--timeout", "4000"});
    EXPECT_NE(far.exit_code, 0);
    EXPECT_THAT(far.output, HasSubstr("0.01 to 3600"));
    const finished never = run({"fulmar", "status", "--timeout", "0"});
    EXPECT_NE(never.exit_code, 0);
    EXPECT_THAT(never.output, HasSubstr("0.01 to 86400"));
}

TEST(tool, gives_json_in_the_same_way_everywhere) {
    daemon_process d(tool_config);
    d.start();
    ASSERT_TRUE(d.wait_until_serving()) << d.log();
    EXPECT_TRUE(d.says("blktests-subsystem-0: the name does not start with"));
    const std::string admin = d.folder() + "/admin.sock";
    const finished perf = run(
        {"fulmar", "perf", "--port", d.port_text(), "--seconds", "0.2", "--nsid", "1", "--json"});
    EXPECT_EQ(perf.exit_code, 0) << perf.output;
    const json measured = json::parse(perf.output, nullptr, false);
    EXPECT_EQ(measured.value("nqn", ""), "blktests-subsystem-0") << perf.output;
    const finished file = run({"fulmar", "perf", "--port", d.port_text(), "--seconds", "0.2",
                               "--nsid", "1", "--json", d.folder() + "/perf.json"});
    EXPECT_EQ(file.exit_code, 0) << file.output;
    EXPECT_THAT(file.output, HasSubstr("read")) << "the table as well";
    const finished here = run({"fulmar", "drive", "list", "--json"});
    EXPECT_TRUE(json::parse(here.output, nullptr, false).is_array()) << here.output;
    const finished there = run({"fulmar", "drive", "list", "--json", "--admin", admin});
    EXPECT_EQ(there.exit_code, 0) << there.output;
    EXPECT_TRUE(json::parse(there.output, nullptr, false).is_array()) << there.output;
    EXPECT_EQ(run({"fulmar", "drive", "list", "--admin", d.folder() + "/none.sock"}).exit_code,
              run({"fulmar", "status", "--admin", d.folder() + "/none.sock"}).exit_code);
    EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
}

}  // namespace
}  // namespace fulmar::e2e
