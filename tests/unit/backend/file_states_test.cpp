// The table of a file device, as documentation and as promises: docs/file_states.md is its
// rendering.
#include "support/render_states.hpp"

#include <file/file_states.hpp>
#include <gtest/gtest.h>

#include <string>

namespace fulmar::backend {
namespace {

TEST(file_states, are_documented_as_they_are) {
    std::string text =
        "# States of a file device\n\n"
        "Generated from the table that the code runs on, by "
        "`tests/unit/backend/file_states_test.cpp`\n"
        "(`FULMAR_UPDATE_DOCS=1 build/release/tests/unit_backend "
        "--gtest_filter='file_states.*'` writes it anew).\n"
        "What each state means for hosts and operators is in `docs/storage.md`.\n\n";
    text += test::render_states(
        "File device", "src/backend/file/file_states.hpp",
        "Owned by the control reactor; any reactor may be the first to notice a loss. "
        "At rest: ready.",
        file_edges, file_state::missing);
    test::expect_document("docs/file_states.md", std::move(text));
}

TEST(file_states, only_what_never_served_comes_back_by_itself) {
    EXPECT_FALSE(has_edge(file_edges, file_state::lost, file_event::absent));
    EXPECT_FALSE(has_edge(file_edges, file_state::lost, file_event::refuse));
    EXPECT_FALSE(has_edge(file_edges, file_state::ready, file_event::absent));
    EXPECT_TRUE(has_edge(file_edges, file_state::missing, file_event::open));
    EXPECT_TRUE(has_edge(file_edges, file_state::refused, file_event::open));
}

}  // namespace
}  // namespace fulmar::backend
