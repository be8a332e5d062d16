// Damage to a journal: what was acknowledged is never taken for a write that a crash interrupted,
// an operator is told what is whole and what is lost, and what is whole can be kept.
#include "journal_ack.hpp"
#include "journal_run.hpp"
#include "support/schema_check.hpp"

#include <fulmar/admin/journal_check.hpp>

#include <fmt/format.h>

#include <fstream>
#include <iterator>

namespace fulmar::admin {
namespace {

using namespace testing_support;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct journal_damage : journal_test {
    const std::string ack_file = ack_path(journal_file);

    /// Changes "d0" to …, each acknowledged by itself; then the daemon is killed.
    void acknowledge(int changes) {
        run one(disk);
        for (int i = 0; i < changes; ++i) {
            one.append(device("d" + std::to_string(i)));
            ASSERT_TRUE(one.until([&] { return one.acks.back()->answer.has_value(); }));
            ASSERT_TRUE(one.acks.back()->answer->has_value());
        }
    }
    std::string written() { return std::string(written_part(disk.text(journal_file))); }
    journal_report check() { return check_journal(disk, journal_file).value(); }
    journal_report recover() {
        return recover_journal(disk, journal_file, loaded(disk.text(config_path))).value();
    }
};

TEST_F(journal_damage, an_acknowledged_line_that_is_cut_anywhere_is_damaged) {
    acknowledge(3);
    const std::string whole = written();
    const std::size_t last_line = whole.rfind('\n', whole.size() - 2) + 1;
    for (std::size_t cut = last_line; cut < whole.size(); ++cut) {
        for (const char filled : {'\0', 'x'}) {
            std::string text = whole;
            for (std::size_t i = cut; i < text.size(); ++i) text[i] = filled;
            disk.put(journal_file, text);
            run two(disk);
            ASSERT_TRUE(two.trouble.has_value())
                << "an acknowledged change was taken back: " << cut;
            EXPECT_THAT(two.trouble->text(),
                        AllOf(HasSubstr("damaged"), HasSubstr("acknowledged up to number 4"),
                              HasSubstr("--check-journal"), HasSubstr("--recover")));
        }
        disk.put(journal_file, whole.substr(0, cut));
        run three(disk);
        ASSERT_TRUE(three.trouble.has_value()) << "cut at " << cut;
    }
    disk.put(journal_file, whole);
    EXPECT_FALSE(run(disk).trouble.has_value());
}

TEST_F(journal_damage, what_follows_the_acknowledged_length_is_torn_and_told_and_cut) {
    acknowledge(3);
    const std::string whole = written();
    const std::string next = encode({5, 5, change_record{device("d3"), 9}});
    for (std::size_t length = 1; length < next.size(); ++length) {
        disk.put(journal_file, whole + next.substr(0, length));
        run two(disk);
        ASSERT_FALSE(two.trouble.has_value()) << two.trouble->text();
        ASSERT_THAT(two.notes, Contains(HasSubstr("had not been acknowledged")));
        ASSERT_THAT(device_names(two.found), ElementsAre("d0", "d1", "d2"));
        // It has folded: the same beginning for the next length.
        two.log.reset();
        disk.put(config_path, "{}\n");
        disk.put(ack_file, encode_ack_file({0, 4, 0}));
    }
}

TEST_F(journal_damage, a_journal_that_is_all_garbage_or_gone_is_damaged) {
    acknowledge(2);
    const std::string whole = written();
    for (const std::string& garbage :
         {std::string(whole.size(), '#'), std::string(whole.size(), '\0'), std::string(),
          std::string("{\"crc\":\"")}) {
        disk.put(journal_file, garbage);
        EXPECT_TRUE(run(disk).trouble.has_value());
    }
    ASSERT_TRUE(disk.remove(journal_file).has_value());
    EXPECT_TRUE(run(disk).trouble.has_value());
    // Also where nothing says how far it had been acknowledged.
    ASSERT_TRUE(disk.remove(ack_file).has_value());
    disk.put(journal_file, std::string(whole.size(), '#'));
    EXPECT_TRUE(run(disk).trouble.has_value());
}

TEST_F(journal_damage, one_slot_of_two_is_enough_and_none_is_damage) {
    acknowledge(4);
    const std::string text = disk.text(ack_file);
    const std::string journal = disk.text(journal_file);
    for (std::size_t slot = 0; slot < 2; ++slot) {
        std::string one = text;
        one[slot * ack_slot_distance + 40] ^= 1;
        disk.put(ack_file, one);
        disk.put(journal_file, journal);
        EXPECT_FALSE(run(disk).trouble.has_value());
        disk.put(config_path, "{}\n");
    }
    disk.put(journal_file, journal);
    std::string none = text;
    none[40] = none[ack_slot_distance + 40] = '?';
    disk.put(ack_file, none);
    EXPECT_TRUE(run(disk).trouble.has_value());
}

TEST_F(journal_damage, damage_in_the_middle_is_an_error_that_says_what_to_do) {
    acknowledge(3);
    std::string text = disk.text(journal_file);
    text[text.find("\"d0\"") + 1] = 'X';
    disk.put(journal_file, text);
    run two(disk);
    ASSERT_TRUE(two.trouble.has_value());
    EXPECT_THAT(two.trouble->text(), AllOf(HasSubstr("line 2"), HasSubstr("damaged"),
                                           HasSubstr("--check-journal"), HasSubstr("--recover")));
}

TEST_F(journal_damage, a_check_names_every_line_and_change) {
    acknowledge(3);
    EXPECT_TRUE(check().good);
    EXPECT_THAT(check().lines, Contains(HasSubstr("lines 1 to 4 are whole")));
    std::string text = disk.text(journal_file);
    text[text.find("\"d1\"") + 1] = 'X';
    disk.put(journal_file, text);
    const journal_report report = check();
    EXPECT_FALSE(report.good);
    EXPECT_THAT(report.lines, Contains(HasSubstr("lines 1 to 2 are whole")));
    EXPECT_THAT(report.lines, Contains(AllOf(HasSubstr("line 3 (bytes "), HasSubstr("damaged"),
                                             HasSubstr("create_device"))));
    EXPECT_THAT(report.lines, Contains("lost: number 3"));
    EXPECT_THAT(report.lines, Contains(AllOf(HasSubstr("kept: number 4"), HasSubstr("d2"))));
    EXPECT_THAT(report.lines, Contains(HasSubstr("acknowledged up to number 4")));
    EXPECT_EQ(disk.text(journal_file), text) << "a check changes nothing";
    disk.put(journal_file, text.substr(0, text.find("\"X1\"")));
    EXPECT_THAT(check().lines, Contains("lost: numbers 3 to 4"));
    EXPECT_EQ(check_journal(disk, "/etc/fulmar/none.json.journal").error().code, errc::not_found);
}

TEST_F(journal_damage, a_recovery_keeps_what_is_whole_and_sets_the_rest_aside) {
    acknowledge(5);
    std::string text = disk.text(journal_file);
    text[text.find("\"d1\"") + 1] = 'X';
    text[text.find("\"d4\"") + 1] = 'X';
    disk.put(journal_file, text);
    ASSERT_TRUE(run(disk).trouble.has_value());
    const journal_report done = recover();
    EXPECT_TRUE(done.good);
    EXPECT_THAT(done.lines, Contains(HasSubstr("is kept as " + journal_file + ".damaged.1")));
    EXPECT_THAT(done.lines, Contains(HasSubstr("lost: number 3")));
    EXPECT_THAT(done.lines, Contains(HasSubstr("lost: number 6")));
    EXPECT_EQ(disk.text(journal_file + ".damaged.1"), written_part(text));
    EXPECT_TRUE(check().good);
    {
        run two(disk);
        ASSERT_FALSE(two.trouble.has_value()) << two.trouble->text();
        EXPECT_THAT(device_names(two.found), ElementsAre("d0", "d2", "d3"));
        two.append(device("more"));
        ASSERT_TRUE(two.until([&] { return two.acks.back()->answer.has_value(); }));
    }  // killed
    run three(disk);
    ASSERT_FALSE(three.trouble.has_value()) << three.trouble->text();
    EXPECT_THAT(device_names(three.found), ElementsAre("d0", "d2", "d3", "more"));
    EXPECT_THAT(recover().lines, ElementsAre(HasSubstr("nothing was done")));
}

TEST_F(journal_damage, a_recovery_without_the_first_line_keeps_the_changes) {
    acknowledge(2);
    std::string text = disk.text(journal_file);
    text[20] = 'X';
    disk.put(journal_file, text);
    ASSERT_TRUE(run(disk).trouble.has_value());
    EXPECT_THAT(recover().lines, Contains(HasSubstr("lines 2 to 3 are whole")));
    run two(disk);
    ASSERT_FALSE(two.trouble.has_value()) << two.trouble->text();
    EXPECT_THAT(device_names(two.found), ElementsAre("d0", "d1"));
}

TEST_F(journal_damage, a_recovery_that_is_interrupted_loses_nothing) {
    for (std::uint32_t operations = 0; operations < 20; ++operations) {
        test::forgetful_disk files(operations);
        files.put(config_path, "{}\n");
        {
            run one(files);
            for (int i = 0; i < 3; ++i) one.append(device("d" + std::to_string(i)));
            ASSERT_TRUE(one.until([&] { return one.acks.back()->answer.has_value(); }));
        }
        std::string text = files.text(journal_file);
        text[text.find("\"d1\"") + 1] = 'X';
        files.put(journal_file, text);
        const loaded_config config = loaded("{}\n");
        files.cut_after(operations);
        static_cast<void>(recover_journal(files, journal_file, config));
        files.power_on();
        ASSERT_TRUE(recover_journal(files, journal_file, config).has_value());
        run two(files);
        ASSERT_FALSE(two.trouble.has_value()) << operations << ": " << two.trouble->text();
        EXPECT_THAT(device_names(two.found), ElementsAre("d0", "d2"));
    }
}

std::string read_file(const std::string& name) {
    std::ifstream in(test::source_path("tests/unit/admin/data/" + name));
    return {std::istreambuf_iterator<char>(in), {}};
}

// Written by fulmard 0.1.0, which kept no acknowledged length.
TEST_F(journal_damage, a_journal_of_an_older_version_is_read) {
    disk.put(config_path, read_file("journal_of_0.1.0.json"));
    std::string text = read_file("journal_of_0.1.0.json.journal");
    ASSERT_FALSE(text.empty());
    text.resize(1024 * 1024);
    disk.put(journal_file, text);
    EXPECT_TRUE(check().good);
    EXPECT_THAT(check().lines, Contains(HasSubstr("older version")));
    run one(disk);
    ASSERT_FALSE(one.trouble.has_value()) << one.trouble->text();
    EXPECT_THAT(device_names(one.found), ElementsAre("ram0", "ram1"));
    ASSERT_EQ(one.found.subsystems.size(), 1u);
    EXPECT_EQ(one.found.subsystems[0].namespaces.size(), 2u);
    EXPECT_EQ(one.found.subsystems[0].hosts.size(), 1u);
    EXPECT_EQ(one.found.referrals.size(), 1u);
    EXPECT_EQ(one.found.listeners.size(), 1u);
    EXPECT_THAT(one.notes, Not(Contains(HasSubstr("skipped"))));
    one.append(device("new"));
    ASSERT_TRUE(one.until([&] { return one.acks.back()->answer.has_value(); }));
    EXPECT_TRUE(one.acks.back()->answer->has_value());
    EXPECT_FALSE(disk.text(ack_file).empty());
}

// What is broken in a file that is not followed neither replaces nor closes what stays in effect.
TEST_F(journal_damage, a_file_that_is_not_followed_has_no_broken_objects) {
    const auto file = [](int size, const char* nguid, const char* hosts) {
        return fmt::format(
            R"({{"devices":[{{"name":"a","type":"ram","size":{}}}],
                 "subsystems":[{{"nqn":"nqn.2024-01.test:s","hosts":["{}"],
                 "namespaces":[{{"nsid":1,"device":"a"{}}}]}}]}})",
            size, hosts, nguid);
    };
    constexpr const char* host = "nqn.2024-01.test:host";
    disk.put(config_path, file(4096, "", host));
    {
        run one(disk);
        one.append(core::resize_device{.name = "a", .size_bytes = 8192});
        ASSERT_TRUE(one.until([&] { return one.acks.back()->answer.has_value(); }));
    }
    disk.put(config_path, file(16384, R"(,"nguid":"no")", ""));
    run two(disk);
    ASSERT_FALSE(two.trouble.has_value()) << two.trouble->text();
    EXPECT_THAT(two.notes, Contains(HasSubstr("is not followed")));
    ASSERT_EQ(two.found.subsystems.size(), 1u);
    ASSERT_EQ(two.found.subsystems[0].namespaces.size(), 1u) << "one number, two namespaces";
    EXPECT_EQ(two.found.subsystems[0].namespaces[0].device, "a");
    EXPECT_EQ(two.found.subsystems[0].hosts.size(), 1u);
    EXPECT_EQ(two.found.devices.size(), 1u);
    EXPECT_THAT(two.log->broken(), testing::IsEmpty());
}

TEST(journal_ack, no_flipped_bit_passes) {
    const std::string text = encode_ack({7, 41, 1234});
    ASSERT_EQ(text.size(), ack_slot_bytes);
    for (std::size_t at = 0; at < text.find_last_not_of(" \n"); ++at) {
        std::string file = encode_ack_file({7, 41, 1234});
        file[ack_offset(7) + at] = static_cast<char>(file[ack_offset(7) + at] ^ 4);
        EXPECT_FALSE(decode_ack_file(file, "a").has_value()) << at;
    }
    const auto read = decode_ack_file(encode_ack_file({7, 41, 1234}), "a");
    ASSERT_TRUE(read.has_value() && read->has_value());
    EXPECT_EQ((*read)->sequence, 41u);
    EXPECT_EQ((*read)->bytes, 1234u);
}

}  // namespace
}  // namespace fulmar::admin
