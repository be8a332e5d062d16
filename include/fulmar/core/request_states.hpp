// The states of a request: one command from its arrival to the last byte of its answer.
#pragma once

#include <fulmar/base/state_table.hpp>

#include <string_view>

namespace fulmar::core {

enum class request_state : std::uint8_t {
    idle,             ///< not in use
    received,         ///< the command has been parsed
    paired,           ///< of a fused pair: waits for the other one, or for its data
    parked,           ///< waits at a quiesced gate
    awaiting_buffer,  ///< waits for chunks of the pool
    awaiting_data,    ///< the transport fetches its data from the host
    awaiting_range,   ///< waits until it may touch its blocks
    executing,        ///< at a backend, or on its way through another reactor
    answering,        ///< the transport owns the answer
};

enum class request_event : std::uint8_t {
    arrive,
    pair,
    park,
    replay,
    want_buffer,
    want_data,
    want_range,
    execute,
    answer,
    sent
};

using request_edge = edge<request_state, request_event>;

inline constexpr auto request_edges = [] {
    using S = request_state;
    using E = request_event;
    return std::array{
        request_edge{S::idle, E::arrive, S::received},
        request_edge{S::received, E::pair, S::paired},
        request_edge{S::received, E::park, S::parked},
        request_edge{S::received, E::want_buffer, S::awaiting_buffer},
        request_edge{S::received, E::want_data, S::awaiting_data},
        request_edge{S::received, E::want_range, S::awaiting_range},
        request_edge{S::received, E::execute, S::executing},
        request_edge{S::received, E::answer, S::answering},
        request_edge{S::paired, E::replay, S::received},
        request_edge{S::paired, E::want_data, S::awaiting_data},
        request_edge{S::paired, E::want_range, S::awaiting_range},
        request_edge{S::paired, E::execute, S::executing},
        request_edge{S::paired, E::answer, S::answering},
        request_edge{S::parked, E::replay, S::received},
        request_edge{S::parked, E::answer, S::answering},
        request_edge{S::awaiting_buffer, E::pair, S::paired},
        request_edge{S::awaiting_buffer, E::want_data, S::awaiting_data},
        request_edge{S::awaiting_buffer, E::want_range, S::awaiting_range},
        request_edge{S::awaiting_buffer, E::execute, S::executing},
        request_edge{S::awaiting_buffer, E::answer, S::answering},
        request_edge{S::awaiting_data, E::pair, S::paired},
        request_edge{S::awaiting_data, E::want_range, S::awaiting_range},
        request_edge{S::awaiting_data, E::execute, S::executing},
        request_edge{S::awaiting_data, E::answer, S::answering},
        request_edge{S::awaiting_range, E::execute, S::executing},
        request_edge{S::awaiting_range, E::answer, S::answering},
        request_edge{S::executing, E::answer, S::answering},
        request_edge{S::answering, E::sent, S::idle},
    };
}();

static_assert(is_deterministic(request_edges));
static_assert(is_complete<request_state::answering, request_event::sent>(request_edges));
static_assert(always_leaves(request_edges));
static_assert(always_reaches(request_edges, request_state::idle));
static_assert(all_have_edge(request_edges,
                            std::array{request_state::received, request_state::paired,
                                       request_state::parked, request_state::awaiting_buffer,
                                       request_state::awaiting_data, request_state::awaiting_range,
                                       request_state::executing},
                            request_event::answer),
              "whatever happens to it, it can be answered");

[[nodiscard]] std::string_view to_string(request_state state) noexcept;
[[nodiscard]] std::string_view to_string(request_event event) noexcept;

}  // namespace fulmar::core
