// The journal on a disk that forgets: whatever was acknowledged is there after a power cut,
// whatever is there is a state that once was, and a disk that refuses is reported and survived.
#include "config_history.hpp"
#include "journal_run.hpp"
#include "random_spec.hpp"
#include "spec_diff.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <new>
#include <thread>
#include <utility>

namespace fulmar::admin {
namespace {

using namespace testing_support;

TEST_F(journal_test, clean_stop_leaves_everything_in_the_file_and_no_journal) {
    run first(disk);
    first.append(device("a"));
    ASSERT_TRUE(first.until([&] { return first.acks[0]->answer.has_value(); }));
    EXPECT_TRUE(first.acks[0]->answer->has_value());
    first.stop();
    EXPECT_THAT(disk.names(), testing::ElementsAre(config_path, config_path + ".history"));
    EXPECT_THAT(device_names(parse_config(disk.text(config_path))->spec),
                testing::ElementsAre("a"));
    run second(disk);
    EXPECT_THAT(device_names(second.found), testing::ElementsAre("a"));
    EXPECT_THAT(second.notes, testing::IsEmpty());
}

// The target asks before it says "there is no such thing": what failed at start is configured
// still.
TEST_F(journal_test, knows_what_is_configured_until_it_is_removed) {
    disk.put(config_path, R"({
      "listeners": [{"address": "127.0.0.1", "port": 4420}],
      "devices": [{"name": "d", "type": "ram", "size": 4096}],
      "subsystems": [{"nqn": "nqn.2026-11.io.fulmar:a", "namespaces": [{"nsid": 1, "device": "d"}]}]
    })");
    run r(disk);
    const std::string nqn = "nqn.2026-11.io.fulmar:a";
    const std::vector<core::change> in_order{core::remove_listener{"tcp:127.0.0.1:4420"},
                                             core::remove_namespace{nqn, 1},
                                             core::delete_subsystem{nqn}, core::delete_device{"d"}};
    for (const core::change& one : in_order) EXPECT_TRUE(r.log->knows(one));
    for (const core::change& other : std::vector<core::change>{
             core::remove_listener{"tcp:127.0.0.1:4421"}, core::remove_namespace{nqn, 2},
             core::remove_namespace{nqn + "b", 1}, core::delete_subsystem{nqn + "b"},
             core::delete_device{"e"}, core::add_host{nqn, "nqn.2026-11.io.fulmar:h"},
             core::reopen_device{"d"}})
        EXPECT_FALSE(r.log->knows(other));
    for (const core::change& one : in_order) {
        r.append(one);
        EXPECT_FALSE(r.log->knows(one));
    }
    r.stop();
    EXPECT_EQ(parse_config(disk.text(config_path))->spec, core::target_spec{});
}

// As where the kernel's io_uring is forbidden: a container.
TEST_F(journal_test, without_file_io_everybody_is_told_at_once) {
    auto opened =
        journal::open({.config_path = config_path, .files = &disk}, loaded(disk.text(config_path)));
    ASSERT_TRUE(opened);
    journal& log = *opened->log;
    test::forgetful_disk other{2};
    other.put(config_path, "{}\n");
    run elsewhere(other);  // only for its reactor
    log.run_without_files(*elsewhere.reactor,
                          {errc::not_supported, "io_uring is forbidden here", {}, "allow it"});
    ASSERT_FALSE(log.durable());
    EXPECT_NE(log.durable().error().text().find("forbidden"), std::string::npos);
    run::ack early;
    log.append(device("a"), 1, &early);
    ASSERT_TRUE(early.answer.has_value()) << "not after a time-out";
    EXPECT_FALSE(early.answer->has_value());
    std::optional<result<void>> recorded;
    log.rebase(std::make_unique<journal_base>(),
               [&](result<void> outcome) { recorded = std::move(outcome); });
    EXPECT_TRUE(elsewhere.until([&] { return recorded.has_value(); }));
    EXPECT_FALSE(recorded->has_value());
    bool stopped = false;
    log.stop(std::chrono::seconds(20), [&] { stopped = true; });
    EXPECT_TRUE(elsewhere.until([&] { return stopped; }));
}

TEST_F(journal_test, many_changes_take_one_write) {
    run one(disk);
    for (int i = 0; i < 100; ++i) one.append(device("d" + std::to_string(i)));
    ASSERT_TRUE(one.until([&] { return one.acks[99]->answer.has_value(); }));
    EXPECT_EQ(one.log->counters().changes, 100u);
    EXPECT_EQ(one.log->counters().writes, 2u);  // the first change alone, then all others
    one.stop();
}

TEST_F(journal_test, survives_power_cuts_anywhere) {
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        SCOPED_TRACE(seed);
        test::forgetful_disk files(seed);
        spec_generator random(seed);
        core::target_spec now = random.target();
        files.put(config_path, render_config("{}", now));
        for (int generation = 0; generation < 3; ++generation) {
            std::vector<core::change> changes;
            std::vector<core::target_spec> states{now};
            while (changes.size() < 40) {
                core::target_spec next = random.target();
                for (const core::change& change : diff(states.back(), next)) {
                    spec_editor step(states.back());
                    ASSERT_TRUE(step.apply(change).has_value());
                    states.push_back(step.spec());
                    changes.push_back(change);
                }
            }
            turn_runner jobs;
            run daemon(files, {.fold_bytes = 200 + random.below(4000)}, &jobs);
            ASSERT_FALSE(daemon.trouble.has_value()) << daemon.trouble->text();
            ASSERT_EQ(sorted(daemon.found), sorted(now));
            // The identities of these random configurations are not those of the file: same lists.
            daemon.model = std::make_unique<spec_editor>(now);
            if (random.below(4) != 0) files.cut_after(random.below(80));
            std::size_t appended = 0;
            while (!files.off() && appended < changes.size()) {
                if (random.coin()) daemon.append(changes[appended++]);
                daemon.turn_once();
            }
            std::size_t acknowledged = 0;
            daemon.stop();
            for (std::size_t i = 0; i < appended; ++i)
                if (daemon.acks[i]->answer && daemon.acks[i]->answer->has_value())
                    acknowledged = i + 1;
            if (!files.off()) {
                EXPECT_EQ(acknowledged, appended);
            }
            files.power_on();

            run after(files, {.fold_bytes = 4096}, &jobs);
            ASSERT_FALSE(after.trouble.has_value()) << after.trouble->text();
            bool known = false;
            for (std::size_t i = acknowledged; i <= appended && !known; ++i) {
                known = sorted(after.found) == sorted(states[i]);
                if (known) now = states[i];
            }
            ASSERT_TRUE(known) << acknowledged << " acknowledged of " << appended << "\n"
                               << render_config("{}", after.found);
            after.stop();
        }
    }
}

