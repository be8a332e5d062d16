#include "namespace_occurrences.hpp"

#include <fulmar/base/limits.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace fulmar::core {

namespace {

std::string_view verb_of(const reservation_request& asked) noexcept {
    using nvme::acquire_action;
    using nvme::register_action;
    using nvme::release_action;
    switch (asked.opcode) {
        case nvme::io_opcode::reservation_register:
            switch (static_cast<register_action>(asked.command.action)) {
                case register_action::remove: return "unregistered";
                case register_action::replace: return "key-replaced";
                case register_action::add: break;
            }
            return "registered";
        case nvme::io_opcode::reservation_acquire:
            return static_cast<acquire_action>(asked.command.action) == acquire_action::acquire
                       ? "reserved"
                       : "preempted";
        default:
            return static_cast<release_action>(asked.command.action) == release_action::clear
                       ? "cleared"
                       : "released";
    }
}

/// "; no longer registered: a, b and 3 more"
std::string describe_lost(const reservation_state& before, const reservation_state& after) {
    const std::size_t lost = count_lost(before, after);
    if (lost == 0) return {};
    std::string names;
    std::size_t named = 0;
    for (const registrant& one : before.registrants) {
        if (after.find(one.host) != nullptr) continue;
        if (named == limits::hosts_named_by_an_event) break;
        names += named++ == 0 ? "" : ", ";
        names += nvme::to_text(one.host).view();
    }
    if (lost > limits::hosts_named_by_an_event)
        names += fmt::format(" and {} more", lost - limits::hosts_named_by_an_event);
    return "; no longer registered: " + names;
}

}  // namespace

bool preempts(const namespace_wish& wish) noexcept {
    const auto* asked = std::get_if<reservation_request>(&wish);
    return asked != nullptr && asked->opcode == nvme::io_opcode::reservation_acquire &&
           static_cast<nvme::acquire_action>(asked->command.action) !=
               nvme::acquire_action::acquire;
}

std::size_t count_lost(const reservation_state& before, const reservation_state& after) noexcept {
    return static_cast<std::size_t>(
        std::count_if(before.registrants.begin(), before.registrants.end(),
                      [&](const registrant& one) { return after.find(one.host) == nullptr; }));
}

std::optional<namespace_occurrence> describe_change(const namespace_wish& wish,
                                                    const reservation_state& before,
                                                    const reservation_state& after) {
    namespace_occurrence out;
    if (const auto* protection = std::get_if<protection_request>(&wish)) {
        out.what = protection->state == nvme::write_protection::none ? "protection-lifted"
                                                                     : "write-protected";
        out.detail = to_string(protection->state);
        return out;
    }
    if (const auto* persistence = std::get_if<persistence_request>(&wish)) {
        out.what = "reservation-persistence";
        out.detail = persistence->persistent ? "outlives a power loss" : "ends with a power loss";
        return out;
    }
    const auto* asked = std::get_if<reservation_request>(&wish);
    if (asked == nullptr) return std::nullopt;
    out.what = verb_of(*asked);
    out.detail = fmt::format("{} held, {} registered{}",
                             after.is_held() ? nvme::to_string(after.type) : "nothing",
                             after.registrants.size(), describe_lost(before, after));
    return out;
}

}  // namespace fulmar::core
