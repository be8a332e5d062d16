// CRC32C by ISA-L, which picks the fastest code for the processor at its first call.
// Any thread. Must never: be given the inverted value (crc32_iscsi neither inverts in nor out).
#include <fulmar/nvme/crc32c.hpp>

#include <isa-l/crc.h>

#include <algorithm>

namespace fulmar::nvme {

void crc32c::update(std::span<const std::byte> data) noexcept {
    // ISA-L counts with an int and forgets a const.
    constexpr std::size_t chunk_bytes_max = std::size_t{1} << 30;
    while (!data.empty()) {
        const std::size_t length = std::min(data.size(), chunk_bytes_max);
        auto* bytes =
            const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(data.data()));
        state_ = crc32_iscsi(bytes, static_cast<int>(length), state_);
        data = data.subspan(length);
    }
}

}  // namespace fulmar::nvme
