// Unit tests of fulmar/security/tls_session.hpp: two of them with each other, a host's ClientHello
// made by hand, and what a peer may do that it should not.
#include "security/hkdf.hpp"
#include "security/tls_hello.hpp"
#include "unit/security/tls_pair.hpp"

#include <fulmar/security/digest.hpp>
#include <fulmar/security/tls_session.hpp>

#include <gtest/gtest.h>

#include <string>

namespace fulmar::security {
namespace {

using test::read_text;
using test::tls_pair;
using test::write_text;
using outcome = tls_io::outcome;

constexpr std::string_view session_host = "nqn.2014-08.org.nvmexpress:uuid:1";
constexpr std::string_view session_subsystem = "nqn.2026-11.io.fulmar:tls";

tls_psk make_psk(tls_suite suite = tls_suite::aes128_gcm_sha256,
                 tls_identity_version version = tls_identity_version::digest) {
    const auto key = generate_tls_key(suite);
    auto made = derive_tls_psk(*key, session_host, session_subsystem, version);
    return std::move(*made);
}

TEST(tls_session, talks_with_either_suite_and_knows_who_is_there) {
    for (const tls_suite suite : {tls_suite::aes128_gcm_sha256, tls_suite::aes256_gcm_sha384}) {
        const tls_psk psk = make_psk(suite);
        tls_pair pair(psk);
        pair.book.add(psk);
        ASSERT_TRUE(pair.shake_hands()) << pair.host->why_broken() << pair.target->why_broken();
        EXPECT_EQ(pair.target->suite(), suite);
        EXPECT_EQ(pair.target->identity(), psk.identity);
        ASSERT_TRUE(write_text(*pair.host, "to the controller"));
        ASSERT_TRUE(write_text(*pair.target, "to the host"));
        EXPECT_EQ(read_text(*pair.target), "to the controller");
        EXPECT_EQ(read_text(*pair.host), "to the host");
        EXPECT_EQ(pair.target->read({}).what, outcome::would_block);
    }
}

TEST(tls_session, takes_bytes_one_by_one) {
    const tls_psk psk = make_psk(tls_suite::aes256_gcm_sha384);
    tls_pair pair(psk);
    pair.book.add(psk);
    pair.host_wire.at_a_time = pair.target_wire.at_a_time = 1;
    ASSERT_TRUE(pair.shake_hands());
    const std::string text(16'384, 'x');
    ASSERT_TRUE(write_text(*pair.host, text));
    EXPECT_EQ(read_text(*pair.target), text);
}

TEST(tls_session, wrong_key_is_refused_on_both_sides) {
    const tls_psk psk = make_psk();
    tls_psk other = make_psk();
    other.identity = psk.identity;
    tls_pair pair(psk);
    pair.book.add(other);
    EXPECT_FALSE(pair.shake_hands());
    EXPECT_EQ(pair.target->shake_hands().what, outcome::broken);
    EXPECT_EQ(pair.host->shake_hands().what, outcome::broken);
    EXPECT_NE(pair.target->why_broken().find("binder"), std::string::npos)
        << pair.target->why_broken();
}

TEST(tls_session, unknown_identity_is_refused_before_anything_is_computed) {
    tls_pair pair(make_psk());
    EXPECT_FALSE(pair.shake_hands());
    EXPECT_EQ(pair.target->shake_hands().what, outcome::broken);
    EXPECT_NE(pair.target->why_broken().find("identity"), std::string::npos);
    EXPECT_EQ(pair.host->shake_hands().what, outcome::broken);
    EXPECT_NE(pair.host->why_broken().find("unknown psk identity"), std::string::npos);
}

// An identity of version 0 tells nothing of the key, nor how it was derived.
TEST(tls_session, finds_the_key_that_the_host_has_among_those_of_one_identity) {
    const tls_psk former = make_psk(tls_suite::aes128_gcm_sha256, tls_identity_version::plain);
    const tls_psk present = make_psk(tls_suite::aes128_gcm_sha256, tls_identity_version::plain);
    ASSERT_EQ(former.identity, present.identity);
    for (const tls_psk* has : {&former, &present}) {
        tls_pair pair(*has);
        pair.book.add(present);
        pair.book.add(former);
        EXPECT_TRUE(pair.shake_hands()) << pair.target->why_broken();
    }
}

void put_number(std::vector<std::byte>& to, std::size_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) to.push_back(static_cast<std::byte>(value >> (8 * i)));
}
void put_vector(std::vector<std::byte>& to, std::span<const std::byte> what, int bytes) {
    put_number(to, what.size(), bytes);
    for (const std::byte b : what) to.push_back(b);
}
std::size_t number_at(std::span<const std::byte> in, std::size_t at) {
    return std::to_integer<std::size_t>(in[at]) << 8 | std::to_integer<std::size_t>(in[at + 1]);
}

/// The ClientHello that `wire` has, with those identities instead of its one; the binders are
/// zeros, but that of `psk`, which is right.
std::vector<std::byte> with_identities(const std::deque<std::byte>& wire,
                                       const std::vector<std::string>& identities,
                                       const tls_psk& psk) {
    const std::vector<std::byte> old(wire.begin() + 5, wire.end());  // without the record's header
    // The extension is the last one: its type, then lengths of it, of the identities, of its one.
    const std::size_t psk_bytes = 4 + 2 + (2 + psk.identity.size() + 4) + 2 + 33;
    std::vector<std::byte> hello(old.begin(), old.end() - static_cast<std::ptrdiff_t>(psk_bytes));
    std::size_t list = 0;
    for (const std::string& one : identities) list += 2 + one.size() + 4;
    const std::size_t binders = 33 * identities.size();
    const std::size_t extensions_at =
        4 + 2 + 32 + 1 + 32 + 2 + number_at(old, 4 + 2 + 32 + 1 + 32) + 2;
    put_number(hello, 41, 2);
    put_number(hello, 2 + list + 2 + binders, 2);
    put_number(hello, list, 2);
    for (const std::string& one : identities) {
        put_vector(hello, bytes_of(one), 2);
        put_number(hello, 0, 4);
    }
    const std::size_t whole = hello.size() + 2 + binders;
    const std::size_t grown = whole - old.size();
    const std::size_t extensions = number_at(old, extensions_at) + grown;
    hello[extensions_at] = static_cast<std::byte>(extensions >> 8);
    hello[extensions_at + 1] = static_cast<std::byte>(extensions & 0xff);
    hello[2] = static_cast<std::byte>((whole - 4) >> 8);
    hello[3] = static_cast<std::byte>((whole - 4) & 0xff);
    const auto hash = nvme::dhchap_hash::sha256;
    const digest early = *hkdf_extract(hash, psk.key.reveal());
    const digest nothing = *hash_of(hash, {});
    const digest key = *hkdf_expand_label(hash, early.bytes(), 32, "ext binder", nothing.bytes());
    const digest finished = *hkdf_expand_label(hash, key.bytes(), 32, "finished", {});
    const digest transcript = *hash_of(hash, hello);
    const digest right = *hmac_of(hash, finished.bytes(), {transcript.bytes()});
    put_number(hello, binders, 2);
    const std::vector<std::byte> wrong(32);
    for (const std::string& one : identities)
        put_vector(hello, one == psk.identity ? right.bytes() : std::span<const std::byte>(wrong),
                   1);
    std::vector<std::byte> record{std::byte{0x16}, std::byte{3}, std::byte{1}};
    put_vector(record, hello, 2);
    return record;
}

TEST(tls_session, identities_are_tried_in_the_order_in_which_they_are_offered) {
    const tls_psk psk = make_psk();
    const auto answer_to = [&](const std::vector<std::string>& identities, bool known) {
        tls_pair pair(psk);
        if (known) pair.book.add(psk);
        (void)pair.host->shake_hands();
        const auto record = with_identities(pair.target_wire.in, identities, psk);
        pair.target_wire.in.assign(record.begin(), record.end());
        (void)pair.target->shake_hands();
        EXPECT_FALSE(pair.host_wire.in.empty());
        return std::pair(std::to_integer<int>(pair.host_wire.in.front()), pair.book.asked);
    };
    constexpr int handshake = 0x16;
    constexpr int alert = 0x15;
    const std::string mine = psk.identity;
    using asked = std::vector<std::string>;
    EXPECT_EQ(answer_to({mine}, true), std::pair(handshake, asked{mine}));
    EXPECT_EQ(answer_to({"first", "second", mine, "last"}, true),
              std::pair(handshake, (asked{"first", "second", mine})));
    EXPECT_EQ(answer_to({"first", mine}, false), std::pair(alert, (asked{"first", mine})));
    asked many(offered_identities_max, "unknown");
    many.push_back(mine);
    EXPECT_EQ(answer_to(many, true), std::pair(alert, asked(offered_identities_max, "unknown")))
        << "no more are looked at";
}

TEST(tls_session, malformed_lists_of_identities_are_none) {
    std::vector<std::byte> good;
    put_number(good, 2 + 3 + 4, 2);
    put_vector(good, bytes_of("abc"), 2);
    put_number(good, 0, 4);
    put_number(good, 33, 2);
    put_vector(good, std::vector<std::byte>(32), 1);
    ASSERT_TRUE(read_offered_psks(good));
    EXPECT_EQ(read_offered_psks(good)->identities.front(), "abc");
    EXPECT_EQ(read_offered_psks(good)->binders_bytes, 35u);
    for (std::size_t i = 0; i < good.size(); ++i)
        EXPECT_FALSE(read_offered_psks(std::span(good).first(i))) << i;
    for (const std::size_t at : {0u, 1u, 2u, 3u, 11u, 12u, 13u}) {
        std::vector<std::byte> bad = good;
        bad[at] = static_cast<std::byte>(std::to_integer<unsigned>(bad[at]) + 1);
        EXPECT_FALSE(read_offered_psks(bad)) << at;
    }
}

TEST(tls_session, garbage_is_answered_with_an_alert) {
    for (const std::size_t bytes : {1u, 5u, 100u, 20'000u}) {
        tls_pair pair(make_psk());
        for (std::size_t i = 0; i < bytes; ++i)
            pair.target_wire.in.push_back(static_cast<std::byte>(i * 7 + 22));
        (void)pair.target->shake_hands();
        pair.target_wire.ended = true;
        EXPECT_NE(pair.target->shake_hands().what, outcome::moved) << bytes;
        EXPECT_FALSE(pair.target->is_open());
    }
}

TEST(tls_session, a_changed_byte_ends_the_session) {
    const tls_psk psk = make_psk();
    tls_pair pair(psk);
    pair.book.add(psk);
    ASSERT_TRUE(pair.shake_hands());
    ASSERT_TRUE(write_text(*pair.host, "data"));
    pair.target_wire.in.back() ^= std::byte{1};
    std::array<std::byte, 100> into{};
    EXPECT_EQ(pair.target->read(into).what, outcome::broken);
    EXPECT_EQ(pair.target->read(into).what, outcome::broken);
    EXPECT_FALSE(write_text(*pair.target, "more"));
}

TEST(tls_session, end_is_told_and_a_cut_is_no_end_to_trust) {
    const tls_psk psk = make_psk();
    std::array<std::byte, 100> into{};
    tls_pair polite(psk);
    polite.book.add(psk);
    ASSERT_TRUE(polite.shake_hands());
    polite.target->end();
    EXPECT_EQ(polite.host->read(into).what, outcome::ended);
    EXPECT_TRUE(polite.host->why_broken().empty());
    tls_pair cut(psk);
    cut.book.add(psk);
    ASSERT_TRUE(cut.shake_hands());
    cut.host_wire.ended = true;
    EXPECT_EQ(cut.host->read(into).what, outcome::ended);
    EXPECT_FALSE(cut.host->why_broken().empty());
}

TEST(tls_session, a_key_update_is_answered_without_data_to_send) {
    const tls_psk psk = make_psk();
    tls_pair pair(psk);
    pair.book.add(psk);
    ASSERT_TRUE(pair.shake_hands());
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(write_text(*pair.host, "some"));
    const std::uint64_t before = pair.host->records();
    EXPECT_GE(before, 20u);
    ASSERT_TRUE(pair.host->update_keys());
    EXPECT_TRUE(pair.host_wire.in.empty());
    std::string all;
    for (std::string some; !(some = read_text(*pair.target)).empty();) all += some;
    EXPECT_EQ(all.size(), 80u);
    EXPECT_FALSE(pair.host_wire.in.empty()) << "the controller has not answered";
    EXPECT_EQ(read_text(*pair.host), "");
    EXPECT_TRUE(pair.host_wire.in.empty());
    EXPECT_LT(pair.host->records(), before) << "records are counted under the present keys";
    ASSERT_TRUE(write_text(*pair.host, "after") && write_text(*pair.target, "too"));
    EXPECT_EQ(read_text(*pair.target), "after");
    EXPECT_EQ(read_text(*pair.host), "too");
}

TEST(tls_session, key_updates_without_end_are_not_borne) {
    const tls_psk psk = make_psk();
    tls_pair pair(psk);
    pair.book.add(psk);
    ASSERT_TRUE(pair.shake_hands());
    for (int i = 0; i < 100 && pair.host->update_keys(); ++i) {}
    std::array<std::byte, 100> into{};
    EXPECT_EQ(pair.target->read(into).what, outcome::broken);
}

TEST(tls_session, half_a_handshake_holds_until_the_rest_comes) {
    const tls_psk psk = make_psk();
    tls_pair pair(psk);
    pair.book.add(psk);
    (void)pair.host->shake_hands();
    std::deque<std::byte> rest(pair.target_wire.in.begin() + 50, pair.target_wire.in.end());
    pair.target_wire.in.resize(50);
    EXPECT_EQ(pair.target->shake_hands().what, outcome::would_block);
    EXPECT_TRUE(pair.book.asked.empty());
    pair.target_wire.in = rest;
    EXPECT_TRUE(pair.shake_hands());
}

}  // namespace
}  // namespace fulmar::security
