// What the data pointer of a command means over RDMA: where in the host's memory its data is, by
// key, or that it came in the capsule. NVMe/RDMA Transport 1.0, section 3.3; Base 2.0,
// section 4.1.2. Pure: every byte is the peer's choice.
#pragma once

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/status.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace fulmar::transport::rdma {

/// Keyed descriptors of one command at most: MSDBD.
inline constexpr std::uint32_t max_segments = 16;

/// A piece of the host's memory.
struct remote_segment {
    std::uint64_t address = 0;
    std::uint32_t key = 0;
    std::uint32_t length = 0;  ///< bytes
};

struct sgl_view {
    nvme::status status{};            ///< success, or what is wrong with it
    std::uint32_t bytes = 0;          ///< that it describes
    std::uint32_t segment_count = 0;  ///< 0: the data is `in_capsule`, or there is none
    std::array<remote_segment, max_segments> segments;
    std::span<const std::byte> in_capsule{};
    std::optional<std::uint32_t>
        invalidate{};  ///< the key that the host wants gone with the answer
};

/// Fills `into`. `extra` is what the capsule holds behind the submission entry.
void walk_sgl(const nvme::sqe& command, std::span<const std::byte> extra, sgl_view& into) noexcept;

}  // namespace fulmar::transport::rdma
