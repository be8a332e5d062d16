// Reload: the difference between two configurations leads from one to the other, every step is
// possible when its turn comes, and nothing that is the same is touched.
#include "spec_diff.hpp"

#include "change_json.hpp"
#include "random_spec.hpp"
#include "spec_editor.hpp"

#include <fulmar/core/spec_changes.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fulmar::admin {
namespace {

using testing_support::sorted;
using testing_support::spec_generator;

std::vector<std::string> described(const std::vector<core::change>& changes) {
    std::vector<std::string> out;
    for (const core::change& change : changes) out.push_back(describe(change));
    return out;
}

TEST(spec_diff, leads_from_any_configuration_to_any_other) {
    for (std::uint64_t seed = 0; seed < 3000; ++seed) {
        SCOPED_TRACE(seed);
        spec_generator random(seed);
        const core::target_spec from = random.target();
        const core::target_spec to = random.target();
        spec_editor editor(from);
        for (const core::change& change : diff(from, to)) {
            const auto outcome = editor.apply(change);
            ASSERT_TRUE(outcome.has_value()) << describe(change) << ": " << outcome.error().text();
        }
        ASSERT_EQ(sorted(editor.spec()), sorted(to));
        ASSERT_TRUE(diff(editor.spec(), to).empty());
    }
}

TEST(spec_diff, survives_the_journals_form) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        spec_generator random(seed);
        const core::target_spec from = random.target();
        for (const core::change& change : diff(from, random.target())) {
            problem_list problems;
            const auto tree = parse_json(to_json(change).dump(), body_bounds, problems);
            ASSERT_TRUE(tree.has_value());
            const auto again = read_change({&*tree, ""}, problems);
            ASSERT_TRUE(again.has_value()) << problems.first("").text();
            ASSERT_EQ(to_json(*again), to_json(change));
        }
    }
}

TEST(spec_diff, a_drives_detachment_is_followed_and_nothing_else) {
    core::target_spec here;
    here.devices = {{.name = "d", .type = "pcie", .address = "0000:0b:00.0"}};
    core::target_spec away = here;
    away.devices[0].detached = true;
    EXPECT_EQ(described(diff(here, away)),
              (std::vector<std::string>{R"(detach device {"name":"d","drain":false})"}));
    EXPECT_EQ(described(diff(away, here)),
              (std::vector<std::string>{R"(attach device {"name":"d"})"}));
    spec_editor editor(core::target_spec{.devices = {{.name = "r", .type = "ram"}}});
    EXPECT_EQ(editor.apply(core::detach_device{"r", false}).error().code, errc::not_supported);
    EXPECT_EQ(editor.apply(core::detach_device{"x", false}).error().code, errc::not_found);
}

core::target_spec small() {
    core::target_spec spec;
    spec.listeners = {{"tcp", "127.0.0.1", 4420}};
    spec.devices = {{.name = "a", .type = "ram", .size_bytes = 4096},
                    {.name = "b", .type = "file", .size_bytes = 8192, .path = "/b"}};
    core::subsystem_spec subsystem;
    subsystem.nqn = "nqn.2026-11.io.fulmar:s";
    subsystem.serial = "derived";
    subsystem.hosts = {"nqn.2014-08.x:h1"};
    subsystem.namespaces = {{.nsid = 1, .device = "a", .uuid = "u1", .nguid = "g1"}};
    spec.subsystems = {subsystem};
    return spec;
}

TEST(spec_diff, takes_open_values_as_they_are) {
    core::target_spec wanted = small();
    wanted.subsystems[0].serial.clear();
    wanted.subsystems[0].namespaces[0].uuid.clear();
    wanted.subsystems[0].namespaces[0].nguid.clear();
    wanted.devices[1].size_bytes = 0;
    wanted.listeners[0].port = 0;
    EXPECT_THAT(described(diff(small(), wanted)), testing::IsEmpty());
}

TEST(spec_diff, resizes_without_taking_anything_away) {
    core::target_spec wanted = small();
    wanted.devices[0].size_bytes = 16384;
    EXPECT_THAT(described(diff(small(), wanted)),
                testing::ElementsAre("resize device {\"name\":\"a\",\"size\":16384}"));
}

TEST(spec_diff, replaces_a_device_under_the_same_namespace) {
    core::target_spec wanted = small();
    wanted.devices[0].block_bytes = 4096;
    wanted.subsystems[0].namespaces[0].uuid.clear();
    const auto changes = diff(small(), wanted);
    EXPECT_THAT(described(changes),
                testing::ElementsAre(testing::StartsWith("remove namespace"),
                                     testing::StartsWith("delete device"),
                                     testing::StartsWith("create device"),
                                     testing::AllOf(testing::StartsWith("add namespace"),
                                                    testing::HasSubstr("\"uuid\":\"u1\""))));
}

