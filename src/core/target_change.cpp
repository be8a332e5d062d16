// Changes: validated here, queued on their subsystem, recorded once they have happened.
#include "operations.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/base/memory_reserve.hpp>
#include <fulmar/core/spec_changes.hpp>
#include <fulmar/core/target.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace fulmar::core {

namespace {

template <typename... Fs>
struct overloaded : Fs... {
    using Fs::operator()...;
};
template <typename... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

// A change of a subsystem that is there, or of what is in it.
template <typename Change>
concept of_subsystem = requires(Change c) {
    c.nqn;
};

// Waits for the journal, then answers.
struct durable_answer final : change_log::waiter {
    control_request* request = nullptr;
    result<control_answer> with;
    void on_durable(result<void> outcome) noexcept override {
        if (outcome)
            request->finish(std::move(with));  // which may be an error of its own
        else
            request->finish(tl::unexpected(outcome.error()));
        delete this;
    }
};

// What takes memory for as long as it is there. Everything else may be asked for when there is
// none: it makes room, or brings back what serves.
bool adds(const change& what) noexcept {
    return std::holds_alternative<create_device>(what) ||
           std::holds_alternative<create_subsystem>(what) ||
           std::holds_alternative<add_namespace>(what) || std::holds_alternative<add_host>(what) ||
           std::holds_alternative<set_host_keys>(what) ||
           std::holds_alternative<add_listener>(what) || std::holds_alternative<add_referral>(what);
}

result<void> not_asked_for() {
    return fail(errc::not_supported, "this is recorded by the target itself");
}

}  // namespace

void target::submit(control_request& request) noexcept { request.arrive_at(control_, *this); }

void control_request::arrive_at(engine::reactor& control, target& where) noexcept {
    destination_ = &where;
    set_handler([](engine::message& m) noexcept {
        auto& self = static_cast<control_request&>(m);
        self.destination_->on_request(self);
    });
    control.post(*this);
}

void target::on_request(control_request& request) noexcept {
    bool made = false;
    try {
        if (std::holds_alternative<query>(request.what)) return on_query(request);
        if (stopping_)
            return request.finish(fail(errc::unavailable, "the target is shutting down"));
        if (adds(std::get<change>(request.what)) && !memory_reserve::whole())
            return request.finish(fail(errc::no_memory, "there is no memory for anything new", {},
                                       "remove something, or give the daemon more"));
        on_change(request, made);
    } catch (const std::exception& e) {  // memory, mostly
        if (!made) return request.finish(fail(errc::no_memory, e.what()));
        commit(std::get<change>(request.what), &request,
               fail(errc::no_memory, "the change was made, but there is no memory to describe it",
                    {}, "ask for the object: it shows what is so now"));
    }
}

void target::record(const change& what) noexcept {
    ++revision_;
    if (setup_.log != nullptr) setup_.log->append(what, revision_, nullptr);
}

void target::commit(const change& what, control_request* request,
                    result<control_answer> with) noexcept {
    ++revision_;
    if (request != nullptr) request->revision = revision_;
    if (request == nullptr) return;
    if (setup_.log == nullptr) return request->finish(std::move(with));
    if (!request->durable) {
        setup_.log->append(what, revision_, nullptr);
        return request->finish(std::move(with));
    }
    auto* waiter = new (std::nothrow) durable_answer;
    if (waiter == nullptr) {
        setup_.log->append(what, revision_, nullptr);
        return request->finish(
            fail(errc::no_memory, "the change was applied, but cannot be confirmed as durable"));
    }
    waiter->request = request;
    waiter->with = std::move(with);
    setup_.log->append(what, revision_, waiter);
}

// Goes again when an exception leaves before its creation could be asked for.
struct target::unfinished_subsystem {
    target& of;
    subsystem* what;
    ~unfinished_subsystem() {
        if (what != nullptr) of.subsystem_gone(*what);
    }
};

// `made` once there is no way back: from then on the change is recorded, whatever becomes of its
// answer.
void target::on_change(control_request& request, bool& made) {
    change& what = std::get<change>(request.what);
    const auto on_subsystem = [&](const std::string& nqn) {
        subsystem* s = find(nqn);
        if (s == nullptr && only_configured(what))
            return commit(what, &request, control_answer(std::monostate{}));
        if (s == nullptr || s->is_discovery() || s->deleted())
            return request.finish(
                fail(errc::not_found, fmt::format("there is no subsystem {}", nqn)));
        s->enqueue(make_operation(*s, what, &request));
    };
    const auto done = [&](result<void> outcome, control_answer with = std::monostate{}) {
        if (!outcome && outcome.error().code == errc::not_found && only_configured(what))
            outcome = {};
        if (!outcome) return request.finish(tl::unexpected(outcome.error()));
        commit(what, &request, std::move(with));
    };
    std::visit(overloaded{[&](create_device& c) {
                              auto created = devices_.create(
                                  c.spec, c.configured ? backend::opening::configured
                                                       : backend::opening::asked_for);
                              if (!created) return done(created);
                              made = true;
                              device_registry::entry* e = devices_.find(c.spec.name);
                              c.spec = e->spec;
                              done({}, devices_.status(*e));
                          },
                          [&](delete_device& c) { done(devices_.remove(c.name)); },
                          [&](resize_device& c) { change_device(c.name, what, request, made); },
                          [&](reopen_device& c) { change_device(c.name, what, request, made); },
                          [&](detach_device& c) { change_device(c.name, what, request, made); },
                          [&](attach_device& c) { change_device(c.name, what, request, made); },
                          [&](modify_device& c) { change_device(c.name, what, request, made); },
                          [&](file_created&) { done(not_asked_for()); },
                          [&](create_subsystem& c) {
                              auto created = make_subsystem(c.spec, false);
                              if (!created) return done(tl::unexpected(created.error()));
                              unfinished_subsystem kept{*this, *created};
                              auto creation = make_operation(**created, what, &request);
                              kept.what = nullptr;
                              (*created)->enqueue(std::move(creation));
                          },
                          [&](of_subsystem auto& c) { on_subsystem(c.nqn); },
                          [&](add_listener& c) {
                              auto opened = open_listener(c.spec, listen_mode::now);
                              if (!opened) return done(opened);
                              made = true;
                              c.spec = listeners_.back().spec;
                              done({}, listeners_.back().accepts->status());
                          },
                          [&](remove_listener& c) { done(close_listener(c.name)); },
                          [&](add_referral& c) {
                              const result<void> added = apply_change(c, referrals_);
                              made = added.has_value();
                              if (added) discovery_changed();
                              done(added);
                          },
                          [&](remove_referral& c) {
                              const result<void> removed = apply_change(c, referrals_);
                              made = removed.has_value();
                              if (removed) discovery_changed();
                              done(removed);
                          }},
               what);
}

