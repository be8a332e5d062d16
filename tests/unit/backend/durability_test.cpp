// FUA and Flush mean it: the file backend on a disk that forgets what was not synced.
#include "backing_file.hpp"
#include "file_device.hpp"

#include <gtest/gtest.h>
#include <support/forgetful_file_io.hpp>
#include <support/io_runner.hpp>

#include <cerrno>
#include <cstring>
#include <deque>
#include <random>

namespace fulmar::backend {
namespace {

namespace sc = nvme::sc;
using engine::file_op_kind;
using test::hand_reactor;
using test::io_runner;
using test::test_op;

constexpr std::uint32_t block = 512;
constexpr std::uint32_t blocks = 256;

/// A file on a forgetful disk, with or without something like O_DIRECT.
class forgetful_backing final : public backing_file {
  public:
    forgetful_backing(test::forgetful_storage& disk, bool direct)
        : disk_(disk), cached_(disk.open("namespace", true)) {
        direct_ = direct ? disk.open_again(cached_) : cached_;
        if (disk.size(cached_) < blocks * block) disk.set_size(cached_, blocks * block);
    }
    int fd() const noexcept override { return direct_; }
    int unaligned_fd() const noexcept override { return cached_; }
    std::uint32_t memory_alignment() const noexcept override { return 1; }
    int open_for_sync() noexcept override { return disk_.open_again(cached_); }
    void close_for_sync(int fd) noexcept override { disk_.close(fd); }
    bool can_deallocate() const noexcept override { return true; }
    const std::string& claim() const noexcept override { return claim_; }
    const std::string& note() const noexcept override { return note_; }
    result<std::uint64_t> size() override { return disk_.size(cached_); }
    result<void> set_size(std::uint64_t, std::uint64_t bytes) override {
        disk_.set_size(cached_, bytes);
        return {};
    }
    result<void> reopen() override { return {}; }

