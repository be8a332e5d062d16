// The journal on a disk that forgets: whatever was acknowledged is there after a power cut,
// whatever is there is a state that once was, and a disk that refuses is reported and survived.
#include "change_json.hpp"
#include "journal_format.hpp"
#include "random_spec.hpp"
#include "spec_diff.hpp"
#include "spec_editor.hpp"
#include "support/forgetful_disk.hpp"

#include <fulmar/admin/journal.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/reactor.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <new>
#include <thread>

namespace fulmar::admin {
namespace {

using testing_support::sorted;
using testing_support::spec_generator;

const std::string config_path = "/etc/fulmar/f.json";
const std::string journal_path = config_path + ".journal";

loaded_config loaded(const std::string& text) {
    loaded_config out{parse_config(text).value(), text, digest_of(text)};
    resolve_paths(out.config, "/etc/fulmar");
    return out;
}

/// A run of the daemon, as far as the journal sees it.
class run {
  public:
    explicit run(test::forgetful_disk& files, journal::options opts = {}) : disk(files) {
        opts.config_path = config_path;
        opts.files = &files;
        opts.retry_delay = std::chrono::milliseconds(1);
        auto opened = journal::open(opts, loaded(files.text(config_path)));
        if (!opened) {
            trouble = opened.error();
            return;
        }
        log = std::move(opened->log);
        found = std::move(opened->spec);
        notes = std::move(opened->notes);
        model = std::make_unique<spec_editor>(found);
        log->run_on(*reactor, files);
    }

    /// A journal that is not stopped leaves its helper's job behind, and that has the disk.
    ~run() {
        log.reset();
        EXPECT_TRUE(engine::helper_job::wait_for_all(std::chrono::seconds(20)));
    }
    run(const run&) = delete;
    run& operator=(const run&) = delete;

    struct ack final : core::change_log::waiter {
        void on_durable(result<void> outcome) noexcept override { answer = std::move(outcome); }
        std::optional<result<void>> answer;
    };

    ack& append(const core::change& change) {
        EXPECT_TRUE(model->apply(change).has_value());
        acks.push_back(std::make_unique<ack>());
        log->append(change, ++revision, acks.back().get());
        return *acks.back();
    }

    template <typename Condition>
    bool until(Condition&& condition) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (std::chrono::steady_clock::now() < end) {
            if (condition()) return true;
            turn_once();
        }
        return condition();
    }
    void turn_once() {
        if (!disk.complete_one() && !reactor->run_once()) std::this_thread::yield();
    }

    /// A clean stop (as clean as the disk allows).
    void stop() {
        bool stopped = false;
        log->stop(std::chrono::seconds(20), [&] { stopped = true; });
        EXPECT_TRUE(until([&] { return stopped; }));
        log.reset();
    }

