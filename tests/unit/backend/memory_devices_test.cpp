// null and ram.
#include "memory_limit.hpp"
#include "support/temp_dir.hpp"

#include <fulmar/backend/null_device.hpp>
#include <fulmar/backend/ram_device.hpp>

#include <gtest/gtest.h>
#include <support/io_runner.hpp>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

namespace fulmar::backend {
namespace {

namespace sc = nvme::sc;
using test::all_zero;
using test::hand_reactor;
using test::io_runner;
using test::test_op;

std::vector<std::byte> pattern(std::size_t bytes, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<std::byte> out(bytes);
    for (auto& b : out) b = static_cast<std::byte>(random());
    return out;
}

TEST(null_device, reads_zeros_and_forgets_writes) {
    auto device = make_null_device({.size_bytes = 1 << 20, .block_bytes = 4096}).value();
    EXPECT_EQ(device->geometry().block_count, 256u);
    hand_reactor reactor(false);
    auto channel = device->open_channel(*reactor).value();
    EXPECT_TRUE(channel->completes_inline());
    io_runner io(reactor, *channel);
    auto data = pattern(8192, 1);
    EXPECT_EQ(io.write(0, 2, data), sc::success);
    EXPECT_TRUE(io.compare(0, 2, data).is(sc::compare_failure));
    EXPECT_EQ(io.read(0, 2, data, 100), sc::success);
    EXPECT_TRUE(all_zero(data));
    EXPECT_EQ(io.compare(0, 2, data), sc::success);
    EXPECT_EQ(io.flush(), sc::success);
    EXPECT_EQ(io.deallocate({{0, 256}}), sc::success);
    EXPECT_TRUE(io.read(255, 2, data).is(sc::lba_out_of_range));
    ASSERT_NE(channel->read_in_place(3, 2), nullptr);
    EXPECT_TRUE(all_zero({channel->read_in_place(3, 2), 8192}));
    EXPECT_EQ(channel->read_in_place(255, 2), nullptr);
}

TEST(null_device, refuses_sizes_that_make_no_sense) {
    EXPECT_FALSE(make_null_device({.size_bytes = 0}));
    EXPECT_FALSE(make_null_device({.size_bytes = 1000}));
    EXPECT_FALSE(make_null_device({.size_bytes = 8192, .block_bytes = 1024}));
    EXPECT_EQ(make_ram_device({.size_bytes = 512 * 3, .block_bytes = 4096}).error().code,
              errc::invalid_argument);
}

class ram_device_test : public ::testing::TestWithParam<std::tuple<std::uint32_t, unsigned>> {
  protected:
    ram_device_test() {
        block = std::get<0>(GetParam());
        device = make_ram_device({.size_bytes = 4 << 20, .block_bytes = block}).value();
        for (unsigned i = 0; i < std::get<1>(GetParam()); ++i)
            channels.push_back(device->open_channel(*reactor).value());
    }
    std::uint32_t block;
    hand_reactor reactor{false};
    std::unique_ptr<backend::device> device;
    std::vector<std::unique_ptr<io_channel>> channels;
};

// Every operation against a plain copy of the contents, with one channel (no locks) and with two
// (locks).
TEST_P(ram_device_test, behaves_like_an_array_of_blocks) {
    io_runner io(reactor, *channels.back());
    const auto blocks = static_cast<std::uint32_t>(device->geometry().block_count);
    std::vector<std::byte> model(std::size_t{blocks} * block);
    std::mt19937 random(42);
    for (int step = 0; step < 1000; ++step) {
        const auto first = static_cast<std::uint32_t>(random() % blocks);
        const auto count = static_cast<std::uint32_t>(
            1 + random() % std::min(blocks - first, random() % 8 == 0 ? blocks : 40u));
        const std::span<std::byte> expected =
            std::span(model).subspan(std::size_t{first} * block, std::size_t{count} * block);
        const std::size_t piece = random() % 2 == 0 ? SIZE_MAX : 300 + random() % 9000;
        switch (random() % 7) {
            case 0: {
                auto data = pattern(expected.size(), static_cast<unsigned>(step));
                ASSERT_EQ(io.write(first, count, data, random() % 2 == 0, piece), sc::success);
                std::memcpy(expected.data(), data.data(), data.size());
                break;
            }
            case 1: {
                std::vector<std::byte> data(expected.size());
                ASSERT_EQ(io.read(first, count, data, piece), sc::success);
                ASSERT_EQ(std::memcmp(data.data(), expected.data(), data.size()), 0);
                break;
            }
            case 2:
                ASSERT_EQ(io.write_zeroes(first, count), sc::success);
                std::fill(expected.begin(), expected.end(), std::byte{0});
                break;
            case 3:
                ASSERT_EQ(io.deallocate({{first, count}, {blocks - 1, 1}, {0, 0}}), sc::success);
                std::fill(expected.begin(), expected.end(), std::byte{0});
                std::fill(model.end() - block, model.end(), std::byte{0});
                break;
            case 4: {
                std::vector<std::byte> data(expected.begin(), expected.end());
                ASSERT_EQ(io.compare(first, count, data), sc::success);
                data[random() % data.size()] ^= std::byte{1};
                ASSERT_EQ(io.compare(first, count, data), sc::compare_failure.no_retry());
                break;
            }
            case 5: {  // two sources, one after the other
                const auto half = std::min(count, blocks / 4);
                const auto other = static_cast<std::uint32_t>(random() % (blocks - half + 1));
                const auto to = static_cast<std::uint32_t>(random() % (blocks - 2 * half + 1));
                if (first + half > blocks) break;
                const bool meets = to < other + half && other < to + 2 * half;
                const bool meets_first = to < first + half && first < to + 2 * half;
                if (meets || meets_first) break;  // what comes out then is nobody's promise
                ASSERT_EQ(io.copy({{first, half}, {other, half}}, to), sc::success);
                std::memcpy(&model[std::size_t{to} * block], &model[std::size_t{first} * block],
                            std::size_t{half} * block);
                std::memcpy(&model[std::size_t{to + half} * block],
                            &model[std::size_t{other} * block], std::size_t{half} * block);
                break;
            }
            default:
                ASSERT_EQ(io.flush(), sc::success);
                ASSERT_EQ(io.verify(first, count), sc::success);
        }
    }
}

TEST_P(ram_device_test, refuses_what_is_beyond_its_end) {
    io_runner io(reactor, *channels.back());
    const std::uint64_t blocks = device->geometry().block_count;
    std::vector<std::byte> data(2 * block);
    EXPECT_TRUE(io.read(blocks - 1, 2, data).is(sc::lba_out_of_range));
    EXPECT_TRUE(io.write(UINT64_MAX, 2, data).is(sc::lba_out_of_range));
    EXPECT_TRUE(io.deallocate({{0, 1}, {blocks, 1}}).is(sc::lba_out_of_range));
}

TEST_P(ram_device_test, resizes_without_moving_and_forgets_what_was_cut_off) {
    io_runner io(reactor, *channels.back());
    test::test_listener listener;
    device->set_listener(&listener);
    const std::uint64_t blocks = device->geometry().block_count;
    auto data = pattern(block, 5);
    ASSERT_EQ(io.write(0, 1, data), sc::success);
    ASSERT_EQ(io.write(blocks - 1, 1, data), sc::success);
    EXPECT_EQ(device->resize(blocks - 1).error().code, errc::conflict);
    EXPECT_EQ(device->geometry().block_count, blocks);
    ASSERT_TRUE(device->resize(blocks / 2 + 1, shrinking::allowed));
    EXPECT_TRUE(io.read(blocks - 1, 1, data).is(sc::lba_out_of_range));
    ASSERT_TRUE(device->resize(blocks * 3 + 1));
    EXPECT_EQ(device->geometry().block_count, blocks * 3 + 1);
    ASSERT_EQ(io.read(blocks - 1, 1, data), sc::success);
    EXPECT_TRUE(all_zero(data));
    ASSERT_EQ(io.read(0, 1, data), sc::success);
    EXPECT_EQ(data, pattern(block, 5));
    ASSERT_EQ(io.write(blocks * 3, 1, data), sc::success);
    EXPECT_EQ(listener.resizes, 2);
    EXPECT_TRUE(device->resize(0));
    EXPECT_FALSE(device->resize(UINT64_MAX));
    EXPECT_EQ(listener.resizes, 2);
    device->set_listener(nullptr);
}

TEST_P(ram_device_test, lends_its_memory_to_one_reactor_only) {
    const std::byte* lent = channels.back()->read_in_place(1, 2);
    if (channels.size() > 1) {
        EXPECT_EQ(lent, nullptr);
        channels.pop_back();
        lent = channels.back()->read_in_place(1, 2);
    }
    ASSERT_NE(lent, nullptr);
    io_runner io(reactor, *channels.back());
    auto data = pattern(2 * block, 9);
    ASSERT_EQ(io.write(1, 2, data), sc::success);
    EXPECT_EQ(std::memcmp(lent, data.data(), data.size()), 0);
    EXPECT_EQ(channels.back()->read_in_place(device->geometry().block_count, 1), nullptr);
}

INSTANTIATE_TEST_SUITE_P(blocks_and_channels, ram_device_test,
                         ::testing::Combine(::testing::Values(512u, 4096u),
                                            ::testing::Values(1u, 2u)));

// A reader on another reactor never sees half a block.
TEST(ram_device_shared, blocks_are_atomic) {
    constexpr std::uint32_t block = 4096, blocks = 64;
    auto device =
        make_ram_device({.size_bytes = std::uint64_t{blocks} * block, .block_bytes = block})
            .value();
    std::atomic<unsigned> ready{0};
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> torn{0}, reads{0};
    const auto worker = [&](unsigned number, bool reader) {
        hand_reactor reactor(false);
        auto channel = device->open_channel(*reactor).value();
        io_runner io(reactor, *channel);
        ready.fetch_add(1);
        while (ready.load() != 4) std::this_thread::yield();
        std::mt19937 random(number);
        std::vector<std::byte> data(4 * block);
        for (int i = 0; i < 1500 && !stop; ++i) {
            const std::uint64_t first = random() % (blocks - 4);
            if (reader) {
                io.read(first, 4, data);
                for (std::size_t b = 0; b < 4; ++b)
                    if (std::memcmp(&data[b * block], &data[b * block] + 1, block - 1) != 0) ++torn;
                ++reads;
            } else if (random() % 16 == 0) {
                io.deallocate({{0, blocks}});
            } else if (random() % 16 == 0) {
                io.write_zeroes(first, 3);
            } else {
                std::memset(data.data(), static_cast<int>(random() % 256), data.size());
                io.write(first, 4, data);
            }
        }
    };
    {
        std::vector<std::jthread> threads;
        for (unsigned i = 0; i < 4; ++i) threads.emplace_back(worker, i, i >= 2);
    }
    EXPECT_EQ(torn, 0u);
    EXPECT_GT(reads, 0u);
}

TEST(memory_limit, is_the_machines_or_the_control_groups) {
    const test::temp_dir root;
    const auto write = [&](const std::string& path, const std::string& text) {
        const std::filesystem::path file = root.path() / path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << text;
    };
    const auto limit = [&] { return read_memory_limit(root.path().string()); };
    EXPECT_EQ(limit().total_bytes, UINT64_MAX);
    write("proc/meminfo", "MemTotal:  1048576 kB\nMemFree: 1 kB\nMemAvailable:  524288 kB\n");
    write("proc/self/cgroup", "0::/a/b\n");
    EXPECT_EQ(limit().total_bytes, 1u << 30);
    EXPECT_EQ(limit().available_bytes, 1u << 29);
    write("sys/fs/cgroup/a/b/memory.max", "max\n");
    EXPECT_EQ(limit().total_bytes, 1u << 30);
    write("sys/fs/cgroup/a/b/memory.max", "268435456\n");
    EXPECT_EQ(limit().total_bytes, 1u << 28);
    EXPECT_EQ(limit().available_bytes, 1u << 28);
    EXPECT_EQ(limit().of, "this control group");
    write("proc/self/cgroup", "7:memory:/\n0::/\n");  // the older hierarchy
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "134217728\n");
    EXPECT_EQ(limit().total_bytes, 1u << 27);
}

TEST(memory_limit, a_device_that_can_never_be_filled_is_refused) {
    EXPECT_TRUE(check_memory(94, {.total_bytes = 100, .available_bytes = 10}));
    const result<void> refused = check_memory(101, {.total_bytes = 100, .available_bytes = 10});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::no_memory);
    EXPECT_EQ(refused.error().where, "/size");
    EXPECT_FALSE(refused.error().remedy.empty());
    const auto real = make_ram_device({.size_bytes = std::uint64_t{1} << 59, .block_bytes = 512});
    ASSERT_FALSE(real);
    EXPECT_EQ(real.error().where, "/size");
}

