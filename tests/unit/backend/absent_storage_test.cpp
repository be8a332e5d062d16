// A file device whose file is not there, is another, is smaller, or stops being what it was.
#include <fulmar/backend/file_device.hpp>
#include <fulmar/backend/kept_files.hpp>
#include <fulmar/backend/storage_memory.hpp>
#include <fulmar/backend/storage_watch.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/engine/uring_file_io.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <support/eventually.hpp>
#include <support/io_runner.hpp>
#include <support/loop_device.hpp>
#include <support/temp_dir.hpp>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <thread>
#include <vector>

namespace fulmar::backend {
namespace {

namespace fs = std::filesystem;
namespace sc = nvme::sc;
using test::hand_reactor;
using test::io_runner;

struct kept_in_memory final : storage_memory {
    std::optional<storage_record> recall(const std::string& device,
                                         const std::string& path) const override {
        const auto at = all.find(device);
        if (at == all.end() || at->second.path != path) return {};
        return at->second;
    }
    void remember(const std::string& device, const storage_record& what) override {
        all[device] = what;
    }
    std::map<std::string, storage_record> all;
};

struct listener final : device_listener {
    void on_device_lost(device&, const std::string& why) noexcept override {
        ++losses;
        reason = why;
    }
    void on_device_returned(device&) noexcept override { ++returns; }
    void on_device_resized(device&) noexcept override {}
    int losses = 0, returns = 0;
    std::string reason;
};

class absent_storage : public ::testing::Test {
  protected:
    ~absent_storage() override {
        close();
        watch.reset();
        reactor.bring_home();
    }
    result<void> try_open(file_options options, opening why = opening::configured) {
        options.name = "disk";
        options.path = path;
        device =
            make_file_device(
                options,
                {.control = &*reactor, .files = files.get(), .watch = &*watch, .memory = &memory})
                .value();
        device->set_listener(&told);
        auto opened = device->open(why);
        if (opened) channel = device->open_channel(*reactor).value();
        return opened;
    }
    void open(const file_options& options) { ASSERT_TRUE(try_open(options)); }
    void close() {
        channel.reset();
        device.reset();
    }
    void make(std::uint64_t bytes, char with = 'x') {
        std::ofstream(path) << std::string(4096, with);
        fs::resize_file(path, bytes);
    }
    io_runner io() { return {reactor, *channel}; }
    bool until(std::string_view state) {
        return reactor.run_until([&] { return device->condition() == state; });
    }
    nvme::status write(std::uint64_t block, bool fua = false) {
        return io().write(block, 8, data, fua);
    }

