// Little-endian field types of the NVMe wire structures, and copying them from and to bytes.
// NVMe Base 2.0, section 1.5 (byte order). Any thread; pure functions.
// Must never: interpret foreign bytes in place (wire structures are copied in and out).
#pragma once

#include <boost/endian/buffers.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace fulmar::nvme {

using le16 = boost::endian::little_uint16_buf_t;
using le24 = boost::endian::little_uint24_buf_t;
using le32 = boost::endian::little_uint32_buf_t;
using le48 = boost::endian::little_uint48_buf_t;
using le64 = boost::endian::little_uint64_buf_t;

/// A 16-byte counter. The upper half only ever matters to counters that a target cannot reach.
struct le128 {
    le64 low;
    le64 high;
};
static_assert(sizeof(le128) == 16);

template <std::size_t Size>
using reserved = std::array<std::uint8_t, Size>;

/// What every wire structure is: copyable as bytes, without alignment and so without padding.
template <typename T>
concept wire_type = std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T> &&
                    alignof(T) == 1;

/// Copies a `T` from the start of `from`; nothing when `from` is too short.
template <wire_type T>
[[nodiscard]] inline std::optional<T> read_wire(std::span<const std::byte> from) noexcept {
    if (from.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, from.data(), sizeof(T));
    return value;
}

/// Copies `value` to the start of `to`; false, and nothing written, when `to` is too short.
template <wire_type T>
[[nodiscard]] inline bool write_wire(std::span<std::byte> to, const T& value) noexcept {
    if (to.size() < sizeof(T)) return false;
    std::memcpy(to.data(), &value, sizeof(T));
    return true;
}

template <wire_type T>
[[nodiscard]] inline std::span<const std::byte, sizeof(T)> wire_bytes(const T& value) noexcept {
    return std::as_bytes(std::span<const T, 1>{&value, 1});
}

template <wire_type T>
[[nodiscard]] inline std::span<std::byte, sizeof(T)> writable_wire_bytes(T& value) noexcept {
    return std::as_writable_bytes(std::span<T, 1>{&value, 1});
}

}  // namespace fulmar::nvme
