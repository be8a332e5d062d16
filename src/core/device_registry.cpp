#include <fulmar/base/log.hpp>
#include <fulmar/core/device_registry.hpp>
#include <fulmar/core/new_object_rules.hpp>
#include <fulmar/core/subsystem.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fulmar::core {

namespace {
device_use use_of(const device_registry::entry& e) {
    device_use use{.verdict = e.claim.verdict()};
    if (e.user != nullptr) {
        use.nqn = e.user->spec().nqn;
        use.nsid = e.user_nsid;
    }
    return use;
}

constexpr std::string_view full_text =
    "its storage has no room for what hosts write, and they are told so; make room where it is (of "
    "a thin pool: extend it)";

void tell_note(std::string_view name, const backend::device& device) {
    if (!device.note_is_news()) return;
    if (const std::string note = device.note(); !note.empty())
        log::warn("device {}: {}", name, note);
}

// Who is concerned, for a line of the log.
std::string concerned(const device_registry::entry& e) {
    if (e.user == nullptr) return {};
    return fmt::format("; it backs namespace {} of {}", e.user_nsid, e.user->spec().nqn);
}
}  // namespace

result<void> device_registry::has_room_for(const device_spec& spec) const {
    return check_new_device(spec.name, devices_.size(), devices_.contains(spec.name));
}

result<void> device_registry::create(const device_spec& spec, backend::opening why) {
    FULMAR_CHECK(has_room_for(spec));
    FULMAR_TRY(auto made, factory_(spec));
    return adopt(spec, std::move(made), why);
}

void device_registry::create_all(const std::vector<device_spec>& specs,
                                 const outcome_listener& tell) {
    std::vector<result<std::unique_ptr<backend::device>>> made;
    made.reserve(specs.size());
    for (const device_spec& spec : specs) {
        made.push_back(factory_(spec));
        if (made.back()) (*made.back())->prepare();
    }
    for (std::size_t i = 0; i < specs.size(); ++i) {
        result<void> outcome =
            made[i] ? adopt(specs[i], std::move(*made[i]), backend::opening::configured)
                    : tl::unexpected(made[i].error());
        if (!outcome)
            outcome.error().message =
                fmt::format("device {}: {}", specs[i].name, outcome.error().message);
        tell(specs[i], outcome);
    }
}

result<void> device_registry::adopt(const device_spec& spec,
                                    std::unique_ptr<backend::device> opened, backend::opening why) {
    FULMAR_CHECK(has_room_for(spec));
    FULMAR_CHECK(opened->open(why));
    const std::string& claim = opened->identity().claim;
    if (!claim.empty())
        for (const auto& [name, other] : devices_)
            if (other->device->identity().claim == claim)
                return fail(errc::conflict,
                            fmt::format("device {} already stands on {}", name,
                                        spec.path.empty() ? spec.address : spec.path),
                            spec.path.empty() ? "/address" : "/path",
                            "one file or drive backs one device");
    opened->set_listener(this);
    auto made = std::make_unique<entry>();
    made->spec = spec;
    made->device = std::move(opened);
    if (made->spec.block_bytes == 0) made->spec.block_bytes = made->device->geometry().block_bytes;
    made->lost_reason = made->device->trouble();
    if (made->device->state() == backend::device_state::ready) made->spec.create = false;
    if (!made->lost_reason.empty())
        log::error("device {} is {}: {}", spec.name, made->device->condition(), made->lost_reason);
    tell_note(spec.name, *made->device);
    std::string name = spec.name;
    order_.reserve(order_.size() + 1);
    devices_.emplace(name, std::move(made));  // the last step that needs memory
    order_.push_back(std::move(name));
    return {};
}

result<void> device_registry::remove(std::string_view name) {
    const auto at = devices_.find(name);
    device_use use;
    if (at != devices_.end()) use = use_of(*at->second);
    FULMAR_CHECK(check_device_removal(name, at == devices_.end() ? nullptr : &use));
    at->second->device->set_listener(nullptr);
    std::erase(order_, name);
    devices_.erase(at);
    return {};
}

result<device_registry::entry*> device_registry::claim(std::string_view name, subsystem& user,
                                                       std::uint32_t nsid) {
    entry* const e = find(name);
    device_use use;
    if (e != nullptr) use = use_of(*e);
    FULMAR_CHECK(check_device_for_namespace(name, e == nullptr ? nullptr : &use));
    e->claim.take();
    e->user = &user;
    e->user_nsid = nsid;
    return e;
}

void device_registry::release(std::string_view name) noexcept {
    if (entry* e = find(name)) {
        e->claim.release();
        e->user = nullptr;
        e->user_nsid = 0;
    }
}

