// Copy on every backend against an oracle, and what is left when one fails or is aborted: beyond
// the destination nothing has changed.
#include "backing_file.hpp"
#include "file_device.hpp"

#include <fulmar/backend/fault_device.hpp>
#include <fulmar/backend/ram_device.hpp>

#include <gtest/gtest.h>
#include <support/forgetful_file_io.hpp>
#include <support/io_runner.hpp>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace fulmar::backend::copy_test {
namespace {

namespace sc = nvme::sc;
using engine::file_op_kind;
using test::hand_reactor;
using test::io_runner;
using test::test_op;

constexpr std::size_t block_bytes = 512;
constexpr std::uint32_t device_blocks = 2048;

class simple_backing final : public backing_file {
  public:
    explicit simple_backing(test::forgetful_storage& disk)
        : disk_(disk), fd_(disk.open("namespace", true)) {
        disk.set_size(fd_, device_blocks * block_bytes);
    }
    int fd() const noexcept override { return fd_; }
    int unaligned_fd() const noexcept override { return fd_; }
    std::uint32_t memory_alignment() const noexcept override { return 1; }
    int open_for_sync() noexcept override { return disk_.open_again(fd_); }
    void close_for_sync(int fd) noexcept override { disk_.close(fd); }
    bool can_deallocate() const noexcept override { return true; }
    const std::string& claim() const noexcept override { return nothing_; }
    const std::string& note() const noexcept override { return nothing_; }
    result<std::uint64_t> size() override { return disk_.size(fd_); }
    result<void> set_size(std::uint64_t, std::uint64_t) override { return {}; }
    result<void> reopen() override { return {}; }

  private:
    test::forgetful_storage& disk_;
    int fd_;
    std::string nothing_;
};

class copies : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        const std::string type = GetParam();
        if (type == "ram" || type == "shared_ram")
            device = make_ram_device({.size_bytes = device_blocks * block_bytes}).value();
        else if (type == "fault")
            device = make_fault_device({.size_bytes = device_blocks * block_bytes}).value();
        else
            device = std::make_unique<file_device>(std::make_unique<simple_backing>(disk),
                                                   device_blocks, block_bytes, *reactor, files);
        channel = device->open_channel(*reactor).value();
        if (type == "shared_ram") other = device->open_channel(*reactor).value();
        std::mt19937 random(1);
        medium.resize(device_blocks * block_bytes);
        for (std::byte& b : medium) b = static_cast<std::byte>(random());
        ASSERT_EQ(io().write(0, device_blocks, medium), sc::success);
    }
    void TearDown() override {
        other.reset();
        channel.reset();
        device.reset();
    }
    io_runner io() { return {reactor, *channel}; }
    std::vector<std::byte> read_all() {
        std::vector<std::byte> now(medium.size());
        EXPECT_EQ(io().read(0, device_blocks, now), sc::success);
        return now;
    }
    void expect_alike_beyond(std::uint64_t first, std::uint64_t count) {
        const std::vector<std::byte> now = read_all();
        const auto at = [](const std::vector<std::byte>& all, std::uint64_t b) {
            return all.begin() + static_cast<std::ptrdiff_t>(b * block_bytes);
        };
        EXPECT_TRUE(std::equal(now.begin(), at(now, first), medium.begin())) << "before it";
        EXPECT_TRUE(std::equal(at(now, first + count), now.end(), at(medium, first + count)))
            << "behind it";
    }

    test::forgetful_storage disk;
    hand_reactor reactor{false};
    test::forgetful_files files{disk};
    std::unique_ptr<backend::device> device;
    std::unique_ptr<io_channel> channel, other;
    std::vector<std::byte> medium;
};

TEST_P(copies, are_what_the_oracle_says) {
    std::mt19937 random(5);
    for (int round = 0; round < 60; ++round) {
        std::vector<block_range> sources(1 + random() % 5);
        std::uint64_t together = 0;
        for (block_range& one : sources) {
            // Above what a file copies at once, too.
            one.count = 1 + static_cast<std::uint32_t>(random() % (round % 3 == 0 ? 300 : 20));
            one.first = random() % (device_blocks - one.count);
            together += one.count;
        }
        if (together >= device_blocks) continue;
        const std::uint64_t to = random() % (device_blocks - together);
        if (std::ranges::any_of(sources, [&](const block_range& one) {
                return one.first < to + together && to < one.first + one.count;
            }))
            continue;  // core refuses it
        ASSERT_EQ(io().copy(sources, to, round % 2 == 0), sc::success);
        std::byte* at = medium.data() + to * block_bytes;
        for (const block_range& one : sources)
            at = std::copy_n(medium.data() + one.first * block_bytes, one.count * block_bytes, at);
        ASSERT_TRUE(read_all() == medium) << "round " << round;
    }
}

INSTANTIATE_TEST_SUITE_P(on, copies, testing::Values("ram", "shared_ram", "fault", "file"),
                         [](const auto& each) { return std::string(each.param); });

struct file_copies : copies {};

TEST_P(file_copies, that_fail_leave_everything_else_alone) {
    int failed = 0;
    for (const file_op_kind kind : {file_op_kind::read, file_op_kind::write}) {
        for (int turns = 0; turns < 8; ++turns) {
            test_op op;
            const std::vector<block_range> sources{{0, 256}, {300, 256}, {600, 256}, {900, 100}};
            op.kind = io_kind::copy;
            op.ranges = sources;
            op.first_block = 1024;
            op.block_count = 868;
            channel->submit(op);
            for (int i = 0; i < turns && !op.finished(); ++i) reactor->run_once();
            if (!op.finished()) disk.fail_next(kind, EIO);
            ASSERT_TRUE(reactor.run_until([&] { return op.finished(); }));
            EXPECT_EQ(op.answers, 1);
            failed += op.status == sc::success ? 0 : 1;
            disk.fail_next(kind, EIO, 0);  // whatever is left of it
            expect_alike_beyond(1024, 868);
        }
    }
    EXPECT_GT(failed, 2);
}

TEST_P(file_copies, that_are_aborted_leave_everything_else_alone) {
    for (int turns = 0; turns < 12; ++turns) {
        test_op op;
        const std::vector<block_range> sources{{0, 256}, {300, 256}, {600, 256}, {900, 256}};
        op.kind = io_kind::copy;
        op.ranges = sources;
        op.first_block = 1024;
        op.block_count = 1024;
        channel->submit(op);
        for (int i = 0; i < turns && !op.finished(); ++i) reactor->run_once();
        if (!op.finished()) channel->abort(op);
        ASSERT_TRUE(reactor.run_until([&] { return op.finished(); }));
        EXPECT_EQ(op.answers, 1);
        expect_alike_beyond(1024, 1024);
    }
}

INSTANTIATE_TEST_SUITE_P(on, file_copies, testing::Values("file"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace fulmar::backend::copy_test
