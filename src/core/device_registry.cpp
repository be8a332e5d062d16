#include <fulmar/base/log.hpp>
#include <fulmar/core/device_registry.hpp>
#include <fulmar/core/subsystem.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::core {

namespace {
error held_back(std::string_view name, std::string_view where) {
    return {errc::conflict,
            fmt::format("device {} still has operations of a namespace that is gone", name),
            std::string(where), "wait until they end, or reset the device"};
}

error in_use(const device_registry::entry& e, std::string_view where, std::string_view remedy) {
    return {errc::conflict,
            fmt::format("device {} backs namespace {} of {}", e.spec.name, e.user_nsid,
                        e.user->spec().nqn),
            std::string(where), std::string(remedy)};
}
}  // namespace

result<void> device_registry::create(const device_spec& spec) {
    if (devices_.size() >= limits::max_devices)
        return fail(errc::limit_reached,
                    fmt::format("there are {} devices already", limits::max_devices));
    if (devices_.contains(spec.name))
        return fail(errc::already_exists, fmt::format("a device named {} exists", spec.name),
                    "/name", "choose another name, or delete the other device first");
    FULMAR_TRY(auto opened, factory_(spec));
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
    devices_.emplace(spec.name, std::move(made));
    order_.push_back(spec.name);
    return {};
}

result<void> device_registry::remove(std::string_view name) {
    entry* e = find(name);
    if (e == nullptr) return fail(errc::not_found, fmt::format("there is no device {}", name));
    switch (e->claim.verdict()) {
        case claim_verdict::free: break;
        case claim_verdict::used:
            return tl::unexpected(in_use(*e, {}, "remove the namespace first"));
        case claim_verdict::held: return tl::unexpected(held_back(name, {}));
    }
    e->device->set_listener(nullptr);
    devices_.erase(std::string(name));
    std::erase(order_, name);
    return {};
}

result<device_registry::entry*> device_registry::claim(std::string_view name, subsystem& user,
                                                       std::uint32_t nsid) {
    entry* e = find(name);
    if (e == nullptr)
        return fail(errc::not_found, fmt::format("there is no device {}", name), "/device",
                    "create the device first");
    switch (e->claim.verdict()) {
        case claim_verdict::free: break;
        case claim_verdict::used:
            return tl::unexpected(in_use(*e, "/device", "a device backs one namespace"));
        case claim_verdict::held: return tl::unexpected(held_back(name, "/device"));
    }
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
    if (e.device->state() == backend::device_state::ready) e.lost_reason.clear();
}

device_registry::entry* device_registry::find(std::string_view name) noexcept {
    const auto at = devices_.find(std::string(name));
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
    if (e.spec.type == "pcie") {  // the drive's own, as far as it is known
        const backend::geometry now = e.device->geometry();
        s.spec.block_bytes = now.block_bytes;
        s.spec.size_bytes = now.block_count * now.block_bytes;
    }
    s.state = e.device->state() == backend::device_state::ready ? "ready" : "lost";
    s.reason = e.lost_reason;
    if (e.user != nullptr) s.used_by = fmt::format("{}/{}", e.user->spec().nqn, e.user_nsid);
    s.block_count = e.device->geometry().block_count;
    s.serial = e.device->identity().serial;
    s.model = e.device->identity().model;
    s.note = e.device->note();
    if (e.claim.holders != 0) s.note = "it still has operations of a namespace that is gone";
    return s;
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
        log::error("device {} is lost: {}", name, reason);
        if (e->user != nullptr) e->user->device_lost(e->user_nsid, which);
        return;
    }
}

void device_registry::on_device_returned(backend::device& which) noexcept {
    for (const auto& [name, e] : devices_) {
        if (e->device.get() != &which) continue;
        e->lost_reason.clear();
        log::info("device {} serves", name);
        if (e->user != nullptr) e->user->device_returned(e->user_nsid, which);
        return;
    }
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
