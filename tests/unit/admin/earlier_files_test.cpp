// Files, journals and changes as fulmard 0.1.0 wrote them. The copies in data/ stay as they are:
// what an operator has on disk must load in every later version.
#include "change_json.hpp"
#include "journal_run.hpp"
#include "support/schema_check.hpp"

#include <fulmar/admin/config.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

namespace fulmar::admin {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string earlier(const std::string& name) {
    std::ifstream in(test::source_path("tests/unit/admin/data/" + name));
    return {std::istreambuf_iterator<char>(in), {}};
}

core::target_spec wanted() {
    core::subsystem_spec subsystem{
        .nqn = "nqn.2026-11.io.fulmar:old",
        .serial = "OLD1",
        .model = "Old",
        .hosts = {"nqn.2014-08.org.nvmexpress:uuid:6f1b9b1c-1111-4222-8333-444455556666"},
        .listeners = {"tcp:127.0.0.1:4420"},
        .min_cntlid = 10,
        .max_cntlid = 1000,
        .max_namespaces = 64,
        .paused = true};
    subsystem.namespaces = {{.nsid = 1,
                             .device = "ram0",
                             .uuid = "584d344d-d79c-5084-b831-64343cfafdc8",
                             .nguid = "a6e706c5a0c75574a262195db83886c0",
                             .ana = core::ana_state::non_optimized,
                             .on_loss = core::loss_policy::hold,
                             .park_ms = 100,
                             .hold_s = 5},
                            {.nsid = 2, .device = "file0"}};
    return {
        .listeners = {{"tcp", "127.0.0.1", 4420}, {"tcp", "::1", 4420}},
        .devices = {{.name = "ram0", .type = "ram", .size_bytes = 1024 * 1024, .block_bytes = 4096},
                    {.name = "null0", .type = "null", .size_bytes = 1024 * 1024},
                    {.name = "file0",
                     .type = "file",
                     .size_bytes = 2 * 1024 * 1024,
                     .path = "file0.img",
                     .create = true,
                     .direct = false,
                     .write_cache = core::write_cache_mode::through},
                    {.name = "drive0",
                     .type = "pcie",
                     .address = "0000:0b:00.0",
                     .serial = "S1",
                     .drive_nsid = 2,
                     .bind = false,
                     .detached = true}},
        .subsystems = {subsystem},
        .referrals = {{"rdma", "192.0.2.7", 8009}}};
}

TEST(earlier_files, a_file_of010_says_what_it_said) {
    const std::string text = earlier("file_of_0.1.0.json");
    const config_outcome read = parse_config(text);
    ASSERT_TRUE(read.has_value()) << read.error().first("f").text();
    EXPECT_EQ(read->spec, wanted());
    EXPECT_EQ(read->options.target.max_queue_depth, 128u);
    EXPECT_EQ(read->options.drives.auto_attach.at(0).use.hold_s, 30u);
    // What the file does not say is not written into it.
    const std::string again = render_config(text, read->spec);
    EXPECT_THAT(again, Not(HasSubstr("description")));
    EXPECT_EQ(parse_config(again)->spec, read->spec);
}

TEST(earlier_files, a_journal_of010_says_what_it_said) {
    test::forgetful_disk disk{1};
    disk.put(testing_support::config_path, earlier("journal_of_0.1.0.json"));
    std::string text = earlier("journal_of_0.1.0.json.journal");
    ASSERT_FALSE(text.empty());
    EXPECT_THAT(text, Not(HasSubstr("description")));
    text.resize(1024 * 1024);
    disk.put(testing_support::journal_file, text);
    const testing_support::run one(disk);
    ASSERT_FALSE(one.trouble.has_value()) << one.trouble->text();
    EXPECT_THAT(one.notes, Not(testing::Contains(HasSubstr("skipped"))));
    ASSERT_EQ(one.found.devices.size(), 2u);
    EXPECT_EQ(one.found.devices[1],
              (core::device_spec{.name = "ram1", .type = "ram", .size_bytes = 4096}));
    ASSERT_EQ(one.found.subsystems.size(), 1u);
    EXPECT_EQ(one.found.subsystems[0].namespaces.at(1),
              (core::namespace_spec{.nsid = 2,
                                    .device = "ram1",
                                    .uuid = "484d344d-d79c-5084-b831-64343cfafdc8",
                                    .nguid = "96e706c5a0c75574a262195db83886c0"}));
}

TEST(earlier_files, every_change_of010_is_read) {
    const ordered_json changes = ordered_json::parse(earlier("changes_of_0.1.0.json"));
    std::set<std::size_t> kinds;
    for (const ordered_json& one : changes) {
        SCOPED_TRACE(one.dump());
        problem_list problems;
        const auto tree = parse_json(one.dump(), body_bounds, problems);
        ASSERT_TRUE(tree.has_value());
        const auto change = read_change({&*tree, ""}, problems);
        ASSERT_TRUE(change.has_value()) << problems.first("").text();
        kinds.insert(change->index());
        // Written again it says all of that, and what has come since as its default.
        const ordered_json again = to_json(*change);
        ordered_json patched = again;
        patched.merge_patch(one);
        EXPECT_EQ(ordered_json(patched).dump(), again.dump());
    }
    EXPECT_EQ(kinds.size(), 21u) << "a kind of change of 0.1.0 is missing in the data";
}

}  // namespace
}  // namespace fulmar::admin
