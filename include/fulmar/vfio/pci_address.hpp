// Where a PCI function is: "0000:0b:00.0". A value; any thread.
#pragma once

#include <fulmar/base/result.hpp>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace fulmar::vfio {

struct pci_address {
    std::uint16_t domain = 0;
    std::uint8_t bus = 0;
    std::uint8_t device = 0;    ///< 0 to 31
    std::uint8_t function = 0;  ///< 0 to 7

    /// As sysfs spells it.
    [[nodiscard]] std::string text() const;
    friend auto operator<=>(const pci_address&, const pci_address&) = default;
};

/// "0000:0b:00.0", or without the domain "0b:00.0".  Errors: invalid_argument.
/// Called on: any thread.
result<pci_address> parse_pci_address(std::string_view text);

}  // namespace fulmar::vfio