TEST_F(journal_test, create_is_a_request_and_goes_when_it_is_met) {
    disk.put(config_path, R"({"devices": [
      {"name": "a", "type": "file", "path": "/srv/a", "size": 4096, "create": true},
      {"name": "b", "type": "file", "path": "/srv/b", "size": 4096, "create": true}]})");
    {
        run first(disk);
        EXPECT_TRUE(first.found.devices.at(0).create);
        first.append(core::file_created{"a"});
        ASSERT_TRUE(first.until([&] { return first.acks[0]->answer.has_value(); }));
    }  // killed
    for (int i = 0; i < 2; ++i) {
        run again(disk);
        EXPECT_THAT(again.notes, testing::Not(testing::Contains(testing::HasSubstr("skipped"))));
        EXPECT_FALSE(again.found.devices.at(0).create) << "a file that goes now is missing";
        EXPECT_TRUE(again.found.devices.at(1).create) << "its folder is still to come";
        again.stop();  // folds
    }
    const auto devices = parse_config(disk.text(config_path))->spec.devices;
    EXPECT_FALSE(devices.at(0).create);
    EXPECT_TRUE(devices.at(1).create);
}

TEST_F(journal_test, what_an_operator_accepts_is_read_back_and_changes_no_configuration) {
    disk.put(config_path,
             R"({"devices": [{"name": "a", "type": "file", "path": "/srv/a", "size": 4096}]})");
    core::target_spec before;
    {
        run first(disk);
        before = first.found;
        first.append(core::reopen_device{"a", true});
        first.append(core::reopen_device{"a"});
        ASSERT_TRUE(first.until([&] { return first.acks[1]->answer.has_value(); }));
        EXPECT_THAT(disk.text(config_path + ".journal"), testing::HasSubstr("\"accept\":true"));
    }  // killed
    run second(disk);
    EXPECT_THAT(second.notes, testing::Not(testing::Contains(testing::HasSubstr("skipped"))));
    EXPECT_EQ(second.found, before);
    second.stop();
}

