// The administration over a real target, all on the test's thread: routes, journal on a disk in
// memory, core. No sockets. It can be killed, stopped, and started again from what the disk has.
#pragma once

#include "journal_run.hpp"
#include "rest_api.hpp"
#include "turn_runner.hpp"

#include <fulmar/backend/absent_device.hpp>
#include <fulmar/backend/null_device.hpp>
#include <fulmar/backend/ram_device.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/mem/buffer_pool.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <boost/asio/io_context.hpp>
#include <unistd.h>

#include <functional>
#include <set>
#include <utility>

namespace fulmar::admin::testing_support {

/// Listens to whatever it is asked for: the rules have to notice what cannot be.
class willing_transport final : public core::transport {
  public:
    [[nodiscard]] std::string_view name() const noexcept override { return "tcp"; }
    result<std::unique_ptr<core::listener>> listen(const core::listener_spec& spec,
                                                   core::listen_mode) override {
        auto made = std::make_unique<socket>();
        made->spec = spec;
        if (spec.port == 0) made->spec.port = next_port_++;
        return std::unique_ptr<core::listener>(std::move(made));
    }
    result<std::unique_ptr<core::transport_group>> create_group(core::poll_group&) override {
        return std::make_unique<core::transport_group>();
    }

  private:
    struct socket final : core::listener {
        core::listener_spec spec;
        [[nodiscard]] core::listener_status status() const override {
            core::listener_status out;
            out.spec = spec;
            return out;
        }
    };
    std::uint16_t next_port_ = 50000;
};

/// One life of the daemon.
class config_world {
  public:
    /// Devices whose name is in `absent` cannot be opened.
    explicit config_world(test::forgetful_disk& files, std::set<std::string> absent = {},
                          std::uint64_t fold_bytes = 64 * 1024,
                          std::chrono::milliseconds patience = std::chrono::hours(1))
        : disk_(files), absent_(std::move(absent)) {
        auto opened =
            journal::open({.config_path = config_path, .files = &files, .fold_bytes = fold_bytes},
                          load(files.text(config_path)));
        if (!opened) {
            refused = opened.error().text();
            return;
        }
        log = std::move(opened->log);
        notes = std::move(opened->notes);
        found = opened->spec;
        target_ = std::make_unique<core::target>(
            *control_,
            core::target::setup{
                .limits = {},
                .make_device = [this](const core::device_spec& spec) { return make_device(spec); },
                .log = log.get()});
        target_->add_poll_group(*data_,
                                mem::buffer_pool::create(memory_, {.bytes = 4u << 20}).value());
        EXPECT_TRUE(target_->add_transport(std::make_unique<willing_transport>()).has_value());
        log->run_on(*control_, disk_);
        bool started = false;
        target_->start(
            opened->spec, [this](const error& e) { start_errors.push_back(e.text()); },
            [&] { started = true; });
        EXPECT_TRUE(until([&] { return started; }));
        for (int i = 0; i < 64; ++i) {  // pauses and losses follow
            control_->run_once();
            data_->run_once();
        }
        client_ = std::make_unique<control_client>(io_, *target_, patience);
        context_ = std::make_unique<rest_context>(rest_context{.core = *client_,
                                                               .gate = gate_,
                                                               .drives = drives_,
                                                               .log = log.get(),
                                                               .config_path = config_path,
                                                               .options = {},
                                                               .audit = false,
                                                               .start_errors = start_errors});
        admin_options options;
        options.unix_socket.clear();
        api_ = std::make_unique<rest_api>(*context_, access_rules::make(options, {}).value());
        peer_.uid = ::geteuid();
        peer_.name = "test";
    }
    /// Killed, unless it has been stopped.
    ~config_world() {
        if (target_ == nullptr) return;
        bool done = false;
        target_->shut_down([&] { done = true; });
        EXPECT_TRUE(until([&] { return done; }));
        while (control_->run_once() || data_->run_once()) {}
        client_.reset();
        target_.reset();
        log.reset();
        jobs_.run_all();  // what is left alone has the disk
    }
    config_world(const config_world&) = delete;
    config_world& operator=(const config_world&) = delete;

