// The table of an export's connections, as documentation and as promises: docs/nbd_states.md is its
// rendering.
#include "support/render_states.hpp"

#include <backend/nbd/remote_states.hpp>
#include <gtest/gtest.h>

namespace fulmar::backend::nbd {
namespace {

TEST(nbd_states, are_documented) {
    std::string text =
        "# States of the connections to an NBD server\n\n"
        "Generated from the table that the code runs on, by "
        "`tests/unit/backend/nbd/remote_states_test.cpp`\n"
        "(`FULMAR_UPDATE_DOCS=1 build/release/tests/unit_backend "
        "--gtest_filter='nbd_states.*'` writes it anew).\n"
        "What each state means for hosts and operators is in `docs/nbd.md`.\n\n";
    text += test::render_states(
        "Connections of a device", "src/backend/nbd/remote_states.hpp",
        "Owned by the control reactor; any reactor may be the first to notice a loss. "
        "At rest: ready.",
        remote_edges, remote_state::away);
    test::expect_document("docs/nbd_states.md", std::move(text));
}

TEST(nbd_states, what_failed_to_become_durable_waits_for_an_operator) {
    EXPECT_TRUE(needs_operator(remote_loss::sync_failed));
    EXPECT_TRUE(needs_operator(remote_loss::no_room));
    EXPECT_FALSE(needs_operator(remote_loss::gone));
    EXPECT_FALSE(needs_operator(remote_loss::timed_out));
    EXPECT_FALSE(needs_operator(remote_loss::asked_for));
}

}  // namespace
}  // namespace fulmar::backend::nbd