namespace {
backend::shrinking smaller(const resize_device& c) noexcept {
    return c.allow_shrink ? backend::shrinking::allowed : backend::shrinking::refused;
}

// Refused before anything is quiesced for it; the device looks again when its turn has come.
result<void> check_resize(const device_registry::entry& e, const resize_device& c) {
    const backend::geometry now = e.device->geometry();
    if (c.size_bytes % now.block_bytes != 0)
        return fail(errc::invalid_argument, "the size is not a multiple of the block size",
                    "/size");
    if (c.size_bytes == 0) return {};
    return backend::check_shrinking(now.block_count, c.size_bytes / now.block_bytes,
                                    now.block_bytes, smaller(c));
}

result<void> keep_away(device_registry::entry& e, const detach_device* away) {
    result<void> outcome = away != nullptr ? e.device->detach(away->drain) : e.device->attach();
    if (outcome) e.spec.detached = away != nullptr;
    return outcome;
}
}  // namespace

// A device that backs a namespace is changed inside an operation on the namespace's subsystem,
// between quiesce and open.
void target::change_device(const std::string& name, change& what, control_request& request,
                           bool& made) {
    device_registry::entry* e = devices_.find(name);
    if (e == nullptr && only_configured(delete_device{name}))
        return request.finish(fail(errc::not_found,
                                   fmt::format("device {} could not be opened at start", name), {},
                                   "reload the configuration: that tries again"));
    if (e == nullptr)
        return request.finish(fail(errc::not_found, fmt::format("there is no device {}", name)));
    const auto* away = std::get_if<detach_device>(&what);
    if (away != nullptr || std::holds_alternative<attach_device>(what)) {
        if (auto outcome = keep_away(*e, away); !outcome)
            return request.finish(tl::unexpected(outcome.error()));
        made = true;
        return commit(what, &request, devices_.status(*e));
    }
    if (const auto* edit = std::get_if<modify_device>(&what)) {
        if (auto modified = apply_change(*edit, e->spec); !modified)
            return request.finish(tl::unexpected(modified.error()));
        made = true;
        return commit(what, &request, devices_.status(*e));
    }
    auto* resize = std::get_if<resize_device>(&what);
    if (resize != nullptr)
        if (auto possible = check_resize(*e, *resize); !possible)
            return request.finish(tl::unexpected(possible.error()));
    if (e->user != nullptr) {
        if (resize != nullptr)
            return e->user->enqueue(std::make_unique<refresh_namespace_operation>(
                *e->user, e->user_nsid, *resize, &request));
        return e->user->enqueue(std::make_unique<refresh_namespace_operation>(
            *e->user, e->user_nsid, std::get<reopen_device>(what), &request));
    }
    const auto reopen = [&] {
        return std::get<reopen_device>(what).accept ? e->device->accept() : e->device->reopen();
    };
    result<void> outcome =
        resize != nullptr
            ? e->device->resize(resize->size_bytes / e->device->geometry().block_bytes,
                                smaller(*resize))
            : reopen();
    if (!outcome) return request.finish(tl::unexpected(outcome.error()));
    made = true;
    devices_.refresh(*e);
    if (resize != nullptr) *resize = device_registry::resized(*e);
    commit(what, &request, devices_.status(*e));
}

namespace {
struct expel_message final : engine::message {
    expel_message(poll_group& g, std::string listener)
        : message([](engine::message& m) noexcept {
              auto& self = static_cast<expel_message&>(m);
              self.group->close_listener(self.name);
              delete &self;
          }),
          group(&g),
          name(std::move(listener)) {}
    poll_group* group;
    std::string name;
};
}  // namespace

result<void> target::close_listener(const std::string& name) {
    const auto at = std::find_if(listeners_.begin(), listeners_.end(),
                                 [&](const listening& l) { return l.spec.name() == name; });
    if (at == listeners_.end())
        return fail(errc::not_found, fmt::format("there is no listener {}", name));
    std::vector<std::unique_ptr<expel_message>> messages;
    for (const auto& group : groups_)
        messages.push_back(std::make_unique<expel_message>(*group, name));
    listeners_.erase(at);  // nothing needs memory from here on
    for (auto& one : messages) {
        engine::reactor& reactor = one->group->reactor();
        reactor.post(*one.release());
    }
    discovery_changed();
    return {};
}

}  // namespace fulmar::core
