// bench-links: test_support admin
//
// fulmar-rest-load: how many changes a second go through REST. Against an admin server in this
// process with a core that is only data (what the admin layer itself can do), or against a fulmard
// by its socket. One cycle: create a subsystem, add a namespace, add a listener, remove it, delete
// the subsystem; the device is made before.
#include "support/fake_control.hpp"
#include "support/http_client.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/admin/journal.hpp>
#include <fulmar/admin/server.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/engine/uring_file_io.hpp>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace fulmar;
using test::http_client;
using clock_type = std::chrono::steady_clock;

struct settings {
    std::string socket;
    unsigned connections = 1;
    double seconds = 3;
    unsigned present = 1000;
    bool durable = false;
    bool json = false;
};

/// config + journal + server over a fake core, in a folder of its own.
class own_server {
  public:
    own_server() {
        folder_ =
            std::filesystem::temp_directory_path() / fmt::format("fulmar-rest-{}", ::getpid());
        std::filesystem::create_directories(folder_);
        std::ofstream(config_path()) << R"({"admin":{"unix_socket":"s","audit":false}})";
        const auto config = admin::load_config(config_path()).value();
        auto opened = admin::journal::open({.config_path = config_path()}, config).value();
        log_ = std::move(opened.log);
        core_ = std::make_unique<test::fake_control>(control_.reactor(), opened.spec, log_.get());
        control_.run([&] {
            files_ = engine::make_uring_files();
            log_->run_on(control_.reactor(), *files_->for_reactor(control_.reactor()).value());
        });
        admin::server::setup setup;
        setup.port = core_.get();
        setup.log = log_.get();
        setup.config_path = config_path();
        setup.options = config.config.options;
        server_ = admin::server::start(setup).value();
    }
    ~own_server() {
        server_.reset();
        std::promise<void> done;
        control_.run([&] { log_->stop(std::chrono::seconds(5), [&] { done.set_value(); }); });
        done.get_future().wait();
        control_.stop();
        log_.reset();
        std::filesystem::remove_all(folder_);
    }
    own_server(const own_server&) = delete;
    own_server& operator=(const own_server&) = delete;
    [[nodiscard]] std::string socket() const { return folder_ / "s"; }
    [[nodiscard]] admin::journal_counters journal() const { return log_->counters(); }

  private:
    [[nodiscard]] std::string config_path() const { return folder_ / "c.json"; }
    std::filesystem::path folder_;
    test::control_thread control_;
    std::unique_ptr<engine::file_io_provider> files_;
    std::unique_ptr<admin::journal> log_;
    std::unique_ptr<test::fake_control> core_;
    std::unique_ptr<admin::server> server_;
};

/// Fails the whole run when the answer is another one.
void expect(http_client& client, int status, std::string_view method, const std::string& target,
            const std::string& body = {}) {
    const auto answer = client.send(method, target, body);
    if (answer.status == status) return;
    fmt::print(stderr, "{} {}: {} {}\n", method, target, answer.status, answer.body);
    std::exit(1);
}

struct totals {
    std::atomic<std::uint64_t> cycles{0};
    std::atomic<std::uint64_t> longest_us{0};
};

void churn(const settings& s, unsigned id, clock_type::time_point end, totals& sum) {
    http_client client = http_client::unix_socket(s.socket);
    const std::string query = s.durable ? "" : "?durable=false";
    const std::string device = fmt::format("load-{}", id);
    const std::string nqn = fmt::format("nqn.2026-11.io.fulmar:load-{}", id);
    const std::string place = "/v1/subsystems/" + nqn;
    const std::string add = fmt::format(R"({{"nsid":1,"device":"{}"}})", device);
    const std::string create = fmt::format(R"({{"nqn":"{}","allow_any_host":true}})", nqn);
    const std::string listen =
        fmt::format(R"({{"address":"127.0.0.{}","port":{}}})", 2 + id % 250, 45000 + id);
    const std::string listener = fmt::format("tcp:127.0.0.{}:{}", 2 + id % 250, 45000 + id);
    expect(client, 201, "POST", "/v1/devices" + query,
           fmt::format(R"({{"name":"{}","type":"null","size":"1MiB"}})", device));
    while (clock_type::now() < end) {
        const auto begin = clock_type::now();
        expect(client, 201, "POST", "/v1/subsystems" + query, create);
        expect(client, 201, "POST", place + "/namespaces" + query, add);
        expect(client, 201, "POST", "/v1/listeners" + query, listen);
        expect(client, 204, "DELETE", "/v1/listeners/" + listener + query);
        expect(client, 204, "DELETE", place + query + (query.empty() ? "?" : "&") + "force=true");
        ++sum.cycles;
        const auto took = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(clock_type::now() - begin)
                .count());
        std::uint64_t longest = sum.longest_us;
        while (took > longest && !sum.longest_us.compare_exchange_weak(longest, took)) {}
    }
    expect(client, 204, "DELETE", "/v1/devices/" + device + query);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Changes per second over REST: cycles of create, add, listen, remove, delete");
    settings s;
    app.add_option("--socket", s.socket, "of a running fulmard (default: a server of its own)");
    app.add_option("--connections", s.connections, "at once")->capture_default_str();
    app.add_option("--seconds", s.seconds)->capture_default_str();
    app.add_option("--present", s.present, "subsystems that are there already")
        ->capture_default_str();
    app.add_flag("--durable", s.durable, "each change waits for the disk");
    app.add_flag("--json", s.json);
    CLI11_PARSE(app, argc, argv);
    fulmar::log::set_level(fulmar::log::level::error);

    std::unique_ptr<own_server> own;
    if (s.socket.empty()) {
        own = std::make_unique<own_server>();
        s.socket = own->socket();
    }
    http_client setup = http_client::unix_socket(s.socket);
    for (unsigned i = 0; i < s.present; ++i)
        expect(setup, 201, "POST", "/v1/subsystems?durable=false",
               fmt::format(R"({{"nqn":"nqn.2026-11.io.fulmar:present-{}"}})", i));
    const auto before = own ? own->journal() : admin::journal_counters{};
    totals sum;
    const auto begin = clock_type::now();
    const auto end = begin + std::chrono::duration_cast<clock_type::duration>(
                                 std::chrono::duration<double>(s.seconds));
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < s.connections; ++i)
        threads.emplace_back([&, i] { churn(s, i, end, sum); });
    for (std::thread& thread : threads) thread.join();
    const double took = std::chrono::duration<double>(clock_type::now() - begin).count();
    for (unsigned i = 0; i < s.present; ++i)
        expect(setup, 204, "DELETE",
               fmt::format(
                   "/v1/subsystems/nqn.2026-11.io.fulmar:present-{}?durable=false&force=true", i));
    const double rate = static_cast<double>(sum.cycles) / took;
    nlohmann::ordered_json out{{"cycles_per_s", rate},
                               {"changes_per_s", rate * 5},
                               {"connections", s.connections},
                               {"durable", s.durable},
                               {"present", s.present},
                               {"longest_cycle_ms", static_cast<double>(sum.longest_us) / 1000}};
    if (own) {
        const auto after = own->journal();
        out["changes_per_write"] = after.writes == before.writes
                                       ? 0
                                       : static_cast<double>(after.changes - before.changes) /
                                             static_cast<double>(after.writes - before.writes);
        out["folds"] = after.folds - before.folds;
    }
    fmt::print("{}\n", s.json ? out.dump() : out.dump(2));
    return 0;
}
