#include <fulmar/engine/flight_recorder.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <string>
#include <thread>

namespace fulmar::engine {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST(flight_recorder, tells_what_was_noted_oldest_first) {
    flight_recorder recorder(reactor_id(3));
    for (std::uint64_t i = 1; i <= 5; ++i)
        recorder.note(instant(seconds(i)), {.what = "parked",
                                            .subsystem = {.index = 2, .generation = 7},
                                            .ns = {.index = 0, .generation = 1},
                                            .object = 40,
                                            .value = i});
    std::vector<flight_entry> all;
    recorder.collect(all);
    ASSERT_EQ(all.size(), 5u);
    for (std::uint64_t i = 0; i < 5; ++i) {
        EXPECT_EQ(all[i].sequence, i + 1);
        EXPECT_EQ(all[i].value, i + 1);
        EXPECT_EQ(all[i].at, instant(seconds(i + 1)));
        EXPECT_STREQ(all[i].what, "parked");
        EXPECT_EQ(all[i].subsystem.generation, 7u);
    }
    flight_entry newest;
    ASSERT_TRUE(recorder.read(0, newest));
    EXPECT_EQ(newest.value, 5u);
    EXPECT_FALSE(recorder.read(5, newest));
}

TEST(flight_recorder, keeps_the_last_and_says_that_others_are_gone) {
    flight_recorder recorder(reactor_id(0));
    constexpr std::uint64_t count = limits::flight_entries * 2 + 17;
    for (std::uint64_t i = 1; i <= count; ++i) recorder.note({}, {.what = "gate", .value = i});
    std::vector<flight_entry> all;
    recorder.collect(all);
    ASSERT_EQ(all.size(), limits::flight_entries);
    EXPECT_EQ(all.front().sequence, count - limits::flight_entries + 1);
    EXPECT_EQ(all.back().value, count);
}

// What a reader gets is whole: both halves of an entry are of one note.
TEST(flight_recorder, is_read_while_it_is_written) {
    flight_recorder recorder(reactor_id(0));
    std::atomic<bool> stop{false};
    std::thread writer([&] {
        for (std::uint64_t i = 1; !stop.load(); ++i)
            recorder.note(instant(duration(i)), {.what = "gate", .object = i, .value = i});
    });
    while (recorder.written() < 2 * limits::flight_entries) std::this_thread::yield();
    std::uint64_t seen = 0;
    for (int round = 0; round < 50; ++round) {
        std::vector<flight_entry> all;
        recorder.collect(all);
        std::uint64_t before = 0;
        for (const flight_entry& e : all) {
            ASSERT_EQ(e.object, e.value);
            ASSERT_EQ(e.object, e.sequence);
            ASSERT_EQ(static_cast<std::uint64_t>(e.at.time_since_epoch().count()), e.value);
            ASSERT_GT(e.sequence, before);
            before = e.sequence;
            ++seen;
        }
    }
    stop = true;
    writer.join();
    EXPECT_GT(seen, 0u);
}

TEST(flight_recorder, prints_a_line_for_people) {
    flight_entry e;
    e.what = "gate";
    e.detail = "fenced";
    e.at = instant(seconds(12) + microseconds(34));
    e.reactor = reactor_id(1);
    e.subsystem = {.index = 4, .generation = 2};
    e.ns = {.index = 0, .generation = 9};
    e.object = 5;
    e.value = 6;
    std::array<char, 128> line{};
    const std::size_t length = print_flight_entry(e, instant(seconds(2)), line);
    EXPECT_EQ(std::string(line.data(), length),
              "    10.000034 r1 gate subsystem 4.2 namespace 1.9 fenced #5 (6)\n");
    std::array<char, 12> narrow{};
    EXPECT_EQ(print_flight_entry(e, {}, narrow), narrow.size());
    EXPECT_EQ(narrow.back(), '\n');
}

TEST(flight_recorder, dumps_every_one_that_lives) {
    flight_recorder first(reactor_id(1));
    first.note(instant(seconds(1)), {.what = "one"});
    {
        flight_recorder gone(reactor_id(2));
        gone.note(instant(seconds(1)), {.what = "two"});
    }
    flight_recorder third(reactor_id(3));
    third.note(instant(seconds(1)), {.what = "three"});
    std::FILE* file = std::tmpfile();
    ASSERT_NE(file, nullptr);
    dump_flight_recorders(fileno(file));
    std::string text(4096, '\0');
    const ssize_t length = pread(fileno(file), text.data(), text.size(), 0);
    std::fclose(file);
    ASSERT_GT(length, 0);
    text.resize(static_cast<std::size_t>(length));
    EXPECT_THAT(text, testing::HasSubstr("     1.000000 r1 one\n"));
    EXPECT_THAT(text, testing::HasSubstr("     1.000000 r3 three\n"));
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("two")));
}

}  // namespace
}  // namespace fulmar::engine
