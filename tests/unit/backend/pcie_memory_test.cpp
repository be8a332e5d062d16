// A drive is brought up, used and given back, and each allocation of its reactor fails once, with
// the reserve that the daemon keeps: what has begun ends, and the drive serves. Where it is only
// asked for (making the device, opening a channel), the failure may be told instead.
#include "pcie_fixture.hpp"
#include "support/failing_memory.hpp"

#include <fulmar/base/memory_reserve.hpp>

#include <new>

using namespace fulmar;
using backend::drive_state;

namespace {

struct drive_without_memory : test::pcie_fixture {
    void SetUp() override { ASSERT_TRUE(memory_reserve::keep(8u << 20)); }

    bool reaches(drive_state wanted) {
        const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (device->status().state != wanted) {
            if (std::chrono::steady_clock::now() > late) return false;
            const test::watched_memory counts;
            reactor->run_once();
        }
        return true;
    }
    bool make_and_open() {
        {
            const test::watched_memory counts;
            auto made = backend::make_pcie_device(options, environment);
            if (!made) return false;
            device = std::move(*made);
        }
        device->set_listener(&listener);
        if (!reaches(drive_state::ready)) return false;
        const test::watched_memory counts;
        auto opened = device->open_channel(*reactor);
        if (opened) channel = std::move(*opened);
        return opened.has_value();
    }
    void give_back() {
        {
            const test::watched_memory counts;
            channel.reset();
            if (device == nullptr) return;
            EXPECT_TRUE(device->detach(false));
        }
        EXPECT_TRUE(reaches(drive_state::absent));
        device.reset();
    }
};

TEST_F(drive_without_memory, serves_out_of_the_reserve_and_is_whole_again) {
    const std::uint64_t given = memory_reserve::times_given();
    const std::uint64_t failed = test::fail_each_allocation(
        [&](std::uint64_t nth) {
            SCOPED_TRACE("allocation " + std::to_string(nth));
            ASSERT_TRUE(make_and_open());
            const auto out = filled(0, 4096, static_cast<unsigned>(nth));
            EXPECT_TRUE(nvme::is_success(io().write(8, 8, out)));
            const auto in = piece(1 << 20, 4096);
            EXPECT_TRUE(nvme::is_success(io().read(8, 8, in)));
            EXPECT_TRUE(std::ranges::equal(in, out));
            give_back();
            EXPECT_TRUE(memory_reserve::whole());
        },
        test::shortage::with_reserve);
    EXPECT_GT(failed, 10u);
    EXPECT_EQ(memory_reserve::times_given() - given, failed);
}

// Without any reserve what is only asked for says so, and leaves nothing. Bringing the drive up is
// begun later: that needs the reserve.
TEST_F(drive_without_memory, tells_who_asks_for_a_device_and_makes_the_next) {
    options.detached = true;
    const std::uint64_t failed = test::fail_each_allocation([&](std::uint64_t nth) {
        SCOPED_TRACE("allocation " + std::to_string(nth));
        try {
            const test::watched_memory counts;
            auto made = backend::make_pcie_device(options, environment);
            if (made) device = std::move(*made);
        } catch (const std::bad_alloc&) {}
        const test::unwatched_memory enough;
        if (device == nullptr) {
            EXPECT_TRUE(device_list.all().empty()) << "the address is taken still";
            make();
        }
        EXPECT_TRUE(device->attach());
        open();
        close();
    });
    EXPECT_GT(failed, 1u);
}

}  // namespace
