// REST, journal and config file together, on a real disk: what was answered is there after a kill;
// a reload applies what was edited and nothing else.
#include "rest_fixture.hpp"

#include <fulmar/engine/uring_file_io.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <future>
#include <utility>
#include <vector>

namespace fulmar::admin {
namespace {

using test::http_client;
using testing_support::json;

/// A daemon without a target: config, journal, fake core, REST.
class daemon {
  public:
    /// With `io`, that is the journal's disk.
    explicit daemon(const std::string& folder, engine::file_io* io = nullptr,
                    std::chrono::milliseconds patience = {})
        : config_path(folder + "/c.json"), config(load_config(config_path).value()) {
        auto opened = journal::open(
            {.config_path = config_path, .state_dir = config.config.options.state_dir}, config);
        EXPECT_TRUE(opened.has_value()) << opened.error().text();
        log = std::move(opened->log);
        notes = std::move(opened->notes);
        core = std::make_unique<test::fake_control>(control.reactor(), opened->spec, log.get());
        control.run([&] {
            files = engine::make_uring_files();
            if (io == nullptr) io = files->for_reactor(control.reactor()).value();
            log->run_on(control.reactor(), *io);
        });
        server::setup setup;
        setup.patience = patience;
        setup.port = core.get();
        setup.log = log.get();
        setup.config_path = config_path;
        setup.options = config.config.options;
        server_ = server::start(setup).value();
    }
    ~daemon() {  // killed
        server_.reset();
        control.run([&] { log.reset(); });
        for (bool quiet = false; !quiet;)
            control.run(
                [&] { quiet = files->for_reactor(control.reactor()).value()->outstanding() == 0; });
        control.stop();  // before the files, which the reactor polls
    }
    void stop() {
        server_->stop(std::chrono::seconds(5));
        std::promise<void> done;
        control.run([&] { log->stop(std::chrono::seconds(10), [&] { done.set_value(); }); });
        done.get_future().wait();
    }
    http_client connect() {
        return http_client::unix_socket(config.config.options.admin.unix_socket);
    }