TEST_F(journal_test, a_hand_edited_file_is_merged_with_what_rest_has_made) {
    {
        run first(disk);
        first.append(device("a"));
        ASSERT_TRUE(first.until([&] { return first.acks[0]->answer.has_value(); }));
    }  // killed
    disk.put(config_path, R"({"devices":[{"name":"mine","type":"ram","size":512}]})");
    for (int i = 0; i < 2; ++i) {
        run again(disk);
        EXPECT_THAT(device_names(again.found), testing::ElementsAre("mine", "a"));
        if (i == 0) {
            EXPECT_THAT(again.notes, testing::Contains(testing::HasSubstr("device a is not in")));
        }
    }
}

TEST_F(journal_test, without_a_history_a_hand_edited_file_wins_and_the_loss_is_reported) {
    {
        run first(disk);
        first.append(device("a"));
        ASSERT_TRUE(first.until([&] { return first.acks[0]->answer.has_value(); }));
    }  // killed
    ASSERT_TRUE(disk.remove(config_path + ".history"));
    disk.put(config_path, R"({"devices":[{"name":"mine","type":"ram","size":512}]})");
    run second(disk);
    EXPECT_THAT(device_names(second.found), testing::ElementsAre("mine"));
    EXPECT_THAT(second.notes,
                testing::ElementsAre(testing::HasSubstr("edited by hand after 1 changes")));
    EXPECT_THAT(disk.text(journal_file + ".superseded"), testing::HasSubstr("\"name\":\"a\""));
    second.stop();
}

TEST_F(journal_test, a_running_daemon_never_overwrites_a_hand_edited_file) {
    run one(disk, {.fold_bytes = 300});
    const std::string edited = R"({"devices":[{"name":"mine","type":"ram","size":512}]})";
    disk.put(config_path, edited);
    for (int i = 0; i < 20; ++i) one.append(device("d" + std::to_string(i)));
    ASSERT_TRUE(one.until([&] { return one.acks[19]->answer.has_value(); }));
    one.stop();
    EXPECT_EQ(disk.text(config_path), edited);
}

TEST_F(journal_test, after_a_reload_changes_go_on_from_the_new_file) {
    {
        run one(disk);
        one.append(device("a"));
        const std::string edited =
            R"({"devices":[{"name":"a","type":"ram","size":4096},
                           {"name":"b","type":"ram","size":512}]})";
        disk.put(config_path, edited);
        one.append({core::create_device{{.name = "b", .type = "ram", .size_bytes = 512}}});
        bool done = false;
        const core::target_spec says = loaded(edited).config.spec;
        config_history history;
        history.read = {digest_of(edited), says};
        one.log->rebase(
            std::make_unique<journal_base>(journal_base{digest_of(edited), says, says, history}),
            [&](const result<void>& outcome) {
                EXPECT_TRUE(outcome.has_value());
                done = true;
            });
        ASSERT_TRUE(one.until([&] { return done; }));
        one.append(device("c"));
        ASSERT_TRUE(one.until([&] { return one.acks[2]->answer.has_value(); }));
    }  // killed
    run two(disk);
    EXPECT_THAT(device_names(two.found), testing::ElementsAre("a", "b", "c"));
    EXPECT_THAT(two.notes, testing::Not(testing::Contains(testing::HasSubstr("skipped"))));
    two.stop();
}

