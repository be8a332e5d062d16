// Whose turn it is for Diffie-Hellman: a pure rule.
#pragma once

#include <fulmar/base/limits.hpp>

#include <cstdint>

namespace fulmar::core {

struct lane_seat {
    bool proven = false;     ///< its queue has been proven before
    std::uint64_t turn = 0;  ///< of its address, by start-time fair queueing
};

/// Proven queues come first, but not for ever: after `proven_in_a_row` of them somebody else does,
/// so that one host that asks again and again keeps nobody out.
[[nodiscard]] constexpr bool goes_before(const lane_seat& a, const lane_seat& b,
                                         std::uint32_t proven_in_a_row) noexcept {
    if (a.proven != b.proven)
        return a.proven == (proven_in_a_row < limits::proven_authentications_in_a_row);
    return a.turn < b.turn;
}

}  // namespace fulmar::core
