// Named tokens and their file; and how often an address may guess.
#include "admin/token_book.hpp"

#include "admin/guess_limit.hpp"

#include <fulmar/base/limits.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fulmar::admin {
namespace {

constexpr std::int64_t now_s = 1'800'000'000;

TEST(token_book, a_token_is_found_until_it_is_revoked_or_has_expired) {
    token_book book;
    const auto ever = book.create("ever", role::viewer, now_s, 0);
    const auto short_one = book.create("short", role::metrics, now_s, now_s + 10);
    ASSERT_TRUE(ever.has_value() && short_one.has_value());
    EXPECT_GE(ever->size(), token_mark.size() + 64) << "256 bits";
    EXPECT_NE(*ever, *short_one);
    ASSERT_NE(book.find(*ever, now_s), nullptr);
    EXPECT_EQ(book.find(*ever, now_s)->grants, role::viewer);
    EXPECT_NE(book.find(*short_one, now_s + 9), nullptr);
    EXPECT_EQ(book.find(*short_one, now_s + 10), nullptr);
    EXPECT_EQ(book.find(*ever + "0", now_s), nullptr);
    EXPECT_EQ(book.find("", now_s), nullptr);
    const auto rotated = book.rotate("ever", now_s);
    ASSERT_TRUE(rotated.has_value());
    EXPECT_EQ(book.find(*ever, now_s), nullptr);
    EXPECT_NE(book.find(*rotated, now_s), nullptr);
    ASSERT_TRUE(book.revoke("ever").has_value());
    EXPECT_EQ(book.find(*rotated, now_s), nullptr);
    EXPECT_FALSE(book.revoke("ever").has_value());
}

TEST(token_book, one_that_has_expired_is_valid_again_once_it_is_rotated) {
    token_book book;
    ASSERT_TRUE(book.create("short", role::metrics, now_s, now_s + 10).has_value());
    const auto early = book.rotate("short", now_s + 5);
    ASSERT_TRUE(early.has_value());
    EXPECT_EQ(book.find(*early, now_s + 10), nullptr) << "it ends when it was to end";
    const auto late = book.rotate("short", now_s + 100);
    ASSERT_TRUE(late.has_value());
    EXPECT_NE(book.find(*late, now_s + 104), nullptr) << "for as long as the former one was";
    EXPECT_EQ(book.find(*late, now_s + 105), nullptr);
    auto by_hand = token_book::parse(book.text());
    ASSERT_TRUE(by_hand.has_value());
    ASSERT_TRUE(by_hand->create("x", role::viewer, 0, now_s).has_value());
    const auto unknown = by_hand->rotate("x", now_s + 1);
    ASSERT_FALSE(unknown.has_value());
    EXPECT_EQ(unknown.error().code, errc::conflict);
}

TEST(token_book, its_text_is_read_again_and_holds_no_token) {
    token_book book;
    const auto token = book.create("a@b.c", role::operator_, now_s, now_s + 100);
    ASSERT_TRUE(token.has_value());
    const std::string text = book.text();
    EXPECT_EQ(text.find(*token), std::string::npos);
    EXPECT_EQ(text.find(token->substr(token_mark.size())), std::string::npos);
    const auto read = token_book::parse(text);
    ASSERT_TRUE(read.has_value()) << text;
    const token_record* const found = read->find(*token, now_s);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->grants, role::operator_);
    EXPECT_EQ(found->expires_s, now_s + 100);
    EXPECT_EQ(read->text(), text);
}

TEST(token_book, names_are_judged_and_numbers_bounded) {
    token_book book;
    for (const char* name : {"", "a b", "a/b", "ä", "a\n"})
        EXPECT_FALSE(book.create(name, role::viewer, now_s, 0).has_value()) << name;
    EXPECT_FALSE(book.create(std::string(65, 'a'), role::viewer, now_s, 0).has_value());
    for (std::uint32_t i = 0; i < limits::max_tokens; ++i)
        ASSERT_TRUE(book.create(fmt::format("t{}", i), role::viewer, now_s, 0).has_value());
    const auto beyond = book.create("beyond", role::viewer, now_s, 0);
    ASSERT_FALSE(beyond.has_value());
    EXPECT_EQ(beyond.error().code, errc::limit_reached);
    EXPECT_EQ(book.create("t0", role::viewer, now_s, 0).error().code, errc::already_exists);
    EXPECT_TRUE(token_book::parse(book.text()).has_value());
}