TEST_F(journal_test, a_full_disk_is_told_and_overcome_by_a_snapshot) {
    {
        run one(disk);
        disk.fail_writes(ENOSPC);
        one.append(device("a"));
        ASSERT_TRUE(one.until([&] { return one.acks[0]->answer.has_value(); }));
        ASSERT_FALSE(one.acks[0]->answer->has_value());
        EXPECT_THAT(
            one.acks[0]->answer->error().text(),
            testing::AllOf(testing::HasSubstr("in effect"), testing::HasSubstr("No space")));
        EXPECT_FALSE(one.log->durable().has_value());
        one.append(device("b"));  // answered at once
        ASSERT_TRUE(one.acks[1]->answer.has_value());
        EXPECT_FALSE(one.acks[1]->answer->has_value());
        disk.fail_writes(0);
        ASSERT_TRUE(one.until([&] { return one.log->durable().has_value(); }));
        one.append(device("c"));
        ASSERT_TRUE(one.until([&] { return one.acks[2]->answer.has_value(); }));
        EXPECT_TRUE(one.acks[2]->answer->has_value());
    }  // killed
    run two(disk);
    EXPECT_THAT(device_names(two.found), testing::ElementsAre("a", "b", "c"));
    two.stop();
    EXPECT_THAT(device_names(parse_config(disk.text(config_path))->spec),
                testing::ElementsAre("a", "b", "c"));
}

TEST_F(journal_test, what_did_not_start_makes_room_for_what_the_core_did) {
    disk.put(config_path, R"({"devices":[{"name":"late","type":"ram","size":512},
                                         {"name":"b","type":"ram","size":512}],
        "subsystems":[{"nqn":"nqn.2026-11.io.fulmar:s","namespaces":[{"nsid":1,"device":"late"}]},
                      {"nqn":"nqn.2026-11.io.fulmar:t"}]})");
    {
        run one(disk);
        one.model = std::make_unique<spec_editor>(core::target_spec{});  // "late" could not open
        one.append({core::create_device{{.name = "late", .type = "ram", .size_bytes = 4096}}});
        core::subsystem_spec other;
        other.nqn = "nqn.2026-11.io.fulmar:u";
        core::namespace_spec ns;
        ns.nsid = 5;
        ns.device = "late";
        other.namespaces = {ns};
        one.append({core::create_subsystem{other}});
        ASSERT_TRUE(one.until([&] { return one.acks[1]->answer.has_value(); }));
        EXPECT_EQ(one.log->configured().devices[0].size_bytes, 4096u);
    }  // killed
    run two(disk);
    EXPECT_THAT(two.notes, testing::Not(testing::Contains(testing::HasSubstr("skipped"))));
    EXPECT_THAT(device_names(two.found), testing::ElementsAre("late", "b"));
    EXPECT_EQ(two.found.devices[0].size_bytes, 4096u);
    ASSERT_EQ(two.found.subsystems.size(), 3u);
    EXPECT_TRUE(two.found.subsystems[0].namespaces.empty());
    two.stop();
}

TEST_F(journal_test, a_snapshot_keeps_what_the_target_does_not_run) {
    disk.put(config_path, R"({"devices":[{"name":"late","type":"ram","size":512}]})");
    {
        run one(disk);
        disk.fail_writes(ENOSPC);
        one.append(device("a"));
        ASSERT_TRUE(one.until([&] { return one.acks[0]->answer.has_value(); }));
        disk.fail_writes(0);
        ASSERT_TRUE(one.until([&] { return one.log->durable().has_value(); }));
    }  // killed
    run two(disk);
    EXPECT_THAT(device_names(two.found), testing::ElementsAre("late", "a"));
    two.stop();
}

TEST_F(journal_test, an_unwritable_folder_leaves_the_daemon_running) {
    disk.refuse("/etc/fulmar", EROFS);
    run one(disk);
    ASSERT_TRUE(one.log != nullptr);
    ASSERT_FALSE(one.log->durable().has_value());
    EXPECT_THAT(one.log->durable().error().text(), testing::HasSubstr("state_dir"));
    one.append(device("a"));
    ASSERT_TRUE(one.acks[0]->answer.has_value());
    EXPECT_FALSE(one.acks[0]->answer->has_value());
    disk.refuse("", 0);  // remounted
    ASSERT_TRUE(one.until([&] { return one.log->durable().has_value(); }));
    one.stop();
    EXPECT_THAT(device_names(parse_config(disk.text(config_path))->spec),
                testing::ElementsAre("a"));
}

