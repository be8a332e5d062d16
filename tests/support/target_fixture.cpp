#include "target_fixture.hpp"

#include <fulmar/backend/null_device.hpp>
#include <fulmar/backend/ram_device.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/engine/message.hpp>
#include <fulmar/mem/buffer_pool.hpp>
#include <fulmar/transport/tcp.hpp>

#include <condition_variable>
#include <cstdlib>
#include <mutex>

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

struct call final : engine::message {
    explicit call(std::function<void()> f)
        : message([](engine::message& m) noexcept {
              std::unique_ptr<call> self(static_cast<call*>(&m));
              self->what();
          }),
          what(std::move(f)) {}
    std::function<void()> what;
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

bool eventually(const std::function<bool()>& condition, duration within) {
    const host::deadline until(within);
    for (;;) {
        if (condition()) return true;
        if (until.passed()) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

running_target::running_target(target_setup setup) : setup_(std::move(setup)) {
    if (!setup_.devices) setup_.devices = &make_test_device;
    // A short busy window: the reactors of a test share the machine with its hosts.
    constexpr duration busy = std::chrono::microseconds(20);
    control_ = or_throw(engine::reactor::create(
        {.id = reactor_id(0xffff), .busy_window = duration::zero(), .clock = &clock_}));
    pool_ = or_throw(engine::reactor_pool::create({.count = setup_.data_reactors,
                                                   .cpus = {},
                                                   .busy_window = busy,
                                                   .clock = &clock_,
                                                   .hooks = {}}));
    target_ = std::make_unique<core::target>(
        *control_, core::target::setup{.limits = setup_.limits, .make_device = setup_.devices});
    for (const auto& r : pool_->reactors())
        target_->add_poll_group(
            *r, or_throw(mem::buffer_pool::create(memory_, {.bytes = setup_.pool_bytes})));
    if (auto added = target_->add_transport(transport::make_tcp_transport(*target_)); !added)
        throw std::runtime_error(added.error().text());
    start();
}

void running_target::start() {
    if (auto started = pool_->start(); !started) throw std::runtime_error(started.error().text());
    thread_ = std::jthread([this] { control_->run(); });
    signal done;
    std::string failures;
    on_control([&] {
        target_->start(
            setup_.spec, [&](const error& e) { failures += e.text() + "\n"; }, [&] { done.set(); });
    });
    const bool in_time = done.wait(patience);
    if (!in_time || !failures.empty()) {
        stop();
        throw std::runtime_error(in_time ? failures : "the target did not start in time");
    }
}

running_target::~running_target() { stop(); }

void running_target::stop() {
    if (stopped_) return;
    stopped_ = true;
    on_control([this] { target_->shut_down([this] { control_->stop(); }); });
    thread_.join();
    pool_->stop();
    target_.reset();
}

void running_target::on_control(const std::function<void()>& what) {
    signal done;
    control_->post(*new call([&] {
        what();
        done.set();
    }));
    if (!done.wait(patience)) std::abort();  // it would touch what this function leaves behind
}

result<core::control_answer> running_target::put(std::variant<core::change, core::query> what) {
    auto question = std::make_unique<asking>(std::move(what));
    target_->submit(*question);
    if (!question->answered.wait(patience)) {
        (void)question.release();  // the target has it still
        throw std::runtime_error("the control reactor did not answer in time");
    }
    return std::move(question->outcome);
}

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

std::uint64_t running_target::count(std::atomic<std::uint64_t> core::group_counters::*which) {
    std::uint64_t sum = 0;
    for (const auto& group : target_->groups())
        sum += (group->counters().*which).load(std::memory_order_relaxed);
    return sum;
}

}  // namespace fulmar::testing