TEST(spec_diff, closes_the_door_only_behind_those_who_may_stay) {
    core::target_spec running = small();
    running.subsystems[0].allow_any_host = true;
    core::target_spec wanted = small();
    wanted.subsystems[0].hosts = {"nqn.2014-08.x:h2"};
    EXPECT_THAT(described(diff(running, wanted)),
                testing::ElementsAre(testing::StartsWith("add host"),
                                     testing::StartsWith("set allow any host"),
                                     testing::StartsWith("remove host")));
}

TEST(spec_diff, opens_a_subsystem_whose_list_was_broken_when_the_list_is_whole) {
    core::target_spec running = small();
    running.subsystems[0].hosts.clear();
    running.subsystems[0].closed = true;
    core::target_spec wanted = small();
    wanted.subsystems[0].hosts = {"nqn.2014-08.x:h1", "nqn.2014-08.x:h2"};
    const std::vector<core::change> steps = diff(running, wanted);
    EXPECT_THAT(described(steps), testing::ElementsAre(testing::StartsWith("add host"),
                                                       testing::StartsWith("add host"),
                                                       testing::StartsWith("set allow any host")));
    core::subsystem_spec& now = running.subsystems[0];
    for (const core::change& step : steps) {
        EXPECT_TRUE(now.closed);
        const auto* const add = std::get_if<core::add_host>(&step);
        const result<void> done =
            add != nullptr ? core::apply_change(*add, now)
                           : core::apply_change(std::get<core::set_allow_any_host>(step), now);
        ASSERT_TRUE(done);
    }
    EXPECT_EQ(running, wanted);
}

TEST(spec_diff, makes_a_subsystem_anew_when_its_serial_changes) {
    core::target_spec wanted = small();
    wanted.subsystems[0].serial = "other";
    EXPECT_THAT(described(diff(small(), wanted)),
                testing::ElementsAre(testing::StartsWith("delete subsystem"),
                                     testing::StartsWith("create subsystem")));
    EXPECT_FALSE(diff_subsystem(small().subsystems[0], wanted.subsystems[0]).has_value());
}

/// Of the namespaces that `changes` take away, those that are said to return.
std::vector<std::uint32_t> returning(const std::vector<core::change>& changes) {
    std::vector<std::uint32_t> out;
    for (const core::change& one : changes) {
        if (const auto* removed = std::get_if<core::remove_namespace>(&one); removed != nullptr)
            if (removed->returns) out.push_back(removed->nsid);
        if (const auto* deleted = std::get_if<core::delete_subsystem>(&one); deleted != nullptr)
            out.insert(out.end(), deleted->returning.begin(), deleted->returning.end());
    }
    return out;
}

// What hosts have reserved and protected belongs to a namespace as they know it.
// Hosts try again all the time: one that connects between two steps must meet what is wanted.
TEST(spec_diff, asks_for_keys_before_it_lets_anybody_in) {
    const std::string host = "nqn.2014-08.org:host";
    core::target_spec running = small();
    running.subsystems[0].allow_any_host = false;
    running.subsystems[0].hosts.clear();
    core::target_spec wanted = running;
    core::subsystem_spec& to = wanted.subsystems[0];
    to.hosts = {host};
    to.host_keys = {{.nqn = host, .dhchap_key = "key"}};
    to.allow_any_host = true;
    to.dhchap_required = true;
    spec_editor editor(running);
    for (const core::change& step : diff(running, wanted)) {
        ASSERT_TRUE(editor.apply(step).has_value()) << describe(step);
        const core::subsystem_spec now = editor.spec().subsystems[0];
        if (now.hosts.empty() && !now.allow_any_host) continue;
        EXPECT_EQ(now.host_keys, to.host_keys) << describe(step);
        EXPECT_TRUE(now.dhchap_required) << describe(step);
    }
    EXPECT_EQ(sorted(editor.spec()), sorted(wanted));
}