TEST(token_book, files_that_say_something_else_are_refused_with_their_lines) {
    const std::string good(64, 'a');
    const auto with_hash = [](const std::string& hash) {
        return fmt::format(R"({{"tokens": [{{"name": "a", "role": "viewer", "hash": "{}"}}]}})",
                           hash);
    };
    EXPECT_TRUE(token_book::parse(with_hash("sha256:" + std::string(32, '0') + ":" + good)));
    for (const std::string& weak :
         {"md5:" + std::string(32, '0') + ":" + good, "sha256::" + good,
          "sha256:" + std::string(8, '0') + ":" + good, std::string("secret"),
          "sha256:" + std::string(32, '0') + ":" + good.substr(1),
          "sha256:" + std::string(32, '0') + ":" + std::string(64, 'G')}) {
        const auto read = token_book::parse(with_hash(weak));
        ASSERT_FALSE(read.has_value()) << weak;
        EXPECT_EQ(read.error().all().front().pointer, "/tokens/0/hash");
    }
    EXPECT_FALSE(token_book::parse("{"));
    EXPECT_FALSE(token_book::parse("{}"));
    EXPECT_FALSE(token_book::parse(R"({"tokens": [{"name": "a", "role": "root", "hash": ""}]})"));
    EXPECT_FALSE(token_book::parse(R"({"tokens": [], "more": 1})"));
    const std::string hash = "sha256:" + std::string(32, '0') + ":" + good;
    EXPECT_FALSE(token_book::parse(fmt::format(
        R"({{"tokens": [{{"name": "a", "role": "viewer", "hash": "{0}"}},
                       {{"name": "a", "role": "admin", "hash": "{0}"}}]}})",
        hash)));
    EXPECT_FALSE(token_book::parse(fmt::format(
        R"({{"tokens": [{{"name": "a", "role": "viewer", "hash": "{}", "expires": "soon"}}]}})",
        hash)));
}

TEST(token_book, times_are_utc_and_real) {
    EXPECT_EQ(parse_utc("2027-01-15T08:00:00Z"), now_s);
    EXPECT_EQ(utc_text(now_s), "2027-01-15T08:00:00Z");
    for (const char* wrong : {"", "2027-02-31T00:00:00Z", "2027-01-15 08:00:00Z",
                              "2027-01-15T08:00:00", "2027-13-15T08:00:00Z"})
        EXPECT_FALSE(parse_utc(wrong).has_value()) << wrong;
}

TEST(guess_limit, lets_a_few_pass_and_then_one_now_and_then) {
    guess_limit limit;
    instant now{std::chrono::hours(1)};
    std::uint32_t tried = 0;
    for (int i = 0; i < 13'000; ++i)
        if (limit.wait("192.0.2.1", now) == duration::zero()) {
            limit.failed("192.0.2.1", now);
            ++tried;
        }
    EXPECT_EQ(tried, limits::admin_guesses);
    const duration wait = limit.wait("192.0.2.1", now);
    EXPECT_GT(wait, duration::zero());
    EXPECT_LE(wait, duration(limits::admin_guess_interval));
    now += wait;
    EXPECT_EQ(limit.wait("192.0.2.1", now), duration::zero());
    limit.failed("192.0.2.1", now);
    EXPECT_GT(limit.wait("192.0.2.1", now), duration::zero());
    now += std::chrono::hours(1);
    EXPECT_EQ(limit.wait("192.0.2.1", now), duration::zero());
}

}  // namespace
}  // namespace fulmar::admin
