// What a drive tells of its limits, its command sets and its cache, and what becomes of it.
#include "pcie/command.hpp"
#include "pcie_fixture.hpp"

#include <fulmar/nvme/io_command.hpp>

#include <cstring>

using namespace fulmar;
using backend::drive_state;
using test::fake_drive;
namespace sc = nvme::sc;

namespace {

struct pcie_limits_test : test::pcie_fixture {
    static std::size_t count(const std::vector<nvme::sqe>& all, nvme::io_opcode opcode) {
        return static_cast<std::size_t>(std::ranges::count_if(all, [&](const nvme::sqe& one) {
            return one.opcode == static_cast<std::uint8_t>(opcode);
        }));
    }
    bool is_zero(std::uint64_t first, std::uint64_t blocks) const {
        const auto medium = sim_drive.media();
        return std::all_of(medium.begin() + static_cast<std::ptrdiff_t>(first * 512),
                           medium.begin() + static_cast<std::ptrdiff_t>((first + blocks) * 512),
                           [](std::byte b) { return b == std::byte{}; });
    }
};

TEST_F(pcie_limits_test, write_zeroes_and_verify_beyond_the_limits_of_a_drive_are_cut) {
    fake_drive::options sim_drive_options{.oncs = 0x8d};
    sim_drive_options.limits.wzsl = 3;  // 32 KiB
    sim_drive_options.limits.vsl = 2;   // 16 KiB
    restart(sim_drive_options);
    ASSERT_TRUE(nvme::is_success(io().write(0, 2048, filled(0, 1 << 20, 1))));
    EXPECT_EQ(io().write_zeroes(1, 200), sc::success);
    EXPECT_TRUE(is_zero(1, 200));
    EXPECT_FALSE(is_zero(0, 1));
    EXPECT_FALSE(is_zero(201, 1));
    EXPECT_EQ(count(sim_drive.commands(), nvme::io_opcode::write_zeroes), 4u);
    EXPECT_EQ(io().verify(0, 200), sc::success);
    EXPECT_EQ(count(sim_drive.commands(), nvme::io_opcode::verify), 7u);
}

TEST_F(pcie_limits_test, ranges_beyond_the_limits_of_a_drive_are_cut) {
    fake_drive::options sim_drive_options;
    sim_drive_options.limits.dmrl = 4;
    sim_drive_options.limits.dmrsl = 100u;
    sim_drive_options.limits.dmsl = 250u;
    restart(sim_drive_options);
    ASSERT_TRUE(nvme::is_success(io().write(0, 2048, filled(0, 1 << 20, 1))));
    std::vector<backend::block_range> ranges;
    for (std::uint64_t i = 0; i < 20; ++i) ranges.push_back({i * 20, i % 5 == 0 ? 0u : 10u});
    ranges.push_back({1000, 777});
    ranges.push_back({0, 0});
    EXPECT_EQ(io().deallocate(ranges), sc::success);
    for (const backend::block_range& one : ranges) {
        EXPECT_TRUE(is_zero(one.first, one.count)) << one.first;
        if (one.count == 0) continue;
        EXPECT_FALSE(is_zero(one.first + one.count, 1)) << one.first;
    }
    EXPECT_FALSE(is_zero(999, 1));
    EXPECT_GE(count(sim_drive.commands(), nvme::io_opcode::dataset_management), 8u);
}

TEST_F(pcie_limits_test, without_limits_one_command_does) {
    fake_drive::options sim_drive_options;
    sim_drive_options.tells_limits = false;
    restart(sim_drive_options);
    EXPECT_EQ(io().write_zeroes(0, 8000), sc::success);
    EXPECT_EQ(io().deallocate({{0, 8000}, {0, 0}, {5, 5}}), sc::success);
    EXPECT_EQ(sim_drive.commands().size(), 2u);
}

TEST_F(pcie_limits_test, what_is_best_for_it_is_told) {
    restart({.nsfeat = nvme::nsfeat::optimal_io, .npwg = 7, .npdg = 2047, .nows = 255});
    EXPECT_EQ(device->geometry().write_granularity_blocks, 8u);
    EXPECT_EQ(device->geometry().deallocate_granularity_blocks, 2048u);
    EXPECT_EQ(device->geometry().optimal_write_blocks, 256u);
    restart({.npwg = 7, .npdg = 2047, .nows = 255});
    EXPECT_EQ(device->geometry().write_granularity_blocks, 0u) << "the fields do not count";
}

// Databases drop their own protection on the strength of this.
TEST_F(pcie_limits_test, atomicity_is_that_of_the_drive_as_far_as_one_command_goes) {
    const auto promised = [&](const fake_drive::options& with) {
        restart(with);
        const backend::geometry all = device->geometry();
        return std::pair(all.atomic_blocks, all.power_fail_atomic_blocks);
    };
    using both = std::pair<std::uint32_t, std::uint32_t>;
    EXPECT_EQ(promised({}), both(1, 1));
    EXPECT_EQ(promised({.awun = 63, .awupf = 31}), both(64, 32));
    EXPECT_EQ(promised({.nsfeat = nvme::nsfeat::atomic_fields,
                        .awun = 63,
                        .awupf = 31,
                        .nawun = 15,
                        .nawupf = 7}),
              both(16, 8))
        << "the namespace knows better";
    EXPECT_EQ(promised({.awun = 63, .awupf = 31, .nawun = 15, .nawupf = 7}), both(64, 32))
        << "the fields of the namespace do not count";
    EXPECT_EQ(promised({.mdts = 1, .awun = 0xffff, .awupf = 0xffff}), both(16, 16))
        << "what is longer becomes several commands";
    EXPECT_EQ(promised({.awun = 63, .awupf = 31, .nabspf = 15}), both(1, 1))
        << "hosts are told of no boundaries";
    EXPECT_EQ(promised({.awun = 7, .awupf = 31}), both(8, 8)) << "a drive that contradicts itself";
}

TEST(encode_ranges, says_everything_once_whatever_the_limits) {
    std::mt19937 random(3);
    for (int round = 0; round < 500; ++round) {
        std::vector<backend::block_range> ranges(1 + random() % 256);
        std::vector<int> wanted(4096);
        for (auto& one : ranges) {
            one.first = random() % 4000;
            one.count = static_cast<std::uint32_t>(random() % 4 == 0 ? 0 : random() % 96);
            for (std::uint64_t b = one.first; b < one.first + one.count; ++b) ++wanted[b];
        }
        const backend::pcie::command_limits limits{
            .deallocate_ranges = static_cast<std::uint32_t>(random() % 3 * (random() % 50)),
            .deallocate_range_blocks = static_cast<std::uint32_t>(random() % 2 * (random() % 70)),
            .deallocate_blocks = random() % 2 * (random() % 300)};
        std::vector<int> said(4096);
        std::array<std::byte, 4096> page{};
        backend::pcie::range_place at{};
        int commands = 0;
        while (at.range < ranges.size()) {
            const std::uint32_t count = encode_ranges(ranges, limits, at, page);
            ASSERT_LT(++commands, 30'000);
            std::uint64_t together = 0;
            ASSERT_TRUE(limits.deallocate_ranges == 0 || count <= limits.deallocate_ranges);
            for (std::uint32_t i = 0; i < count; ++i) {
                nvme::dsm_range wire{};
                std::memcpy(&wire, page.data() + i * sizeof wire, sizeof wire);
                ASSERT_NE(wire.blocks.value(), 0u);
                ASSERT_TRUE(limits.deallocate_range_blocks == 0 ||
                            wire.blocks.value() <= limits.deallocate_range_blocks);
                together += wire.blocks.value();
                for (std::uint32_t b = 0; b < wire.blocks.value(); ++b)
                    ++said[wire.slba.value() + b];
            }
            ASSERT_TRUE(limits.deallocate_blocks == 0 || together <= limits.deallocate_blocks);
            ASSERT_TRUE(count != 0 || at.range == ranges.size());
        }
        ASSERT_EQ(said, wanted) << round;
    }
}

// --- command sets --------------------------------------------------------------------------------

TEST_F(pcie_limits_test, a_zoned_namespace_is_refused_by_name) {
    close();
    sim_drive.plug(fake_drive::options{.zoned_nsid = 1});
    make();
    ASSERT_TRUE(reactor.run_until([&] {
        return device->note().find("not supported") != std::string::npos;
    })) << device->note();
    EXPECT_NE(device->note().find("zoned namespace (CSI 2) is not supported"), std::string::npos)
        << device->note();
    EXPECT_EQ(device->state(), backend::device_state::lost);
    EXPECT_TRUE(becomes(drive_state::absent));
}

TEST_F(pcie_limits_test, a_namespace_beside_a_zoned_one_serves) {
    close();
    sim_drive.plug(fake_drive::options{.namespaces = 2, .zoned_nsid = 1});
    options.drive_nsid = 2;
    make();
    open();
    EXPECT_EQ(io().read(0, 8, piece(0, 4096)), sc::success);
    // A device that joins later asks for itself.
    auto second = options;
    second.drive_nsid = 1;
    auto zoned = backend::make_pcie_device(second, environment).value();
    ASSERT_TRUE(reactor.run_until([&] { return zoned->note().find("CSI 2") != std::string::npos; }))
        << zoned->note();
    EXPECT_EQ(zoned->state(), backend::device_state::lost);
    EXPECT_EQ(io().read(0, 8, piece(0, 4096)), sc::success);
}

}  // namespace