TEST(spec_diff, says_which_namespaces_return) {
    core::target_spec running = small();
    core::subsystem_spec& first = running.subsystems[0];
    const std::string uuid = "6c5b1a3e-0000-4000-8000-000000000001";
    first.namespaces.at(0).uuid = uuid;
    const std::uint32_t nsid = first.namespaces[0].nsid;

    core::target_spec anew = running;  // the subsystem is, under another serial number
    anew.subsystems[0].serial = "other";
    anew.subsystems[0].namespaces[0].uuid.clear();  // left to us: it stays as it is
    EXPECT_THAT(returning(diff(running, anew)), testing::ElementsAre(nsid));
    EXPECT_THAT(returning(recreation_of(first, anew.subsystems[0])), testing::ElementsAre(nsid));

    core::target_spec storage = running;  // its device is
    storage.devices[0].size_bytes *= 2;
    storage.devices[0].type = "null";
    ASSERT_EQ(storage.devices[0].name, first.namespaces[0].device);
    EXPECT_THAT(returning(diff(running, storage)), testing::ElementsAre(nsid));

    core::target_spec moved = running;  // it is another's now
    moved.subsystems[0].namespaces.clear();
    core::subsystem_spec other = first;
    other.nqn = "nqn.2026-11.io.fulmar:other";
    moved.subsystems.push_back(other);
    EXPECT_THAT(returning(diff(running, moved)), testing::ElementsAre(nsid));

    core::target_spec stranger = running;  // what is there afterwards is another to hosts
    stranger.subsystems[0].namespaces[0].uuid = "6c5b1a3e-0000-4000-8000-000000000002";
    EXPECT_THAT(returning(diff(running, stranger)), testing::IsEmpty());
    core::target_spec gone = running;
    gone.subsystems.clear();
    EXPECT_THAT(returning(diff(running, gone)), testing::IsEmpty());
}

TEST(spec_editor, refuses_what_the_core_would_refuse) {
    spec_editor editor(small());
    const auto code = [&](const core::change& change) { return editor.apply(change).error().code; };
    EXPECT_EQ(code(core::delete_device{"a"}), errc::conflict);
    EXPECT_EQ(code(core::delete_device{"z"}), errc::not_found);
    EXPECT_EQ(code(core::create_device{{.name = "a"}}), errc::already_exists);
    EXPECT_EQ(code(core::add_namespace{"nqn.2026-11.io.fulmar:s", {.nsid = 2, .device = "a"}}),
              errc::conflict);
    EXPECT_EQ(code(core::add_namespace{"nqn.2026-11.io.fulmar:s", {.nsid = 1, .device = "b"}}),
              errc::already_exists);
    EXPECT_EQ(code(core::remove_namespace{"nqn.2026-11.io.fulmar:s", 9}), errc::not_found);
    EXPECT_EQ(code(core::remove_listener{"tcp:127.0.0.1:1"}), errc::not_found);
    EXPECT_EQ(editor.spec(), small());
}

TEST(spec_editor, finds_a_listener_that_the_file_left_a_port_for) {
    core::target_spec spec;
    spec.listeners = {{"tcp", "::1", 0}};
    spec_editor editor(spec);
    EXPECT_TRUE(editor.apply(core::remove_listener{"tcp:[::1]:43210"}).has_value());
    EXPECT_TRUE(editor.spec().listeners.empty());
}

TEST(spec_editor, stays_small_over_many_changes) {
    spec_editor editor({});
    for (int i = 0; i < 200'000; ++i) {
        ASSERT_TRUE(editor.apply(core::create_device{{.name = "d" + std::to_string(i)}}));
        if (i >= 10) {
            ASSERT_TRUE(editor.apply(core::delete_device{"d" + std::to_string(i - 10)}));
        }
    }
    EXPECT_EQ(editor.spec().devices.size(), 10u);
    EXPECT_EQ(editor.spec().devices.front().name, "d199990");
}

TEST(spec_diff, finds_what_would_become_smaller) {
    const core::target_spec running = small();
    core::target_spec wanted = running;
    wanted.devices[0].size_bytes = 8192;
    EXPECT_TRUE(find_shrunken(running, wanted).empty());
    wanted.devices[1].size_bytes = 0;  // whatever the file has
    EXPECT_TRUE(find_shrunken(running, wanted).empty());
    wanted.devices[1].size_bytes = 4096;
    wanted.devices[1].direct = false;  // made anew, on the same file
    const auto found = find_shrunken(running, wanted);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].name, "b");
    EXPECT_EQ(found[0].running_bytes, 8192u);
    EXPECT_EQ(found[0].wanted_bytes, 4096u);
    wanted.devices[1].path = "/another";
    EXPECT_TRUE(find_shrunken(running, wanted).empty());
}

}  // namespace
}  // namespace fulmar::admin
