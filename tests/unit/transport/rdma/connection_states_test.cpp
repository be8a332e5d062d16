// Unit tests of transport/rdma/connection_states.hpp: the table as a whole.
#include "connection_states.hpp"

#include "part_states.hpp"
#include "support/render_states.hpp"

#include <gtest/gtest.h>

#include <set>

namespace fulmar::transport::rdma {
namespace {

using S = connection_state;
using E = connection_event;

TEST(rdma_connection_states, every_order_of_events_that_can_happen_has_edges) {
    // Both sides as they behave: the control reactor gets `prepared` or `refused` once, then at
    // most one `reaped`; `confirmed` and `end` come from the connection manager at any time before
    // the identifier is destroyed; `let_go` follows the release, also that of a refused one.
    struct world {
        S state = S::offered;
        bool answered = false;  // prepared or refused has come
        bool refused = false;
        bool reaped = false;
        auto operator<=>(const world&) const = default;
    };
    std::set<world> seen;
    std::vector<world> todo{world{}};
    std::set<S> reached;
    while (!todo.empty()) {
        const world w = todo.back();
        todo.pop_back();
        if (!seen.insert(w).second) continue;
        reached.insert(w.state);
        if (w.state == S::gone) continue;
        const auto step = [&](E on, world then) {
            const auto to = next_state(connection_edges, w.state, on);
            ASSERT_TRUE(to) << to_string(w.state) << " on " << to_string(on);
            then.state = *to;
            todo.push_back(then);
        };
        if (!w.answered) {
            world then = w;
            then.answered = true;
            step(E::prepared, then);
            then.refused = true;
            step(E::refused, then);
        }
        if (w.state != S::released) {
            step(E::end, w);
            if (w.state != S::offered) step(E::confirmed, w);
        }
        if (w.state == S::ending) step(E::deadline, w);
        if (w.answered && !w.refused && !w.reaped &&
            (w.state == S::ending || w.state == S::overdue)) {
            world then = w;
            then.reaped = true;
            step(E::reaped, then);
        }
        if (w.state == S::released && w.answered) step(E::let_go, w);
    }
    EXPECT_EQ(reached.size(), 7u) << "every state is reached";
}

TEST(rdma_connection_states, are_documented_as_they_are) {
    std::string text =
        "# States of an RDMA connection\n\n"
        "Generated from the table that the code runs on, by "
        "`tests/unit/transport/rdma/connection_states_test.cpp`\n"
        "(`FULMAR_UPDATE_DOCS=1 build/release/tests/unit_transport "
        "--gtest_filter='rdma_connection_states.*'` writes it anew).\n"
        "Its end is explored in every order by `tests/model/rdma_test.cpp`.\n\n";
    text += fulmar::test::render_states(
        "Connection", "src/transport/rdma/connection_states.hpp",
        "Owned by the control reactor, which has queue pair and identifier; the poll group has the "
        "requests. At rest: established.",
        connection_edges, S::offered);
    text += fulmar::test::render_states(
        "What a data reactor has of a device", "src/transport/rdma/part_states.hpp",
        "Owned by the control reactor; its queues are used by the data reactor. At rest: serving.",
        part_edges, part_state::absent);
    fulmar::test::expect_document("docs/rdma_states.md", std::move(text));
}

TEST(rdma_connection_states, every_state_and_event_has_a_name) {
    for (const connection_edge& e : connection_edges) {
        EXPECT_NE(to_string(e.from), "?");
        EXPECT_NE(to_string(e.to), "?");
        EXPECT_NE(to_string(e.on), "?");
    }
    for (const part_edge& e : part_edges) {
        EXPECT_NE(to_string(e.from), "?");
        EXPECT_NE(to_string(e.on), "?");
    }
}

}  // namespace
}  // namespace fulmar::transport::rdma
