// One question to every poll group, and the answers that are missing. A copyable value without
// pointers, so that the model explores the very code that the control reactor runs.
#pragma once

#include <fulmar/base/limits.hpp>

#include <compare>
#include <cstdint>

namespace fulmar::core {

enum class ack_verdict : std::uint8_t {
    stale,  ///< of a former transition, or a second one: to be dropped and counted
    more,   ///< taken; others are missing
    last,   ///< taken; everybody has answered
};

/// Called on: control reactor, all methods.
struct awaited_acks {
    std::uint64_t transition = 0;  ///< of the question; acks and escalations echo it
    std::uint64_t missing = 0;     ///< a bit for each poll group that has not answered
    std::uint32_t unreaped = 0;    ///< operations that were given up and are at a device still
    bool failed = false;           ///< a poll group could not do its part
    bool late = false;             ///< the deadline has passed

    /// `groups` poll groups are asked, 0 to groups - 1.
    void begin(std::uint64_t number, std::uint32_t groups) noexcept;
    ack_verdict on_ack(std::uint32_t group, std::uint64_t number, bool succeeded,
                       std::uint32_t unreaped_there) noexcept;
    void on_deadline() noexcept { late = true; }
    /// Whether `group` must be told of the deadline; `told` is the transition that it was last told
    /// about. Once each: what it gives up then is all that it can give up.
    [[nodiscard]] bool must_escalate(std::uint32_t group, std::uint64_t told) const noexcept;
    [[nodiscard]] bool waits_for(std::uint32_t group) const noexcept {
        return (missing >> group & 1u) != 0;
    }
    [[nodiscard]] bool complete() const noexcept { return missing == 0; }

    friend auto operator<=>(const awaited_acks&, const awaited_acks&) = default;
};
static_assert(limits::max_data_reactors <= 64, "a bit per poll group");

}  // namespace fulmar::core
