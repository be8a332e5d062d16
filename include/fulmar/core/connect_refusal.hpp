// Why a Connect was refused: a name for the metrics, a sentence and a remedy for the log.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/log.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fulmar::core {

enum class connect_refusal : std::uint8_t {
    malformed,           ///< format, length or descriptor of its data
    wrong_parameter,     ///< queue id, queue size, controller id or host identifier
    wrong_name,          ///< no name that a host or a subsystem can have
    unknown_subsystem,   ///< there is none of that name, or none yet
    not_offered_here,    ///< the subsystem names other listeners
    host_not_allowed,    ///< the host is not in the subsystem's list
    no_key,              ///< the subsystem wants hosts to authenticate, and has no key for this one
    key_unusable,        ///< the key of the host, or ours for it, is missing or broken
    not_encrypted,       ///< the host has a key of TLS, and its connection is plain
    other_identity,      ///< the key of the connection is another host's, or another subsystem's
    mixed_security,      ///< of an I/O queue: it is plain and its controller is not, or vice versa
    list_broken,         ///< the subsystem's list cannot be read: nobody may connect
    busy,                ///< the subsystem was in transition for longer than connect_wait_ms
    too_many_wait,       ///< … and so many Connects wait for it that this one cannot
    no_connection_left,  ///< connections_per_listener is reached, and nobody has to give way
    no_controller_left,  ///< the subsystem's are all in use, and nobody has to give way
    unknown_controller,  ///< of an I/O queue: its controller has ended, or is another host's
    identifier_in_use,   ///< another host is connected with it, where reservations go by it
    out_of_sequence,     ///< the connection or the controller has that queue, or is not enabled
    no_memory,
};

inline constexpr std::size_t connect_refusal_count =
    static_cast<std::size_t>(connect_refusal::no_memory) + 1;

/// "host_not_allowed": the value of the label in /metrics.  Called on: any thread.
[[nodiscard]] std::string_view to_string(connect_refusal why) noexcept;
/// Called on: any thread.
[[nodiscard]] std::string_view describe(connect_refusal why) noexcept;
/// What an operator can do; empty when there is nothing.  Called on: any thread.
[[nodiscard]] std::string_view remedy(connect_refusal why) noexcept;

/// Text that a peer has chosen, fit for a line of a log: what is not printable becomes "\x0a".
/// Called on: any thread.
[[nodiscard]] std::string printable(std::string_view text);

class qpair;

/// The refusals of one poll group. Called on: its reactor, unless a method says otherwise.
class connect_refusals {
  public:
    /// Counts it, and writes a line unless there were many of that reason lately.
    void note(connect_refusal why, const qpair& whose, instant now) noexcept;
    /// Called on: any thread.
    [[nodiscard]] std::uint64_t count(connect_refusal why) const noexcept {
        return counts_[static_cast<std::size_t>(why)].load(std::memory_order_relaxed);
    }

  private:
    std::array<std::atomic<std::uint64_t>, connect_refusal_count> counts_{};
    std::array<log::limiter, connect_refusal_count> lines_;
};

}  // namespace fulmar::core
