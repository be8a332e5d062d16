// What hosts have made of namespaces, on disk: over restarts, power cuts and bad files.
#include "namespace_files.hpp"

#include <gtest/gtest.h>
#include <support/forgetful_disk.hpp>
#include <support/io_runner.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace fulmar::app {
namespace {

constexpr const char* prefix = "/var/lib/fulmar/fulmard.json.reservations.";

/// Jobs run on the test's thread, when it says so.
class jobs_by_hand final : engine::helper_runner {
  public:
    jobs_by_hand() { engine::helper_job::run_with(this); }
    ~jobs_by_hand() {
        run_all();
        engine::helper_job::run_with(nullptr);
    }
    jobs_by_hand(const jobs_by_hand&) = delete;
    jobs_by_hand& operator=(const jobs_by_hand&) = delete;
    bool run_one() {
        if (jobs_.empty()) return false;
        engine::helper_job& next = *jobs_.front();
        jobs_.pop_front();
        next.run();
        return true;
    }
    void run_all() {
        while (run_one()) {}
    }

  private:
    void take(engine::helper_job& job) override { jobs_.push_back(&job); }
    std::deque<engine::helper_job*> jobs_;
};

struct answer final : core::namespace_memory::waiter {
    void on_recorded(result<void> outcome) noexcept override { said = outcome.has_value(); }
    std::optional<bool> said{};
};

using nvme::write_protection;

core::kept_namespace state(std::uint32_t generation, bool persistent = true,
                           write_protection protection = write_protection::none) {
    core::kept_namespace all{.reservation = {}, .protection = protection};
    all.reservation = core::reservation_record{
        .generation = generation,
        .persistent = persistent,
        .type = 1,
        .holder = "000102030405060708090a0b0c0d0e0f",
        .registrants = {{.host = "000102030405060708090a0b0c0d0e0f",
                         .key = 0xffff'ffff'ffff'fff0u + generation % 16},
                        {.host = "f0000000000000000000000000000001", .key = 0}}};
    return all;
}

core::kept_namespace only(write_protection protection) {
    return {.reservation = {}, .protection = protection};
}

struct namespace_files_test : testing::Test {
    std::unique_ptr<namespace_files> open(std::string boot = "first boot") {
        return std::make_unique<namespace_files>(*reactor, disk, prefix, std::move(boot));
    }
    bool record(namespace_files& files, const core::kept_namespace& what) {
        answer told;
        files.record(one, what, &told);
        EXPECT_FALSE(told.said.has_value()) << "never inside the call";
        settle();
        EXPECT_TRUE(told.said.has_value());
        return told.said.value_or(false);
    }
    void settle() {
        for (int i = 0; i < 8; ++i) {
            jobs.run_all();
            reactor->run_once();
        }
    }
    std::string path(const nvme::uuid& of) const {
        return prefix + std::string(nvme::to_text(of).view());
    }

    test::forgetful_disk disk{1};
    test::hand_reactor reactor;
    jobs_by_hand jobs;
    const nvme::uuid one = nvme::derive_uuid("a namespace", 1);
    const nvme::uuid two = nvme::derive_uuid("a namespace", 2);
};

TEST_F(namespace_files_test, what_was_recorded_is_known_after_a_restart) {
    auto files = open();
    EXPECT_FALSE(files->recall(one)->has_value());
    ASSERT_TRUE(record(*files, state(7)));
    EXPECT_EQ(files->recall(one)->value(), state(7));
    files = open();
    EXPECT_EQ(files->recall(one)->value(), state(7));
    EXPECT_FALSE(files->recall(two)->has_value());
    files->forget(one);
    settle();
    EXPECT_TRUE(disk.names().empty());
    files = open();
    EXPECT_FALSE(files->recall(one)->has_value());
}

TEST_F(namespace_files_test, what_need_not_persist_ends_with_the_power_and_not_with_the_daemon) {
    auto files = open();
    ASSERT_TRUE(record(*files, state(7, false)));
    files = open();
    EXPECT_EQ(files->recall(one)->value(), state(7, false));
    files = open("second boot");
    EXPECT_FALSE(files->recall(one)->has_value());
    ASSERT_TRUE(record(*files, state(8, true)));
    files = open("third boot");
    EXPECT_EQ(files->recall(one)->value(), state(8, true));
}

TEST_F(namespace_files_test, what_was_answered_outlives_a_power_cut_at_any_step) {
    const auto step = [](std::uint32_t generation) {
        return state(
            generation, true,
            generation % 2 == 0 ? write_protection::write_protect : write_protection::none);
    };
    bool whole = false;
    for (std::uint32_t cut = 0; !whole; ++cut) {
        ASSERT_LT(cut, 200u);
        test::forgetful_disk fresh{cut + 1};
        disk.power_on();
        std::uint32_t acknowledged = 0;
        {
            namespace_files files{*reactor, fresh, prefix, "first boot"};
            fresh.cut_after(cut);
            for (std::uint32_t generation = 1; generation <= 5; ++generation) {
                if (!record(files, step(generation))) break;
                acknowledged = generation;
            }
            whole = acknowledged == 5;
        }
        settle();
        fresh.power_on();
        const namespace_files after{*reactor, fresh, prefix, "second boot"};
        const auto known = after.recall(one);
        ASSERT_TRUE(known.has_value()) << "cut after " << cut << ": " << known.error().text();
        const std::uint32_t found = known->has_value() ? (*known)->reservation->generation : 0;
        EXPECT_GE(found, acknowledged) << "cut after " << cut;
        EXPECT_LE(found, acknowledged + 1) << "cut after " << cut;
        if (found != 0) {
            EXPECT_EQ(**known, step(found)) << "reservation and protection are one record";
        }
    }
}

TEST_F(namespace_files_test, protection_ends_with_the_power_only_where_a_host_has_said_so) {
    auto files = open();
    ASSERT_TRUE(record(*files, only(write_protection::until_power_cycle)));
    files = open();
    EXPECT_EQ(files->recall(one)->value(), only(write_protection::until_power_cycle))
        << "the daemon alone was started anew";
    files = open("second boot");
    EXPECT_FALSE(files->recall(one)->has_value());
    files.reset();
    settle();
    EXPECT_TRUE(disk.names().empty()) << "nothing is left to keep";
    files = open("second boot");
    ASSERT_TRUE(record(*files, only(write_protection::write_protect)));
    files = open("third boot");
    EXPECT_EQ(files->recall(one)->value(), only(write_protection::write_protect));
}

TEST_F(namespace_files_test, a_power_cycle_ends_each_part_of_a_record_by_itself) {
    auto files = open();
    ASSERT_TRUE(record(*files, state(7, true, write_protection::until_power_cycle)));
    files = open("second boot");
    EXPECT_EQ(files->recall(one)->value(), state(7, true));
    ASSERT_TRUE(record(*files, state(8, false, write_protection::write_protect)));
    files = open("third boot");
    EXPECT_EQ(files->recall(one)->value(), only(write_protection::write_protect));
    files = open("third boot");
    EXPECT_EQ(files->recall(one)->value(), only(write_protection::write_protect))
        << "it was not written again, and is of the second boot still";
}

TEST_F(namespace_files_test, records_of_before_there_was_protection_are_read) {
    disk.put(path(one), R"({"namespace": "x", "boot": "first boot", "generation": 7,
        "persistent": true, "type": 1, "holder": "000102030405060708090a0b0c0d0e0f",
        "registrants": [
            {"host": "000102030405060708090a0b0c0d0e0f", "key": "0xfffffffffffffff7"},
            {"host": "f0000000000000000000000000000001", "key": "0x0000000000000000"}]})");
    const auto files = open();
    EXPECT_EQ(files->recall(one)->value(), state(7));
}

TEST_F(namespace_files_test, a_protection_that_nobody_knows_makes_the_record_unknown) {
    for (const char* said : {"\"\"", "\"permanent\"", "\"Write-Protect\"", "1", "null"}) {
        disk.put(path(one), std::string(R"({"boot": "first boot", "protection": )") + said + "}");
        EXPECT_FALSE(open()->recall(one).has_value()) << said;
    }
    disk.put(path(one), R"({"boot": "first boot"})");
    EXPECT_FALSE(open()->recall(one).has_value()) << "it says nothing";
    disk.put(path(one), R"({"boot": "first boot", "protection": "none", "registrants": []})");
    EXPECT_FALSE(open()->recall(one).has_value()) << "half of a reservation";
}

TEST_F(namespace_files_test, what_cannot_be_understood_is_no_open_door) {
    disk.put(path(one), "{\"boot\": \"first boot\", \"generation\": 1");
    disk.put(path(two), "");
    disk.put(std::string(prefix) + "something else", "nobody's");
    auto files = open();
    EXPECT_FALSE(files->recall(one).has_value());
    EXPECT_FALSE(files->recall(two).has_value());
    EXPECT_NE(files->recall(one).error().text().find(path(one)), std::string::npos);
    ASSERT_TRUE(record(*files, state(3)));
    EXPECT_EQ(files->recall(one)->value(), state(3)) << "a host has registered";
}

TEST_F(namespace_files_test, a_folder_that_cannot_be_listed_is_no_open_door_either) {
    disk.cut_after(0);
    disk.put(path(one), "");
    static_cast<void>(disk.remove(path(one)));  // the power goes
    ASSERT_TRUE(disk.off());
    const auto files = open();
    EXPECT_FALSE(files->recall(one).has_value());
    EXPECT_FALSE(files->recall(two).has_value());
}

TEST_F(namespace_files_test, a_disk_that_refuses_is_told_and_nothing_else_is_lost) {
    auto files = open();
    ASSERT_TRUE(record(*files, state(1)));
    disk.refuse(prefix, 28);
    EXPECT_FALSE(record(*files, state(2)));
    disk.refuse(prefix, 0);
    answer first, second;
    files->record(one, state(3), &first);
    files->record(two, state(4), &second);
    files->withdraw(first);
    settle();
    EXPECT_FALSE(first.said.has_value()) << "it has been withdrawn";
    EXPECT_EQ(second.said, true);
    files = open();
    EXPECT_EQ(files->recall(one)->value(), state(3));
    EXPECT_EQ(files->recall(two)->value(), state(4));
}

}  // namespace
}  // namespace fulmar::app
