// What all REST commands share: where fulmard is, JSON or table, and the call itself.
#pragma once

#include "rest_client.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace fulmar::cli {

class rest_session {
  public:
    using json = rest_client::json;

    /// Adds --admin, what proves who asks, --timeout and --json to a command.
    void add_to(CLI::App& app);
    /// Adds --volatile: the change need not survive a restart.
    void add_volatile(CLI::App& app);
    /// A command of `group` with all of these options; --volatile when it `changes` something.
    CLI::App* add_verb(CLI::App& group, const char* name, const char* about, bool changes);

    /// fulmard was named: by --admin, not by what is looked for without it.
    [[nodiscard]] bool is_named() const noexcept { return !endpoint_.address.empty(); }

    /// Asks; leaves on error.
    json get(const std::string& target);
    /// Changes; leaves on error.
    json change(std::string_view method, const std::string& target, const json* body = nullptr);

    /// Prints `document` when JSON was asked for, else what `people` says.
    void show(const json& document, const std::function<std::string()>& people) const;
    /// Says what was done, unless JSON was asked for; then the document.
    void done(const json& document, const std::string& what) const;

  private:
    rest_client& client();

    rest_endpoint endpoint_;
    bool as_json_ = false;
    bool volatile_ = false;
    std::unique_ptr<rest_client> client_;
};

using session_ptr = std::shared_ptr<rest_session>;

// One file each.
void add_status(CLI::App& app);
void add_subsystem(CLI::App& app);
void add_namespace(CLI::App& app);
void add_ana(CLI::App& app);
void add_host(CLI::App& app);
void add_key(CLI::App& app);
void add_listener(CLI::App& app);
void add_device(CLI::App& app);
void add_connection(CLI::App& app);
void add_referral(CLI::App& app);
void add_config(CLI::App& app);
void add_events(CLI::App& app);
void add_token(CLI::App& app);
/// `events` of the group "drive".
void add_drive_events(CLI::App& group);

/// One line about one event.
std::string event_text(const rest_client::json& one);

/// `target` with one more parameter: "force=true".
std::string with_parameter(const std::string& target, std::string_view parameter);

/// Text of a member, whatever its type; empty when it is absent.
std::string text_of(const rest_client::json& object, const char* key);

}  // namespace fulmar::cli
