// The 64 bits that a work request carries and its completion brings back. They alone say what it
// was: in a completion with an error, everything else but the queue pair's number may be
// meaningless.
#pragma once

#include <cstdint>

namespace fulmar::transport::rdma {

struct work_id {
    enum class queue : std::uint8_t { send, receive };
    queue which = queue::send;
    std::uint32_t incarnation = 0;  ///< send: of the connection, 31 bits
    std::uint32_t number = 0;       ///< send: sequence in the account; receive: the slot

    static constexpr std::uint32_t incarnation_mask = 0x7fff'ffff;

    [[nodiscard]] constexpr std::uint64_t pack() const noexcept {
        return static_cast<std::uint64_t>(which == queue::receive) << 63 |
               static_cast<std::uint64_t>(incarnation & incarnation_mask) << 32 | number;
    }
    [[nodiscard]] static constexpr work_id unpack(std::uint64_t raw) noexcept {
        return {.which = raw >> 63 != 0 ? queue::receive : queue::send,
                .incarnation = static_cast<std::uint32_t>(raw >> 32) & incarnation_mask,
                .number = static_cast<std::uint32_t>(raw)};
    }
    friend constexpr bool operator==(const work_id&, const work_id&) = default;
};
static_assert(work_id::unpack(work_id{work_id::queue::receive, 7, 9}.pack()) ==
              work_id{work_id::queue::receive, 7, 9});

}  // namespace fulmar::transport::rdma
