#include "fake_control.hpp"

#include "admin/spec_editor.hpp"
#include "failing_memory.hpp"

#include <fulmar/backend/device.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <future>

namespace fulmar::test {

control_thread::control_thread()
    : reactor_(engine::reactor::create({.id = {}, .busy_window = {}, .clock = &clock_}).value()),
      thread_([this] { reactor_->run(); }) {}

control_thread::~control_thread() { stop(); }

void control_thread::stop() {
    if (!thread_.joinable()) return;
    reactor_->stop();
    thread_.join();
}

namespace {

/// Answers when the journal has the change; deletes itself.
struct durable_answer final : core::change_log::waiter {
    core::control_request* request = nullptr;
    core::control_answer with;
    void on_durable(result<void> outcome) noexcept override {
        if (outcome)
            request->finish(std::move(with));
        else
            request->finish(tl::unexpected(outcome.error()));
        delete this;
    }
};

}  // namespace

void control_thread::run(std::function<void()> job) {
    std::promise<void> done;
    inbox_.post([&]() noexcept {
        job();
        done.set_value();
    });
    done.get_future().wait();
}

fake_control::fake_control(engine::reactor& control, const core::target_spec& spec,
                           core::change_log* log)
    : control_(control), log_(log), model_(std::make_unique<admin::spec_editor>(spec)) {}

fake_control::~fake_control() = default;

void fake_control::submit(core::control_request& request) noexcept {
    const unwatched_memory ours;
    const std::lock_guard guard(lock_);
    queue_.push_back(&request);
    if (!held_) control_.post(kick_);
}

void fake_control::hold(bool on) {
    const std::lock_guard guard(lock_);
    held_ = on;
    if (!on) control_.post(kick_);
}

std::size_t fake_control::waiting() const {
    const std::lock_guard guard(lock_);
    return queue_.size();
}

core::target_spec fake_control::spec() const {
    const std::lock_guard guard(lock_);
    return model_->spec();
}

void fake_control::serve() noexcept {
    for (;;) {
        core::control_request* request = nullptr;
        {
            const std::lock_guard guard(lock_);
            if (queue_.empty() || held_) return;
            request = queue_.front();
            queue_.pop_front();
        }
        answer(*request);
    }
}

void fake_control::answer(core::control_request& request) {
    if (const auto* question = std::get_if<core::query>(&request.what)) {
        request.revision = revision_;
        return request.finish(ask(*question));
    }
    auto& what = std::get<core::change>(request.what);
    result<core::control_answer> outcome = change(what);
    if (!outcome) return request.finish(std::move(outcome));
    ++changes;
    request.revision = ++revision_;
    if (log_ == nullptr || !request.durable) {
        if (log_ != nullptr) log_->append(what, revision_, nullptr);
        return request.finish(std::move(outcome));
    }
    auto* waiter = new durable_answer;
    waiter->request = &request;
    waiter->with = std::move(*outcome);
    log_->append(what, revision_, waiter);
}

result<core::control_answer> fake_control::change(core::change& what) {
    if (refuse)
        if (auto why = refuse(what)) return tl::unexpected(*why);
    const std::lock_guard guard(lock_);
    // The values that the core would choose.
    if (auto* listener = std::get_if<core::add_listener>(&what);
        listener && listener->spec.port == 0)
        listener->spec.port = next_port_++;
    if (auto* made = std::get_if<core::create_device>(&what); made && made->spec.block_bytes == 0)
        made->spec.block_bytes = 512;
    if (auto* add = std::get_if<core::add_namespace>(&what)) {
        const core::subsystem_spec* in = model_->subsystem(add->nqn);
        if (in != nullptr && add->spec.nsid == 0)
            for (add->spec.nsid = 1;
                 std::any_of(in->namespaces.begin(), in->namespaces.end(),
                             [&](const auto& ns) { return ns.nsid == add->spec.nsid; });
                 ++add->spec.nsid) {}
        if (add->spec.uuid.empty())
            add->spec.uuid = nvme::to_text(nvme::derive_uuid(add->nqn, add->spec.nsid)).view();
        if (model_->device(add->spec.device) == nullptr && in != nullptr)
            return fail(errc::not_found, fmt::format("there is no device {}", add->spec.device),
                        "/device", "create the device first");
    }
    if (const auto* c = std::get_if<core::resize_device>(&what)) {
        const core::device_spec* device = model_->device(c->name);
        if (device != nullptr && c->size_bytes != 0)
            FULMAR_CHECK(backend::check_shrinking(
                device->size_bytes, c->size_bytes, 1,
                c->allow_shrink ? backend::shrinking::allowed : backend::shrinking::refused));
    }
    FULMAR_CHECK(model_->apply(what));
    if (const auto* c = std::get_if<core::create_subsystem>(&what))
        return core::control_answer(status_of(c->spec));
    if (const auto* c = std::get_if<core::create_device>(&what))
        return core::control_answer(status_of(c->spec));
    if (const auto* c = std::get_if<core::resize_device>(&what))
        return core::control_answer(status_of(*model_->device(c->name)));
    if (const auto* c = std::get_if<core::reopen_device>(&what))
        return core::control_answer(status_of(*model_->device(c->name)));
    if (const auto* c = std::get_if<core::detach_device>(&what))
        return core::control_answer(status_of(*model_->device(c->name)));
    if (const auto* c = std::get_if<core::attach_device>(&what))
        return core::control_answer(status_of(*model_->device(c->name)));
    if (const auto* c = std::get_if<core::modify_device>(&what))
        return core::control_answer(status_of(*model_->device(c->name)));
    if (const auto* c = std::get_if<core::modify_subsystem>(&what))
        return core::control_answer(status_of(*model_->subsystem(c->nqn)));
    if (const auto* c = std::get_if<core::add_namespace>(&what))
        return core::control_answer(status_of(c->spec));
    if (const auto* c = std::get_if<core::add_listener>(&what))
        return core::control_answer(core::listener_status{.spec = c->spec});
    return core::control_answer(std::monostate{});
}

namespace {
result<core::control_answer> lift(const core::subsystem_spec* of, const core::lift_protection& q) {
    if (of != nullptr)
        for (const auto& ns : of->namespaces)
            if (ns.nsid == q.nsid) return core::control_answer(std::monostate{});
    return fail(errc::not_found, fmt::format("{} has no namespace {}", q.nqn, q.nsid));
}
}  // namespace

result<core::control_answer> fake_control::ask(const core::query& what) {
    const std::lock_guard guard(lock_);
    if (const auto* q = std::get_if<core::get_subsystem>(&what)) {
        const core::subsystem_spec* found = model_->subsystem(q->nqn);
        if (found == nullptr)
            return fail(errc::not_found, fmt::format("there is no subsystem {}", q->nqn));
        return core::control_answer(status_of(*found));
    }
    if (const auto* q = std::get_if<core::get_device>(&what)) {
        const core::device_spec* found = model_->device(q->name);
        if (found == nullptr)
            return fail(errc::not_found, fmt::format("there is no device {}", q->name));
        return core::control_answer(status_of(*found));
    }
    const core::target_spec spec = model_->spec();
    if (std::holds_alternative<core::get_spec>(what)) return core::control_answer(spec);
    if (std::holds_alternative<core::get_target>(what)) {
        core::target_status status;
        status.revision = revision_;
        status.subsystems = spec.subsystems.size();
        status.reactors.resize(1);
        return core::control_answer(std::move(status));
    }
    if (std::holds_alternative<core::list_subsystems>(what)) {
        std::vector<core::subsystem_status> all;
        for (const auto& one : spec.subsystems) all.push_back(status_of(one));
        return core::control_answer(std::move(all));
    }
    if (std::holds_alternative<core::list_devices>(what)) {
        std::vector<core::device_status> all;
        for (const auto& one : spec.devices) all.push_back(status_of(one));
        return core::control_answer(std::move(all));
    }
    if (std::holds_alternative<core::list_listeners>(what)) {
        std::vector<core::listener_status> all;
        for (const auto& one : spec.listeners) all.push_back({.spec = one});
        return core::control_answer(std::move(all));
    }
    if (std::holds_alternative<core::list_connections>(what)) {
        core::connection_status one;
        one.id = 1;
        one.transport = "tcp";
        one.peer = "127.0.0.1:50000";
        one.state = "ready";
        return core::control_answer(std::vector{one});
    }
    if (const auto* q = std::get_if<core::end_connection>(&what)) {
        if (q->id != 1)
            return fail(errc::not_found, fmt::format("there is no connection {}", q->id));
        return core::control_answer(std::monostate{});
    }
    if (const auto* q = std::get_if<core::lift_protection>(&what))
        return lift(model_->subsystem(q->nqn), *q);
    if (std::holds_alternative<core::get_recorder>(what)) {
        core::flight_report_entry one;
        one.sequence = 1;
        one.what = "gate";
        one.detail = "fenced";
        one.generation = one.nsid = one.namespace_generation = 1;
        one.object = one.value = 1;
        one.line = "     0.000001 r0 gate fenced\n";
        return core::control_answer(core::flight_report{.uptime_ns = 1, .entries = {one}});
    }
    core::counters_report report;
    for (const char* reactor : {"0", "1"})
        report.samples.push_back(
            {"fulmar_io_commands_total", "I/O commands received", true, {{"reactor", reactor}}, 7});
    report.samples.push_back({"fulmar_connections", "Connections present", false, {}, 1});
    return core::control_answer(std::move(report));
}

core::subsystem_status fake_control::status_of(const core::subsystem_spec& spec) const {
    core::subsystem_status out;
    out.spec = spec;
    out.transition.state = spec.paused ? "paused" : "active";
    out.generation = 1;
    for (const auto& ns : spec.namespaces) out.namespaces.push_back(status_of(ns));
    return out;
}

core::namespace_status fake_control::status_of(const core::namespace_spec& spec) const {
    core::namespace_status out;
    out.spec = spec;
    out.transition.state = "ready";
    out.generation = 1;
    if (const core::device_spec* device = model_->device(spec.device)) {
        out.block_bytes = device->block_bytes;
        out.block_count = device->size_bytes / device->block_bytes;
    }
    return out;
}

core::device_status fake_control::status_of(const core::device_spec& spec) const {
    core::device_status out;
    out.spec = spec;
    out.state = "ready";
    out.used_by = model_->user_of(spec.name);
    out.block_count = spec.size_bytes / spec.block_bytes;
    return out;
}

}  // namespace fulmar::test
