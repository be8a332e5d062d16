// Copy, through the core onto each kind of device: the data is what an oracle says, and what
// cannot be said in one way is refused before any device sees it.
#include "command/ranges.hpp"
#include "small_world.hpp"

#include <fulmar/backend/fault_device.hpp>
#include <fulmar/backend/null_device.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace fulmar::core::test {
namespace {

using backend::block_range;
namespace sc = nvme::sc;
constexpr std::size_t block = 512;
constexpr std::uint64_t blocks = 96;  // of the device that are used
constexpr int rounds = 400;

TEST(overlaps, is_true_when_one_block_is_in_both) {
    const auto one = [](std::uint64_t first, std::uint32_t count, std::uint64_t to,
                        std::uint64_t total) {
        const block_range range{.first = first, .count = count};
        return overlaps({&range, 1}, to, total);
    };
    for (std::uint64_t to = 0; to < 12; ++to)
        for (std::uint64_t first = 0; first < 12; ++first)
            for (std::uint32_t count = 1; count < 6; ++count) {
                bool shared = false;
                for (std::uint64_t b = first; b < first + count; ++b)
                    shared = shared || (b >= to && b < to + 4);
                EXPECT_EQ(one(first, count, to, 4), shared) << first << '+' << count << ' ' << to;
            }
    const std::uint64_t last = ~0ull - 8;
    EXPECT_TRUE(one(last, 8, last + 7, 1));
    EXPECT_FALSE(one(last, 7, last + 7, 1));
    const std::vector<block_range> two{{0, 2}, {10, 2}};
    EXPECT_TRUE(overlaps(two, 11, 4));
    EXPECT_FALSE(overlaps(two, 2, 8));
    EXPECT_FALSE(overlaps({}, 0, 8));
}

class copies : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        ASSERT_TRUE(nvme::is_success(
            world.connect(queue, subsystem_nqn, 1, world.controller_number()).status));
        std::mt19937 random(1);
        medium.resize(blocks * block);
        for (std::byte& b : medium) b = static_cast<std::byte>(random());
        ASSERT_EQ(run(range(nvme::io_opcode::write), medium).status, sc::success);
        if (stores_nothing()) std::fill(medium.begin(), medium.end(), std::byte{});
    }
    [[nodiscard]] static bool stores_nothing() { return std::string(GetParam()) == "null"; }

    static result<std::unique_ptr<backend::device>> make(const device_spec& spec) {
        const std::string type = GetParam();
        if (type == "null") return backend::make_null_device({.size_bytes = spec.size_bytes});
        if (type == "fault") {
            FULMAR_TRY(auto made, backend::make_fault_device({.size_bytes = spec.size_bytes}));
            return std::unique_ptr<backend::device>(std::move(made));
        }
        return backend::make_ram_device({.size_bytes = spec.size_bytes});
    }

    static nvme::sqe range(nvme::io_opcode opcode) {
        nvme::sqe command{};
        command.opcode = static_cast<std::uint8_t>(opcode);
        command.nsid = 1u;
        nvme::encode_block_range(command, {.blocks = blocks});
        return command;
    }
    /// In real time: the fault device takes some.
    reply run(const nvme::sqe& command, std::span<const std::byte> data, std::uint32_t room = 0) {
        const std::size_t index = queue.send(command, room, data);
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (std::chrono::steady_clock::now() < end) {
            world.turn();
            if (auto answer = queue.take(index)) return *answer;
        }
        ADD_FAILURE() << "no answer";
        return {.status = sc::internal_error};
    }
    nvme::status copy(const std::vector<block_range>& sources, std::uint64_t to, bool fua) {
        std::vector<nvme::copy_range> wire;
        for (const block_range& one : sources) {
            nvme::copy_range& r = wire.emplace_back();
            r.slba = one.first;
            r.nlb = static_cast<std::uint16_t>(one.count - 1);
        }
        nvme::sqe command{};
        command.opcode = static_cast<std::uint8_t>(nvme::io_opcode::copy);
        command.nsid = 1u;
        nvme::encode_copy(
            command, {.sdlba = to, .ranges = static_cast<std::uint32_t>(wire.size()), .fua = fua});
        return run(command, std::as_bytes(std::span(wire))).status;
    }
    void expect_medium(int round) {
        const reply now = run(range(nvme::io_opcode::read), {}, blocks * block);
        ASSERT_EQ(now.status, sc::success);
        ASSERT_TRUE(now.data == medium) << "round " << round;
    }
    /// What the oracle makes of it.
    void apply(const std::vector<block_range>& sources, std::uint64_t to) {
        const std::vector<std::byte> before = medium;
        std::byte* at = medium.data() + to * block;
        for (const block_range& one : sources)
            at = std::copy_n(before.data() + one.first * block, one.count * block, at);
    }

    std::vector<std::byte> medium;
    small_world world{&make};
    host_queue& admin_queue = world.connect_admin();
    host_queue& queue = world.new_queue();
};

// One to six sources: apart, touching, partly or wholly over the destination, or just it.
std::vector<block_range> draw(std::mt19937& random, std::uint64_t& to, std::uint64_t& together) {
    std::vector<block_range> sources(1 + random() % 6);
    together = 0;
    for (block_range& one : sources) {
        one.count = 1 + static_cast<std::uint32_t>(random() % 8);
        one.first = random() % (blocks - one.count + 1);
        together += one.count;
    }
    to = random() % 8 == 0 ? std::min(sources[0].first, blocks - together)
                           : random() % (blocks - together + 1);
    return sources;
}

TEST_P(copies, are_what_the_oracle_says_or_refused) {
    std::mt19937 random(7);
    int done = 0;
    int refused = 0;
    for (int round = 0; round < rounds; ++round) {
        std::uint64_t to = 0;
        std::uint64_t together = 0;
        const std::vector<block_range> sources = draw(random, to, together);
        const bool overlap = std::ranges::any_of(sources, [&](const block_range& one) {
            return one.first < to + together && to < one.first + one.count;
        });
        const nvme::status status = copy(sources, to, random() % 3 == 0);
        if (overlap) {
            ++refused;
            ASSERT_EQ(status, sc::overlapping_io_range.no_retry()) << "round " << round;
        } else {
            ++done;
            ASSERT_EQ(status, sc::success) << "round " << round;
            apply(sources, to);
        }
        ASSERT_NO_FATAL_FAILURE(expect_medium(round));
    }
    EXPECT_GT(done, rounds / 8);
    EXPECT_GT(refused, rounds / 8);
}

INSTANTIATE_TEST_SUITE_P(on, copies, testing::Values("ram", "null", "fault"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace fulmar::core::test
