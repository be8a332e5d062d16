// What one host sees of a subsystem: the bits that its queues keep, and the pages made from them.
#include "seen_namespaces.hpp"

#include "admin_pages.hpp"
#include "policy/visibility.hpp"

#include <fulmar/core/hidden_namespaces.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fulmar::core {
namespace {

const std::string seeing = "nqn.2024-01.test:sees";
const std::string blind = "nqn.2024-01.test:sees-nothing";

/// Namespaces 1 to `count`, of which the even ones are shown to `seeing` alone.
subsystem_description half_hidden(std::uint32_t count) {
    subsystem_description s;
    s.namespace_limit = count;
    for (std::uint32_t nsid = 1; nsid <= count; ++nsid) {
        namespace_description n;
        n.id = {.index = nsid - 1, .generation = 1};
        if (nsid % 2 == 0) n.visible_to = in_order({.all = false, .named = {seeing}});
        s.namespaces.push_back(n);
    }
    return s;
}

TEST(hidden_namespaces, are_kept_by_their_numbers) {
    hidden_namespaces bits;
    EXPECT_FALSE(bits.has(1)) << "without room nothing is hidden";
    EXPECT_FALSE(bits.set(1, true));
    ASSERT_TRUE(bits.make_room(limits::max_namespaces));
    for (const std::uint32_t nsid : {1u, 63u, 64u, 65u, limits::max_namespaces}) {
        EXPECT_FALSE(bits.has(nsid));
        EXPECT_TRUE(bits.set(nsid, true));
        EXPECT_FALSE(bits.set(nsid, true)) << "it was so before";
        EXPECT_TRUE(bits.has(nsid));
        EXPECT_FALSE(bits.has(nsid - 1));
        EXPECT_TRUE(bits.any());
        EXPECT_TRUE(bits.set(nsid, false));
        EXPECT_FALSE(bits.any());
    }
    EXPECT_FALSE(bits.has(0xffff'ffff)) << "what cannot be is not hidden: it is not there";
    EXPECT_FALSE(bits.set(limits::max_namespaces + 1, true));
}

TEST(seen_namespaces, are_those_that_are_shown_to_all_or_to_the_host) {
    const subsystem_description s = half_hidden(70);
    const auto count_for = [&](const std::string& host) {
        hidden_namespaces bits;
        EXPECT_TRUE(bits.make_room(s.namespace_limit));
        s.hide_from(host, bits);
        const seen_namespaces seen(s, bits);
        EXPECT_EQ(seen.find(nsid(2)) != nullptr, host == seeing);
        EXPECT_NE(seen.find(nsid(1)), nullptr);
        EXPECT_EQ(seen.find(nsid(71)), nullptr);
        return seen.count();
    };
    EXPECT_EQ(count_for(seeing), 70u);
    EXPECT_EQ(count_for(blind), 35u);
    EXPECT_EQ(seen_namespaces(s).count(), 70u);
}

TEST(seen_namespaces, nobody_is_a_choice_too) {
    const host_list nobody = in_order({.all = false, .named = {}});
    EXPECT_FALSE(has(nobody, seeing));
    EXPECT_TRUE(has(in_order({}), seeing));
    const host_list two = in_order({.all = false, .named = {seeing, blind}});
    EXPECT_TRUE(has(two, seeing) && has(two, blind));
    EXPECT_FALSE(has(two, seeing + "x"));
}

// However a host cuts the page, it gets the same bytes, and nothing of what is hidden.
TEST(seen_namespaces, an_ana_log_with_gaps_reads_the_same_in_any_pieces) {
    const subsystem_description s = half_hidden(9);
    hidden_namespaces bits;
    ASSERT_TRUE(bits.make_room(s.namespace_limit));
    s.hide_from(blind, bits);
    ana_changes changes;
    for (int i = 0; i < 3; ++i) changes.begin();
    for (const bool groups_only : {false, true}) {
        const ana_log log(seen_namespaces(s, bits), 0, changes, groups_only);
        std::vector<std::byte> whole(log.size_bytes());
        log.copy(0, whole);
        const auto header = *nvme::read_wire<nvme::ana_log_header>(whole);
        EXPECT_EQ(header.groups.value(), 5u);
        EXPECT_EQ(header.change_count.value(), 3u);
        const std::size_t each = groups_only ? 32 : 36;
        ASSERT_EQ(whole.size(), 16 + 5 * each);
        for (std::uint32_t i = 0; i < 5; ++i) {
            const auto group = *nvme::read_wire<nvme::ana_group_descriptor>(
                std::span(whole).subspan(16 + i * each));
            EXPECT_EQ(group.group_id.value(), 2 * i + 1);
        }
        for (const std::size_t piece : {4u, 20u, 36u, 40u}) {
            std::vector<std::byte> pieces(whole.size());
            for (std::size_t at = 0; at < pieces.size(); at += piece)
                log.copy(at, std::span(pieces).subspan(at, std::min(piece, pieces.size() - at)));
            EXPECT_EQ(pieces, whole) << piece;
        }
    }
}

TEST(seen_namespaces, a_list_has_no_gaps) {
    const subsystem_description s = half_hidden(9);
    hidden_namespaces bits;
    ASSERT_TRUE(bits.make_room(s.namespace_limit));
    s.hide_from(blind, bits);
    const nvme::namespace_list list = make_namespace_list(seen_namespaces(s, bits), 2);
    const std::vector<std::uint32_t> expected{3, 5, 7, 9, 0};
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(list.nsid[i].value(), expected[i]);
}

TEST(visibility_policy, what_is_hidden_is_answered_like_what_is_not_there) {
    using namespace policy;
    EXPECT_EQ(visibility(true, false).says, word::pass);
    EXPECT_EQ(visibility(true, true).says, word::answer);
    EXPECT_EQ(visibility(true, true).status, visibility(false, false).status);
    EXPECT_EQ(visibility(false, false).status, nvme::sc::invalid_namespace_or_format.no_retry());
}

}  // namespace
}  // namespace fulmar::core
