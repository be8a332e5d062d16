// One REST call: what was asked, and the ways to answer it. Route handlers are free functions over
// it. Called on: admin thread. Must never: answer twice, or keep a call waiting once the core has
// spoken.
#pragma once

#include "change_lock.hpp"
#include "control_client.hpp"
#include "drive_client.hpp"
#include "http.hpp"
#include "http_server.hpp"
#include "model_json.hpp"
#include "uri.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/admin/journal.hpp>

#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::admin {

class key_store;
class rest_call;
using call_ptr = std::shared_ptr<rest_call>;
using rest_handler = void (*)(const call_ptr&);

/// A role that somebody has chosen: a route without one does not compile.
struct needed_role {
    constexpr needed_role(role one) noexcept : least(one) {}
    role least;
};

struct route {
    needed_role needs;         ///< whoever has this role, or one that may do more
    std::string_view method;   ///< GET serves HEAD too
    std::string_view pattern;  ///< "/v1/subsystems/{nqn}"
    rest_handler run;
    enum class body : std::uint8_t { none, maybe_json, json } takes = body::none;
    bool changes = false;  ///< passes the gate, honours If-Match and ?durable
    std::string_view produces = "application/json";
    std::string_view query = {};        ///< parameters beyond "durable", separated by blanks
    std::string_view admin_query = {};  ///< those of them that, when true, need the role admin
};

/// All routes, for the dispatcher, the OpenAPI test and the fuzzer.
const std::vector<route>& all_routes();

class access_rules;

/// What the handlers share.
struct rest_context {
    control_client& core;
    change_lock& gate;
    drive_client& drives;
    journal* log = nullptr;     ///< null: nothing is recorded
    key_store* keys = nullptr;  ///< null: there are none
    std::string config_path;    ///< empty: there is no file to reload
    daemon_options options;     ///< as they were at start
    bool audit = true;
    const http_counters* http = nullptr;
    access_rules* access = nullptr;              ///< who has tokens
    std::vector<std::string> start_errors = {};  ///< what could not be brought up, with remedies
    /// journal::rebase, with the answer brought back to the admin thread.
    std::function<void(std::unique_ptr<journal_base> to, std::function<void(result<void>)> done)>
        rebase = {};
    std::map<std::uint16_t, std::uint64_t> answers = {};  ///< by status
    /// Devices may be at such a path wherever it leads; null: they may anyhow.
    void (*trust_path)(const std::string& path) = nullptr;
    std::function<void()> reload_access = {};  ///< reads tokens and certificates anew
};

class rest_call final : public std::enable_shared_from_this<rest_call> {
  public:
    using json = nlohmann::ordered_json;
    using answered = std::function<void(core::control_answer, std::uint64_t revision)>;

    rest_call(rest_context& shared, http_request what, request_target where, const route& which,
              std::vector<std::string> values, http_handler::respond answer);

    rest_context& context;
    http_request request;
    request_target target;
    const route& to;
    std::vector<std::string> parameters;  ///< values of the {…}, in order
    change_lock::guard pass;              ///< held until the answer

    // Answers. The first one counts.
    void ok(const json& body, std::uint64_t revision);
    void created(const std::string& location, const json& body, std::uint64_t revision);
    void none(std::uint64_t revision);
    void fail(const error& why);
    void fail(const problem_list& problems);
    void send(http_response response);

    // The core. An error becomes the answer, and `next` does not run.
    void ask(core::query what, answered next);
    void change(core::change what, answered next);
    /// The same; `refused` answers an error of the core instead.
    using explained = std::function<void(const error&)>;
    void change(core::change what, answered next, explained refused);
    /// One after the other; stops at the first that fails.
    void change_all(std::vector<core::change> what, std::function<void(std::uint64_t)> next);

    // The input. Each returns nothing when it has answered with what is wrong.
    std::optional<json_node> body();
    std::optional<bool> flag(std::string_view name, bool usual);
    std::optional<std::uint32_t> nsid(std::size_t parameter);
    /// Adds to the audit's line: what is done, where the core is not asked for it.
    void note(std::string what);
    /// Answers 403, and is false, when who asks has not the role `least`; `what` is for people.
    bool may(role least, std::string_view what);
    /// Reads the body with `read`; nothing, and an answer, when it has problems.
    template <typename Read>
    auto body_as(Read&& read)
        -> std::optional<decltype(read(json_place{}, *(problem_list*)nullptr))> {
        const std::optional<json_node> tree = body();
        if (!tree) return std::nullopt;
        problem_list problems;
        auto value = read(json_place{&*tree, ""}, problems);
        if (problems.empty()) return value;
        fail(problems);
        return std::nullopt;
    }

    /// The call as a whole has thrown: say so, unless it has been answered.
    void fault(const char* what) noexcept;

  private:
    void note_change(const core::change& what);
    [[nodiscard]] std::string difference() const;
    void audit(std::uint16_t status) const;

    http_handler::respond respond_;
    std::optional<bool> durable_;
    std::vector<std::string> titles_;           ///< of what was asked of the core: the first few
    std::size_t untitled_ = 0;                  ///< how many more there were
    std::optional<core::change> first_change_;  ///< of which before and after are told
    json before_;
};

/// Runs `next`, turning what it throws into a 500.
template <typename Next>
void guarded(const call_ptr& call, Next&& next) noexcept {
    try {
        next();
    } catch (const std::exception& failure) {
        call->fault(failure.what());
    }
}

}  // namespace fulmar::admin
