// Unit tests of fulmar/security/dhchap_key.hpp, dhchap.hpp and key_exchange.hpp: texts and numbers
// against an independent implementation.
#include "unit/security/vectors.hpp"

#include <fulmar/security/dhchap.hpp>
#include <fulmar/security/dhchap_key.hpp>
#include <fulmar/security/key_exchange.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace fulmar::security {
namespace {

namespace vectors = test::dhchap_vectors;

TEST(dhchap_key, texts_and_transforms_are_those_of_the_formulas) {
    for (const vectors::key_vector& v : vectors::keys) {
        SCOPED_TRACE(v.text);
        const auto key = parse_dhchap_key(v.text);
        ASSERT_TRUE(key) << key.error().text();
        EXPECT_EQ(key->bytes.size(), v.bytes);
        for (std::size_t i = 0; i < v.bytes; ++i)
            EXPECT_EQ(key->bytes.reveal()[i], static_cast<std::byte>(i + 1));
        EXPECT_EQ(static_cast<int>(key->transform), v.hh);
        EXPECT_EQ(write_dhchap_key(*key).reveal_text(), v.text);
        EXPECT_EQ(vectors::hex_of(transformed(*key, vectors::host_nqn)->reveal()), v.transformed);
    }
}

// The key that nvme-cli's and blktests' examples have.
TEST(dhchap_key, reads_a_published_key) {
    EXPECT_TRUE(parse_dhchap_key("DHHC-1:00:ia6zGodOr4SEG0Zzaw398rpY0wqipUWj4jWjUh4HWUz6aQ2n:"));
}

TEST(dhchap_key, any_changed_character_is_refused) {
    const std::string good(vectors::keys[3].text);
    for (std::size_t at = 0; at < good.size(); ++at) {
        if (at == 9) continue;  // another transform is another key, which no checksum covers
        for (const char c : std::string("A/+0z:=\n \x80")) {
            if (good[at] == c) continue;
            std::string bad = good;
            bad[at] = c;
            if (at == 8 && c == '0') continue;
            EXPECT_FALSE(parse_dhchap_key(bad)) << at << " " << c;
        }
        EXPECT_FALSE(parse_dhchap_key(std::string_view(good).substr(0, at)));
    }
    EXPECT_FALSE(parse_dhchap_key(good + ":"));
    EXPECT_FALSE(parse_dhchap_key("DHHC-1:04:" + good.substr(10)));
    EXPECT_FALSE(parse_dhchap_key("DHHC-1:00:" + std::string(400, 'A') + ":"));
}

TEST(dhchap_key, what_is_wrong_never_shows_the_key) {
    std::string bad(vectors::keys[0].text);
    bad[20] = bad[20] == 'x' ? 'y' : 'x';
    const auto wrong = parse_dhchap_key(bad);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().text().find(bad.substr(10, 8)), std::string::npos);
}

TEST(dhchap_key, generated_keys_differ_and_are_read_back) {
    for (const std::size_t bytes : {32u, 48u, 64u}) {
        const auto one = generate_dhchap_key(bytes, key_transform::sha384);
        const auto two = generate_dhchap_key(bytes, key_transform::sha384);
        ASSERT_TRUE(one && two);
        EXPECT_FALSE(equal(one->bytes.reveal(), two->bytes.reveal()));
        const auto again = parse_dhchap_key(write_dhchap_key(*one).reveal_text());
        ASSERT_TRUE(again);
        EXPECT_TRUE(equal(again->bytes.reveal(), one->bytes.reveal()));
    }
    EXPECT_FALSE(generate_dhchap_key(33, key_transform::none));
}

TEST(dhchap, responses_are_those_of_the_formulas) {
    const auto key = transformed(*parse_dhchap_key(vectors::keys[1].text), vectors::host_nqn);
    std::vector<std::byte> shared(256);
    for (std::size_t i = 0; i < shared.size(); ++i) shared[i] = static_cast<std::byte>(3 * i + 1);
    for (const vectors::response_vector& v : vectors::responses) {
        const auto hash = static_cast<nvme::dhchap_hash>(v.hash);
        std::vector<std::byte> challenge(size_of(hash));
        for (std::size_t i = 0; i < challenge.size(); ++i)
            challenge[i] = static_cast<std::byte>(7 * i + static_cast<std::size_t>(v.hash));
        dhchap_question q{
            .role = dhchap_role::host,
            .hash = hash,
            .challenge = challenge,
            .shared = v.shared ? std::span<const std::byte>(shared) : std::span<const std::byte>(),
            .seqnum = 0x01020304,
            .t_id = 0x0506,
            .own_nqn = vectors::host_nqn,
            .other_nqn = vectors::subsystem_nqn};
        EXPECT_EQ(vectors::hex_of(respond(q, *key)->bytes()), v.of_host);
        q.role = dhchap_role::controller;
        std::swap(q.own_nqn, q.other_nqn);
        EXPECT_EQ(vectors::hex_of(respond(q, *key)->bytes()), v.of_controller);
    }
}

TEST(dhchap, the_strongest_of_both_is_chosen) {
    using G = nvme::dhchap_group;
    EXPECT_EQ(strongest(id_set<G>{G::null, G::ffdhe2048, G::ffdhe8192},
                        id_set<G>{G::null, G::ffdhe2048, G::ffdhe3072}),
              G::ffdhe2048);
    EXPECT_EQ(strongest(id_set<G>{G::null}, id_set<G>{G::ffdhe2048}), std::nullopt);
}

TEST(key_exchange, both_sides_have_the_same_secret_of_the_primes_length) {
    for (const auto group : {nvme::dhchap_group::ffdhe2048, nvme::dhchap_group::ffdhe3072,
                             nvme::dhchap_group::ffdhe4096, nvme::dhchap_group::ffdhe6144}) {
        const auto one = key_exchange::begin(group);
        const auto two = key_exchange::begin(group);
        ASSERT_TRUE(one && two);
        const auto a = one->shared_with(two->public_value());
        const auto b = two->shared_with(one->public_value());
        ASSERT_TRUE(a && b);
        EXPECT_EQ(a->size(), size_of(group));
        EXPECT_TRUE(equal(a->reveal(), b->reveal()));
    }
    EXPECT_FALSE(key_exchange::begin(nvme::dhchap_group::null));
}

TEST(key_exchange, values_that_no_honest_peer_has_are_refused) {
    const auto one = key_exchange::begin(nvme::dhchap_group::ffdhe2048);
    ASSERT_TRUE(one);
    std::vector<std::byte> value(256, std::byte{0});
    EXPECT_FALSE(one->shared_with(value)) << "0";
    value.back() = std::byte{1};
    EXPECT_FALSE(one->shared_with(value)) << "1";
    value.back() = std::byte{2};
    EXPECT_TRUE(one->shared_with(value)) << "2, the generator";
    EXPECT_FALSE(one->shared_with(std::span(value).first(255))) << "too short";
    std::fill(value.begin(), value.end(), std::byte{0xff});  // the prime, which ends so
    EXPECT_FALSE(one->shared_with(value)) << "more than the prime";
}

}  // namespace
}  // namespace fulmar::security