    std::string config_path;
    loaded_config config;
    test::control_thread control;
    std::unique_ptr<engine::file_io_provider> files;
    std::unique_ptr<journal> log;
    std::vector<std::string> notes;
    std::unique_ptr<test::fake_control> core;
    std::unique_ptr<server> server_;
};

struct durable_rest : testing_support::rest_fixture {
    void SetUp() override {
        rest_fixture::SetUp();
        if (!engine::probe_uring()) GTEST_SKIP() << "io_uring does not work here";
        write(R"({"admin":{"unix_socket":"s"},"devices":[{"name":"a","type":"ram","size":512}]})");
    }
    void write(const std::string& text) const { std::ofstream(folder + "/c.json") << text; }
    static std::string device(const std::string& name) {
        return fmt::format(R"({{"name":"{}","type":"ram","size":512}})", name);
    }
};

TEST_F(durable_rest, an_acknowledged_change_survives_a_kill) {
    {
        daemon one(folder);
        http_client client = one.connect();
        EXPECT_EQ(client.send("POST", "/v1/devices", device("b")).status, 201);
        EXPECT_EQ(client.send("POST", "/v1/devices?durable=false", device("c")).status, 201);
        EXPECT_EQ(client.send("POST", "/v1/devices", device("d")).status, 201);
        EXPECT_EQ(json::parse(client.send("GET", "/v1/health").body)["durable"]["possible"], true);
    }
    daemon two(folder);
    EXPECT_EQ(two.core->spec().devices.size(), 4u);
    EXPECT_THAT(two.notes, testing::Contains(testing::HasSubstr("3 changes")));
    two.stop();
    EXPECT_FALSE(std::filesystem::exists(two.config_path + ".journal"));
    const auto file = load_config(two.config_path);
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ(file->config.spec.devices.size(), 4u);
    EXPECT_EQ(file->config.options, two.config.config.options);
}

// The file is older than the resize: an edit of something else must not cut the device off.
TEST_F(durable_rest, a_reload_makes_nothing_smaller) {
    daemon one(folder);
    http_client client = one.connect();
    ASSERT_EQ(client.send("PATCH", "/v1/devices/a", R"({"size":4096})").status, 200);
    write(R"({"admin":{"unix_socket":"s"},
              "devices":[{"name":"a","type":"ram","size":512},
                         {"name":"b","type":"ram","size":512}]})");
    const auto done = client.send("POST", "/v1/config/reload");
    EXPECT_EQ(done.status, 200) << done.body;
    EXPECT_EQ(json::parse(done.body)["notes"][0]["object"], "device a") << done.body;
    ASSERT_EQ(one.core->spec().devices.size(), 2u);
    EXPECT_EQ(one.core->spec().devices[0].size_bytes, 4096u);
    // Smaller than anybody has said before: not even force does it.
    write(R"({"admin":{"unix_socket":"s"},"devices":[{"name":"a","type":"ram","size":1024}]})");
    for (const char* const how : {"", "?force=true"}) {
        const auto refused = client.send("POST", std::string("/v1/config/reload") + how);
        EXPECT_EQ(refused.status, 409) << refused.body;
        EXPECT_THAT(refused.body,
                    testing::AllOf(testing::HasSubstr("device a"), testing::HasSubstr("--shrink")));
    }
    EXPECT_EQ(one.core->spec().devices.size(), 2u) << "nothing was applied";
}

TEST_F(durable_rest, a_reload_applies_the_difference) {
    daemon one(folder);
    http_client client = one.connect();
    write(R"({"admin":{"unix_socket":"s"},"cores":{"data":2},
              "devices":[{"name":"a","type":"ram","size":1024},
                         {"name":"b","type":"ram","size":512}]})");
    const auto dry = client.send("POST", "/v1/config/reload?dry_run=true");
    EXPECT_EQ(dry.status, 200) << dry.body;
    EXPECT_EQ(json::parse(dry.body)["changes"].size(), 2u);
    EXPECT_EQ(json::parse(dry.body)["needs_restart"], json::array({"/cores"}));
    EXPECT_EQ(one.core->spec().devices.size(), 1u);
    const auto real = client.send("POST", "/v1/config/reload");
    EXPECT_EQ(real.status, 200) << real.body;
    EXPECT_EQ(one.core->spec().devices.size(), 2u);
    EXPECT_EQ(one.core->spec().devices[0].size_bytes, 1024u);
    EXPECT_EQ(json::parse(client.send("POST", "/v1/config/reload").body)["changes"].size(), 0u);
}

TEST_F(durable_rest, a_reload_without_an_edit_keeps_what_rest_has_changed) {
    daemon one(folder);
    http_client client = one.connect();
    ASSERT_EQ(client.send("POST", "/v1/devices", device("b")).status, 201);
    const auto reload = client.send("POST", "/v1/config/reload");
    EXPECT_EQ(json::parse(reload.body)["changes"].size(), 0u) << reload.body;
    EXPECT_EQ(one.core->spec().devices.size(), 2u);
}

TEST_F(durable_rest, an_edited_file_and_what_rest_has_made_go_together) {
    {
        daemon one(folder);
        http_client client = one.connect();
        ASSERT_EQ(client.send("POST", "/v1/devices", device("b")).status, 201);
        write(R"({"admin":{"unix_socket":"s"},"devices":[{"name":"c","type":"ram","size":512}]})");
        EXPECT_EQ(client.send("POST", "/v1/config/reload").status, 200);
        ASSERT_EQ(client.send("POST", "/v1/devices", device("d")).status, 201);
    }  // killed: changes since the reload are not lost
    daemon two(folder);
    std::vector<std::string> names;
    for (const core::device_spec& one : two.core->spec().devices) names.push_back(one.name);
    EXPECT_THAT(names, testing::ElementsAre("c", "b", "d"));
}

/// Takes what it is given and says nothing until it is told to.
struct silent_io final : engine::file_io {
    void submit(engine::file_op& op) noexcept override { held.push_back(&op); }
    void cancel(engine::file_op&) noexcept override {}
    [[nodiscard]] std::uint32_t outstanding() const noexcept override {
        return static_cast<std::uint32_t>(held.size());
    }
    void fail_all() {
        for (engine::file_op* op : std::exchange(held, {})) op->done(*op, -EIO);
    }
    std::vector<engine::file_op*> held;
};

