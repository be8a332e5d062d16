#include "target_fixture.hpp"

#include "remembered_namespaces.hpp"

#include <fulmar/backend/null_device.hpp>
#include <fulmar/backend/ram_device.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/engine/inbox.hpp>
#include <fulmar/engine/reactor_pool.hpp>
#include <fulmar/mem/buffer_pool.hpp>
#include <fulmar/mem/memory_source.hpp>
#include <fulmar/transport/tcp.hpp>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace fulmar::testing {

namespace {

constexpr duration patience = std::chrono::seconds(30);

/// Set once from another thread.
class signal {
  public:
    void set() {
        const std::lock_guard lock(mutex_);
        done_ = true;
        changed_.notify_all();
    }
    bool wait(duration within) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, within, [this] { return done_; });
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool done_ = false;
};

struct asking final : core::control_request {
    explicit asking(std::variant<core::change, core::query> question)
        : control_request(std::move(question), true, [](control_request& r) noexcept {
              static_cast<asking&>(r).answered.set();
          }) {}
    signal answered;
};

template <typename T>
T or_throw(result<T> r) {
    if (!r) throw std::runtime_error(r.error().text());
    return std::move(*r);
}

}  // namespace

result<std::unique_ptr<backend::device>> make_test_device(const core::device_spec& spec) {
    if (spec.type == "ram")
        return backend::make_ram_device(
            {.size_bytes = spec.size_bytes, .block_bytes = spec.block_bytes});
    if (spec.type == "null")
        return backend::make_null_device(
            {.size_bytes = spec.size_bytes, .block_bytes = spec.block_bytes});
    return fail(errc::not_supported, "there is no device type " + spec.type);
}

struct running_target::parts {
    explicit parts(target_setup s) : setup(std::move(s)) {}

    target_setup setup;
    monotonic_clock clock;
    mem::heap_memory memory;
    std::unique_ptr<engine::reactor> control;
    std::unique_ptr<engine::inbox> inbox;  // of `control`
    std::unique_ptr<engine::reactor_pool> pool;
    std::unique_ptr<core::target> target;
    std::jthread thread;
    bool stopped = false;
};

running_target::running_target(target_setup setup)
    : parts_(std::make_unique<parts>(std::move(setup))) {
    if (!parts_->setup.devices) parts_->setup.devices = &make_test_device;
    // A short busy window: the reactors of a test share the machine with its hosts.
    constexpr duration busy = std::chrono::microseconds(20);
    parts_->control = or_throw(engine::reactor::create(
        {.id = reactor_id(0xffff), .busy_window = duration::zero(), .clock = &parts_->clock}));
    parts_->inbox = std::make_unique<engine::inbox>(*parts_->control);
    parts_->pool = or_throw(engine::reactor_pool::create({.count = parts_->setup.data_reactors,
                                                          .cpus = {},
                                                          .busy_window = busy,
                                                          .clock = &parts_->clock,
                                                          .hooks = {}}));
    if (parts_->setup.memory != nullptr) parts_->setup.memory->answer_on(*parts_->control);
    parts_->target = std::make_unique<core::target>(
        *parts_->control, core::target::setup{.limits = parts_->setup.limits,
                                              .make_device = parts_->setup.devices,
                                              .memory = parts_->setup.memory,
                                              .keys = parts_->setup.keys});
    for (const auto& r : parts_->pool->reactors())
        parts_->target->add_poll_group(
            *r, or_throw(
                    mem::buffer_pool::create(parts_->memory, {.bytes = parts_->setup.pool_bytes})));
    if (auto added = parts_->target->add_transport(transport::make_tcp_transport(*parts_->target));
        !added)
        throw std::runtime_error(added.error().text());
    start();
}

void running_target::start() {
    if (auto started = parts_->pool->start(); !started)
        throw std::runtime_error(started.error().text());
    parts_->thread = std::jthread([this] { parts_->control->run(); });
    signal done;
    std::string failures;
    on_control([&] {
        parts_->target->start(
            parts_->setup.spec, [&](const error& e) { failures += e.text() + "\n"; },
            [&] { done.set(); });
    });
    const bool in_time = done.wait(patience);
    if (!in_time || !failures.empty()) {
        stop();
        throw std::runtime_error(in_time ? failures : "the target did not start in time");
    }
}

running_target::~running_target() { stop(); }

void running_target::stop() {
    if (parts_->stopped) return;
    parts_->stopped = true;
    on_control([this] { parts_->target->shut_down([this] { parts_->control->stop(); }); });
    parts_->thread.join();
    if (!parts_->pool->stop(std::chrono::minutes(1))) std::abort();  // it may touch what is here
    parts_->target.reset();
}

void running_target::on_control(const std::function<void()>& what) {
    signal done;
    parts_->inbox->post([&]() noexcept {
        what();
        done.set();
    });
    if (!done.wait(patience)) std::abort();  // it would touch what this function leaves behind
}

result<core::control_answer> running_target::put(std::variant<core::change, core::query> what) {
    auto question = std::make_unique<asking>(std::move(what));
    parts_->target->submit(*question);
    if (!question->answered.wait(patience)) {
        (void)question.release();  // the target has it still
        throw std::runtime_error("the control reactor did not answer in time");
    }
    return std::move(question->outcome);
}

core::control_port& running_target::port() { return *parts_->target; }

host::endpoint running_target::endpoint(std::size_t listener) {
    const auto all = must<std::vector<core::listener_status>>(core::list_listeners{});
    const core::listener_spec& at = all.at(listener).spec;
    return {.address = at.address, .port = at.port};
}

core::listener_status running_target::listener(std::size_t index) {
    return must<std::vector<core::listener_status>>(core::list_listeners{}).at(index);
}

std::vector<core::connection_status> running_target::connections() {
    return must<std::vector<core::connection_status>>(core::list_connections{});
}

std::uint64_t running_target::count(std::string_view metric) {
    double sum = 0;
    const auto report = must<core::counters_report>(core::get_counters{});
    for (const core::counter_sample& sample : report.samples)
        if (sample.name == metric) sum += sample.value;
    return static_cast<std::uint64_t>(sum);
}

}  // namespace fulmar::testing
