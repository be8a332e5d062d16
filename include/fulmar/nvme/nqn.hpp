// NVMe qualified names: what a name must look like, and taking one out of a wire field.
// NVMe Base 2.0, section 4.5. Any thread; pure.
// Must never: compare names otherwise than byte by byte.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace fulmar::nvme {

inline constexpr std::size_t nqn_bytes_max = 223;
inline constexpr std::size_t nqn_field_bytes = 256;
using nqn_field = std::array<char, nqn_field_bytes>;

inline constexpr std::string_view discovery_nqn = "nqn.2014-08.org.nvmexpress.discovery";
inline constexpr std::string_view uuid_nqn_prefix = "nqn.2014-08.org.nvmexpress:uuid:";

enum class nqn_check : std::uint8_t {
    ok,
    empty,
    too_long,       // more than 223 bytes
    bad_character,  // a control character, which would also spoil a log line
    bad_utf8,
};

/// Well-formed UTF-8: nothing overlong, no surrogate, nothing cut short.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// What a host or a subsystem may be called: 1 to 223 bytes of UTF-8 without control characters.
/// The one rule for the configuration, REST and Connect. Real hosts have names that follow no
/// other: "nqn.2014-08.org.nvmexpress:uuid:" with 32 digits and no dashes (old nvme-cli), "host".
[[nodiscard]] nqn_check validate_nqn(std::string_view nqn) noexcept;
[[nodiscard]] std::string_view describe(nqn_check result) noexcept;

enum class nqn_form : std::uint8_t {
    qualified,
    no_prefix,   // does not start with "nqn."
    bad_date,    // not "yyyy-mm." behind the prefix
    bad_domain,  // no reverse domain name behind the date
    bad_uuid,    // the UUID form without a well-formed UUID
};

/// Whether a valid name is also of the form that the specification wants: some hosts refuse to
/// connect to another.
[[nodiscard]] nqn_form form_of_nqn(std::string_view nqn) noexcept;
[[nodiscard]] std::string_view describe(nqn_form form) noexcept;

/// The name in a 256-byte field: up to the first NUL. Nothing when it is empty or not terminated
/// within 223 bytes. It is not validated further.
[[nodiscard]] inline std::optional<std::string_view> read_nqn(const nqn_field& field) noexcept {
    const void* end = std::memchr(field.data(), 0, nqn_bytes_max + 1);
    if (end == nullptr) return std::nullopt;
    const auto length = static_cast<std::size_t>(static_cast<const char*>(end) - field.data());
    if (length == 0) return std::nullopt;
    return std::string_view{field.data(), length};
}

}  // namespace fulmar::nvme
