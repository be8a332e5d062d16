// Write Uncorrectable at the devices: which have it, and what it does to every other operation.
#include "pcie_fixture.hpp"
#include "ram/memory_limit.hpp"

#include <fulmar/backend/file_device.hpp>
#include <fulmar/backend/null_device.hpp>
#include <fulmar/backend/ram_device.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <gtest/gtest.h>
#include <support/io_runner.hpp>

#include <atomic>
#include <random>
#include <thread>
#include <tuple>
#include <vector>

namespace fulmar::backend {
namespace {

namespace sc = nvme::sc;
using test::all_zero;
using test::fake_drive;
using test::hand_reactor;
using test::io_runner;

const nvme::status unreadable = sc::unrecovered_read_error.no_retry();

/// By block size, and by how many reactors have the device: one has it without locks.
class ram_uncorrectable : public ::testing::TestWithParam<std::tuple<std::uint32_t, unsigned>> {
  protected:
    static constexpr std::uint64_t size_bytes = 4 << 20;

    ram_uncorrectable() {
        block = std::get<0>(GetParam());
        device = make_ram_device({.size_bytes = size_bytes, .block_bytes = block}).value();
        for (unsigned i = 0; i < std::get<1>(GetParam()); ++i)
            channels.push_back(device->open_channel(*reactor).value());
    }
    [[nodiscard]] std::vector<std::byte> blocks(std::uint32_t count, int fill = 0) const {
        return std::vector<std::byte>(std::size_t{count} * block, static_cast<std::byte>(fill));
    }

