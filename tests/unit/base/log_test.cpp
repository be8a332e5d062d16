// Lines are put together out of line, and only when somebody reads them.
#include <fulmar/base/log.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <string>

namespace fulmar {
namespace {

/// Counts how often it is formatted; may fail.
struct costly {
    int* formatted;
    bool fails = false;
};

struct log_test : testing::Test {
    ~log_test() override { log::set_level(log::level::info); }

    template <typename Act>
    static std::string printed_by(Act&& act) {
        testing::internal::CaptureStdout();
        act();
        return testing::internal::GetCapturedStdout();
    }
    int formatted = 0;
};

}  // namespace
}  // namespace fulmar

template <>
struct fmt::formatter<fulmar::costly> : fmt::formatter<int> {
    template <typename Context>
    auto format(const fulmar::costly& value, Context& context) const {
        ++*value.formatted;
        if (value.fails) throw std::bad_alloc();
        return fmt::formatter<int>::format(*value.formatted, context);
    }
};

namespace fulmar {
namespace {

TEST_F(log_test, a_value_is_formatted_when_its_line_is_written) {
    log::set_level(log::level::warn);
    EXPECT_EQ(printed_by([&] { log::info("value {}", costly{&formatted}); }), "");
    EXPECT_EQ(formatted, 0);
    EXPECT_THAT(printed_by([&] { log::warn("value {}", costly{&formatted}); }),
                testing::HasSubstr("value 1"));
}

TEST_F(log_test, a_line_that_cannot_be_formatted_is_its_format) {
    EXPECT_THAT(printed_by([&] {
                    log::error("value {}", costly{&formatted, true});
                }),
                testing::HasSubstr("value {}"));
}

TEST(log_limiter, lets_a_few_lines_through_in_each_period_and_counts_the_rest) {
    using std::chrono::seconds;
    log::limiter some(3, seconds(10));
    const instant start = instant{} + seconds(100);
    for (int period = 0; period < 3; ++period) {
        int written = 0;
        for (int i = 0; i < 50; ++i)
            written += some.allow(start + seconds(10 * period) + std::chrono::milliseconds(i));
        EXPECT_EQ(written, 3) << period;
    }
    EXPECT_EQ(some.held_back(), 3u * 47);
}

TEST_F(log_test, braces_in_text_that_is_no_format_are_only_braces) {
    EXPECT_THAT(printed_by([] { log::write(log::level::info, std::string_view("{} {")); }),
                testing::HasSubstr("{} {"));
}

}  // namespace
}  // namespace fulmar