    test::temp_dir dir;
    std::string path = dir / "image";
    hand_reactor reactor;
    std::unique_ptr<engine::file_io_provider> files = engine::make_uring_files();
    std::optional<storage_watch> watch{std::in_place, *reactor, std::chrono::milliseconds(20)};
    kept_in_memory memory;
    listener told;
    std::unique_ptr<backend::device> device;
    std::unique_ptr<io_channel> channel;
    alignas(4096) std::byte block_[4096]{};
    std::span<std::byte> data{block_};
};

TEST_F(absent_storage, a_missing_file_is_not_created_and_serves_once_it_is_there) {
    open({.size_bytes = 1 << 20});
    EXPECT_EQ(device->condition(), "missing");
    EXPECT_NE(device->trouble().find("does not exist"), std::string::npos) << device->trouble();
    EXPECT_EQ(device->geometry().block_count, 2048u);
    EXPECT_EQ(write(0), device_gone);
    EXPECT_EQ(io().flush(), device_gone);
    reactor.run_until([] { return false; }, std::chrono::milliseconds(100));
    EXPECT_FALSE(fs::exists(path));
    EXPECT_EQ(told.losses, 0) << "nothing has changed";
    make(1 << 20);
    ASSERT_TRUE(until("ready"));
    EXPECT_EQ(told.returns, 1);
    EXPECT_EQ(write(0, true), sc::success);
    EXPECT_EQ(io().flush(), sc::success);
}

TEST_F(absent_storage, a_block_device_that_appears_late_serves_then) {
    std::ofstream(dir / "disk") << "";
    fs::resize_file(dir / "disk", 1 << 20);
    const test::loop_device disk(dir / "disk");
    if (disk.path.empty()) GTEST_SKIP() << "no loop device can be set up here";
    open({.size_bytes = 1 << 20});
    EXPECT_EQ(device->condition(), "missing");
    fs::create_symlink(disk.path, path);  // as udev does
    ASSERT_TRUE(until("ready"));
    EXPECT_EQ(device->geometry().block_count, 2048u);
    EXPECT_EQ(write(0, true), sc::success);
}

TEST_F(absent_storage, a_name_that_leads_to_another_block_device_is_a_loss) {
    for (const char* name : {"one", "two"}) {
        std::ofstream(dir / name) << "";
        fs::resize_file(dir / name, 1 << 20);
    }
    const test::loop_device one(dir / "one"), two(dir / "two");
    if (two.path.empty()) GTEST_SKIP() << "no loop devices can be set up here";
    fs::create_symlink(one.path, path);
    open({.size_bytes = 1 << 20});
    ASSERT_EQ(write(0, true), sc::success);
    fs::remove(path);
    fs::create_symlink(two.path, path);
    ASSERT_TRUE(until("lost"));
    EXPECT_EQ(write(0, true), device_gone);
    EXPECT_EQ(told.losses, 1);
}

TEST_F(absent_storage, a_request_without_create_for_an_absent_file_is_refused_and_tells_of_create) {
    const auto refused = try_open({.size_bytes = 1 << 20}, opening::asked_for);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::not_found);
    EXPECT_NE(refused.error().remedy.find("create"), std::string::npos);
    EXPECT_FALSE(fs::exists(path));
}

TEST_F(absent_storage, create_is_met_once_and_the_file_is_missing_afterwards) {
    open({.size_bytes = 1 << 20, .create = true});
    EXPECT_EQ(device->condition(), "ready");
    EXPECT_EQ(fs::file_size(path), 1u << 20);
    close();
    fs::remove(path);
    open({.size_bytes = 1 << 20, .create = true});
    EXPECT_EQ(device->condition(), "missing");
    EXPECT_FALSE(fs::exists(path));
    close();
    ASSERT_TRUE(try_open({.size_bytes = 1 << 20, .create = true}, opening::asked_for))
        << "an operator asks for it now";
    EXPECT_TRUE(fs::exists(path));
}

TEST_F(absent_storage, create_waits_for_its_folder) {
    path = dir / "later/image";
    open({.size_bytes = 1 << 20, .create = true});
    EXPECT_EQ(device->condition(), "missing");
    fs::create_directory(dir / "later");
    ASSERT_TRUE(until("ready"));
    EXPECT_EQ(fs::file_size(path), 1u << 20);
}

TEST_F(absent_storage, a_missing_file_shows_its_former_size) {
    make(1 << 20);
    open({});
    EXPECT_EQ(device->geometry().block_count, 2048u);
    close();
    fs::rename(path, dir / "away");
    open({});
    EXPECT_EQ(device->condition(), "missing");
    EXPECT_EQ(device->geometry().block_count, 2048u);
    fs::rename(dir / "away", path);
    EXPECT_TRUE(until("ready"));
}

TEST_F(absent_storage, another_file_in_its_place_is_refused_until_an_operator_accepts_it) {
    make(1 << 20);
    open({.size_bytes = 1 << 20});
    close();
    fs::rename(path, dir / "former");
    make(1 << 20);
    open({.size_bytes = 1 << 20});
    ASSERT_EQ(device->condition(), "refused");
    EXPECT_NE(device->trouble().find("reopen disk --accept"), std::string::npos)
        << device->trouble();
    EXPECT_NE(device->trouble().find("inode"), std::string::npos) << device->trouble();
    EXPECT_EQ(device->reopen().error().code, errc::conflict);
    EXPECT_EQ(write(0), device_gone);
    ASSERT_TRUE(device->accept());
    EXPECT_EQ(device->condition(), "ready");
    EXPECT_EQ(write(0, true), sc::success);
    close();
    open({.size_bytes = 1 << 20});
    EXPECT_EQ(device->condition(), "ready") << "what was accepted is what is remembered";
}

TEST_F(absent_storage, what_was_refused_serves_when_the_former_file_is_back) {
    make(1 << 20);
    open({.size_bytes = 1 << 20});
    close();
    fs::rename(path, dir / "former");
    make(1 << 20);
    open({.size_bytes = 1 << 20});
    ASSERT_EQ(device->condition(), "refused");
    fs::rename(dir / "former", path);
    EXPECT_TRUE(until("ready"));
}

TEST_F(absent_storage, a_lost_memory_and_a_larger_file_are_no_change) {
    make(1 << 20);
    open({});
    close();
    fs::resize_file(path, 2 << 20);
    open({});
    EXPECT_EQ(device->condition(), "ready");
    close();
    memory.all.clear();
    open({});
    EXPECT_EQ(device->condition(), "ready");
}

TEST_F(absent_storage, what_nobody_can_compare_serves_and_says_so) {
    make(1 << 20);
    open({});
    close();
    open({});
    EXPECT_EQ(device->note().find("nothing tells"), std::string::npos) << device->note();
    close();
    memory.all["disk"].facts = {{"kind", "file"}, {"of_an_older_kernel", "7"}};
    open({});
    EXPECT_EQ(device->condition(), "ready");
    EXPECT_NE(device->note().find("nothing tells whether it is the same storage"),
              std::string::npos)
        << device->note();
}

TEST_F(absent_storage, a_file_smaller_than_the_device_is_refused_and_left_alone) {
    make(512 * 1024);
    for (const bool create : {false, true}) {
        open({.size_bytes = 1 << 20, .create = create});
        EXPECT_EQ(device->condition(), "refused");
        EXPECT_EQ(fs::file_size(path), 512u * 1024);
        close();
    }
    open({.size_bytes = 1 << 20});
    ASSERT_TRUE(device->resize(1024, shrinking::allowed))
        << "the device takes the size that is there";
    EXPECT_EQ(device->condition(), "ready");
    EXPECT_EQ(device->geometry().block_count, 1024u);
    EXPECT_EQ(fs::file_size(path), 512u * 1024);
}

TEST_F(absent_storage, a_size_that_was_raised_while_nobody_served_makes_the_file_larger) {
    make(1 << 20);
    open({.size_bytes = 1 << 20});
    close();
    open({.size_bytes = 2 << 20});
    EXPECT_EQ(device->condition(), "ready") << device->trouble();
    EXPECT_EQ(device->geometry().block_count, 4096u);
    EXPECT_EQ(fs::file_size(path), 2u << 20);
    close();
    fs::resize_file(path, 1 << 20);  // which takes what was written there
    open({.size_bytes = 3 << 20});
    EXPECT_EQ(device->condition(), "refused");
    EXPECT_EQ(fs::file_size(path), 1u << 20);
    close();
    fs::resize_file(path, 2 << 20);
    fs::rename(path, dir / "away");
    make(2 << 20);
    open({.size_bytes = 3 << 20});
    EXPECT_EQ(device->condition(), "refused") << "another file";
    EXPECT_EQ(fs::file_size(path), 2u << 20);
}

TEST_F(absent_storage, nobody_knows_whether_a_file_without_a_record_was_cut_or_is_to_grow) {
    make(1 << 20);
    open({.size_bytes = 2 << 20});
    EXPECT_EQ(device->condition(), "refused");
    EXPECT_EQ(fs::file_size(path), 1u << 20);
}

TEST_F(absent_storage, what_the_daemon_needs_itself_is_refused) {
    make(1 << 20);
    path = "/proc/self/environ";
    open({.size_bytes = 1 << 20, .permit = may_back_a_device});
    EXPECT_EQ(device->condition(), "refused");
    EXPECT_NE(device->trouble().find("no storage"), std::string::npos) << device->trouble();
}

TEST_F(absent_storage, a_file_that_lost_its_end_while_away_is_refused) {
    make(1 << 20);
    open({});
    close();
    fs::resize_file(path, 512 * 1024);
    open({});
    EXPECT_EQ(device->condition(), "refused");
    ASSERT_TRUE(device->accept());
    EXPECT_EQ(device->geometry().block_count, 1024u);
}

// --- what is noticed while it serves -------------------------------------------------------------

class storage_lost_in_service : public absent_storage, public ::testing::WithParamInterface<bool> {
  protected:
    void SetUp() override {
        make(1 << 20);
        open({.direct = GetParam()});
        ASSERT_EQ(write(2040, true), sc::success);
    }
};

TEST_P(storage_lost_in_service, flush_after_a_truncation_fails) {
    fs::resize_file(path, 4096);
    EXPECT_EQ(io().flush(), sc::write_fault.no_retry());
    EXPECT_EQ(device->condition(), "lost");
}

TEST_P(storage_lost_in_service, a_durable_write_after_a_truncation_fails) {
    fs::resize_file(path, 4096);
    EXPECT_EQ(write(0, true), sc::write_fault.no_retry());
    EXPECT_EQ(device->condition(), "lost");
}

TEST_P(storage_lost_in_service, a_write_to_the_end_does_not_make_a_cut_file_whole_again) {
    fs::resize_file(path, 4096);
    EXPECT_EQ(write(2040), device_gone);
    EXPECT_EQ(fs::file_size(path), 4096u);
    EXPECT_EQ(device->condition(), "lost");
}

TEST_P(storage_lost_in_service, a_short_read_is_a_loss) {
    fs::resize_file(path, 4096);
    EXPECT_EQ(io().read(1000, 8, data), sc::unrecovered_read_error.no_retry());
    EXPECT_EQ(device->condition(), "lost");
}

TEST_P(storage_lost_in_service, write_zeroes_behind_a_cut_is_not_made_durable) {
    fs::resize_file(path, 4096);
    EXPECT_EQ(io().write_zeroes(1000, 8, true), sc::write_fault.no_retry());
    EXPECT_EQ(fs::file_size(path), 4096u);
}

TEST_P(storage_lost_in_service, a_write_through_after_a_truncation_fails) {
    for (const bool zeroes : {false, true}) {
        close();
        make(1 << 20);
        memory.all.clear();
        open({.direct = GetParam(), .write_through = true});
        ASSERT_EQ(write(0), sc::success);
        fs::resize_file(path, 4096);
        EXPECT_EQ(zeroes ? io().write_zeroes(0, 8) : write(0), sc::write_fault.no_retry());
        EXPECT_EQ(device->condition(), "lost");
        EXPECT_EQ(fs::file_size(path), 4096u);
    }
}

TEST_P(storage_lost_in_service, what_was_not_flushed_is_owed_until_an_operator_accepts_its_loss) {
    ASSERT_EQ(io().flush(), sc::success);
    fs::rename(path, dir / "away");
    ASSERT_TRUE(until("lost"));
    EXPECT_FALSE(device->lost_data()) << "all of it was flushed";
    fs::rename(dir / "away", path);
    ASSERT_TRUE(device->reopen());
    ASSERT_EQ(write(0), sc::success);
    ASSERT_TRUE(device->reopen());
    EXPECT_TRUE(device->has_unflushed_writes())
        << "it was never lost, and its cache is what it was";
    fs::rename(path, dir / "away");
    ASSERT_TRUE(until("lost"));
    EXPECT_TRUE(device->lost_data());
    make(1 << 20, 'n');
    reactor.run_until([] { return false; }, std::chrono::milliseconds(100));
    EXPECT_EQ(device->condition(), "lost") << "nothing brings it back by itself";
    EXPECT_TRUE(device->lost_data());
    ASSERT_TRUE(device->accept());
    EXPECT_FALSE(device->lost_data());
    EXPECT_FALSE(device->has_unflushed_writes()) << "that was another file";
}

TEST_P(storage_lost_in_service, what_was_flushed_is_lost_with_the_end_of_its_file) {
    ASSERT_EQ(io().flush(), sc::success);
    fs::resize_file(path, 4096);
    ASSERT_TRUE(until("lost"));
    EXPECT_TRUE(device->lost_data());
}

TEST_P(storage_lost_in_service, flush_after_the_file_was_deleted_fails) {
    fs::remove(path);
    EXPECT_EQ(io().flush(), sc::write_fault.no_retry());
    EXPECT_EQ(device->condition(), "lost");
}

TEST_P(storage_lost_in_service, the_look_notices_each_sort_of_loss_without_any_command) {
    const auto loses = [&](const char* what) {
        ASSERT_TRUE(until("lost")) << what;
        ASSERT_TRUE(reactor.run_until([&] { return told.losses != 0; })) << what;
        EXPECT_FALSE(told.reason.empty());
        told.losses = 0;
    };
    fs::rename(path, dir / "away");
    loses("renamed");
    fs::rename(dir / "away", path);
    reactor.run_until([] { return false; }, std::chrono::milliseconds(100));
    EXPECT_EQ(device->condition(), "lost") << "what was lost waits for an operator";
    ASSERT_TRUE(device->reopen());
    EXPECT_EQ(device->condition(), "ready");
    fs::resize_file(path, 4096);
    loses("cut");
    EXPECT_EQ(device->reopen().error().code, errc::conflict);
    EXPECT_EQ(device->accept().error().code, errc::conflict);
    fs::resize_file(path, 1 << 20);
    ASSERT_TRUE(device->reopen());
    fs::rename(path, dir / "former");
    make(1 << 20, 'n');
    loses("replaced");
    const auto other = device->reopen();
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().remedy.find("--accept"), std::string::npos) << other.error().text();
    ASSERT_TRUE(device->accept());
    ASSERT_EQ(io().read(0, 8, data), sc::success);
    EXPECT_EQ(data[0], std::byte{'n'});
    EXPECT_EQ(write(0, true), sc::success);
    EXPECT_EQ(io().flush(), sc::success);
    fs::remove(path);
    loses("deleted");
}

