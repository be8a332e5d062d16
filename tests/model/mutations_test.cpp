// Known-bad builds: each deliberate bug in the core's decisions must be noticed here, as the broken
// promise that it is. The other mutations are the simulator's (tests/sim/mutations_test.cpp).
#include "explorer.hpp"
#include "worlds.hpp"

#include <fulmar/base/mutation.hpp>

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace fulmar::model {
namespace {

#ifdef FULMAR_MUTATIONS

struct expectation {
    mutation bug;
    const char* world;
    const char* broken;  ///< the property
};

void PrintTo(const expectation& e, std::ostream* out) { *out << to_string(e.bug); }

class mutations : public testing::TestWithParam<expectation> {
  protected:
    void TearDown() override { active_mutation = mutation::none; }
};

TEST_P(mutations, are_noticed) {
    active_mutation = GetParam().bug;
    const outcome o = explore(world_named(GetParam().world));
    EXPECT_EQ(o.wrong, GetParam().broken) << o.story;
    RecordProperty("mutations that are noticed", std::string(to_string(active_mutation)));
    std::printf("%s is noticed after %llu states:\n%s",
                std::string(to_string(active_mutation)).c_str(),
                static_cast<unsigned long long>(o.states), o.story.c_str());
}

INSTANTIATE_TEST_SUITE_P(
    all, mutations,
    testing::Values(
        expectation{mutation::slots_ignore_generations, "slots",
                    "a connection joins another incarnation than it asked for"},
        expectation{mutation::stale_acks_count, "pauses",
                    "an ack of a former question is taken for one of this"},
        expectation{mutation::resumes_leave_gates_quiesced, "pauses",
                    "a gate does not stand where its namespace does"},
        expectation{mutation::closed_gates_let_data_through, "numbers", "I/O passes a closed gate"},
        expectation{mutation::deadlines_are_ignored, "pauses", "an operation never ends"},
        expectation{mutation::quiescing_does_not_drain, "pauses",
                    "a fence is promised with operations at the drive"},
        expectation{mutation::reservations_do_not_drain, "reservations",
                    "a reservation is adopted with operations at the drive"},
        expectation{mutation::quiescing_covers_all_namespaces, "losses",
                    "a question about one namespace moves another gate"},
        expectation{mutation::second_loss_is_asserted, "losses",
                    "an assertion fails: the table has no such edge"},
        expectation{mutation::devices_are_shared, "numbers", "one drive backs two namespaces"},
        expectation{mutation::held_devices_are_claimed, "numbers",
                    "a drive is given to a namespace with operations of another one at it"}),
    [](const auto& each) { return std::string(to_string(each.param.bug)); });

#else

TEST(mutations, exist_in_builds_with_fulmar_mutations_only) {
    for (unsigned i = 0; i <= static_cast<unsigned>(last_mutation); ++i)
        EXPECT_FALSE(mutated(static_cast<mutation>(i)));
}

#endif

}  // namespace
}  // namespace fulmar::model
