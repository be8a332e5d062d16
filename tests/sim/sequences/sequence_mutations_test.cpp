// Which deliberate bugs stories out of random bytes notice, though nobody has told them how.
#include "../known_bad.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace fulmar::sim {
namespace {

#ifdef FULMAR_MUTATIONS

constexpr unsigned enough_stories = 200;

class sequence_mutations : public ::testing::TestWithParam<mutation> {};

TEST_P(sequence_mutations, are_noticed) {
    const ending bad = run_with(GetParam(), "sequences.any_bytes_come_to_rest", enough_stories);
    EXPECT_NE(bad.status, 0) << "nobody has noticed";
    RecordProperty("mutations that are noticed", std::string(to_string(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(
    all, sequence_mutations,
    ::testing::Values(mutation::parked_requests_are_dropped, mutation::abandoned_tasks_answer_again,
                      mutation::resumes_leave_gates_quiesced, mutation::leftovers_are_asserted,
                      mutation::deadlines_are_ignored, mutation::quiescing_stops_admin_commands,
                      mutation::second_loss_is_asserted,
                      mutation::second_loss_report_releases_again, mutation::devices_are_shared,
                      mutation::fua_is_dropped, mutation::identities_change,
                      mutation::restarts_forget_subsystems),
    [](const auto& each) { return std::string(to_string(each.param)); });

#else

TEST(sequence_mutations, are_not_in_this_build) { EXPECT_FALSE(mutated(last_mutation)); }

#endif

}  // namespace
}  // namespace fulmar::sim