TEST(memory_limit, what_all_ram_devices_promise_is_bounded) {
    constexpr std::uint64_t gib = std::uint64_t{1} << 30;
    const memory_limit limit{.total_bytes = 16 * gib};
    const std::uint64_t before = promised_memory();
    auto one = memory_promise::make(9 * gib, limit);
    ASSERT_TRUE(one);
    EXPECT_EQ(promised_memory(), before + 9 * gib);
    const auto two = memory_promise::make(9 * gib, limit);
    ASSERT_FALSE(two);
    EXPECT_EQ(two.error().code, errc::no_memory);
    EXPECT_NE(two.error().message.find("promised already"), std::string::npos)
        << two.error().text();
    EXPECT_FALSE(one->change(17 * gib, limit));
    EXPECT_TRUE(one->change(5 * gib, limit));
    EXPECT_EQ(promised_memory(), before + 5 * gib);
    {
        const auto three = memory_promise::make(9 * gib, limit);
        EXPECT_TRUE(three);
    }
    EXPECT_EQ(promised_memory(), before + 5 * gib) << "given back with the device";
}

TEST(memory_limit, sparse_devices_that_no_machine_could_fill_together_are_refused) {
    const std::uint64_t total = read_memory_limit().total_bytes;
    if (total == UINT64_MAX) GTEST_SKIP() << "the machine does not say how much it has";
    const std::uint64_t half = total / 2 / 4096 * 4096;
    const auto one = make_ram_device({.size_bytes = half, .block_bytes = 4096});
    ASSERT_TRUE(one) << one.error().text();
    const auto two = make_ram_device({.size_bytes = half, .block_bytes = 4096});
    ASSERT_FALSE(two);
    EXPECT_EQ(two.error().where, "/size");
}

}  // namespace
}  // namespace fulmar::backend
