// A device in a file, where each allocation of the control reactor fails once on the way of
// opening, growing and reopening it: that attempt may fail, what was written is there, and the next
// works.
#include "support/failing_memory.hpp"

#include <fulmar/backend/file_device.hpp>
#include <fulmar/engine/uring_file_io.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <gtest/gtest.h>
#include <support/io_runner.hpp>
#include <support/temp_dir.hpp>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace fulmar::backend {
namespace {

using test::hand_reactor;
using test::io_runner;

constexpr std::uint64_t mib = 1u << 20;

struct file_without_memory : ::testing::Test {
    test::temp_dir dir;
    const std::string path = dir / "disk";
    mem::heap_memory source;
    mem::dma_region memory = source.allocate(8192).value();
    hand_reactor reactor;
    std::unique_ptr<engine::file_io_provider> files = engine::make_uring_files();
    test::test_listener listener;
    std::unique_ptr<device> disk;
    std::unique_ptr<io_channel> channel;

    ~file_without_memory() override { close(); }
    void close() {
        channel.reset();
        disk.reset();
    }
    std::span<std::byte> block(std::byte with) {
        std::fill_n(memory.data(), 4096, with);
        return {memory.data(), 4096};
    }
    result<void> open(std::uint64_t size) {
        FULMAR_TRY(disk,
                   make_file_device(
                       {.name = "disk", .path = path, .size_bytes = size, .create = size != 0},
                       *reactor, *files));
        disk->set_listener(&listener);
        FULMAR_TRY(channel, disk->open_channel(*reactor));
        return {};
    }
    /// What an administrator does; each step may fail, none may do damage.
    void attempt(std::uint64_t size) {
        const fulmar::test::watched_memory counts;
        const auto step = [](auto&& what) {
            try {
                (void)what();
            } catch (const std::bad_alloc&) {  // as target::on_request() takes it
            }
        };
        step([&] { return open(size); });
        if (disk == nullptr) return;
        step([&] { return disk->resize(2 * size / 512, shrinking::refused); });
        step([&] { return disk->reopen(); });
        step([&] { return disk->identity().claim.empty(); });
        step([&] { return disk->note().empty(); });
        close();
    }
    void expect_written(std::byte with) {
        std::fill_n(memory.data() + 4096, 4096, std::byte{0});
        const std::span<std::byte> in(memory.data() + 4096, 4096);
        EXPECT_TRUE(nvme::is_success(io_runner(reactor, *channel).read(8, 8, in)));
        EXPECT_TRUE(std::all_of(in.begin(), in.end(), [&](std::byte b) { return b == with; }));
    }
};

TEST_F(file_without_memory, fails_that_attempt_and_the_next_finds_all_that_was_written) {
    ASSERT_TRUE(open(mib));
    ASSERT_TRUE(nvme::is_success(io_runner(reactor, *channel).write(8, 8, block(std::byte{7}))));
    ASSERT_TRUE(nvme::is_success(io_runner(reactor, *channel).flush()));
    close();
    const std::uint64_t failed = fulmar::test::fail_each_allocation([&](std::uint64_t nth) {
        SCOPED_TRACE("allocation " + std::to_string(nth));
        attempt(mib);
        const fulmar::test::unwatched_memory enough;
        close();
        const auto again = open(0);
        ASSERT_TRUE(again) << again.error().text();
        EXPECT_GE(disk->geometry().block_count * 512, mib);
        expect_written(std::byte{7});
        close();
        std::filesystem::resize_file(path, mib);
    });
    EXPECT_GT(failed, 8u);
}

// A file that is created: no half of one may keep the next attempt from making it.
TEST_F(file_without_memory, of_a_file_that_is_made_leaves_none_or_a_whole_one) {
    const std::uint64_t failed = fulmar::test::fail_each_allocation([&](std::uint64_t nth) {
        SCOPED_TRACE("allocation " + std::to_string(nth));
        attempt(mib);
        const fulmar::test::unwatched_memory enough;
        close();
        const auto again = open(mib);
        ASSERT_TRUE(again) << again.error().text();
        EXPECT_TRUE(
            nvme::is_success(io_runner(reactor, *channel).write(8, 8, block(std::byte{9}))));
        expect_written(std::byte{9});
        close();
        std::filesystem::remove(path);
    });
    EXPECT_GT(failed, 8u);
}

}  // namespace
}  // namespace fulmar::backend
