// A state machine is one constexpr table of edges. Everything else (the checks, docs/states.md, the
// model) reads it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace fulmar {

template <typename State, typename Event>
struct edge {
    State from;
    Event on;
    State to;
};

/// Where `on` leads from `from`; nothing when the table has no such edge.
template <typename State, typename Event, std::size_t N>
[[nodiscard]] constexpr std::optional<State> next_state(
    const std::array<edge<State, Event>, N>& edges, State from, Event on) noexcept {
    for (const edge<State, Event>& e : edges)
        if (e.from == from && e.on == on) return e.to;
    return std::nullopt;
}

/// The same table by state and event, for machines that take an edge per command. `last_state` and
/// `last_event` are the largest enumerators; absent edges are `no_edge`.
inline constexpr std::uint8_t no_edge = 0xff;
template <auto last_state, auto last_event, typename State, typename Event, std::size_t N>
[[nodiscard]] constexpr auto by_state_and_event(
    const std::array<edge<State, Event>, N>& edges) noexcept {
    constexpr auto states = static_cast<std::size_t>(last_state) + 1;
    constexpr auto events = static_cast<std::size_t>(last_event) + 1;
    std::array<std::array<std::uint8_t, events>, states> table{};
    for (auto& row : table) row.fill(no_edge);
    for (const edge<State, Event>& e : edges)
        table[static_cast<std::size_t>(e.from)][static_cast<std::size_t>(e.on)] =
            static_cast<std::uint8_t>(e.to);
    return table;
}

/// No two edges leave one state on one event.
template <typename State, typename Event, std::size_t N>
[[nodiscard]] constexpr bool is_deterministic(
    const std::array<edge<State, Event>, N>& edges) noexcept {
    for (std::size_t i = 0; i < N; ++i)
        for (std::size_t j = i + 1; j < N; ++j)
            if (edges[i].from == edges[j].from && edges[i].on == edges[j].on) return false;
    return true;
}

/// From `start`, some row of events leads to `goal`.
template <typename State, typename Event, std::size_t N>
[[nodiscard]] constexpr bool reaches(const std::array<edge<State, Event>, N>& edges, State start,
                                     State goal) noexcept {
    std::array<State, N + 1> seen{};  // breadth first; at most one new state per edge
    std::size_t count = 0, done = 0;
    seen[count++] = start;
    while (done < count) {
        const State at = seen[done++];
        if (at == goal) return true;
        for (const edge<State, Event>& e : edges) {
            if (e.from != at) continue;
            bool known = false;
            for (std::size_t i = 0; i < count; ++i) known = known || seen[i] == e.to;
            if (!known) seen[count++] = e.to;
        }
    }
    return false;
}

/// Every state that occurs in the table can get to `goal`.
template <typename State, typename Event, std::size_t N>
[[nodiscard]] constexpr bool always_reaches(const std::array<edge<State, Event>, N>& edges,
                                            State goal) noexcept {
    for (const edge<State, Event>& e : edges)
        if (!reaches(edges, e.from, goal) || !reaches(edges, e.to, goal)) return false;
    return true;
}

/// Every state but those in `ends` has an edge that leaves it.
template <typename State, typename Event, std::size_t N, std::size_t M = 0>
[[nodiscard]] constexpr bool always_leaves(const std::array<edge<State, Event>, N>& edges,
                                           const std::array<State, M>& ends = {}) noexcept {
    for (const edge<State, Event>& to : edges) {
        bool leaves = false;
        for (const State end : ends) leaves = leaves || end == to.to;
        for (const edge<State, Event>& e : edges)
            leaves = leaves || (e.from == to.to && e.to != to.to);
        if (!leaves) return false;
    }
    return true;
}

/// Every state from the first to `last`, and every event from the first to `last_event`, occurs.
template <auto last, auto last_event, typename State, typename Event, std::size_t N>
[[nodiscard]] constexpr bool is_complete(const std::array<edge<State, Event>, N>& edges) noexcept {
    for (std::size_t i = 0; i <= static_cast<std::size_t>(last); ++i) {
        bool found = false;
        for (const edge<State, Event>& e : edges)
            found = found || e.from == static_cast<State>(i) || e.to == static_cast<State>(i);
        if (!found) return false;
    }
    for (std::size_t i = 0; i <= static_cast<std::size_t>(last_event); ++i) {
        bool found = false;
        for (const edge<State, Event>& e : edges) found = found || e.on == static_cast<Event>(i);
        if (!found) return false;
    }
    return true;
}

/// `state` has an edge for `on`.
template <typename State, typename Event, std::size_t N>
[[nodiscard]] constexpr bool has_edge(const std::array<edge<State, Event>, N>& edges, State state,
                                      Event on) noexcept {
    return next_state(edges, state, on).has_value();
}

/// Each of `states` has an edge for `on`: what can fail has somewhere to go.
template <typename State, typename Event, std::size_t N, std::size_t M>
[[nodiscard]] constexpr bool all_have_edge(const std::array<edge<State, Event>, N>& edges,
                                           const std::array<State, M>& states, Event on) noexcept {
    for (const State state : states)
        if (!has_edge(edges, state, on)) return false;
    return true;
}

}  // namespace fulmar
