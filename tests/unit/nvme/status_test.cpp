// Unit tests of fulmar/nvme/status.hpp.
#include <fulmar/nvme/status.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace fulmar::nvme {
namespace {

static_assert(status{}.pack() == 0 && is_success(status{}));
static_assert(sc::success == status{});
static_assert(sc::namespace_not_ready.pack() == 0x0082);
static_assert(sc::connect_invalid_parameters.pack() == 0x0182);
static_assert(sc::guard_check_error.pack() == 0x0282);
static_assert(sc::ana_inaccessible.pack() == 0x0302);
static_assert(sc::internal_error.no_retry().pack() == 0x4006);
static_assert(sc::namespace_not_ready.retry_after(3).pack() == 0x1882);
static_assert(sc::invalid_field.no_retry().to_field() == 0x8004);
static_assert(sc::invalid_field.to_field(true) == 0x0005);

TEST(status, every_15_bit_value_survives_unpack_and_pack) {
    for (std::uint32_t bits = 0; bits < 1u << 15; ++bits) {
        const auto raw = static_cast<std::uint16_t>(bits);
        ASSERT_EQ(status::unpack(raw).pack(), raw);
    }
}

TEST(status, phase_tag_does_not_touch_the_status) {
    for (const named_status& known : known_statuses()) {
        EXPECT_EQ(status::from_field(known.code.to_field(false)), known.code);
        EXPECT_EQ(status::from_field(known.code.to_field(true)), known.code);
    }
}

TEST(status, success_is_decided_by_the_code_alone) {
    EXPECT_TRUE(is_success(status{.dnr = true, .more = true, .crd = 2}));
    EXPECT_FALSE(is_success(sc::invalid_opcode));
    EXPECT_FALSE(is_success(sc::internal_path_error));  // code 0, but of another type
    EXPECT_FALSE(is_success(sc::cq_invalid));
}

TEST(status, is_ignores_everything_but_the_code) {
    EXPECT_TRUE(sc::internal_error.no_retry().is(sc::internal_error));
    EXPECT_TRUE(sc::internal_error.retry_after(1).is(sc::internal_error));
    EXPECT_FALSE(sc::internal_error.is(sc::invalid_field));
    EXPECT_NE(sc::internal_error.no_retry(), sc::internal_error);
}

TEST(status, retry_meaning_follows_the_host) {
    EXPECT_EQ(meaning_of_retry(sc::success), retry_meaning::none);
    EXPECT_EQ(meaning_of_retry(sc::internal_error.no_retry()), retry_meaning::never);
    EXPECT_EQ(meaning_of_retry(sc::internal_error), retry_meaning::same_path);
    EXPECT_EQ(meaning_of_retry(sc::namespace_not_ready.retry_after(1)), retry_meaning::after_delay);
    EXPECT_EQ(meaning_of_retry(sc::ana_inaccessible), retry_meaning::other_path);
    EXPECT_EQ(meaning_of_retry(sc::ana_inaccessible.no_retry()), retry_meaning::never);
}

TEST(status, every_known_status_has_its_own_text) {
    std::set<std::string_view> texts;
    for (const named_status& known : known_statuses()) {
        EXPECT_EQ(describe(known.code), known.text);
        EXPECT_EQ(describe(known.code.no_retry().retry_after(2)), known.text);
        EXPECT_TRUE(texts.insert(known.text).second) << known.text;
    }
    EXPECT_GT(texts.size(), 90u);
}

TEST(status, unknown_codes_have_a_text_too) {
    EXPECT_EQ(describe(sc::generic(0x7f)), "unknown status");
    EXPECT_EQ(describe(status::unpack(0x0500)), "unknown status");
    EXPECT_EQ(describe(status::unpack(0x07ff)), "unknown status");
}

}  // namespace
}  // namespace fulmar::nvme
