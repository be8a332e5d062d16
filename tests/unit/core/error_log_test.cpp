// The Error Information log as queues on several reactors write it.
#include <fulmar/core/error_log.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace fulmar::core {
namespace {

namespace sc = nvme::sc;

TEST(error_log, keeps_the_newest_first_and_counts_them_all) {
    const auto log = std::make_unique<error_log>();
    EXPECT_EQ(log->newest()[0].error_count.value(), 0u);
    for (std::uint16_t i = 1; i <= error_log::slot_count + 7; ++i) {
        log->add({.sqid = 3,
                  .cid = i,
                  .status = sc::invalid_field.no_retry(),
                  .lba = std::uint64_t{i} << 32,
                  .nsid = 9});
        const error_log::page page = log->newest();
        for (std::uint16_t back = 0; back < error_log::slot_count; ++back) {
            const nvme::error_log_entry& e = page[back];
            if (back >= i) {
                EXPECT_EQ(e.error_count.value(), 0u);
                continue;
            }
            const auto wanted = static_cast<std::uint16_t>(i - back);
            EXPECT_EQ(e.error_count.value(), wanted);
            EXPECT_EQ(e.cid.value(), wanted);
            EXPECT_EQ(e.lba.value(), std::uint64_t{wanted} << 32);
            EXPECT_EQ(e.sqid.value(), 3);
            EXPECT_EQ(e.nsid.value(), 9u);
            EXPECT_EQ(nvme::status::from_field(e.status_field.value()),
                      sc::invalid_field.no_retry());
        }
    }
    EXPECT_EQ(log->count(), error_log::slot_count + 7);
}

TEST(error_log, knows_which_errors_are_the_mediums) {
    const auto log = std::make_unique<error_log>();
    for (const nvme::status no :
         {sc::compare_failure, sc::access_denied, sc::internal_error, sc::lba_out_of_range,
          sc::connect_incompatible_format, sc::connect_controller_busy, sc::ana_inaccessible})
        log->add({.status = no});
    EXPECT_EQ(log->media_errors(), 0u);
    for (const nvme::status yes :
         {sc::write_fault, sc::unrecovered_read_error, sc::guard_check_error,
          sc::application_tag_check_error, sc::reference_tag_check_error})
        log->add({.status = yes.no_retry()});
    EXPECT_EQ(log->media_errors(), 5u);
    EXPECT_EQ(log->count(), 12u);
}

// Writers that overtake one another by whole rounds: an entry may be lost, and none is ever a
// mixture or out of order.
TEST(error_log, entries_are_whole_however_many_write) {
    const auto log = std::make_unique<error_log>();
    std::atomic<bool> over{false};
    std::vector<std::jthread> writers;
    constexpr int each = 20'000;
    for (std::uint16_t w = 1; w <= 3; ++w)
        writers.emplace_back([&log, w] {
            for (std::uint32_t i = 0; i < each; ++i)
                log->add({.sqid = w,
                          .cid = static_cast<std::uint16_t>(i),
                          .status = sc::write_fault,
                          .lba = std::uint64_t{w} << 40 | i,
                          .nsid = i});
        });
    std::uint64_t seen = 0;
    const auto check = [&] {
        std::uint64_t last = ~std::uint64_t{0};
        for (const nvme::error_log_entry& e : log->newest()) {
            if (e.error_count.value() == 0) continue;
            ++seen;
            ASSERT_LT(e.error_count.value(), last) << "newest first";
            last = e.error_count.value();
            const std::uint32_t i = e.nsid.value();
            ASSERT_EQ(e.cid.value(), static_cast<std::uint16_t>(i));
            ASSERT_EQ(e.lba.value(), std::uint64_t{e.sqid.value()} << 40 | i);
        }
    };
    std::jthread reader([&] {
        while (!over) check();
    });
    writers.clear();
    over = true;
    reader.join();
    check();
    EXPECT_GT(seen, 0u);
    EXPECT_EQ(log->count(), 3u * each);
    EXPECT_EQ(log->media_errors(), 3u * each);
}

}  // namespace
}  // namespace fulmar::core