    /// Everything is folded into the file.
    void stop() {
        bool stopped = false;
        log->stop(std::chrono::seconds(20), [&] { stopped = true; });
        EXPECT_TRUE(until([&] { return stopped; }));
    }

    http_response send(std::string method, std::string target, std::string body = {}) {
        http_request request;
        request.peer = &peer_;
        request.method = std::move(method);
        request.target = std::move(target);
        request.host = "localhost";
        request.content_type = body.empty() ? "" : "application/json";
        request.has_length = !body.empty();
        request.body = std::move(body);
        std::optional<http_response> answer;
        if (const auto screened = api_->screen(request)) return *screened;
        api_->handle(std::move(request), [&](http_response r) { answer = std::move(r); });
        EXPECT_TRUE(until([&] { return answer.has_value(); }));
        return answer.value_or(http_response{});
    }

    /// What the core runs.
    core::target_spec running() {
        std::optional<core::target_spec> spec;
        client_->submit(core::query(core::get_spec{}), false,
                        [&](control_client::outcome outcome, std::uint64_t) {
                            spec = std::get<core::target_spec>(std::move(*outcome));
                        });
        EXPECT_TRUE(until([&] { return spec.has_value(); }));
        return spec.value_or(core::target_spec{});
    }

    /// While this is false, nothing that the control reactor waits for happens.
    bool data_runs = true;
    /// Every change that has begun ends.
    void settle() {
        EXPECT_TRUE(until([&] { return client_->outstanding() == 0; }));
    }

    std::string refused;  // why it did not start
    std::vector<std::string> start_errors;
    std::vector<std::string> notes;
    core::target_spec found;
    std::unique_ptr<journal> log;

  private:
    static loaded_config load(const std::string& text) {
        loaded_config out{parse_config_leniently(text, "/etc/fulmar").value(), text,
                          digest_of(text)};
        resolve_paths(out.config, "/etc/fulmar");
        return out;
    }
    result<std::unique_ptr<backend::device>> make_device(const core::device_spec& spec) {
        if (absent_.contains(spec.name))
            return fail(errc::not_found, "it is not there", spec.name, "plug it in");
        if (spec.type == absent_type) return backend::make_absent_device({});
        const std::uint32_t block = spec.block_bytes != 0 ? spec.block_bytes : 512;
        if (spec.type == "ram")
            return backend::make_ram_device({.size_bytes = spec.size_bytes, .block_bytes = block});
        return backend::make_null_device(
            {.size_bytes = spec.size_bytes == 0 ? 4096 : spec.size_bytes, .block_bytes = block});
    }
    template <typename Condition>
    bool until(Condition&& condition) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        for (std::uint64_t turns = 0;; ++turns) {
            if (condition()) return true;
            bool moved = control_->run_once();
            moved = (data_runs && data_->run_once()) || moved;
            moved = disk_.complete_one() || moved;
            moved = io_.poll() != 0 || moved;
            moved = jobs_.run_one() || moved;
            io_.restart();
            if (moved || turns % 64 != 0) continue;
            if (std::chrono::steady_clock::now() > end) return false;
        }
    }

    static std::unique_ptr<engine::reactor> make_reactor(monotonic_clock& clock,
                                                         std::uint16_t number) {
        return engine::reactor::create({.id = reactor_id(number),
                                        .busy_window = {},
                                        .clock = &clock,
                                        .descriptors = false})
            .value();
    }

    test::forgetful_disk& disk_;
    std::set<std::string> absent_;
    turn_runner jobs_;
    mem::heap_memory memory_;
    monotonic_clock clock_;
    std::unique_ptr<engine::reactor> control_ = make_reactor(clock_, 0);
    std::unique_ptr<engine::reactor> data_ = make_reactor(clock_, 1);
    boost::asio::io_context io_;
    change_lock gate_;
    drive_client drives_{io_, nullptr};
    std::unique_ptr<core::target> target_;
    std::unique_ptr<control_client> client_;
    std::unique_ptr<rest_context> context_;
    std::unique_ptr<rest_api> api_;
    http_peer peer_;
};

}  // namespace fulmar::admin::testing_support
