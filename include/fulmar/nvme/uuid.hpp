// The identifiers of namespaces and hosts: UUID, NGUID, EUI-64 and Host Identifier as values.
// NVMe Base 2.0, section 4.5.1; RFC 4122 for the text form and for name-based derivation.
// Any thread; no allocation.
// Must never: take an all-zero value for an identity (it means "none").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fulmar::nvme {

/// Text of a fixed length, on the stack.
template <std::size_t Length>
struct fixed_text {
    std::array<char, Length> characters{};

    [[nodiscard]] constexpr std::string_view view() const noexcept {
        return {characters.data(), Length};
    }
    // Implicit, so that it can be used wherever text is expected.
    constexpr operator std::string_view() const noexcept { return view(); }
};

/// Bytes in the order in which they are sent and printed. `Tag` keeps the kinds apart.
template <typename Tag, std::size_t Size>
struct identifier {
    std::array<std::uint8_t, Size> bytes{};

    [[nodiscard]] constexpr bool is_nil() const noexcept {
        for (const std::uint8_t b : bytes)
            if (b != 0) return false;
        return true;
    }
    [[nodiscard]] constexpr auto operator<=>(const identifier&) const noexcept = default;
};

using uuid = identifier<struct uuid_tag, 16>;
using nguid = identifier<struct nguid_tag, 16>;
using eui64 = identifier<struct eui64_tag, 8>;
/// The 128-bit form of Connect and of feature 81h.
using host_id = identifier<struct host_id_tag, 16>;

using uuid_text = fixed_text<36>;
using nguid_text = fixed_text<32>;
using eui64_text = fixed_text<16>;
using host_id_text = fixed_text<32>;

/// "8-4-4-4-12" hexadecimal, either case, nothing around it.
[[nodiscard]] std::optional<uuid> parse_uuid(std::string_view text) noexcept;
/// 32 hexadecimal digits, or the dashed form that Linux prints.
[[nodiscard]] std::optional<nguid> parse_nguid(std::string_view text) noexcept;
/// 16 hexadecimal digits.
[[nodiscard]] std::optional<eui64> parse_eui64(std::string_view text) noexcept;
/// 32 hexadecimal digits.
[[nodiscard]] std::optional<host_id> parse_host_id(std::string_view text) noexcept;

/// Lower case.
[[nodiscard]] uuid_text to_text(const uuid& id) noexcept;
[[nodiscard]] nguid_text to_text(const nguid& id) noexcept;
[[nodiscard]] eui64_text to_text(const eui64& id) noexcept;
[[nodiscard]] host_id_text to_text(const host_id& id) noexcept;

/// The identity of namespace `nsid` of subsystem `nqn` when none was configured: the same on
/// every start, so that a restart keeps hosts' disks. Version 5 (SHA-1). Never change it.
[[nodiscard]] uuid derive_uuid(std::string_view nqn, std::uint32_t nsid) noexcept;
/// Likewise; unrelated to the UUID, and marked as locally administered since Fulmar has no OUI.
[[nodiscard]] nguid derive_nguid(std::string_view nqn, std::uint32_t nsid) noexcept;

}  // namespace fulmar::nvme