    std::uint32_t block;
    hand_reactor reactor{false};
    std::unique_ptr<backend::device> device;
    std::vector<std::unique_ptr<io_channel>> channels;
};
INSTANTIATE_TEST_SUITE_P(devices, ram_uncorrectable,
                         ::testing::Combine(::testing::Values(512u, 4096u),
                                            ::testing::Values(1u, 2u)));

TEST_P(ram_uncorrectable, blocks_are_unreadable_until_each_is_written) {
    io_runner io(reactor, *channels.back());
    ASSERT_TRUE(device->geometry().write_uncorrectable);
    std::vector<std::byte> data = blocks(8, 7);
    ASSERT_EQ(io.write(0, 8, data), sc::success);
    ASSERT_EQ(io.write_uncorrectable(2, 3), sc::success);
    for (std::uint64_t at = 0; at < 8; ++at) {
        const bool bad = at >= 2 && at < 5;
        const std::span<std::byte> one(data.data(), block);
        EXPECT_EQ(io.read(at, 1, one), bad ? unreadable : nvme::status(sc::success)) << at;
        EXPECT_EQ(io.compare(at, 1, one), bad ? unreadable : nvme::status(sc::success)) << at;
        EXPECT_EQ(io.verify(at, 1), bad ? unreadable : nvme::status(sc::success)) << at;
        EXPECT_EQ(io.copy({{at, 1}}, 100), bad ? unreadable : nvme::status(sc::success)) << at;
    }
    EXPECT_EQ(io.read(0, 8, data), unreadable) << "any of them";
    EXPECT_EQ(io.copy({{0, 1}, {4, 1}}, 100), unreadable) << "any source";
    EXPECT_EQ(io.flush(), sc::success);
    std::vector<std::byte> one = blocks(1, 9);
    EXPECT_EQ(io.write(2, 1, one), sc::success);
    EXPECT_EQ(io.write_zeroes(3, 1), sc::success);
    EXPECT_EQ(io.read(0, 4, std::span(data).first(std::size_t{4} * block)), sc::success);
    EXPECT_EQ(data[std::size_t{2} * block], std::byte{9});
    EXPECT_EQ(data[std::size_t{3} * block], std::byte{0});
    EXPECT_EQ(io.verify(4, 1), unreadable) << "nobody has written that one";
    EXPECT_EQ(io.copy({{0, 1}}, 4), sc::success);
    EXPECT_EQ(io.verify(0, 8), sc::success) << "a Copy writes";
}

TEST_P(ram_uncorrectable, deallocation_writes_nothing) {
    io_runner io(reactor, *channels.back());
    ASSERT_EQ(io.write_uncorrectable(16, 16), sc::success);
    ASSERT_EQ(io.deallocate({{0, 64}}), sc::success);
    EXPECT_EQ(io.verify(16, 1), unreadable);
    EXPECT_EQ(io.verify(0, 16), sc::success);
}

TEST_P(ram_uncorrectable, out_of_bounds_marks_nothing) {
    io_runner io(reactor, *channels.back());
    const std::uint64_t count = device->geometry().block_count;
    EXPECT_TRUE(io.write_uncorrectable(count - 1, 2).is(sc::lba_out_of_range));
    EXPECT_EQ(io.verify(count - 1, 1), sc::success);
    EXPECT_EQ(io.write_uncorrectable(count - 1, 1), sc::success);
    EXPECT_EQ(io.verify(count - 1, 1), unreadable);
}

TEST_P(ram_uncorrectable, memory_is_lent_only_while_all_of_it_can_be_read) {
    io_runner io(reactor, *channels.back());
    const bool lends = std::get<1>(GetParam()) == 1;
    EXPECT_EQ(channels.back()->read_in_place(0, 1) != nullptr, lends);
    ASSERT_EQ(io.write_uncorrectable(5, 1), sc::success);
    EXPECT_EQ(channels.back()->read_in_place(0, 8), nullptr);
    std::vector<std::byte> one = blocks(1);
    ASSERT_EQ(io.write(5, 1, one), sc::success);
    EXPECT_EQ(channels.back()->read_in_place(0, 8) != nullptr, lends);
}

TEST_P(ram_uncorrectable, blocks_of_another_size_begin_readable) {
    io_runner io(reactor, *channels.back());
    const std::uint64_t count = device->geometry().block_count;
    ASSERT_EQ(io.write_uncorrectable(count - 3, 3), sc::success);
    ASSERT_EQ(io.write_uncorrectable(1, 1), sc::success);
    ASSERT_TRUE(device->resize(count - 2, shrinking::allowed));
    EXPECT_EQ(io.verify(count - 3, 1), unreadable);
    ASSERT_TRUE(device->resize(count * 300));
    EXPECT_EQ(io.verify(count - 3, 1), unreadable) << "it was there all the time";
    EXPECT_EQ(io.verify(count - 2, 65'536), sc::success);
    EXPECT_EQ(io.write_uncorrectable(count * 300 - 1, 1), sc::success);
    EXPECT_EQ(io.verify(count * 300 - 1, 1), unreadable);
    EXPECT_EQ(io.verify(1, 1), unreadable);
}

// Against a plain list of blocks.
TEST_P(ram_uncorrectable, random_operations_mark_and_write_what_they_name) {
    io_runner io(reactor, *channels.back());
    const auto count = static_cast<std::uint32_t>(device->geometry().block_count);
    std::vector<bool> marked(count);
    std::mt19937 random(7);
    std::vector<std::byte> data = blocks(300);
    for (int step = 0; step < 2'000; ++step) {
        const auto n = static_cast<std::uint32_t>(1 + random() % (random() % 8 == 0 ? 300 : 5));
        const auto first = static_cast<std::uint32_t>(random() % (count - n));
        const auto begin = marked.begin() + first;
        const bool bad = std::find(begin, begin + n, true) != begin + n;
        const nvme::status reads = bad ? unreadable : nvme::status(sc::success);
        switch (random() % 4) {
            case 0:
                ASSERT_EQ(io.write_uncorrectable(first, n), sc::success);
                std::fill(begin, begin + n, true);
                break;
            case 1:
                ASSERT_EQ(io.write(first, n, std::span(data).first(std::size_t{n} * block)),
                          sc::success);
                std::fill(begin, begin + n, false);
                break;
            case 2: ASSERT_EQ(io.verify(first, n), reads) << step; break;
            default:
                ASSERT_EQ(io.read(first, n, std::span(data).first(std::size_t{n} * block)), reads)
                    << step;
        }
    }
    ASSERT_EQ(io.write_zeroes(0, count), sc::success);
    EXPECT_EQ(io.verify(0, count), sc::success);
    if (channels.size() == 1) {
        EXPECT_NE(channels[0]->read_in_place(0, 1), nullptr) << "none is counted any more";
    }
}

// One marks and another writes the same blocks; the block behind them, in the same word of the map,
// was marked before and must be found at every moment.
TEST(ram_uncorrectable_test, several_threads_lose_no_mark) {
    constexpr std::uint32_t rounds = 3'000;
    auto device = make_ram_device({.size_bytes = 1 << 20, .block_bytes = 512}).value();
    hand_reactor at_home(false);
    auto watching = device->open_channel(*at_home).value();
    io_runner watcher(at_home, *watching);
    ASSERT_EQ(watcher.write_uncorrectable(63, 1), sc::success);
    std::atomic<int> at_work{2};
    const auto work = [&](bool marks) {
        hand_reactor reactor(false);
        auto channel = device->open_channel(*reactor).value();
        io_runner io(reactor, *channel);
        std::vector<std::byte> data(62 * 512);
        for (std::uint32_t i = 0; i < rounds; ++i) {
            EXPECT_EQ(marks ? io.write_uncorrectable(1, 62) : io.write(1, 62, data), sc::success);
            EXPECT_EQ(io.write_zeroes(1, 62), sc::success);
        }
        channel.reset();
        --at_work;
    };
    std::thread marking(work, true), writing(work, false);
    while (at_work.load() != 0) EXPECT_EQ(watcher.verify(63, 1), unreadable);
    marking.join();
    writing.join();
    EXPECT_EQ(watcher.write_zeroes(0, 64), sc::success);
    EXPECT_EQ(watcher.verify(0, 2'048), sc::success);
    EXPECT_NE(watching->read_in_place(0, 1), nullptr) << "none is counted any more";
}

TEST(ram_uncorrectable_test, marks_are_part_of_what_a_device_promises) {
    const std::uint64_t before = promised_memory();
    const auto device = make_ram_device({.size_bytes = 64 << 20, .block_bytes = 512}).value();
    const std::uint64_t blocks = device->geometry().block_count;
    EXPECT_EQ(promised_memory(), before + (64u << 20) + blocks / 8);
}

TEST(null_uncorrectable, is_refused_where_nothing_is_remembered) {
    auto device = make_null_device({.size_bytes = 1 << 20, .block_bytes = 512}).value();
    EXPECT_FALSE(device->geometry().write_uncorrectable);
    hand_reactor reactor(false);
    auto channel = device->open_channel(*reactor).value();
    io_runner io(reactor, *channel);
    EXPECT_TRUE(io.write_uncorrectable(0, 1).is(sc::invalid_opcode));
}

struct pcie_uncorrectable_test : test::pcie_fixture {};

TEST_F(pcie_uncorrectable_test, goes_to_a_drive_that_says_it_can) {
    open();
    EXPECT_FALSE(device->geometry().write_uncorrectable) << "this one cannot";
    EXPECT_TRUE(io().write_uncorrectable(0, 8).is(sc::invalid_opcode));
    fake_drive::options able{.oncs = 0x8f};  // and Verify
    able.limits.wusl = 2;                    // 16 KiB
    restart(able);
    ASSERT_TRUE(device->geometry().write_uncorrectable);
    ASSERT_EQ(io().write(0, 256, filled(0, 256 * 512, 3)), sc::success);
    const std::size_t before = sim_drive.commands().size();
    EXPECT_EQ(io().write_uncorrectable(10, 100), sc::success);
    const auto sent = sim_drive.commands();
    ASSERT_EQ(sent.size(), before + 4) << "cut by the drive's limit";
    std::uint64_t next = 10;
    for (std::size_t i = before; i < sent.size(); ++i) {
        EXPECT_EQ(sent[i].opcode, static_cast<std::uint8_t>(nvme::io_opcode::write_uncorrectable));
        const nvme::block_range range = nvme::decode_block_range(sent[i]);
        EXPECT_EQ(range.slba, next);
        EXPECT_LE(range.blocks, 32u);
        next += range.blocks;
    }
    EXPECT_EQ(next, 110u);
    EXPECT_TRUE(io().read(9, 2, piece(0, 1024)).is(sc::unrecovered_read_error));
    EXPECT_TRUE(io().verify(109, 1).is(sc::unrecovered_read_error));
    EXPECT_EQ(io().read(0, 10, piece(0, 5120)), sc::success);
    EXPECT_EQ(io().write(10, 100, filled(0, 100 * 512, 4)), sc::success);
    EXPECT_EQ(io().read(0, 128, piece(0, 128 * 512)), sc::success);
}

TEST_F(pcie_uncorrectable_test, is_in_the_cache_of_a_drive_until_a_flush) {
    restart({.write_cache = true, .oncs = 0x0f});
    ASSERT_EQ(io().flush(), sc::success);
    ASSERT_FALSE(device->has_unflushed_writes());
    ASSERT_EQ(io().write_uncorrectable(0, 8), sc::success);
    EXPECT_TRUE(device->has_unflushed_writes());
    EXPECT_EQ(io().flush(), sc::success);
    EXPECT_FALSE(device->has_unflushed_writes());
}

}  // namespace
}  // namespace fulmar::backend