TEST_F(journal_test, keeps_changes_where_the_config_file_cannot_be_replaced) {
    disk.refuse("/etc/fulmar", EROFS);
    for (int generation = 0; generation < 3; ++generation) {
        run one(disk, {.state_dir = "/var/lib/fulmar", .fold_bytes = 2000});
        ASSERT_TRUE(one.log->durable().has_value());
        EXPECT_EQ(one.found.devices.size(), 50u * static_cast<unsigned>(generation));
        for (int i = 0; i < 50; ++i)
            one.append(device("g" + std::to_string(generation) + "d" + std::to_string(i)));
        ASSERT_TRUE(one.until([&] { return one.acks[49]->answer.has_value(); }));
        one.stop();
    }
    EXPECT_EQ(disk.text(config_path), "{}\n");
    EXPECT_LE(disk.names().size(), 6u);
}

// Whatever slips past the rules: the file is replaced only by what the next start can read.
TEST_F(journal_test, a_file_that_the_next_start_would_refuse_replaces_nothing) {
    const auto referral = [](std::uint32_t i) {
        return core::add_referral{
            {.address = "192.0.2.1", .port = static_cast<std::uint16_t>(8009 + i)}};
    };
    {
        run one(disk, {.fold_bytes = 300});
        std::vector<run::ack> acks(limits::max_listeners + 1);
        for (std::uint32_t i = 0; i < acks.size(); ++i)
            one.log->append(referral(i), i + 1, &acks[i]);
        ASSERT_TRUE(one.until([&] { return acks.back().answer.has_value(); }));
        EXPECT_TRUE(acks.back().answer->has_value());
        one.stop();
    }
    const auto file = parse_config(disk.text(config_path));
    ASSERT_TRUE(file.has_value()) << "the daemon could not start any more";
    EXPECT_LE(file->spec.referrals.size(), limits::max_listeners);
    for (int start = 0; start < 2; ++start) {
        run again(disk);
        ASSERT_FALSE(again.trouble.has_value()) << again.trouble->text();
        EXPECT_EQ(again.found.referrals.size(), limits::max_listeners) << "as many as there may be";
        EXPECT_EQ(again.log->broken().size(), 1u);
        EXPECT_EQ(again.log->configured().referrals.size(), limits::max_listeners + 1)
            << "nothing is lost";
        EXPECT_THAT(again.notes, testing::Contains(testing::HasSubstr("the next start would")));
        if (start == 0) continue;  // killed
        again.append(core::remove_referral{referral(3).spec});
        ASSERT_TRUE(again.until([&] { return again.acks.back()->answer.has_value(); }));
        again.stop();
    }
    EXPECT_EQ(parse_config(disk.text(config_path))->spec.referrals.size(), limits::max_listeners);
}

// A sync of what lies in room that was there before waits for no other file of the file system.
TEST_F(journal_test, changes_are_written_into_room_that_is_there_already) {
    constexpr std::size_t room = 4096;
    {
        run one(disk, {.fold_bytes = room});
        EXPECT_EQ(disk.text(journal_file).size(), room);
        for (int i = 0; i < 3; ++i) {
            one.append(device("d" + std::to_string(i)));
            ASSERT_TRUE(one.until([&] { return one.acks.back()->answer.has_value(); }));
        }
        EXPECT_EQ(disk.text(journal_file).size(), room);
    }  // killed
    run two(disk, {.fold_bytes = room});
    EXPECT_THAT(device_names(two.found), testing::ElementsAre("d0", "d1", "d2"));
    EXPECT_THAT(two.notes, testing::Not(testing::Contains(testing::HasSubstr("cut"))))
        << "the room is no torn write";
    EXPECT_EQ(disk.text(journal_file).size(), room);
    two.stop();
}

