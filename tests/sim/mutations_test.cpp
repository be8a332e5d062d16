// Known-bad builds: with each deliberate bug this program is run again for one scenario, which must
// fail, and say why. What the core's decisions can get wrong is the model's to notice
// (tests/model/mutations_test.cpp).
#include "known_bad.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace fulmar::sim {
namespace {

#ifdef FULMAR_MUTATIONS

struct expectation {
    mutation bug;
    const char* scenario;
    const char* says;    ///< part of the complaint
    unsigned seeds = 0;  ///< that are enough; 0: as many as the scenario runs
};

constexpr const char* over_restarts =
    "fencing_over_restarts.what_was_answered_holds_before_the_first_connect";

void PrintTo(const expectation& e, std::ostream* out) { *out << to_string(e.bug); }

class mutations : public ::testing::TestWithParam<expectation> {};

TEST_P(mutations, are_noticed) {
    const expectation& wanted = GetParam();
    const ending good = run_with(mutation::none, wanted.scenario, wanted.seeds);
    ASSERT_EQ(good.status, 0) << good.output;
    ASSERT_NE(good.output.find("[  PASSED  ] 1 test"), std::string::npos) << good.output;
    const ending bad = run_with(wanted.bug, wanted.scenario, wanted.seeds);
    EXPECT_NE(bad.status, 0) << "nobody has noticed";
    EXPECT_NE(bad.output.find(wanted.says), std::string::npos) << bad.output;
    RecordProperty("mutations that are noticed", std::string(to_string(wanted.bug)));
    std::printf("%s is noticed by %s: %s\n", std::string(to_string(wanted.bug)).c_str(),
                wanted.scenario, wanted.says);
}

INSTANTIATE_TEST_SUITE_P(
    all, mutations,
    ::testing::Values(
        expectation{mutation::parked_requests_are_dropped,
                    "parking.what_is_parked_is_answered_when_its_namespace_goes",
                    "a leftover got no answer"},
        expectation{mutation::abandoned_tasks_answer_again,
                    "deadlines.stalled_device_hits_the_deadline_and_hosts_get_answers",
                    "assertion failed: r.entered"},
        expectation{mutation::replay_is_reversed, "parking.pause_parks_and_resume_replays_in_order",
                    "seen"},
        expectation{mutation::leftovers_are_asserted, "parking.power_off_with_parked_connect",
                    "parked_connects_.empty()"},
        expectation{mutation::deadlines_are_ignored,
                    "deadlines.stalled_device_hits_the_deadline_and_hosts_get_answers",
                    "removed->done()"},
        expectation{mutation::quiescing_does_not_drain,
                    "deadlines.a_pause_on_a_stalled_device_ends_and_says_so", "pause->ok()"},
        expectation{mutation::reservations_do_not_drain,
                    "fencing.nothing_of_a_preempted_host_lands_after_the_answer",
                    "landed after its removal"},
        expectation{mutation::reservations_do_not_drain,
                    "write_protection.nothing_lands_after_the_answer", "landed after its removal"},
        expectation{mutation::writers_do_not_share_ranges,
                    "fused_pairs.nothing_comes_between_a_compare_and_its_write", "came in between"},
        expectation{mutation::claims_do_not_wait,
                    "fused_pairs.nothing_comes_between_a_compare_and_its_write", "came in between"},
        expectation{mutation::hidden_namespaces_serve,
                    "viewers.hiding_waits_for_what_is_at_the_disk_and_for_nothing_else",
                    "from now on it is turned away"},
        expectation{mutation::hiding_does_not_wait,
                    "viewers.nothing_of_a_host_lands_once_the_namespace_is_hidden_from_it",
                    "landed after its removal"},
        expectation{mutation::hidden_commands_stay_parked,
                    "viewers.what_is_parked_is_answered_and_others_stay_parked",
                    "nobody resumes it"},
        expectation{mutation::late_data_reaches_hidden,
                    "viewers.data_that_comes_afterwards_is_not_written",
                    "landed after its removal"},
        expectation{mutation::strangers_hear_of_changes,
                    "viewers.only_those_who_see_a_namespace_hear_of_it",
                    "heard of a namespace that it does not see"},
        expectation{mutation::closed_paths_serve,
                    "paths.closing_one_waits_for_what_is_at_the_disk_and_for_nothing_else",
                    "from now on it is refused"},
        expectation{mutation::hiding_does_not_wait,
                    "paths.nothing_lands_by_a_path_once_it_is_closed", "landed after its removal"},
        expectation{mutation::closed_paths_keep_parked,
                    "paths.what_is_parked_is_answered_and_others_stay_parked",
                    "stays parked though its path is closed"},
        expectation{mutation::late_data_takes_closed_paths,
                    "paths.data_that_comes_afterwards_is_not_written", "landed after its removal"},
        expectation{mutation::cross_resets_do_not_wait,
                    "cross_reset.nothing_of_an_ended_controller_lands_after_the_answer",
                    "landed after its controller was ended"},
        expectation{mutation::cross_resets_forget_what_is_given_up,
                    "cross_reset.a_disk_that_gives_nothing_back_makes_it_fail_until_it_does",
                    "landed after its controller was ended"},
        expectation{mutation::ended_controllers_leave_errands,
                    "cross_reset.a_reservation_behind_it_is_not_carried_out",
                    "registered after its controller was ended"},
        expectation{mutation::any_host_ends_controllers, "cross_reset.another_host_is_refused",
                    "a stranger has ended it"},
        expectation{mutation::quiescing_stops_admin_commands, "parking.management_is_never_parked",
                    "succeeded(identify)"},
        expectation{mutation::abandoned_buffers_are_freed,
                    "deadlines.stalled_device_hits_the_deadline_and_hosts_get_answers",
                    "what the device may still write is lent out again"},
        expectation{mutation::second_loss_report_releases_again,
                    "drive_loss.any_two_signs_while_it_is_given_back_change_nothing",
                    "assertion failed: !running_"},
        expectation{mutation::drives_are_not_waited_for,
                    "drive_loss.any_two_signs_with_commands_outstanding_are_one_loss",
                    "the drive reached memory that is not lent"},
        expectation{mutation::aborts_end_at_once,
                    "drive_hosts.a_drive_that_goes_on_after_its_loss_has_what_was_lent_to_it",
                    "reached memory that is not lent"},
        expectation{mutation::held_devices_are_claimed,
                    "deadlines.stalled_device_hits_the_deadline_and_hosts_get_answers",
                    "again->ok()"},
        expectation{mutation::fua_is_dropped,
                    "durability.force_unit_access_and_flush_reach_the_disk",
                    "FUA has not reached the disk"},
        expectation{mutation::flush_is_free,
                    "durability.force_unit_access_and_flush_reach_the_disk",
                    "Flush has not reached the disk"},
        expectation{mutation::lost_caches_are_forgotten,
                    "lost_cache.a_flush_over_writes_that_are_gone_fails_until_an_operator_"
                    "accepts_it",
                    "that was acknowledged before it is gone"},
        expectation{mutation::identities_change,
                    "identity.a_namespace_that_comes_back_has_its_uuid",
                    "hosts take it for another disk"},
        expectation{mutation::restarts_forget_subsystems,
                    "restart.keeps_subsystems_namespaces_and_identities",
                    "the configuration forgets what was stopped"},
        expectation{mutation::answers_precede_records, over_restarts, "was answered otherwise", 40},
        expectation{mutation::restarts_forget_what_hosts_made, over_restarts,
                    "was answered otherwise", 40},
        expectation{mutation::restarts_end_what_power_ends, over_restarts, "was answered otherwise",
                    40},
        expectation{mutation::power_ends_nothing, over_restarts, "was answered otherwise", 40}),
    [](const auto& each) {
        const std::string scenario = each.param.scenario;
        return fmt::format("{}_in_{}", to_string(each.param.bug),
                           scenario.substr(0, scenario.find('.')));
    });

#else

TEST(mutations, are_not_in_this_build) {
    for (unsigned i = 0; i <= static_cast<unsigned>(last_mutation); ++i)
        EXPECT_FALSE(mutated(static_cast<mutation>(i)));
}

#endif

}  // namespace
}  // namespace fulmar::sim