  private:
    test::forgetful_storage& disk_;
    int cached_;
    int direct_;
    std::string claim_ = "file:0:1", note_;
};

class durability_test : public ::testing::TestWithParam<bool> {
  protected:
    ~durability_test() override {
        other.reset();
        channel.reset();
    }
    void start(bool write_through = false) {
        disk.close(checker);
        files = std::make_unique<test::forgetful_files>(disk);
        device =
            std::make_unique<file_device>(std::make_unique<forgetful_backing>(disk, GetParam()),
                                          blocks, block, *reactor, *files, write_through);
        device->set_listener(&listener);
        channel = device->open_channel(*reactor).value();
        checker = disk.open("namespace", false);
    }
    /// The machine goes down in the middle of whatever it does, and comes up again.
    void crash(std::uint32_t seed) {
        disk.power_cut(seed);
        // The process is gone too: nobody waits for answers any more.
        abandoned.push_back(std::move(channel));
        abandoned_devices.push_back(std::move(device));
        files.reset();
    }
    std::byte stored(std::uint32_t which) {
        return disk.contents(disk.open("namespace", false)).at(which * block);
    }
    io_runner io() { return {reactor, *channel}; }
    nvme::status put(std::uint32_t first, std::uint32_t count, int value, bool fua = false) {
        std::vector<std::byte> data(count * block, static_cast<std::byte>(value));
        return io().write(first, count, data, fua);
    }
    test::forgetful_storage disk;
    hand_reactor reactor{false};
    test::test_listener listener;
    std::unique_ptr<test::forgetful_files> files;
    std::unique_ptr<file_device> device;
    std::unique_ptr<io_channel> channel, other;
    std::vector<std::unique_ptr<io_channel>> abandoned;
    std::vector<std::unique_ptr<file_device>> abandoned_devices;
    int checker = -1;
};

TEST_P(durability_test, unsynced_writes_can_be_lost_so_the_test_means_something) {
    bool lost = false, kept = false;
    for (std::uint32_t seed = 1; seed < 20; ++seed) {
        start();
        ASSERT_EQ(put(0, 1, 0), sc::success);
        ASSERT_EQ(io().flush(), sc::success);
        ASSERT_EQ(put(0, 1, 7), sc::success);
        channel.reset();
        crash(seed);
        (stored(0) == std::byte{7} ? kept : lost) = true;
    }
    EXPECT_TRUE(lost && kept);
}

// Writes, FUA writes, zeroes and flushes at random; after a crash every block holds its last
// durable value or a later one.
TEST_P(durability_test, answered_flush_and_fua_survive_every_power_cut) {
    for (std::uint32_t seed = 1; seed <= 150; ++seed) {
        std::mt19937 random(seed);
        start();
        disk.shuffle(seed);
        std::vector<std::vector<int>> possible(
            blocks);  // the durable value first, then what was written since
        const auto before = disk.contents(checker);
        for (std::uint32_t b = 0; b < blocks; ++b)
            possible[b] = {static_cast<int>(before[b * block])};
        const auto harden = [&](std::uint32_t b) { possible[b] = {possible[b].back()}; };
        for (std::uint32_t step = 0; step < 40; ++step) {
            const std::uint32_t first = static_cast<std::uint32_t>(random()) % blocks;
            const std::uint32_t count =
                1 + static_cast<std::uint32_t>(random()) % std::min(16u, blocks - first);
            const bool fua = random() % 4 == 0;
            int value = static_cast<int>(1 + random() % 255);
            switch (random() % 6) {
                case 0:
                    ASSERT_EQ(io().flush(), sc::success);
                    for (std::uint32_t b = 0; b < blocks; ++b) harden(b);
                    continue;
                case 1:
                    ASSERT_EQ(io().write_zeroes(first, count, fua), sc::success);
                    value = 0;
                    break;
                case 2:
                    ASSERT_EQ(io().deallocate({{first, count}}), sc::success);
                    for (std::uint32_t b = first; b < first + count; ++b) possible[b].push_back(0);
                    continue;
                default: ASSERT_EQ(put(first, count, value, fua), sc::success);
            }
            for (std::uint32_t b = first; b < first + count; ++b) {
                possible[b].push_back(value);
                if (fua) harden(b);
            }
        }
        channel.reset();
        crash(seed * 31);
        const auto after = disk.contents(disk.open("namespace", false));
        for (std::uint32_t b = 0; b < blocks; ++b) {
            const int now = static_cast<int>(after[b * block]);
            ASSERT_NE(std::find(possible[b].begin(), possible[b].end(), now), possible[b].end())
                << "block " << b << " holds " << now << " after seed " << seed;
        }
    }
}

// Without a Flush: what was acknowledged is there.
TEST_P(durability_test, through_the_cache_every_acknowledged_write_survives_every_power_cut) {
    for (std::uint32_t seed = 1; seed <= 100; ++seed) {
        std::mt19937 random(seed);
        start(true);
        EXPECT_FALSE(device->geometry().volatile_write_cache);
        disk.shuffle(seed);
        std::vector<std::byte> wanted = disk.contents(checker);
        for (int step = 0; step < 40; ++step) {
            const std::uint32_t first = static_cast<std::uint32_t>(random()) % (blocks - 16);
            const std::uint32_t count = 1 + static_cast<std::uint32_t>(random()) % 16;
            const std::uint32_t to = (first + blocks / 2) % (blocks - 16);
            std::byte* const at = wanted.data() + std::size_t{first} * block;
            const auto value = static_cast<int>(1 + random() % 255);
            switch (random() % 5) {
                case 0:
                    ASSERT_EQ(io().write_zeroes(first, count), sc::success);
                    std::fill_n(at, count * block, std::byte{});
                    break;
                case 1:
                    ASSERT_EQ(io().deallocate({{first, count}, {first, 0}}), sc::success);
                    std::fill_n(at, count * block, std::byte{});
                    break;
                case 2:
                    if (first < to + count && to < first + count) break;
                    ASSERT_EQ(io().copy({{first, count}}, to), sc::success);
                    std::copy_n(at, count * block, wanted.data() + std::size_t{to} * block);
                    break;
                default:
                    ASSERT_EQ(put(first, count, value), sc::success);
                    std::fill_n(at, count * block, static_cast<std::byte>(value));
            }
            ASSERT_FALSE(device->has_unflushed_writes());
        }
        channel.reset();
        crash(seed * 31);
        ASSERT_TRUE(disk.contents(disk.open("namespace", false)) == wanted) << "seed " << seed;
    }
}

TEST_P(durability_test, it_is_known_whether_acknowledged_writes_were_flushed) {
    start();
    EXPECT_FALSE(device->has_unflushed_writes());
    ASSERT_EQ(put(0, 1, 1, true), sc::success);
    EXPECT_FALSE(device->has_unflushed_writes());
    for (int kind = 0; kind < 4; ++kind) {
        ASSERT_EQ(kind == 0   ? put(0, 1, 1)
                  : kind == 1 ? io().write_zeroes(0, 1)
                  : kind == 2 ? io().deallocate({{0, 1}})
                              : io().copy({{0, 1}}, 8),
                  sc::success);
        EXPECT_TRUE(device->has_unflushed_writes()) << kind;
        ASSERT_EQ(io().flush(), sc::success);
        EXPECT_FALSE(device->has_unflushed_writes()) << kind;
    }
    EXPECT_FALSE(device->lost_data());
    ASSERT_EQ(put(0, 1, 1), sc::success);
    disk.fail_next(file_op_kind::read, ENODEV);
    std::vector<std::byte> data(block);
    ASSERT_NE(io().read(0, 1, data), sc::success);
    EXPECT_TRUE(device->lost_data()) << "what stood behind it had writes in its cache";
    ASSERT_TRUE(device->reopen());
    EXPECT_FALSE(device->has_unflushed_writes());
    disk.fail_next(file_op_kind::read, ENODEV);
    ASSERT_NE(io().read(0, 1, data), sc::success);
    EXPECT_EQ(device->state(), device_state::lost);
    EXPECT_FALSE(device->lost_data()) << "nothing was owed";
}

TEST_P(durability_test, a_write_under_way_may_tear_between_blocks_only) {
    start();
    ASSERT_EQ(put(0, 64, 1, true), sc::success);
    disk.hold(true);
    test_op op;
    std::vector<std::byte> data(64 * block, std::byte{2});
    op.kind = io_kind::write;
    op.block_count = 64;
    op.fua = true;
    op.set_data(data);
    channel->submit(op);
    for (int i = 0; i < 5; ++i) reactor->run_once();
    EXPECT_FALSE(op.finished());
    disk.power_cut(5);
    disk.hold(false);
    const auto now = disk.contents(disk.open("namespace", false));
    std::size_t fresh = 0;
    for (std::size_t b = 0; b < 64; ++b) {
        const std::byte value = now[b * block];
        EXPECT_TRUE(value == std::byte{1} || value == std::byte{2});
        EXPECT_EQ(std::memcmp(&now[b * block], &now[b * block] + 1, block - 1), 0)
            << "half a block";
        fresh += value == std::byte{2};
    }
    EXPECT_GT(fresh, 0u);
    EXPECT_LT(fresh, 64u);
    disk.answer_lost();
    EXPECT_EQ(op.answers, 1);
}

TEST_P(durability_test, a_failed_flush_loses_the_device_until_it_is_reopened) {
    start();
    other = device->open_channel(*reactor).value();
    io_runner elsewhere(reactor, *other);
    ASSERT_EQ(put(3, 1, 9), sc::success);
    disk.fail_next(file_op_kind::data_sync, EIO);
    EXPECT_EQ(io().flush(), sc::write_fault.no_retry());
    EXPECT_EQ(device->state(), device_state::lost);
    EXPECT_EQ(io().flush(), device_gone) << "the kernel would call this one a success";
    EXPECT_EQ(elsewhere.flush(), device_gone);
    EXPECT_EQ(put(0, 1, 1), device_gone);
    reactor->run_once();
    EXPECT_EQ(listener.losses, 1);
    EXPECT_NE(listener.reason.find("durable"), std::string::npos);
    EXPECT_TRUE(device->lost_data());

    ASSERT_TRUE(device->reopen());
    EXPECT_EQ(device->state(), device_state::ready);
    EXPECT_EQ(elsewhere.flush(), sc::success)
        << "the old error is not told again through an old open file";
    EXPECT_EQ(put(3, 1, 9, true), sc::success);
    EXPECT_EQ(listener.losses, 1);
    other.reset();
}

TEST_P(durability_test, a_failed_durable_write_loses_the_device) {
    start();
    disk.fail_next(GetParam() ? file_op_kind::write : file_op_kind::data_sync, EIO);
    EXPECT_EQ(put(3, 1, 9, true), sc::write_fault.no_retry());
    EXPECT_EQ(device->state(), device_state::lost);
}

TEST_P(durability_test, an_ordinary_error_does_not) {
    start();
    disk.fail_next(file_op_kind::write, EIO);
    EXPECT_EQ(put(3, 1, 9), sc::write_fault.no_retry());
    disk.fail_next(file_op_kind::write, ENOSPC);
    EXPECT_EQ(put(3, 1, 9, true), sc::capacity_exceeded.no_retry());
    std::vector<std::byte> data(block);
    disk.fail_next(file_op_kind::read, EIO);
    EXPECT_EQ(io().read(3, 1, data), sc::unrecovered_read_error.no_retry());
    EXPECT_EQ(device->state(), device_state::ready);
    EXPECT_EQ(put(3, 1, 9, true), sc::success);
}

TEST_P(durability_test, a_drive_that_is_gone_loses_the_device) {
    start();
    disk.fail_next(file_op_kind::read, ENODEV);
    std::vector<std::byte> data(block);
    EXPECT_EQ(io().read(3, 1, data), device_gone);
    reactor->run_once();
    EXPECT_EQ(listener.losses, 1);
    EXPECT_NE(listener.reason.find("gone"), std::string::npos);
}

TEST_P(durability_test, a_loss_under_way_does_not_outlive_its_device) {
    start();
    disk.fail_next(file_op_kind::data_sync, EIO);
    test_op flush;
    flush.kind = io_kind::flush;
    channel->submit(flush);
    while (!flush.finished()) reactor->run_once();
    channel.reset();
    device.reset();
    reactor->run_once();
    EXPECT_EQ(listener.losses, 0);
}

// Flushes that come while one is under way share the next one, and none is answered by a sync that
// began before it came.
TEST_P(durability_test, flushes_share_a_sync) {
    start();
    disk.hold(true);
    std::deque<test_op> flushes(10);
    for (test_op& f : flushes) {
        f.kind = io_kind::flush;
        channel->submit(f);
    }
    EXPECT_EQ(disk.under_way(), 1u);
    disk.hold(false);
    while (!flushes.back().finished()) reactor->run_once();
    EXPECT_EQ(disk.syncs(), 2u);
    for (const test_op& f : flushes) {
        EXPECT_EQ(f.answers, 1);
        EXPECT_EQ(f.status, sc::success);
    }
}

TEST_P(durability_test, zeroes_by_whatever_the_file_system_can) {
    start();
    for (const auto refused : {file_op_kind::write_zeroes, file_op_kind::deallocate}) {
        disk.refuse(refused);
        ASSERT_EQ(put(0, blocks, 5, true), sc::success);
        ASSERT_EQ(io().write_zeroes(10, 100, true), sc::success);
        EXPECT_EQ(stored(9), std::byte{5});
        EXPECT_EQ(stored(10), std::byte{0});
        EXPECT_EQ(stored(109), std::byte{0});
        EXPECT_EQ(stored(110), std::byte{5});
    }
    channel.reset();
    crash(3);
    EXPECT_EQ(stored(10), std::byte{0});
    EXPECT_EQ(stored(109), std::byte{0});
}

TEST_P(durability_test, deallocate_is_a_hint_once_the_file_system_has_refused_it) {
    start();
    ASSERT_EQ(put(0, blocks, 5, true), sc::success);
    ASSERT_EQ(io().deallocate({{200, 10}, {220, 1}}), sc::success);
    EXPECT_EQ(stored(209), std::byte{0});
    EXPECT_EQ(stored(220), std::byte{0});
    EXPECT_EQ(stored(221), std::byte{5});
    EXPECT_TRUE(device->geometry().deallocated_reads_zero);
    disk.refuse(file_op_kind::deallocate);
    for (int again = 0; again < 2; ++again) {
        ASSERT_EQ(io().deallocate({{10, 10}, {30, 1}}), sc::success);
        EXPECT_EQ(stored(10), std::byte{5});
        EXPECT_EQ(stored(30), std::byte{5});
        EXPECT_FALSE(device->geometry().deallocate);
        EXPECT_FALSE(device->geometry().deallocated_reads_zero);
    }
}

INSTANTIATE_TEST_SUITE_P(through, durability_test, ::testing::Bool(),
                         [](const auto& p) -> std::string { return p.param ? "direct" : "cache"; });

}  // namespace
}  // namespace fulmar::backend
