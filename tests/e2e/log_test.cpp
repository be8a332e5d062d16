// What the log of a real fulmard says, and to whom.
#include "daemon.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>

namespace fulmar::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::string nothing_yet = R"({
  "admin": {"unix_socket": "admin.sock"},
  "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": @PORT@}]
})";

struct daemon_log : testing::Test {
    finished tool(std::vector<std::string> words) {
        words.insert(words.begin(), "fulmar");
        words.insert(words.end(), {"--admin", d.folder() + "/admin.sock"});
        return run(words);
    }
    void serve_and_stop() {
        d.start();
        ASSERT_TRUE(d.wait_until_serving()) << d.log();
        EXPECT_EQ(tool({"device", "create", "ram0", "ram", "--size", "16MiB"}).exit_code, 0);
        EXPECT_EQ(tool({"device", "create", "ram0", "ram", "--size", "16MiB"}).exit_code, 1);
        EXPECT_EQ(tool({"subsystem", "create", "without-prefix", "--any-host"}).exit_code, 0);
        EXPECT_EQ(tool({"namespace", "add", "without-prefix", "ram0", "--nsid", "7"}).exit_code, 0);
        EXPECT_EQ(d.stop(SIGTERM), 0) << d.log();
    }
    /// What says that the daemon's stdout, its log file, is the journal.
    std::string journal_stream() {
        const std::string path = d.folder() + "/log";
        std::ofstream(path, std::ios::app).flush();
        struct stat file {};
        if (::stat(path.c_str(), &file) != 0) return {};
        return std::to_string(file.st_dev) + ":" + std::to_string(file.st_ino);
    }
    /// Lines of the log that do not match.
    std::string lines_unlike(const std::string& pattern) {
        std::istringstream text(d.log());
        std::string out;
        for (std::string line; std::getline(text, line);)
            if (!std::regex_search(line, std::regex(pattern))) out += line + "\n";
        return out;
    }
    daemon_process d{nothing_yet};
};

TEST_F(daemon_log, tells_the_journal_how_much_each_line_matters) {
    d.set_environment("JOURNAL_STREAM", journal_stream());
    serve_and_stop();
    EXPECT_EQ(lines_unlike("^(<6>info|<4>warning|<3>error) "), "");
    EXPECT_TRUE(d.says("<6>info fulmard"));
    EXPECT_TRUE(d.says("<4>warning subsystem without-prefix"));
}

TEST_F(daemon_log, has_the_time_where_nobody_else_adds_it) {
    d.set_environment("JOURNAL_STREAM", "1:2");  // of a service that has started us, not ours
    serve_and_stop();
    EXPECT_EQ(lines_unlike("^20[0-9-]{8}T[0-9:.]{12}Z (info|warning|error) "), "");
}

TEST_F(daemon_log, names_what_was_changed_and_what_was_refused) {
    serve_and_stop();
    EXPECT_TRUE(d.says("POST /v1/devices → 201: create device ram0 ["));
    EXPECT_TRUE(d.says("POST /v1/devices → 409: create device ram0\n"));
    EXPECT_TRUE(d.says("POST /v1/subsystems → 201: create subsystem without-prefix ["));
    EXPECT_TRUE(d.says(": add namespace 7 of without-prefix on device ram0 ["));
    EXPECT_THAT(d.log(), Not(HasSubstr("GET")));
}

}  // namespace
}  // namespace fulmar::e2e
