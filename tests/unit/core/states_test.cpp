// The tables, as documentation and as promises. docs/states.md is their rendering: this test fails
// when it differs, and writes it anew with FULMAR_UPDATE_DOCS=1 in the environment.
#include "support/render_states.hpp"

#include <fulmar/core/controller_states.hpp>
#include <fulmar/core/gate.hpp>
#include <fulmar/core/namespace_states.hpp>
#include <fulmar/core/qpair_states.hpp>
#include <fulmar/core/request_states.hpp>
#include <fulmar/core/subsystem_states.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace fulmar::core {
namespace {

using fulmar::test::render_states;
using fulmar::test::states_of;

// Decided by gate::admit(): rendered by asking it.
std::string render_gate() {
    std::string text =
        "## Gate: one per poll group and namespace\n\n"
        "Owned by that data reactor. The only place where the data path looks at a namespace's "
        "state.\n"
        "Table: `include/fulmar/core/gate.hpp`; what a command does to it: "
        "`src/core/group_rules.cpp`.\n\n| gate | a request of its generation | of another | with "
        "too much parked |\n"
        "|---|---|---|---|\n";
    const auto name = [](admission a) {
        switch (a) {
            case admission::enter: return "enters";
            case admission::park: return "is parked";
            case admission::refuse: return "is answered with a status";
            case admission::overflow: return "is answered retryable";
            case admission::stale: return "is answered: no such namespace";
        }
        return "?";
    };
    for (const gate_position p : {gate_position::open, gate_position::quiesced,
                                  gate_position::waiting_for_device, gate_position::closed}) {
        gate fresh{.position = p, .generation = 7};
        gate other = fresh;
        gate full = fresh;
        full.parked = limits::max_parked_requests;
        const admission own = fresh.admit(7, 0);
        text += fmt::format("| {} | {} | {} | {} |\n", to_string(p), name(own),
                            name(other.admit(6, 0)), name(full.admit(7, 0)));
    }
    text += "\n| gate | on | goes to |\n|---|---|---|\n";
    for (const auto& e : gate_edges)
        text +=
            fmt::format("| {} | {} | {} |\n", to_string(e.from), to_string(e.on), to_string(e.to));
    return text + "\n";
}

std::string rendering() {
    std::string text =
        "# States\n\n"
        "Generated from the tables that the code runs on, by `tests/unit/core/states_test.cpp`\n"
        "(`FULMAR_UPDATE_DOCS=1 build/release/tests/unit_core --gtest_filter='states.*'` writes it "
        "anew).\n\n";
    text += render_states("Subsystem", "include/fulmar/core/subsystem_states.hpp",
                          "Owned by the control reactor. At rest: inactive, active, paused.",
                          subsystem_edges, subsystem_state::inactive);
    text +=
        render_states("Namespace", "include/fulmar/core/namespace_states.hpp",
                      "Owned by the control reactor.", namespace_edges, namespace_state::absent);
    text += render_gate();
    text += render_states("Controller", "include/fulmar/core/controller_states.hpp",
                          "Owned by its home, the reactor of its admin queue.", controller_edges,
                          controller_state::disabled);
    text += render_states("Queue pair", "include/fulmar/core/qpair_states.hpp",
                          "Owned by its data reactor.", qpair_edges, qpair_state::fresh);
    text += render_states("Request", "include/fulmar/core/request_states.hpp",
                          "Owned by its queue pair's reactor.", request_edges, request_state::idle);
    text +=
        "The tables of a drive and its controller: [drive_states.md](drive_states.md); "
        "of an RDMA connection: [rdma_states.md](rdma_states.md).\n";
    return text;
}

TEST(states, are_documented_as_they_are) {
    fulmar::test::expect_document("docs/states.md", rendering());
}

template <typename State, typename Event, std::size_t N>
void expect_no_dead_end(const std::array<edge<State, Event>, N>& edges, std::vector<State> last) {
    for (const State s : states_of(edges)) {
        const bool leaves =
            std::any_of(edges.begin(), edges.end(), [&](const auto& e) { return e.from == s; });
        const bool may_stay = std::find(last.begin(), last.end(), s) != last.end();
        EXPECT_TRUE(leaves || may_stay) << to_string(s) << " is a dead end";
    }
}

TEST(states, have_a_way_out) {
    expect_no_dead_end(subsystem_edges, std::vector<subsystem_state>{});
    expect_no_dead_end(namespace_edges, std::vector<namespace_state>{});
    expect_no_dead_end(controller_edges, std::vector<controller_state>{controller_state::gone});
    expect_no_dead_end(qpair_edges, std::vector<qpair_state>{qpair_state::closed});
    expect_no_dead_end(request_edges, std::vector<request_state>{});
}

// What a transition waits for may fail, but for teardown, which must not need anything that can.
TEST(states, fail_where_something_can) {
    for (const subsystem_state s :
         {subsystem_state::activating, subsystem_state::pausing, subsystem_state::resuming})
        EXPECT_TRUE(has_edge(subsystem_edges, s, subsystem_event::failed)) << to_string(s);
    EXPECT_FALSE(has_edge(subsystem_edges, subsystem_state::deactivating, subsystem_event::failed));
    for (const namespace_state s : {namespace_state::attaching, namespace_state::quiescing})
        EXPECT_TRUE(has_edge(namespace_edges, s, namespace_event::failed)) << to_string(s);
    EXPECT_FALSE(has_edge(namespace_edges, namespace_state::detaching, namespace_event::failed));
}

TEST(states, lose_a_device_from_wherever_there_is_one) {
    for (const namespace_state s : {namespace_state::attaching, namespace_state::ready,
                                    namespace_state::quiescing, namespace_state::quiesced})
        EXPECT_TRUE(has_edge(namespace_edges, s, namespace_event::lose)) << to_string(s);
}

TEST(states, tables_by_index_agree_with_the_edges) {
    constexpr auto table =
        by_state_and_event<request_state::answering, request_event::sent>(request_edges);
    for (std::size_t s = 0; s < table.size(); ++s)
        for (std::size_t e = 0; e < table[s].size(); ++e) {
            const auto next = next_state(request_edges, static_cast<request_state>(s),
                                         static_cast<request_event>(e));
            EXPECT_EQ(table[s][e], next ? static_cast<std::uint8_t>(*next) : no_edge);
        }
}

}  // namespace
}  // namespace fulmar::core
