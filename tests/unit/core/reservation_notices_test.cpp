// Log page 80h and feature 82h of one controller (NVMe Base 2.0, sections 5.16.1.24 and 8.19.2).
#include <fulmar/core/reservation_notices.hpp>
#include <fulmar/nvme/features.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>

namespace fulmar::core::test {
namespace {

using nvme::reservation_notice;
namespace bit = nvme::reservation_mask;

TEST(reservation_notices, are_read_oldest_first_and_once) {
    reservation_notices notices;
    EXPECT_EQ(notices.add(1, reservation_notice::registration_preempted), notice_fate::queued);
    EXPECT_EQ(notices.add(2, reservation_notice::reservation_released), notice_fate::queued);
    EXPECT_EQ(notices.add(1, reservation_notice::reservation_preempted), notice_fate::queued);
    EXPECT_EQ(notices.available(), 3u);
    for (const auto& [count, type, left, nsid] :
         {std::array{1, 1, 2, 1}, std::array{2, 2, 1, 2}, std::array{3, 3, 0, 1}}) {
        const auto page = notices.take();
        EXPECT_EQ(page.log_page_count.value(), static_cast<std::uint64_t>(count));
        EXPECT_EQ(page.type, type);
        EXPECT_EQ(page.available_pages, left);
        EXPECT_EQ(page.nsid.value(), static_cast<std::uint32_t>(nsid));
    }
    EXPECT_EQ(notices.available(), 0u);
}

TEST(reservation_notices, an_empty_page_is_all_zeroes_and_the_count_goes_on_after_it) {
    reservation_notices notices;
    (void)notices.add(1, reservation_notice::reservation_released);
    (void)notices.take();
    const auto empty = notices.take();
    for (const std::byte b : nvme::wire_bytes(empty)) EXPECT_EQ(b, std::byte{0});
    (void)notices.add(1, reservation_notice::reservation_released);
    EXPECT_EQ(notices.take().log_page_count.value(), 2u);
}

TEST(reservation_notices, what_is_lost_is_counted_in_the_last_page) {
    const auto notices = std::make_unique<reservation_notices>();
    constexpr std::uint64_t room = limits::max_reservation_notices;
    for (std::uint64_t i = 0; i < room; ++i)
        ASSERT_EQ(notices->add(1, reservation_notice::reservation_released), notice_fate::queued);
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(notices->add(9, reservation_notice::reservation_preempted), notice_fate::lost);
    EXPECT_EQ(notices->take().log_page_count.value(), 1u);
    EXPECT_EQ(notices->add(2, reservation_notice::reservation_released), notice_fate::queued);
    for (std::uint64_t count = 2; count < room; ++count)
        ASSERT_EQ(notices->take().log_page_count.value(), count);
    const auto last_before_the_loss = notices->take();
    EXPECT_EQ(last_before_the_loss.log_page_count.value(), room + 5);
    EXPECT_EQ(last_before_the_loss.nsid.value(), 1u) << "its own event, and only its count moves";
    const auto after_the_loss = notices->take();
    EXPECT_EQ(after_the_loss.log_page_count.value(), room + 6);
    EXPECT_EQ(after_the_loss.nsid.value(), 2u);
    EXPECT_EQ(notices->available(), 0u);
}

TEST(reservation_notices, masks_are_by_type_and_by_namespace) {
    reservation_notices notices;
    const std::array<std::uint32_t, 2> some{3, 5};
    ASSERT_TRUE(notices.set_mask(some, bit::registration_preempted | bit::reservation_preempted));
    EXPECT_EQ(notices.add(3, reservation_notice::registration_preempted), notice_fate::masked);
    EXPECT_EQ(notices.add(5, reservation_notice::reservation_preempted), notice_fate::masked);
    EXPECT_EQ(notices.add(5, reservation_notice::reservation_released), notice_fate::queued);
    EXPECT_EQ(notices.add(4, reservation_notice::registration_preempted), notice_fate::queued);
    EXPECT_EQ(notices.take().log_page_count.value(), 1u) << "what is masked is not counted";
    EXPECT_EQ(notices.mask_of(4), 0u);
    EXPECT_EQ(notices.mask_of(5), bit::registration_preempted | bit::reservation_preempted);
    const std::array<std::uint32_t, 2> others{4, 5};
    ASSERT_TRUE(notices.set_mask(others, 0xffff'ffff));
    EXPECT_EQ(notices.mask_of(3), bit::registration_preempted | bit::reservation_preempted);
    EXPECT_EQ(notices.mask_of(4), bit::all) << "reserved bits are dropped";
    EXPECT_EQ(notices.mask_of(5), bit::all);
    ASSERT_TRUE(notices.set_mask(others, 0));
    EXPECT_EQ(notices.mask_of(5), 0u);
    notices.forget_mask(3);
    EXPECT_EQ(notices.mask_of(3), 0u);
}

TEST(reservation_notices, start_anew_with_a_controller_reset) {
    reservation_notices notices;
    const std::array<std::uint32_t, 1> one{1};
    ASSERT_TRUE(notices.set_mask(one, bit::reservation_preempted));
    (void)notices.add(1, reservation_notice::reservation_released);
    notices.reset();
    EXPECT_EQ(notices.available(), 0u);
    EXPECT_EQ(notices.mask_of(1), 0u);
    (void)notices.add(1, reservation_notice::reservation_preempted);
    EXPECT_EQ(notices.take().log_page_count.value(), 1u);
}

}  // namespace
}  // namespace fulmar::core::test