TEST_F(journal_test, changes_are_folded_when_they_pause_and_not_before) {
    run one(disk, {.fold_pause = std::chrono::milliseconds(300)});
    one.append(device("a"));
    ASSERT_TRUE(one.until([&] { return one.acks[0]->answer.has_value(); }));
    EXPECT_EQ(disk.text(config_path), "{}\n") << "it waits for more";
    ASSERT_TRUE(one.until([&] { return one.log->counters().folds == 1; }));
    EXPECT_THAT(device_names(parse_config(disk.text(config_path))->spec),
                testing::ElementsAre("a"));
    EXPECT_EQ(one.log->counters().unfolded, 0u);
    EXPECT_EQ(one.reactor->timers().next_wakeup(), engine::timer_wheel::never) << "idle is free";
    one.append(device("b"));
    ASSERT_TRUE(one.until([&] { return one.log->counters().folds == 2; }));
    EXPECT_EQ(parse_config(disk.text(config_path))->spec.devices.size(), 2u);
}

TEST_F(journal_test, changes_that_never_pause_are_folded_all_the_same) {
    turn_runner jobs;
    run one(disk,
            {.fold_pause = std::chrono::hours(1), .fold_longest = std::chrono::milliseconds(20)},
            &jobs);
    int made = 0;
    EXPECT_TRUE(one.until([&] {
        if (made < 4000) one.append(device("d" + std::to_string(made++)));
        one.turn_once();
        one.reactor->run_once();  // the disk always has something
        jobs.run_one();
        return one.log->counters().folds != 0;
    }));
}