    test::forgetful_disk& disk;
    monotonic_clock clock;
    std::unique_ptr<engine::reactor> reactor =
        engine::reactor::create(
            {.id = {}, .busy_window = {}, .clock = &clock, .descriptors = false})
            .value();
    std::unique_ptr<journal> log;
    std::optional<error> trouble;
    core::target_spec found;
    std::vector<std::string> notes;
    std::unique_ptr<spec_editor> model;
    std::vector<std::unique_ptr<ack>> acks;
    std::uint64_t revision = 0;
};

core::create_device device(const std::string& name) {
    return {{.name = name, .type = "ram", .size_bytes = 4096}};
}

std::vector<std::string> device_names(const core::target_spec& spec) {
    std::vector<std::string> out;
    for (const auto& one : spec.devices) out.push_back(one.name);
    return out;
}

struct JournalTest : testing::Test {
    JournalTest() { disk.put(config_path, "{}\n"); }
    void SetUp() override { spdlog::set_level(spdlog::level::off); }
    void TearDown() override { spdlog::set_level(spdlog::level::info); }
    test::forgetful_disk disk{1};
};

TEST_F(JournalTest, CleanStopLeavesEverythingInTheFileAndNoJournal) {
    run first(disk);
    first.append(device("a"));
    ASSERT_TRUE(first.until([&] { return first.acks[0]->answer.has_value(); }));
    EXPECT_TRUE(first.acks[0]->answer->has_value());
    first.stop();
    EXPECT_THAT(disk.names(), testing::ElementsAre(config_path));
    EXPECT_THAT(device_names(parse_config(disk.text(config_path))->spec),
                testing::ElementsAre("a"));
    run second(disk);
    EXPECT_THAT(device_names(second.found), testing::ElementsAre("a"));
    EXPECT_THAT(second.notes, testing::IsEmpty());
}

// The target asks before it says "there is no such thing": what failed at start is configured
// still.
TEST_F(JournalTest, KnowsWhatIsConfiguredUntilItIsRemoved) {
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
TEST_F(JournalTest, WithoutFileIoEverybodyIsToldAtOnce) {
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
    log.rebase("digest", {}, [&](result<void> outcome) { recorded = std::move(outcome); });
    EXPECT_TRUE(elsewhere.until([&] { return recorded.has_value(); }));
    EXPECT_FALSE(recorded->has_value());
    bool stopped = false;
    log.stop(std::chrono::seconds(20), [&] { stopped = true; });
    EXPECT_TRUE(elsewhere.until([&] { return stopped; }));
}

TEST_F(JournalTest, ManyChangesTakeOneWrite) {
    run one(disk);
    for (int i = 0; i < 100; ++i) one.append(device("d" + std::to_string(i)));
    ASSERT_TRUE(one.until([&] { return one.acks[99]->answer.has_value(); }));
    EXPECT_EQ(one.log->counters().changes, 100u);
    EXPECT_EQ(one.log->counters().writes, 2u);  // the first change alone, then all others
    one.stop();
}

TEST_F(JournalTest, SurvivesPowerCutsAnywhere) {
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
            run daemon(files, {.fold_bytes = 200 + random.below(4000)});
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

            run after(files, {.fold_bytes = 4096});
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

TEST_F(JournalTest, AHandEditedFileWinsAndTheLossIsReported) {
    {
        run first(disk);
        first.append(device("a"));
        ASSERT_TRUE(first.until([&] { return first.acks[0]->answer.has_value(); }));
    }  // killed
    disk.put(config_path, R"({"devices":[{"name":"mine","type":"ram","size":512}]})");
    run second(disk);
    EXPECT_THAT(device_names(second.found), testing::ElementsAre("mine"));
    EXPECT_THAT(second.notes,
                testing::ElementsAre(testing::HasSubstr("edited by hand after 1 changes")));
    EXPECT_THAT(disk.text(journal_path + ".superseded"), testing::HasSubstr("\"name\":\"a\""));
    second.stop();
}

TEST_F(JournalTest, ARunningDaemonNeverOverwritesAHandEditedFile) {
    run one(disk, {.fold_bytes = 300});
    const std::string edited = R"({"devices":[{"name":"mine","type":"ram","size":512}]})";
    disk.put(config_path, edited);
    for (int i = 0; i < 20; ++i) one.append(device("d" + std::to_string(i)));
    ASSERT_TRUE(one.until([&] { return one.acks[19]->answer.has_value(); }));
    one.stop();
    EXPECT_EQ(disk.text(config_path), edited);
}

TEST_F(JournalTest, AfterAReloadChangesGoOnFromTheNewFile) {
    {
        run one(disk);
        one.append(device("a"));
        const std::string edited =
            R"({"devices":[{"name":"a","type":"ram","size":4096},
                           {"name":"b","type":"ram","size":512}]})";
        disk.put(config_path, edited);
        one.append({core::create_device{{.name = "b", .type = "ram", .size_bytes = 512}}});
        bool done = false;
        one.log->rebase(digest_of(edited), loaded(edited).config.spec,
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

TEST_F(JournalTest, AFullDiskIsToldAndOvercomeByASnapshot) {
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

TEST_F(JournalTest, WhatDidNotStartMakesRoomForWhatTheCoreDid) {
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

TEST_F(JournalTest, ASnapshotKeepsWhatTheTargetDoesNotRun) {
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

TEST_F(JournalTest, AnUnwritableFolderLeavesTheDaemonRunning) {
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

TEST_F(JournalTest, KeepsChangesWhereTheConfigFileCannotBeReplaced) {
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

TEST_F(JournalTest, DamageInTheMiddleIsAnErrorThatSaysWhatToDo) {
    {
        run one(disk);
        for (int i = 0; i < 3; ++i) {
            one.append(device("d" + std::to_string(i)));
            ASSERT_TRUE(one.until([&] { return one.acks.back()->answer.has_value(); }));
        }
    }  // killed
    std::string text = disk.text(journal_path);
    text[text.find("\"d0\"") + 1] = 'X';
    disk.put(journal_path, text);
    run two(disk);
    ASSERT_TRUE(two.trouble.has_value());
    EXPECT_THAT(two.trouble->text(),
                testing::AllOf(testing::HasSubstr("line 2"), testing::HasSubstr("damaged"),
                               testing::HasSubstr("backup")));
}

TEST_F(JournalTest, ATornEndIsCutAndReported) {
    {
        run one(disk);
        for (int i = 0; i < 3; ++i) {
            one.append(device("d" + std::to_string(i)));
            ASSERT_TRUE(one.until([&] { return one.acks.back()->answer.has_value(); }));
        }
    }  // killed
    std::string text = disk.text(journal_path);
    text.replace(written_part(text).size() - 5, 5, 5, '\0');
    disk.put(journal_path, text);
    run two(disk);
    ASSERT_FALSE(two.trouble.has_value());
    EXPECT_THAT(device_names(two.found), testing::ElementsAre("d0", "d1"));
    EXPECT_THAT(two.notes, testing::Contains(testing::HasSubstr("not been acknowledged")));
    two.stop();
}

// A sync of what lies in room that was there before waits for no other file of the file system.
TEST_F(JournalTest, ChangesAreWrittenIntoRoomThatIsThereAlready) {
    constexpr std::size_t room = 4096;
    {
        run one(disk, {.fold_bytes = room});
        EXPECT_EQ(disk.text(journal_path).size(), room);
        for (int i = 0; i < 3; ++i) {
            one.append(device("d" + std::to_string(i)));
            ASSERT_TRUE(one.until([&] { return one.acks.back()->answer.has_value(); }));
        }
        EXPECT_EQ(disk.text(journal_path).size(), room);
    }  // killed
    run two(disk, {.fold_bytes = room});
    EXPECT_THAT(device_names(two.found), testing::ElementsAre("d0", "d1", "d2"));
    EXPECT_THAT(two.notes, testing::Not(testing::Contains(testing::HasSubstr("cut"))))
        << "the room is no torn write";
    EXPECT_EQ(disk.text(journal_path).size(), room);
    two.stop();
}

/// Giving a segment its number takes as long as the test likes.
class hesitant_disk final : public test::forgetful_disk {
  public:
    using forgetful_disk::forgetful_disk;
    result<void> rename(const std::string& from, const std::string& to) override {
        if (from == journal_path) {
            began = true;
            while (hesitates) std::this_thread::yield();
        }
        return forgetful_disk::rename(from, to);
    }
    std::atomic<bool> hesitates{true};
    std::atomic<bool> began{false};
};

TEST_F(JournalTest, ChangesAreAcknowledgedWhileAnotherSegmentIsBegun) {
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
        if (from == journal_path && short_of_memory.exchange(false)) throw std::bad_alloc();
        return forgetful_disk::rename(from, to);
    }
    std::atomic<bool> short_of_memory{true};
};

TEST_F(JournalTest, AFoldThatFindsNoMemoryIsTriedAgainLater) {
    starved_disk starved(1);
    starved.put(config_path, "{}\n");
    run one(starved, {.fold_bytes = 300});
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
    EXPECT_EQ(starved.names(), std::vector<std::string>{config_path});
}

TEST(JournalFormat, EveryCutOfASegmentGivesAPrefix) {
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

TEST(JournalFormat, NoFlippedBitPasses) {
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

TEST(JournalOnARealDisk, SurvivesAndKeepsOthersOut) {
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
