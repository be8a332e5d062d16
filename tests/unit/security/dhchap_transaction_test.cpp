// Unit tests of fulmar/security/dhchap_transaction.hpp and dhchap_host.hpp: the whole exchange, and
// every message where it does not belong.
#include "support/render_states.hpp"
#include "unit/security/vectors.hpp"

#include <fulmar/security/dhchap_host.hpp>
#include <fulmar/security/dhchap_transaction.hpp>
#include <fulmar/security/key_source.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace fulmar::security {
namespace {

using nvme::auth_failure;
namespace vectors = test::dhchap_vectors;
using message = std::vector<std::byte>;

class few_keys final : public key_source {
  public:
    std::map<std::string, std::vector<std::string>, std::less<>> texts;
    bool without_memory = false;
    key_state state_of(std::string_view name) const noexcept override {
        return texts.contains(name) ? key_state::usable : key_state::missing;
    }
    result<std::vector<dhchap_key>> find(std::string_view name) const override {
        if (without_memory) return fail(errc::no_memory, "for a test");
        const auto at = texts.find(name);
        if (at == texts.end()) return fail(errc::not_found, "no such key");
        std::vector<dhchap_key> all;
        for (const std::string& text : at->second) all.push_back(*parse_dhchap_key(text));
        return all;
    }
};

struct world {
    few_keys keys;
    dhchap_demand demand;
    dhchap_credentials who;
    dhchap_transaction target;

