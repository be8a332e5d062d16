#include <fulmar/vfio/pci_address.hpp>

#include <fmt/format.h>

#include <charconv>

namespace fulmar::vfio {

namespace {

// Takes a hexadecimal number of exactly `digits` digits, and the character after it unless that is
// 0.
bool take(std::string_view& text, unsigned digits, char after, unsigned most, unsigned& out) {
    if (text.size() < digits + (after != 0 ? 1u : 0u)) return false;
    const char* const begin = text.data();
    const auto [end, error] = std::from_chars(begin, begin + digits, out, 16);
    if (error != std::errc{} || end != begin + digits || out > most) return false;
    text.remove_prefix(digits);
    if (after == 0) return true;
    if (text.front() != after) return false;
    text.remove_prefix(1);
    return true;
}

}  // namespace

std::string pci_address::text() const {
    return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", domain, bus, device, function);
}

result<pci_address> parse_pci_address(std::string_view text) {
    constexpr std::size_t short_form = 7;
    unsigned domain = 0, bus = 0, device = 0, function = 0;
    std::string_view left = text;
    const bool good = (text.size() == short_form || take(left, 4, ':', 0xffff, domain)) &&
                      take(left, 2, ':', 0xff, bus) && take(left, 2, '.', 0x1f, device) &&
                      take(left, 1, 0, 7, function) && left.empty();
    if (!good)
        return fail(errc::invalid_argument, fmt::format("{} is not a PCI address", text),
                    "/address", "write it as 0000:0b:00.0");
    return pci_address{.domain = static_cast<std::uint16_t>(domain),
                       .bus = static_cast<std::uint8_t>(bus),
                       .device = static_cast<std::uint8_t>(device),
                       .function = static_cast<std::uint8_t>(function)};
}

}  // namespace fulmar::vfio
