// What the kernel says when devices come and go. Pure: bytes in, a value out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace fulmar::hotplug {

enum class uevent_action : std::uint8_t { add, remove, bind, unbind, other };

/// Views into the message that it was parsed from.
struct uevent {
    uevent_action action = uevent_action::other;
    std::string_view subsystem{};
    std::string_view device_path{};
    std::string_view driver{};         ///< of a bind
    std::string_view pci_slot_name{};  ///< "0000:0b:00.0"; of PCI functions only
};

/// Nothing when `message` is not one: udev's own messages, or bytes without a header.
[[nodiscard]] std::optional<uevent> parse_uevent(std::span<const char> message) noexcept;

}  // namespace fulmar::hotplug