TEST_F(journal_test, an_edited_file_is_left_alone_until_a_reload) {
    turn_runner jobs;
    run one(disk, {.fold_pause = std::chrono::milliseconds(1)}, &jobs);
    const std::string edited = R"({"devices":[{"name":"mine","type":"ram","size":512}]})";
    disk.put(config_path, edited);
    fulmar::log::set_level(fulmar::log::level::warn);
    testing::internal::CaptureStdout();
    one.append(device("a"));
    for (int i = 0; i < 100; ++i) {
        one.turn_once();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    fulmar::log::set_level(fulmar::log::level::off);
    EXPECT_THAT(testing::internal::GetCapturedStdout(),
                testing::HasSubstr("the configuration file was edited by hand"));
    EXPECT_EQ(disk.text(config_path), edited);
    EXPECT_EQ(one.log->counters().folds, 0u);
    EXPECT_TRUE(one.log->durable().has_value()) << "journalling goes on";
    EXPECT_THAT(disk.names(), testing::SizeIs(testing::Le(4u))) << "no segment for each attempt";
}

/// Keeps the journal's jobs until they are let go.
class held_jobs final : engine::helper_runner {
  public:
    held_jobs() { engine::helper_job::run_with(this); }
    ~held_jobs() { engine::helper_job::run_with(nullptr); }
    held_jobs(const held_jobs&) = delete;
    held_jobs& operator=(const held_jobs&) = delete;

    [[nodiscard]] bool has_one() const noexcept { return job_ != nullptr; }
    void run() { std::exchange(job_, nullptr)->run(); }

  private:
    void take(engine::helper_job& job) override { job_ = &job; }
    engine::helper_job* job_ = nullptr;  // the journal has one at a time
};

// A daemon that stops does not wait for a disk that hangs: its journal goes, and the job ends
// later.
TEST_F(journal_test, jobs_outlive_it) {
    constexpr int jobs_of_a_fold = 4;  // looks, rotates, renders, replaces
    for (int last = 1; last <= jobs_of_a_fold; ++last) {
        SCOPED_TRACE(last);
        test::forgetful_disk files(1);
        files.put(config_path, "{}\n");
        {
            held_jobs jobs;
            run one(files, {.fold_pause = std::chrono::milliseconds(1)});
            one.append(device("a"));
            for (int job = 1; job < last; ++job) {
                ASSERT_TRUE(one.until([&] { return jobs.has_one(); }));
                jobs.run();
            }
            ASSERT_TRUE(one.until([&] { return jobs.has_one(); }));
            one.log.reset();
            jobs.run();
        }
        run two(files);
        ASSERT_FALSE(two.trouble.has_value()) << two.trouble->text();
        EXPECT_THAT(device_names(two.found), testing::ElementsAre("a"));
        EXPECT_EQ(parse_config(files.text(config_path))->spec.devices.size(),
                  1u);  // by its last job, or by the start
    }
}

// The disk must be at rest when the daemon takes it down, whatever a job has to say by then.
TEST_F(journal_test, a_stop_that_was_late_writes_nothing_more) {
    constexpr int jobs_of_a_fold = 4;
    for (int last = 1; last <= jobs_of_a_fold; ++last) {
        SCOPED_TRACE(last);
        test::forgetful_disk files(1);
        files.put(config_path, "{}\n");
        {
            held_jobs jobs;
            run one(files, {.fold_pause = std::chrono::milliseconds(1)});
            one.append(device("a"));
            for (int job = 1; job <= last; ++job) {
                ASSERT_TRUE(one.until([&] { return jobs.has_one(); }));
                if (job != last) jobs.run();
            }
            bool stopped = false;
            one.log->stop(std::chrono::milliseconds(1), [&] { stopped = true; });
            ASSERT_TRUE(one.until([&] { return stopped; }));
            ASSERT_EQ(files.outstanding(), 0u);
            while (jobs.has_one()) {
                jobs.run();
                while (one.reactor->run_once()) {}
            }
            EXPECT_EQ(files.outstanding(), 0u);
        }
        run two(files);
        ASSERT_FALSE(two.trouble.has_value()) << two.trouble->text();
        EXPECT_THAT(device_names(two.found), testing::ElementsAre("a"));
    }
}

TEST_F(journal_test, a_file_that_cannot_be_replaced_is_no_fault) {
    for (const int code : {EROFS, EBUSY, EACCES}) {
        test::forgetful_disk files(1);
        files.put(config_path, "{}\n");
        {
            run one(files,
                    {.state_dir = "/var/lib/fulmar", .fold_pause = std::chrono::milliseconds(1)});
            files.refuse("/etc/fulmar", code);
            one.append(device("a"));
            for (int i = 0; i < 50; ++i) {
                one.turn_once();
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            EXPECT_TRUE(one.log->durable().has_value());
            EXPECT_EQ(one.log->counters().failures, 0u);
        }  // killed
        run two(files, {.state_dir = "/var/lib/fulmar"});
        ASSERT_FALSE(two.trouble.has_value()) << two.trouble->text();
        EXPECT_THAT(device_names(two.found), testing::ElementsAre("a"));
        EXPECT_THAT(two.remarks, testing::Contains(testing::HasSubstr("the journal goes on")));
        EXPECT_THAT(two.notes, testing::Not(testing::Contains(testing::HasSubstr("goes on"))));
    }
}

/// Giving a segment its number takes as long as the test likes.
class hesitant_disk final : public test::forgetful_disk {
  public:
    using forgetful_disk::forgetful_disk;
    result<void> rename(const std::string& from, const std::string& to) override {
        if (from == journal_file) {
            began = true;
            while (hesitates) std::this_thread::yield();
        }
        return forgetful_disk::rename(from, to);
    }
    std::atomic<bool> hesitates{true};
    std::atomic<bool> began{false};
};

TEST_F(journal_test, changes_are_acknowledged_while_another_segment_is_begun) {
    hesitant_disk slow(1);
    slow.put(config_path, "{}\n");
    int made = 0;
    {
        run one(slow, {.fold_bytes = 300});
        const auto change = [&](int i) {
            one.append(device("d" + std::to_string(i)));
            return one.until([&] { return one.acks.back()->answer.has_value(); });
        };
        while (made < 20 && !slow.began) EXPECT_TRUE(change(made++));
        EXPECT_TRUE(one.until([&] { return slow.began.load(); }));
        for (int more = 0; more < 5; ++more)
            EXPECT_TRUE(change(made++)) << "held back by a folder that is slow";
        slow.hesitates = false;
        EXPECT_TRUE(one.until([&] { return one.log->counters().folds != 0; }));
        EXPECT_TRUE(change(made++));
        for (const auto& ack : one.acks) {
            ASSERT_TRUE(ack->answer.has_value());
            EXPECT_TRUE(ack->answer->has_value());
        }
    }  // killed
    run two(slow);
    EXPECT_EQ(two.found.devices.size(), static_cast<std::size_t>(made));
    two.stop();
}

/// Memory is short on the helper's thread.
class starved_disk final : public test::forgetful_disk {
  public:
    using forgetful_disk::forgetful_disk;
    result<void> rename(const std::string& from, const std::string& to) override {
        if (from == journal_file && short_of_memory.exchange(false)) throw std::bad_alloc();
        return forgetful_disk::rename(from, to);
    }
    std::atomic<bool> short_of_memory{true};
};

TEST_F(journal_test, a_fold_that_finds_no_memory_is_tried_again_later) {
    starved_disk starved(1);
    starved.put(config_path, "{}\n");
    turn_runner jobs;
    run one(starved, {.fold_bytes = 300}, &jobs);
    int made = 0;
    const auto change = [&] {
        one.append(device("d" + std::to_string(made++)));
        ASSERT_TRUE(one.until([&] { return one.acks.back()->answer.has_value(); }));
        EXPECT_TRUE(one.acks.back()->answer->has_value());
        one.turn_once();  // nothing is left to complete: the helper may come home
    };
    for (int i = 0; i < 20; ++i) change();
    EXPECT_TRUE(one.until([&] { return !starved.short_of_memory; }));
    EXPECT_TRUE(one.until([&] {
        change();
        return one.log->counters().folds != 0;
    }));
    one.stop();
    EXPECT_EQ(starved.names(), (std::vector<std::string>{config_path, config_path + ".history"}));
}

TEST(journal_format, every_cut_of_a_segment_gives_a_prefix) {
    std::string text;
    std::vector<std::size_t> ends{0};
    for (std::uint64_t i = 1; i <= 4; ++i) {
        text += encode({i, i, change_record{device("d" + std::to_string(i)), i}});
        ends.push_back(text.size());
    }
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        const auto segment = decode_segment(std::string_view(text).substr(0, cut), "j");
        ASSERT_TRUE(segment.has_value());
        std::size_t whole = 0;
        while (whole + 1 < ends.size() && ends[whole + 1] <= cut) ++whole;
        EXPECT_EQ(segment->records.size(), whole);
        EXPECT_EQ(segment->good_bytes + segment->torn_bytes, cut);
    }
}

TEST(journal_format, no_flipped_bit_passes) {
    std::string text = encode({1, 1, change_record{device("d"), 1}});
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (const int bit : {0, 3, 6}) {
            std::string damaged = text;
            damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
            const auto segment = decode_segment(damaged, "j");
            ASSERT_TRUE(!segment.has_value() || segment->records.empty()) << at;
        }
    }
}

