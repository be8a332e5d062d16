// A real fulmard as a child process, on a configuration and a folder of its own; and the real
// `fulmar` against it.
#pragma once

#include "support/temp_dir.hpp"

#include <gtest/gtest.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fulmar::e2e {

struct finished {
    int exit_code = -1;  ///< 128 + signal when a signal ended it
    std::string output;  ///< stdout and stderr
};

/// Runs `arguments` (first a program of the build's bin folder, or an absolute path) to its end, at
/// most `limit_s`.
finished run(const std::vector<std::string>& arguments, int limit_s = 30);

/// A port that was free a moment ago.
std::uint16_t free_port();

/// Ends its child by pid when it dies.
class daemon_process {
  public:
    /// Writes `config` to the folder, where "@PORT@" becomes `port()`.
    explicit daemon_process(const std::string& config);
    ~daemon_process();
    daemon_process(const daemon_process&) = delete;
    daemon_process& operator=(const daemon_process&) = delete;

    void start();
    /// Adds to the environment of what start() starts.
    void set_environment(const std::string& name, const std::string& value) {
        environment_.emplace_back(name, value);
    }
    /// Adds to the command line of what start() starts.
    void add_argument(const std::string& word) { arguments_.push_back(word); }
    void no_arguments() { arguments_.clear(); }
    /// From now on start() starts it as "nobody" when we are root; the folder becomes theirs.
    void without_privileges();
    /// True when the port accepts within the limit and the daemon is alive.
    bool wait_until_serving(int limit_s = 30);
    /// Sends `signal`; the exit code (128 + signal when it was killed), or -1 past the limit.
    int stop(int signal, int limit_s = 30);
    [[nodiscard]] bool running();

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string port_text() const { return std::to_string(port_); }
    [[nodiscard]] pid_t pid() const { return child_; }
    [[nodiscard]] const std::string& folder() const { return folder_; }
    [[nodiscard]] std::string config_path() const { return folder_ + "/fulmard.json"; }
    [[nodiscard]] std::string log() const;
    /// Succeeds once the log holds `text`, and waits for it: a daemon writes its lines beside its
    /// answers, not before them.
    [[nodiscard]] testing::AssertionResult says(std::string_view text, int limit_s = 10) const;
    void write_config(const std::string& config) const;

  private:
    test::temp_dir directory_;
    std::string folder_;
    std::uint16_t port_;
    std::vector<std::pair<std::string, std::string>> environment_;
    std::vector<std::string> arguments_;
    bool unprivileged_ = false;
    pid_t child_ = -1;
    int exit_code_ = -1;
};

}  // namespace fulmar::e2e