INSTANTIATE_TEST_SUITE_P(through, storage_lost_in_service, ::testing::Bool(),
                         [](const auto& p) -> std::string { return p.param ? "direct" : "cache"; });

// --- the watch -----------------------------------------------------------------------------------

struct hung_storage final : watched_storage {
    void look() noexcept override {
        while (!let_go.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    void looked() noexcept override {}
    std::atomic<bool> let_go{false};
};
struct counted_storage final : watched_storage {
    void look() noexcept override {}
    void looked() noexcept override { ++looks; }
    int looks = 0;
};

TEST(storage_watch, storage_that_hangs_keeps_nobody_else_from_being_looked_at) {
    hand_reactor reactor;
    std::optional<storage_watch> watch(std::in_place, *reactor, std::chrono::milliseconds(5));
    std::vector<std::shared_ptr<hung_storage>> hung;
    for (int i = 0; i < 3; ++i) watch->add(hung.emplace_back(std::make_shared<hung_storage>()));
    const auto counted = std::make_shared<counted_storage>();
    watch->add(counted);
    EXPECT_TRUE(reactor.run_until([&] { return counted->looks >= 3; }));
    for (const auto& one : hung) one->let_go = true;
    watch.reset();
}

// Somebody waits for what he has just added: also while a round is under way that does not have it,
// and while what it has hangs.
TEST(storage_watch, looks_at_once_at_what_was_added_in_the_middle_of_a_round) {
    hand_reactor reactor;
    std::optional<storage_watch> watch(std::in_place, *reactor, std::chrono::milliseconds(5));
    std::vector<std::shared_ptr<hung_storage>> hung;
    std::vector<std::shared_ptr<counted_storage>> behind;
    for (int i = 0; i < 3; ++i) watch->add(hung.emplace_back(std::make_shared<hung_storage>()));
    for (int i = 0; i < 3; ++i)
        watch->add(behind.emplace_back(std::make_shared<counted_storage>()));
    watch->retry_now();
    struct seen_storage final : watched_storage {
        void look() noexcept override { seen = true; }
        void looked() noexcept override {}
        std::atomic<bool> seen{false};
    };
    const auto late = std::make_shared<seen_storage>();
    watch->add(late);
    watch->retry_now();  // and no turn of the reactor
    EXPECT_TRUE(test::eventually([&] { return late->seen.load(); }));
    EXPECT_TRUE(reactor.run_until([&] {
        return std::all_of(behind.begin(), behind.end(),
                           [](const auto& b) { return b->looks > 0; });
    }));
    for (const auto& one : hung) one->let_go = true;
    watch.reset();
}

TEST(storage_watch, nobody_waits_for_storage_while_some_of_it_hangs) {
    hand_reactor reactor;
    storage_watch watch(*reactor);
    EXPECT_TRUE(watch.may_wait());
    watch.note_hang();
    EXPECT_FALSE(watch.may_wait());
}

TEST(storage_watch, goes_while_a_look_hangs) {
    hand_reactor reactor;
    const auto hung = std::make_shared<hung_storage>();
    {
        storage_watch watch(*reactor, std::chrono::milliseconds(1));
        watch.add(hung);
        reactor.run_until([] { return false; }, std::chrono::milliseconds(20));
    }
    hung->let_go = true;
}

}  // namespace
}  // namespace fulmar::backend
