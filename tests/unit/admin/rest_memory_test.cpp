// REST over a real socket, where each allocation of the admin thread fails once: the client gets an
// answer or its connection ends, and the next request is served, whatever it was that failed.
#include "access.hpp"
#include "http_server.hpp"
#include "rest_api.hpp"
#include "rest_fixture.hpp"
#include "support/failing_memory.hpp"

#include <fulmar/base/memory_reserve.hpp>

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <future>

// A list of values that runs out of memory halfway forgets what it has: nlohmann's, 3.11.2, and all
// that is lost where memory is short. Everything else that leaks in these tests is ours.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
    return "leak:basic_json(std::initializer_list<";
}

namespace fulmar::admin {
namespace {

using test::http_answer;
using test::http_client;

/// The admin thread's parts, run on this thread.
class endpoint {
  public:
    explicit endpoint(testing_support::rest_fixture& from)
        : fixture_(from),
          core_(io_, from.fake, std::chrono::seconds(5)),
          drives_(io_, &from.drives),
          context_{.core = core_,
                   .gate = gate_,
                   .drives = drives_,
                   .log = nullptr,
                   .config_path = "",
                   .options = from.setup.options},
          api_(context_, access_rules::make(from.setup.options.admin, {}).value()),
          http_(io_, api_, {}) {
        context_.http = &http_.counters();
        http_.serve(listen_unix(from.socket(), 0600).value(), {.over_tcp = false});
    }
    ~endpoint() {
        http_.abort();
        drives_.stop();
    }

    /// One request on a connection of its own; status 0: it ended without an answer.
    http_answer ask(std::string_view method, std::string_view target, std::string_view body = {}) {
        std::atomic<bool> done{false};
        auto asked = std::async(std::launch::async, [&] {
            http_client client = fixture_.connect();
            http_answer answer = client.send(method, target, body);
            done = true;
            return answer;
        });
        const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!done) {
            turn();
            if (std::chrono::steady_clock::now() < late) continue;
            ADD_FAILURE() << "neither an answer nor an end: " << method << " " << target;
            http_.abort();  // which ends it
        }
        return asked.get();
    }

  private:
    void turn() {
        const fulmar::test::watched_memory counts;
        try {  // as server::run() does
            io_.run_for(std::chrono::microseconds(200));
            http_.accept_again();
        } catch (const std::exception&) {}
        io_.restart();
    }

    testing_support::rest_fixture& fixture_;
    boost::asio::io_context io_{1};
    control_client core_;
    change_lock gate_;
    drive_client drives_;
    rest_context context_;
    rest_api api_;
    http_server http_;
};

struct step {
    std::string method, target, body;
    int status = 200;
    std::string undo = {};  ///< what DELETE takes away again
};

struct rest_without_memory : testing_support::rest_fixture {
    static bool is_honest(const http_answer& a, int good) {
        return a.status == 0 || a.status == good || a.status >= 500;
    }
    std::uint64_t try_all(const step& s, endpoint& at) {
        return test::fail_each_allocation(
            [&](std::uint64_t nth) {
                const http_answer first = at.ask(s.method, s.target, s.body);
                EXPECT_TRUE(is_honest(first, s.status)) << nth << ": " << first.body;
                const test::unwatched_memory enough;
                EXPECT_TRUE(memory_reserve::whole());
                if (!s.undo.empty()) {
                    const int gone = at.ask("DELETE", s.undo).status;
                    EXPECT_TRUE(gone == 204 || gone == 404) << nth;
                }
                const http_answer second = at.ask(s.method, s.target, s.body);
                EXPECT_EQ(second.status, s.status) << nth << ": " << second.body;
                if (s.undo.empty()) return;
                EXPECT_EQ(at.ask("DELETE", s.undo).status, 204) << nth;
            },
            test::shortage::bare_but_for_json);
    }
};

TEST_F(rest_without_memory, answers_or_ends_and_serves_the_next_request) {
    ASSERT_TRUE(memory_reserve::keep(8u << 20));
    endpoint at(*this);
    const std::string subsystems = "/v1/subsystems/nqn.2026-11.io.fulmar:a";
    const std::vector<step> steps = {
        {"GET", "/v1/health", ""},
        {"GET", "/v1/subsystems", ""},
        {"POST", "/v1/devices", R"({"name":"ram0","type":"ram","size":"1MiB"})", 201,
         "/v1/devices/ram0"},
        {"GET", "/v1/devices", ""},
        {"POST", "/v1/subsystems", R"({"nqn":"nqn.2026-11.io.fulmar:a"})", 201, subsystems},
        {"POST", "/v1/listeners", R"({"address":"127.0.0.1","port":4430})", 201,
         "/v1/listeners/tcp:127.0.0.1:4430"},
        {"POST", "/v1/referrals", R"({"address":"192.0.2.7","port":8010})", 201,
         "/v1/referrals/tcp:192.0.2.7:8010"},
        {"GET", "/metrics", ""},
        {"GET", "/v1/config", ""},
        {"POST", "/v1/devices", "{\"name\":", 400},
        {"GET", "/v1/nothing", "", 404},
        {"GET", "/v1/drives", ""},
    };
    for (const step& s : steps) {
        SCOPED_TRACE(s.method + " " + s.target);
        {
            const int usual = at.ask(s.method, s.target, s.body).status;
            ASSERT_EQ(usual, s.status);
            if (!s.undo.empty()) {
                ASSERT_EQ(at.ask("DELETE", s.undo).status, 204);
            }
        }
        EXPECT_GT(try_all(s, at), 5u);
    }
}

}  // namespace
}  // namespace fulmar::admin
