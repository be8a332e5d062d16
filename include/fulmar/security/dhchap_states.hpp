// The states of the authentication of one queue, on the controller's side.
#pragma once

#include <fulmar/base/state_table.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace fulmar::security {

enum class dhchap_state : std::uint8_t {
    required,         ///< nothing has come; until it is proven, the queue runs nothing else
    preparing,        ///< Negotiate has come: keys are looked up, the challenge is made
    challenge_ready,  ///< to be read
    challenged,       ///< Reply is awaited
    checking,         ///< Reply has come: the response is computed and compared
    success_ready,    ///< the host has proved who it is; Success1 is to be read
    mutual,           ///< Success1 had our own response: Success2 is awaited
    proven,           ///< the queue runs commands; a Negotiate begins anew
    failure_ready,    ///< Failure1 is to be read
    ended,            ///< so is the queue
};

enum class dhchap_event : std::uint8_t {
    negotiate,       ///< that can be met
    prepared,        ///< by the job
    reply,           ///< of the right form
    proved,          ///< by the job: the response is right
    success2,        ///< the host believes us
    read,            ///< the message that was ready, by Authentication Receive
    read_response,   ///< likewise Success1 with our response
    refused,         ///< a message that is wrong, or comes out of order; or the job says no
    failure2,        ///< the host does not believe us
    failure2_again,  ///< likewise on a queue that was proven before: only the attempt ends
    expired,         ///< the host was silent for too long, on a queue that was never proven
    expired_again,   ///< likewise, on one that was: the attempt ends, and the queue goes on
    unable,          ///< we had no memory, thread or place: the host may begin again
    unable_again,    ///< likewise on a queue that was proven before: it stays so
};

using dhchap_edge = edge<dhchap_state, dhchap_event>;

inline constexpr auto dhchap_edges = [] {
    using S = dhchap_state;
    using E = dhchap_event;
    return std::array{
        dhchap_edge{S::required, E::negotiate, S::preparing},
        dhchap_edge{S::required, E::refused, S::failure_ready},
        dhchap_edge{S::required, E::failure2, S::ended},
        dhchap_edge{S::required, E::expired, S::ended},
        dhchap_edge{S::preparing, E::prepared, S::challenge_ready},
        dhchap_edge{S::preparing, E::refused, S::failure_ready},
        dhchap_edge{S::preparing, E::unable, S::required},
        dhchap_edge{S::preparing, E::unable_again, S::proven},
        dhchap_edge{S::challenge_ready, E::read, S::challenged},
        dhchap_edge{S::challenge_ready, E::refused, S::failure_ready},
        dhchap_edge{S::challenge_ready, E::failure2, S::ended},
        dhchap_edge{S::challenge_ready, E::failure2_again, S::proven},
        dhchap_edge{S::challenge_ready, E::expired, S::ended},
        dhchap_edge{S::challenge_ready, E::expired_again, S::proven},
        dhchap_edge{S::challenged, E::reply, S::checking},
        dhchap_edge{S::challenged, E::refused, S::failure_ready},
        dhchap_edge{S::challenged, E::failure2, S::ended},
        dhchap_edge{S::challenged, E::failure2_again, S::proven},
        dhchap_edge{S::challenged, E::expired, S::ended},
        dhchap_edge{S::challenged, E::expired_again, S::proven},
        dhchap_edge{S::checking, E::proved, S::success_ready},
        dhchap_edge{S::checking, E::refused, S::failure_ready},
        dhchap_edge{S::checking, E::unable, S::required},
        dhchap_edge{S::checking, E::unable_again, S::proven},
        dhchap_edge{S::success_ready, E::read, S::proven},
        dhchap_edge{S::success_ready, E::read_response, S::mutual},
        dhchap_edge{S::success_ready, E::refused, S::failure_ready},
        dhchap_edge{S::success_ready, E::failure2, S::ended},
        dhchap_edge{S::success_ready, E::failure2_again, S::proven},
        dhchap_edge{S::success_ready, E::expired, S::ended},
        dhchap_edge{S::success_ready, E::expired_again, S::proven},
        dhchap_edge{S::mutual, E::success2, S::proven},
        dhchap_edge{S::mutual, E::refused, S::failure_ready},
        dhchap_edge{S::mutual, E::failure2, S::ended},
        dhchap_edge{S::mutual, E::failure2_again, S::proven},
        dhchap_edge{S::mutual, E::expired, S::ended},
        dhchap_edge{S::mutual, E::expired_again, S::proven},
        dhchap_edge{S::proven, E::negotiate, S::preparing},
        dhchap_edge{S::proven, E::refused, S::failure_ready},
        dhchap_edge{S::proven, E::failure2, S::ended},
        dhchap_edge{S::failure_ready, E::read, S::ended},
        dhchap_edge{S::failure_ready, E::expired, S::ended},
        dhchap_edge{S::failure_ready, E::expired_again, S::ended},
    };
}();

static_assert(is_deterministic(dhchap_edges));
static_assert(is_complete<dhchap_state::ended, dhchap_event::unable_again>(dhchap_edges));
static_assert(always_leaves(dhchap_edges, std::array{dhchap_state::ended}));
static_assert(always_reaches(dhchap_edges, dhchap_state::ended));
static_assert(!has_edge(dhchap_edges, dhchap_state::ended, dhchap_event::negotiate));
static_assert(
    [] {
        for (const dhchap_edge& e : dhchap_edges)
            if (e.to == dhchap_state::proven && e.from != dhchap_state::success_ready &&
                e.from != dhchap_state::mutual && e.on != dhchap_event::expired_again &&
                e.on != dhchap_event::failure2_again && e.on != dhchap_event::unable_again)
                return false;
        return true;
    }(),
    "only a right response proves a queue that was not proven before");

/// The host is awaited, and not for ever.
[[nodiscard]] constexpr bool awaits_host(dhchap_state state) noexcept {
    return state != dhchap_state::preparing && state != dhchap_state::checking &&
           state != dhchap_state::proven && state != dhchap_state::ended;
}
/// A message is ready for Authentication Receive.
[[nodiscard]] constexpr bool has_message(dhchap_state state) noexcept {
    return state == dhchap_state::challenge_ready || state == dhchap_state::success_ready ||
           state == dhchap_state::failure_ready;
}

[[nodiscard]] std::string_view to_string(dhchap_state state) noexcept;
[[nodiscard]] std::string_view to_string(dhchap_event event) noexcept;

}  // namespace fulmar::security