    world() {
        keys.texts["host"] = {std::string(vectors::keys[1].text)};
        keys.texts["target"] = {std::string(vectors::keys[3].text)};
        demand.host_nqn = vectors::host_nqn;
        demand.subsystem_nqn = vectors::subsystem_nqn;
        demand.host_key = "host";
        demand.controller_key = "target";
        for (const auto g : nvme::all_dhchap_groups) demand.policy.groups.add(g);
        who.host_nqn = demand.host_nqn;
        who.subsystem_nqn = demand.subsystem_nqn;
        who.host_key = *parse_dhchap_key(vectors::keys[1].text);
        who.policy = demand.policy;
    }
    void offer(nvme::dhchap_hash hash, nvme::dhchap_group group) { who.policy = {{hash}, {group}}; }
    void send(const message& m) {
        switch (target.on_message(m, demand)) {
            case dhchap_work::none: return;
            case dhchap_work::prepare: target.prepare(keys); break;
            case dhchap_work::check: target.check(keys); break;
        }
        target.done();
    }
    message read() {
        const auto bytes = target.read();
        return {bytes.begin(), bytes.end()};
    }
    // What the host says of it.
    result<void> authenticate(std::uint16_t t_id = 7) {
        dhchap_host host(who, t_id);
        send(host.negotiate());
        FULMAR_TRY(const message reply, host.on_challenge(read()));
        send(reply);
        auto end = host.on_success1(read());
        if (!end) {
            if (target.state() != dhchap_state::ended) send(host.failure2(auth_failure::failed));
            return tl::unexpected(end.error());
        }
        if (*end) send(**end);
        return {};
    }
    std::optional<auth_failure> refusal() {
        const auto read_now = read();
        const auto m = nvme::read_wire<nvme::auth_failure_message>(read_now);
        if (!m || m->head.id != 0xf1 || m->reason != 1) return std::nullopt;
        return static_cast<auth_failure>(m->explanation);
    }
};

TEST(dhchap_transaction, every_hash_and_group_one_way_and_mutual) {
    for (const auto hash : nvme::all_dhchap_hashes)
        for (const auto group : nvme::all_dhchap_groups) {
            if (group > nvme::dhchap_group::ffdhe4096 && hash != nvme::dhchap_hash::sha384)
                continue;  // tens of milliseconds each
            for (const bool both : {false, true}) {
                SCOPED_TRACE(fmt::format("hash {} group {} mutual {}", static_cast<int>(hash),
                                         static_cast<int>(group), both));
                world w;
                w.offer(hash, group);
                if (both) w.who.controller_key = *parse_dhchap_key(vectors::keys[3].text);
                const auto done = w.authenticate();
                EXPECT_TRUE(done) << done.error().text();
                EXPECT_EQ(w.target.state(), dhchap_state::proven);
                EXPECT_EQ(w.target.is_mutual(), both);
            }
        }
}

TEST(dhchap_transaction, keys_of_every_length_and_transform) {
    for (const vectors::key_vector& v : vectors::keys) {
        world w;
        w.keys.texts["host"] = {std::string(v.text)};
        w.who.host_key = *parse_dhchap_key(v.text);
        w.offer(nvme::dhchap_hash::sha384, nvme::dhchap_group::null);
        EXPECT_TRUE(w.authenticate());
    }
}

TEST(dhchap_transaction, wrong_key_wrong_name_and_no_key_fail) {
    for (int i = 0; i < 4; ++i) {
        world w;
        w.offer(nvme::dhchap_hash::sha256, nvme::dhchap_group::null);
        if (i == 0) w.who.host_key = *parse_dhchap_key(vectors::keys[0].text);
        if (i == 1) w.who.host_nqn += "x";
        if (i == 2) w.who.subsystem_nqn += "x";
        if (i == 3) w.keys.texts.erase("host");
        EXPECT_FALSE(w.authenticate());
        EXPECT_EQ(w.target.state(), dhchap_state::ended);
        EXPECT_EQ(w.target.failure(), auth_failure::failed);
        EXPECT_FALSE(w.target.was_proven());
    }
}

TEST(dhchap_transaction, controller_that_cannot_prove_itself_is_refused_by_the_host) {
    world w;
    w.offer(nvme::dhchap_hash::sha256, nvme::dhchap_group::null);
    w.who.controller_key = *parse_dhchap_key(vectors::keys[0].text);
    EXPECT_FALSE(w.authenticate());
    EXPECT_TRUE(w.target.host_refused());
    EXPECT_EQ(w.target.state(), dhchap_state::ended);
    EXPECT_FALSE(w.target.was_proven()) << "Success1 alone does not open the queue";

    world without;
    without.demand.controller_key.clear();
    without.who.controller_key = *parse_dhchap_key(vectors::keys[3].text);
    EXPECT_FALSE(without.authenticate());
    EXPECT_EQ(without.target.failure(), auth_failure::failed);
}

TEST(dhchap_transaction, former_key_is_accepted_and_answered_with_the_former_one) {
    world w;
    w.offer(nvme::dhchap_hash::sha512, nvme::dhchap_group::null);
    w.keys.texts["host"].insert(w.keys.texts["host"].begin(), std::string(vectors::keys[4].text));
    w.keys.texts["target"].insert(w.keys.texts["target"].begin(),
                                  std::string(vectors::keys[2].text));
    w.who.controller_key = *parse_dhchap_key(vectors::keys[3].text);
    EXPECT_TRUE(w.authenticate()) << "with the former keys";
    w.who.host_key = *parse_dhchap_key(vectors::keys[4].text);
    w.who.controller_key = *parse_dhchap_key(vectors::keys[2].text);
    EXPECT_TRUE(w.authenticate(8)) << "again, with the present ones";
    EXPECT_EQ(w.target.state(), dhchap_state::proven);
}

TEST(dhchap_transaction, what_negotiate_may_not_say) {
    const auto said = [](auto change) {
        world w;
        message m = dhchap_host(w.who, 7).negotiate();
        change(m, w);
        w.send(m);
        return w.refusal();
    };
    const auto set = [](std::size_t at, int value) {
        return [=](message& m, world&) { m[at] = static_cast<std::byte>(value); };
    };
    EXPECT_EQ(said(set(6, 1)), auth_failure::concatenation_mismatch);
    EXPECT_EQ(said(set(7, 0)), auth_failure::incorrect_payload);
    EXPECT_EQ(said(set(7, 2)), auth_failure::incorrect_payload);
    EXPECT_EQ(said(set(8, 2)), auth_failure::no_usable_protocol);
    EXPECT_EQ(said(set(10, 31)), auth_failure::incorrect_payload);
    EXPECT_EQ(said(set(11, 31)), auth_failure::incorrect_payload);
    EXPECT_EQ(said(set(10, 0)), auth_failure::hash_unusable);
    EXPECT_EQ(said(set(11, 0)), auth_failure::group_unusable);
    EXPECT_EQ(said([](message& m, world&) { m.pop_back(); }), auth_failure::incorrect_payload);
    EXPECT_EQ(said([](message& m, world&) { m.resize(3); }), auth_failure::incorrect_payload);
    EXPECT_EQ(said([](message& m, world&) { m.clear(); }), auth_failure::incorrect_payload);
    EXPECT_EQ(said([](message&, world& w) { w.demand.policy.hashes = {}; }),
              auth_failure::hash_unusable);
    EXPECT_EQ(said([](message&, world& w) { w.demand.policy.groups = {}; }),
              auth_failure::group_unusable);
}

TEST(dhchap_transaction, what_a_reply_may_not_say) {
    const auto said = [](auto change) {
        world w;
        w.offer(nvme::dhchap_hash::sha256, nvme::dhchap_group::ffdhe2048);
        w.who.controller_key = *parse_dhchap_key(vectors::keys[3].text);
        dhchap_host host(w.who, 7);
        w.send(host.negotiate());
        message reply = *host.on_challenge(w.read());
        change(reply);
        w.send(reply);
        return w.refusal();
    };
    const auto set = [](std::size_t at, int value) {
        return [=](message& m) { m[at] = static_cast<std::byte>(value); };
    };
    EXPECT_EQ(said([](message&) {}), std::nullopt);
    EXPECT_EQ(said(set(4, 8)), auth_failure::incorrect_payload) << "T_ID";
    EXPECT_EQ(said(set(6, 48)), auth_failure::incorrect_payload) << "HL";
    EXPECT_EQ(said(set(8, 2)), auth_failure::incorrect_payload) << "CVALID";
    EXPECT_EQ(said(set(11, 0)), auth_failure::incorrect_payload) << "DHVLEN";
    EXPECT_EQ(said(set(0, 0)), auth_failure::incorrect_message) << "type";
    EXPECT_EQ(said(set(20, 0x55)), auth_failure::failed) << "response";
    EXPECT_EQ(said([](message& m) { m.pop_back(); }), auth_failure::incorrect_payload);
    EXPECT_EQ(said([](message& m) { m.push_back({}); }), auth_failure::incorrect_payload);
    EXPECT_EQ(said([](message& m) { std::fill(m.begin() + 12, m.begin() + 16, std::byte{0}); }),
              auth_failure::incorrect_payload)
        << "a challenge without a sequence number";
    EXPECT_EQ(said([](message& m) { std::fill(m.begin() + 16 + 64, m.end(), std::byte{0}); }),
              auth_failure::incorrect_payload)
        << "0 as the public value";
}

// In every state that waits for the host, everything but what is due is refused.
TEST(dhchap_transaction, every_message_out_of_order_is_refused) {
    enum : int { before, ready, challenged, success, mutual, proven, count };
    const auto reach = [](world& w, dhchap_host& host, int where) {
        w.who.controller_key = *parse_dhchap_key(vectors::keys[3].text);
        w.offer(nvme::dhchap_hash::sha256, nvme::dhchap_group::null);
        if (where == before) return;
        w.send(host.negotiate());
        if (where == ready) return;
        const message reply = *host.on_challenge(w.read());
        if (where == challenged) return;
        w.send(reply);
        if (where == success) return;
        const message end = **host.on_success1(w.read());
        if (where == mutual) return;
        w.send(end);
    };
    for (int where = 0; where < count; ++where)
        for (int type = 0; type < 2; ++type)
            for (const int id : {0, 1, 2, 3, 4, 0xf1, 0x77}) {
                SCOPED_TRACE(fmt::format("at {}, message {}/{:02x}", where, type, id));
                world w;
                dhchap_host host(w.who, 7);
                reach(w, host, where);
                if (type == 0 && id == 0 && (where == before || where == proven)) continue;
                if (type == 1 && id == 2 && where == challenged) continue;
                if (type == 1 && id == 4 && where == mutual) continue;
                message m(16 + 64);
                m[0] = static_cast<std::byte>(type);
                m[1] = static_cast<std::byte>(id);
                m[4] = std::byte{7};
                w.send(m);
                EXPECT_EQ(w.refusal(), auth_failure::incorrect_message);
                EXPECT_EQ(w.target.state(), dhchap_state::ended);
            }
}

TEST(dhchap_transaction, reading_where_nothing_is_ready_is_refused) {
    world w;
    EXPECT_EQ(w.refusal(), auth_failure::incorrect_message);
    EXPECT_EQ(w.target.state(), dhchap_state::ended);
    world later;
    later.send(dhchap_host(later.who, 7).negotiate());
    (void)later.read();
    EXPECT_EQ(later.refusal(), auth_failure::incorrect_message);
}

TEST(dhchap_transaction, silence_ends_a_first_attempt_and_only_the_attempt_later) {
    world w;
    w.send(dhchap_host(w.who, 7).negotiate());
    w.target.expire();
    EXPECT_EQ(w.target.state(), dhchap_state::ended);
    world again;
    again.offer(nvme::dhchap_hash::sha256, nvme::dhchap_group::null);
    ASSERT_TRUE(again.authenticate());
    again.send(dhchap_host(again.who, 8).negotiate());
    again.target.expire();
    EXPECT_EQ(again.target.state(), dhchap_state::proven);
    EXPECT_TRUE(again.authenticate(9)) << "and then succeeds";
}

TEST(dhchap_transaction, host_that_does_not_believe_us_later_keeps_its_queue) {
    world w;
    w.offer(nvme::dhchap_hash::sha256, nvme::dhchap_group::null);
    ASSERT_TRUE(w.authenticate());
    w.who.controller_key = *parse_dhchap_key(vectors::keys[0].text);
    EXPECT_FALSE(w.authenticate(8));
    EXPECT_TRUE(w.target.host_refused());
    EXPECT_EQ(w.target.state(), dhchap_state::proven);
    w.who.controller_key = *parse_dhchap_key(vectors::keys[3].text);
    EXPECT_TRUE(w.authenticate(9));
    EXPECT_FALSE(w.target.host_refused());
    w.who.host_key = *parse_dhchap_key(vectors::keys[0].text);
    EXPECT_FALSE(w.authenticate(10));
    EXPECT_EQ(w.target.state(), dhchap_state::ended) << "a host without the key does not stay";
}

TEST(dhchap_transaction, challenges_and_sequence_numbers_never_repeat) {
    world w;
    w.offer(nvme::dhchap_hash::sha256, nvme::dhchap_group::null);
    std::set<message> seen;
    std::uint32_t last = 0;
    for (std::uint16_t i = 0; i < 20; ++i) {
        dhchap_host host(w.who, i);
        w.send(host.negotiate());
        const message m = w.read();
        const auto head = nvme::read_wire<nvme::dhchap_challenge>(m);
        EXPECT_NE(head->seqnum.value(), 0u);
        EXPECT_NE(head->seqnum.value(), last);
        last = head->seqnum.value();
        EXPECT_TRUE(seen.insert(message(m.begin() + 16, m.end())).second);
        w.send(*host.on_challenge(m));
        (void)w.read();
    }
}

// The documents show the tables.
TEST(dhchap_states, document_shows_the_table) {
    std::string text =
        "# States of an authentication\n\n"
        "Generated from the table that the code runs on, by "
        "`tests/unit/security/dhchap_transaction_test.cpp`\n"
        "(`FULMAR_UPDATE_DOCS=1 build/release/tests/unit_security "
        "--gtest_filter='dhchap_states.*'` writes it anew).\n\n";
    text += test::render_states(
        "DH-HMAC-CHAP on one queue", "include/fulmar/security/dhchap_states.hpp",
        "Each queue of a host with a key begins in `required`, where it runs nothing but "
        "Authentication Send and Receive. Once `proven`, it serves while it is asked again.",
        dhchap_edges, dhchap_state::required);
    test::expect_document("docs/authentication_states.md", text);
}

// What we are short of is nobody's failure: the host may begin again.
TEST(dhchap_transaction, without_memory_it_is_as_before) {
    world w;
    w.offer(nvme::dhchap_hash::sha256, nvme::dhchap_group::null);
    dhchap_host host(w.who, 7);
    w.keys.without_memory = true;
    w.send(host.negotiate());
    EXPECT_EQ(w.target.state(), dhchap_state::required);
    w.keys.without_memory = false;
    w.send(host.negotiate());
    const message reply = *host.on_challenge(w.read());
    w.keys.without_memory = true;
    w.send(reply);
    EXPECT_EQ(w.target.state(), dhchap_state::required) << "it has proved nothing";
    w.keys.without_memory = false;
    EXPECT_TRUE(w.authenticate());
    EXPECT_EQ(w.target.state(), dhchap_state::proven);
}

TEST(dhchap_transaction, without_memory_a_proven_queue_stays_so) {
    world w;
    w.offer(nvme::dhchap_hash::sha256, nvme::dhchap_group::null);
    ASSERT_TRUE(w.authenticate());
    for (const bool late : {false, true}) {
        dhchap_host host(w.who, 8);
        w.keys.without_memory = !late;
        w.send(host.negotiate());
        if (late) {
            const message reply = *host.on_challenge(w.read());
            w.keys.without_memory = true;
            w.send(reply);
        }
        EXPECT_EQ(w.target.state(), dhchap_state::proven);
        w.keys.without_memory = false;
    }
    EXPECT_TRUE(w.authenticate(9));
}

// Former keys: a host's and ours that were exchanged in the same breath end so, too.
TEST(dhchap_transaction, former_keys_are_paired_by_their_end) {
    using clock = std::chrono::system_clock;
    using std::chrono::hours;
    const clock::time_point now = clock::now();
    const auto keys = [](std::initializer_list<clock::time_point> ends) {
        std::vector<accepted_key> out;
        for (const auto end : ends) out.push_back({.bytes = {}, .until = end});
        return out;
    };
    const auto no_end = clock::time_point::max();
    const auto host = keys({no_end, now + hours(20), now + hours(3)});
    EXPECT_EQ(partner_of(host, 0, keys({no_end, now + hours(20)})), 0u) << "it knows the present";
    EXPECT_EQ(partner_of(host, 1, keys({no_end, now + hours(20)})), 1u);
    EXPECT_EQ(partner_of(host, 1, keys({no_end})), 0u) << "ours has not changed";
    EXPECT_EQ(partner_of(host, 1, keys({no_end, now + hours(3)})), 0u)
        << "ours was exchanged with an earlier one, which this host has behind it";
    EXPECT_EQ(partner_of(host, 2, keys({no_end, now + hours(3)})), 1u) << "not the second";
    EXPECT_EQ(partner_of(host, 2, keys({no_end, now + hours(9), now + hours(3)})), 2u);
    const auto by_hand = keys({no_end, no_end});
    EXPECT_EQ(partner_of(by_hand, 1, keys({no_end, no_end})), 1u);
    EXPECT_EQ(partner_of(by_hand, 1, keys({no_end})), 0u);
}

}  // namespace
}  // namespace fulmar::security
