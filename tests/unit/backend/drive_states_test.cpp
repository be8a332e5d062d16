// The tables of a drive and what joins them, as documentation and as promises:
// docs/drive_states.md is their rendering. Every order of events is the model's
// (tests/model/drive_test.cpp).
#include "drive_life_text.hpp"
#include "support/render_states.hpp"

#include <gtest/gtest.h>
#include <pcie/controller_states.hpp>
#include <pcie/drive_life.hpp>

#include <algorithm>
#include <string>

namespace fulmar::backend::pcie {
namespace {

constexpr const char* about_decisions =
    "## What follows from a message\n\n"
    "`next()` of `src/backend/pcie/drive_life.hpp`, asked for all that can be reached. A stage and "
    "a "
    "goal that stay as they are, are left out; a message that is not listed for a stage changes "
    "nothing there, or cannot come. `cause` is that of the message, or of the loss that is "
    "known.\n\n";

TEST(drive_states, are_documented_as_they_are) {
    std::string text =
        "# States of a drive\n\n"
        "Generated from the tables that the code runs on, by "
        "`tests/unit/backend/drive_states_test.cpp`\n"
        "(`FULMAR_UPDATE_DOCS=1 build/release/tests/unit_backend "
        "--gtest_filter='drive_states.*'` writes it anew).\n"
        "`tests/model/drive_test.cpp` explores what they come to, in every order.\n\n";
    text += test::render_states(
        "What is wanted of a drive", "src/backend/pcie/drive_states.hpp",
        "Owned by the control reactor. What is shown as detached is detached or retired.",
        goal_edges, drive_goal::awaited);
    text += test::render_states("The life of one incarnation", "src/backend/pcie/drive_states.hpp",
                                "Owned by the control reactor. At rest: absent, serving. Each "
                                "ends; the next one is another.",
                                stage_edges, drive_stage::absent);
    text += "REST, metrics and the log show a summary:\n\n| stage | state |\n|---|---|\n";
    for (const drive_stage s : test::states_of(stage_edges))
        text += fmt::format("| {} | {} |\n", to_string(s), to_string(state_of(s)));
    text +=
        "\n" + test::render_states(
                   "A namespace of a drive", "src/backend/pcie/drive_states.hpp",
                   "Owned by the control reactor; one for each device that stands on the drive.",
                   presence_edges, presence::missing);
    text += about_decisions + render_decisions();
    text += test::render_states("Controller of a drive", "src/backend/pcie/controller_states.hpp",
                                "Owned by the drive's helper thread; nobody steps it when ready.",
                                controller_edges, controller_state::off);
    test::expect_document("docs/drive_states.md", std::move(text));
}

TEST(drive_states, are_lost_from_wherever_something_is_open) {
    for (const drive_stage s : {drive_stage::attaching, drive_stage::linking, drive_stage::serving})
        EXPECT_TRUE(has_edge(stage_edges, s, stage_event::lose)) << to_string(s);
}

TEST(drive_states, have_a_way_out) {
    for (const drive_stage s : test::states_of(stage_edges))
        EXPECT_TRUE(reaches(stage_edges, s, drive_stage::absent)) << to_string(s);
    for (const drive_goal g : test::states_of(goal_edges))
        EXPECT_TRUE(reaches(goal_edges, g, drive_goal::retired)) << to_string(g);
    for (const controller_state s : test::states_of(controller_edges))
        EXPECT_TRUE(reaches(controller_edges, s, controller_state::off)) << to_string(s);
}

TEST(drive_states, stages_and_goals_are_all_reached) {
    std::set<drive_stage> stages;
    std::set<drive_goal> goals;
    for (const drive_life& life : reachable_lives()) {
        stages.insert(life.stage);
        goals.insert(life.goal);
    }
    EXPECT_EQ(stages.size(), test::states_of(stage_edges).size());
    EXPECT_EQ(goals.size(), test::states_of(goal_edges).size());
}

TEST(drive_life, the_kernel_keeps_a_drive_that_it_asks_for_during_a_reset) {
    const drive_life serving{drive_goal::served, drive_stage::serving, loss_cause::none};
    drive_step step = next(
        serving, {.what = drive_message::lose, .cause = loss_cause::bus_error, .may_reset = true});
    EXPECT_EQ(step.life.goal, drive_goal::reset);
    step = next(step.life, {.what = drive_message::quiet});
    step = next(step.life, {.what = drive_message::unlinked});
    const drive_step kept =
        next(step.life, {.what = drive_message::closed, .kernel_wants_it = true});
    EXPECT_EQ(kept.life,
              (drive_life{drive_goal::awaited, drive_stage::absent, loss_cause::bus_error}));
    const drive_step again = next(step.life, {.what = drive_message::closed});
    EXPECT_EQ(again.life.goal, drive_goal::served);
    EXPECT_EQ(std::ranges::count(again, drive_action::start), 1);
}

TEST(drive_life, what_cannot_come_is_not_possible) {
    const drive_life absent{};
    for (const drive_message what : {drive_message::up, drive_message::linked, drive_message::quiet,
                                     drive_message::closed, drive_message::unlinked})
        EXPECT_FALSE(next(absent, {.what = what}).possible) << to_string(what);
}

}  // namespace
}  // namespace fulmar::backend::pcie
