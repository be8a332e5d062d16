// A kernel uevent as its bytes say it: pairs of KEY=value. Any thread; must never trust a length
// that is not there.
#include "uevent.hpp"

#include <algorithm>

namespace fulmar::hotplug {

namespace {

uevent_action action_of(std::string_view word) noexcept {
    if (word == "add") return uevent_action::add;
    if (word == "remove") return uevent_action::remove;
    if (word == "bind") return uevent_action::bind;
    if (word == "unbind") return uevent_action::unbind;
    return uevent_action::other;
}

// The text up to the next NUL; `rest` begins behind it.
std::string_view take_text(std::span<const char>& rest) noexcept {
    const auto end = std::find(rest.begin(), rest.end(), '\0');
    const std::string_view text(rest.data(), static_cast<std::size_t>(end - rest.begin()));
    rest = rest.subspan(std::min(text.size() + 1, rest.size()));
    return text;
}

}  // namespace

// "action@path", then NAME=value, each ended by a NUL.
std::optional<uevent> parse_uevent(std::span<const char> message) noexcept {
    const std::string_view header = take_text(message);
    const std::size_t at = header.find('@');
    if (at == std::string_view::npos || at == 0) return std::nullopt;
    uevent out{.action = action_of(header.substr(0, at)), .device_path = header.substr(at + 1)};
    while (!message.empty()) {
        const std::string_view line = take_text(message);
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos) continue;
        const std::string_view name = line.substr(0, equals);
        const std::string_view value = line.substr(equals + 1);
        if (name == "SUBSYSTEM")
            out.subsystem = value;
        else if (name == "DRIVER")
            out.driver = value;
        else if (name == "PCI_SLOT_NAME")
            out.pci_slot_name = value;
    }
    return out;
}

}  // namespace fulmar::hotplug
