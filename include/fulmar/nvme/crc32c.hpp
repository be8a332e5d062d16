// CRC32C, the header and data digest of NVMe/TCP, computed by ISA-L.
// NVMe/TCP Transport 1.0, section 3.5; RFC 3720. Any thread.
// Must never: copy or keep the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace fulmar::nvme {

/// A digest over data that arrives in pieces; the pieces' sizes do not matter.
class crc32c {
  public:
    void update(std::span<const std::byte> data) noexcept;
    void reset() noexcept { state_ = initial; }
    /// The digest of everything since construction or reset; on the wire little-endian.
    [[nodiscard]] std::uint32_t value() const noexcept { return ~state_; }

  private:
    static constexpr std::uint32_t initial = 0xffff'ffff;
    std::uint32_t state_ = initial;
};

[[nodiscard]] inline std::uint32_t crc32c_of(std::span<const std::byte> data) noexcept {
    crc32c crc;
    crc.update(data);
    return crc.value();
}

}  // namespace fulmar::nvme