TEST_F(durable_rest, a_reload_waits_for_a_disk_that_hangs_no_longer_than_it_must) {
    silent_io hangs;
    daemon one(folder, &hangs, std::chrono::milliseconds(300));
    http_client client = one.connect();
    write(R"({"admin":{"unix_socket":"s"},"devices":[{"name":"b","type":"ram","size":512}]})");
    const auto reload = client.send("POST", "/v1/config/reload");
    EXPECT_EQ(reload.status, 200) << reload.body;
    EXPECT_THAT(reload.body, testing::HasSubstr("has not recorded the reload in time"));
    ASSERT_EQ(one.core->spec().devices.size(), 1u);
    EXPECT_EQ(one.core->spec().devices[0].name, "b");
    EXPECT_EQ(client.send("POST", "/v1/devices?durable=false", device("c")).status, 201)
        << "others may change things again";
    one.control.run([&] { hangs.fail_all(); });
}

// The server of a daemon that ends is gone before its journal, which a hanging disk may hold.
TEST_F(durable_rest, a_reload_that_is_recorded_after_the_server_has_gone_is_heard_by_nobody) {
    silent_io hangs;
    daemon one(folder, &hangs, std::chrono::milliseconds(50));
    write(R"({"admin":{"unix_socket":"s"},"devices":[{"name":"b","type":"ram","size":512}]})");
    const auto reload = one.connect().send("POST", "/v1/config/reload");
    EXPECT_THAT(reload.body, testing::HasSubstr("has not recorded the reload in time"));
    one.server_.reset();
    one.control.run([&] { hangs.fail_all(); });
}

TEST_F(durable_rest, an_invalid_file_changes_nothing_and_is_explained) {
    daemon one(folder);
    http_client client = one.connect();
    write("{\n \"devices\": [{\"name\":\"x\"}]}");
    const auto answer = client.send("POST", "/v1/config/reload");
    EXPECT_EQ(answer.status, 422);
    EXPECT_EQ(json::parse(answer.body)["errors"][0]["line"], 2);
    EXPECT_EQ(one.core->spec().devices[0].name, "a");
}

TEST_F(durable_rest, a_reload_that_fails_in_part_tells_which) {
    daemon one(folder);
    one.core->refuse = [](const core::change& change) -> std::optional<error> {
        const auto* create = std::get_if<core::create_device>(&change);
        if (create != nullptr && create->spec.name == "bad")
            return error{errc::io_error, "no such disk"};
        return std::nullopt;
    };
    write(R"({"admin":{"unix_socket":"s"},"devices":[{"name":"bad","type":"ram","size":512},
              {"name":"good","type":"ram","size":512}]})");
    const auto answer = one.connect().send("POST", "/v1/config/reload");
    EXPECT_EQ(answer.status, 409) << answer.body;
    const json report = json::parse(answer.body);
    EXPECT_EQ(report["code"], "reload-incomplete");
    EXPECT_EQ(report["failed"], 1);
    EXPECT_EQ(report["changes"][1]["error"]["detail"], "no such disk");
    EXPECT_EQ(one.core->spec().devices.size(), 1u);
}

TEST_F(durable_rest, a_signal_reloads_too) {
    daemon one(folder);
    write(R"({"admin":{"unix_socket":"s"}})");
    one.server_->reload();
    for (int i = 0; i < 2000 && !one.core->spec().devices.empty(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_TRUE(one.core->spec().devices.empty());
}

TEST_F(durable_rest, without_a_disk_only_volatile_changes_are_made) {
    // A folder that is not there; root could write in any that is.
    write(fmt::format(R"({{"admin":{{"unix_socket":"s"}},"state_dir":"{}/state"}})", folder));
    daemon one(folder);
    http_client client = one.connect();
    const auto refused = client.send("POST", "/v1/devices", device("b"));
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(json::parse(refused.body)["code"], "not-durable");
    EXPECT_TRUE(one.core->spec().devices.empty());
    EXPECT_EQ(client.send("POST", "/v1/devices?durable=false", device("b")).status, 201);
}

}  // namespace
}  // namespace fulmar::admin