void device_registry::hold(const backend::device& which) noexcept {
    for (const auto& [name, e] : devices_)
        if (e->device.get() == &which) e->claim.hold();
}

void device_registry::let_go(const backend::device& which) noexcept {
    for (const auto& [name, e] : devices_) {
        if (e->device.get() != &which || !e->claim.let_go()) continue;
        log::info("device {} has given everything back", name);
    }
}

void device_registry::refresh(entry& e) noexcept {
    const backend::geometry now = e.device->geometry();
    if (e.spec.size_bytes != 0) e.spec.size_bytes = now.block_count * now.block_bytes;
    if (e.device->state() != backend::device_state::ready) return;
    e.lost_reason.clear();
    if (std::exchange(e.spec.create, false) && created_) created_(e.spec.name);
}

resize_device device_registry::resized(const entry& e) {
    return {.name = e.spec.name, .size_bytes = e.spec.size_bytes, .allow_shrink = false};
}

device_registry::entry* device_registry::find(std::string_view name) noexcept {
    const auto at = devices_.find(name);
    return at == devices_.end() ? nullptr : at->second.get();
}

std::vector<device_spec> device_registry::specs() const {
    std::vector<device_spec> all;
    for (const std::string& name : order_) all.push_back(devices_.at(name)->spec);
    return all;
}

device_status device_registry::status(const entry& e) const {
    device_status s;
    s.spec = e.spec;
    if (e.device->has_hardware_geometry()) {  // as far as it is known
        const backend::geometry now = e.device->geometry();
        s.spec.block_bytes = now.block_bytes;
        s.spec.size_bytes = now.block_count * now.block_bytes;
    }
    s.state = e.device->condition();
    s.reason = e.lost_reason;
    if (e.user != nullptr) s.used_by = fmt::format("{}/{}", e.user->spec().nqn, e.user_nsid);
    s.block_count = e.device->geometry().block_count;
    s.serial = e.device->identity().serial;
    s.model = e.device->identity().model;
    s.note = e.device->note();
    if (e.claim.holders != 0) s.note = "it still has operations of a namespace that is gone";
    return s;
}

std::vector<target_status::trouble> device_registry::troubles() const {
    std::vector<target_status::trouble> list;
    for (const std::string& name : order_) {
        const entry& e = *devices_.at(name);
        const bool ready = e.device->state() == backend::device_state::ready;
        if (ready && e.device->full()) list.push_back({name, "full", std::string(full_text)});
        if (ready || e.spec.detached) continue;
        const std::string why = e.lost_reason.empty() ? e.device->note() : e.lost_reason;
        list.push_back({name, std::string(e.device->condition()), why});
    }
    return list;
}

std::vector<device_status> device_registry::all() const {
    std::vector<device_status> list;
    for (const std::string& name : order_) list.push_back(status(*devices_.at(name)));
    return list;
}

void device_registry::on_device_lost(backend::device& which, const std::string& reason) noexcept {
    for (const auto& [name, e] : devices_) {
        if (e->device.get() != &which) continue;
        e->lost_reason = reason;
        log::error("device {} is {}: {}{}", name, which.condition(), reason, concerned(*e));
        if (e->user != nullptr) e->user->device_lost(e->user_nsid, which);
        return;
    }
}

void device_registry::on_device_full(backend::device& which, bool is) noexcept {
    for (const auto& [name, e] : devices_) {
        if (e->device.get() != &which) continue;
        if (is)
            log::error("device {} is full: {}", name, full_text);
        else
            log::info("device {} has room again", name);
        return;
    }
}

void device_registry::on_device_returned(backend::device& which) noexcept {
    for (const auto& [name, e] : devices_) {
        if (e->device.get() != &which) continue;
        refresh(*e);
        log::info("device {} serves", name);
        tell_note(name, which);
        if (e->user != nullptr) e->user->device_returned(e->user_nsid, which);
        return;
    }
}

bool device_registry::on_device_back_without_data(backend::device& which,
                                                  const std::string& reason) noexcept {
    for (const auto& [name, e] : devices_) {
        if (e->device.get() != &which) continue;
        if (e->user == nullptr || e->user->takes_back_without_data(e->user_nsid, which)) {
            log::warn("device {} serves again: {}", name, reason);
            return true;
        }
        e->lost_reason = reason;
        log::error("device {} stays lost: {}", name, reason);
        return false;
    }
    return true;
}

void device_registry::on_device_resized(backend::device& which) noexcept {
    for (const auto& [name, e] : devices_) {
        if (e->device.get() != &which) continue;
        refresh(*e);
        if (e->user != nullptr) e->user->device_resized(e->user_nsid);
        return;
    }
}

}  // namespace fulmar::core