TEST(journal_on_a_real_disk, a_link_to_the_configuration_stays_a_link) {
    const std::string folder = testing::TempDir() + "/fulmar_journal_link";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder + "/real");
    ASSERT_TRUE(system_disk().replace(folder + "/real/c.json", "{}\n").has_value());
    std::filesystem::create_symlink("real/c.json", folder + "/c.json");
    ASSERT_TRUE(system_disk().replace(folder + "/c.json", "{ }\n").has_value());
    EXPECT_TRUE(std::filesystem::is_symlink(folder + "/c.json"));
    EXPECT_EQ(system_disk().read(folder + "/real/c.json").value(), "{ }\n");
    EXPECT_FALSE(std::filesystem::exists(folder + "/real/c.json.new"));
    std::filesystem::remove_all(folder);
}

TEST(journal_on_a_real_disk, survives_and_keeps_others_out) {
    const std::string folder = testing::TempDir() + "/fulmar_journal_test";
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
    const std::string path = folder + "/c.json";
    ASSERT_TRUE(system_disk().replace(path, "{}\n").has_value());
    const auto config = load_config(path);
    auto one = journal::open({.config_path = path}, *config);
    ASSERT_TRUE(one.has_value());
    EXPECT_TRUE(one->log->durable().has_value());
    const auto two = journal::open({.config_path = path}, *config);
    ASSERT_FALSE(two.has_value());
    EXPECT_EQ(two.error().code, errc::conflict);
    bool stopped = false;
    one->log->stop(std::chrono::seconds(1), [&] { stopped = true; });
    EXPECT_TRUE(stopped);
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace fulmar::admin
