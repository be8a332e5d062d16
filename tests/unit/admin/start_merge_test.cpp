// A start with a file that was edited while the daemon was down, or that an operator has pushed
// over the one that Fulmar had written: the same merge as a reload's.
#include "start_merge.hpp"

#include "read_history.hpp"

#include <fulmar/admin/config.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fulmar::admin {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::history_of;

core::target_spec with(std::vector<std::string> names, std::uint64_t bytes = 512) {
    core::target_spec spec;
    for (std::string& name : names)
        spec.devices.push_back({.name = std::move(name), .type = "ram", .size_bytes = bytes});
    return spec;
}

std::vector<std::string> names_of(const core::target_spec& spec) {
    std::vector<std::string> out;
    for (const core::device_spec& device : spec.devices) out.push_back(device.name);
    return out;
}

const core::device_spec by_rest{.name = "rest", .type = "ram", .size_bytes = 512};

std::vector<journal_record> journal_on(const std::string& digest,
                                       std::vector<core::change> changes) {
    std::vector<journal_record> out{{1, 1, base_record{digest, 1, std::nullopt}}};
    for (core::change& change : changes) {
        const std::uint64_t next = out.size() + 1;
        out.push_back({next, next, change_record{std::move(change), next}});
    }
    return out;
}

start_state start(const std::optional<config_history>& known,
                  const std::vector<journal_record>& records, const config_history::version& file) {
    return decide_start(known, records, file, "{}", "/folder");
}

TEST(start_merge, an_unedited_file_takes_the_journals_changes) {
    const start_state out =
        start(history_of(with({"a"})), journal_on("read", {core::create_device{by_rest}}),
              {"read", with({"a"})});
    EXPECT_THAT(names_of(out.after.spec), testing::ElementsAre("a", "rest"));
    EXPECT_FALSE(out.history.file_made.contains({object_kind::device, "rest", {}}));
    EXPECT_TRUE(out.history.file_made.contains({object_kind::device, "a", {}}));
    EXPECT_FALSE(out.merged);
}

TEST(start_merge, an_edit_and_rests_changes_are_merged) {
    const start_state out =
        start(history_of(with({"a", "b"})), journal_on("read", {core::create_device{by_rest}}),
              {"edited", with({"a", "c"})});
    EXPECT_TRUE(out.merged);
    EXPECT_THAT(names_of(out.after.spec), testing::ElementsAre("a", "c", "rest"));
    EXPECT_EQ(out.after.changes, 1u) << "the file does not say it all";
    EXPECT_EQ(out.after.superseded, 0u);
    EXPECT_EQ(out.history.read.digest, "edited");
    EXPECT_FALSE(out.history.file_made.contains({object_kind::device, "rest", {}}));
    EXPECT_THAT(out.notes, testing::ElementsAre(HasSubstr("device rest")));
}

// Folded, stopped, and then the operator's own file is pushed over it: as it was, or edited.
TEST(start_merge, the_operators_own_file_over_a_folded_one_takes_nothing_away) {
    config_history known = history_of(with({"a"}));
    known.written = {"written", with({"a", "rest"})};
    for (const config_history::version& pushed :
         {config_history::version{"read", with({"a"})},
          config_history::version{"edited", with({"a", "b"})}}) {
        const start_state out = start(known, {}, pushed);
        EXPECT_TRUE(out.merged) << pushed.digest;
        EXPECT_THAT(names_of(out.after.spec), testing::Contains("rest")) << pushed.digest;
        EXPECT_EQ(out.after.spec.devices.size(), pushed.spec.devices.size() + 1);
    }
    const start_state untouched = start(known, {}, *known.written);
    EXPECT_FALSE(untouched.merged);
    EXPECT_THAT(names_of(untouched.after.spec), testing::ElementsAre("a", "rest"));
}

TEST(start_merge, a_conflict_leaves_what_was_acknowledged_in_effect) {
    const auto records = journal_on("read", {core::resize_device{.name = "a", .size_bytes = 1024}});
    const start_state out =
        start(history_of(with({"a"})), records, {"edited", with({"a", "b"}, 2048)});
    EXPECT_FALSE(out.merged);
    EXPECT_EQ(out.base_digest, "read") << "the next start tries again";
    ASSERT_THAT(names_of(out.after.spec), testing::ElementsAre("a"));
    EXPECT_EQ(out.after.spec.devices[0].size_bytes, 1024u);
    EXPECT_THAT(out.notes, testing::Contains(HasSubstr("device a, size")));
    EXPECT_TRUE(out.history.knows("read"));
    EXPECT_FALSE(out.history.knows("edited"));
}

TEST(start_merge, what_nobody_remembers_is_the_files_word) {
    const auto records = journal_on("somewhere", {core::create_device{by_rest}});
    for (const bool remembered : {false, true}) {
        const start_state out =
            start(remembered ? std::optional(history_of(with({"a"}))) : std::nullopt, records,
                  {"edited", with({"a", "b"})});
        EXPECT_FALSE(out.merged);
        EXPECT_FALSE(out.after.base_known);
        EXPECT_EQ(out.after.superseded, 1u);
        EXPECT_THAT(names_of(out.after.spec), testing::ElementsAre("a", "b"));
        EXPECT_TRUE(out.history.knows("edited"));
    }
}

}  // namespace
}  // namespace fulmar::admin
