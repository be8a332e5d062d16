// The tables of a drive, as documentation and as promises: docs/drive_states.md is their rendering.
#include "support/render_states.hpp"

#include <gtest/gtest.h>
#include <pcie/controller_states.hpp>
#include <pcie/drive_states.hpp>

#include <string>

namespace fulmar::backend::pcie {
namespace {

TEST(drive_states, are_documented_as_they_are) {
    std::string text =
        "# States of a drive\n\n"
        "Generated from the tables that the code runs on, by "
        "`tests/unit/backend/drive_states_test.cpp`\n"
        "(`FULMAR_UPDATE_DOCS=1 build/release/tests/unit_backend "
        "--gtest_filter='drive_states.*'` writes it anew).\n\n";
    text += test::render_states("Drive", "src/backend/pcie/drive_states.hpp",
                                "Owned by the control reactor. At rest: absent, ready.",
                                drive_edges, drive_state::absent);
    text += test::render_states("Controller of a drive", "src/backend/pcie/controller_states.hpp",
                                "Owned by the drive's helper thread; nobody steps it when ready.",
                                controller_edges, controller_state::off);
    test::expect_document("docs/drive_states.md", std::move(text));
}

TEST(drive_states, are_lost_from_wherever_something_is_open) {
    for (const drive_state s : {drive_state::attaching, drive_state::linking, drive_state::ready})
        EXPECT_TRUE(has_edge(drive_edges, s, drive_event::lose)) << to_string(s);
}

TEST(drive_states, have_a_way_out) {
    for (const drive_state s : test::states_of(drive_edges))
        EXPECT_TRUE(reaches(drive_edges, s, drive_state::absent)) << to_string(s);
    for (const controller_state s : test::states_of(controller_edges))
        EXPECT_TRUE(reaches(controller_edges, s, controller_state::off)) << to_string(s);
}

}  // namespace
}  // namespace fulmar::backend::pcie
