// The three-way merge over small worlds: for every kind of object, every combination of what the
// file said, what it says, what is configured and who made it, by rules that are written down here
// a second time; and the sequences in which operators and REST meet.
#include "config_merge.hpp"

#include "read_history.hpp"

#include <fulmar/admin/config.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>

namespace fulmar::admin {
namespace {

using kind = object_kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::history_of;

const std::string merged_nqn = "nqn.2026-11.io.fulmar:s";
const std::string other = "nqn.2026-11.io.fulmar:other";

core::target_spec frame() {
    core::target_spec spec;
    spec.listeners = {{"tcp", "127.0.0.1", 4420}};
    spec.devices = {{.name = "a", .type = "ram", .size_bytes = 4096},
                    {.name = "b", .type = "ram", .size_bytes = 4096}};
    core::subsystem_spec subsystem;
    subsystem.nqn = merged_nqn;
    subsystem.serial = "S";
    spec.subsystems = {subsystem};
    return spec;
}

/// An object of a kind: how a configuration gets it, in one of several versions.
struct subject {
    object_key key;
    std::string field;  ///< in which the versions differ; empty: there is one version only
    std::function<void(core::target_spec&, int version)> add;
};

std::vector<subject> subjects() {
    return {
        {{kind::listener, "tcp:192.0.2.1:1"},
         "",
         [](core::target_spec& spec, int) {
             spec.listeners.push_back({"tcp", "192.0.2.1", 1});
         }},
        {{kind::device, "x"},
         "size",
         [](core::target_spec& spec, int version) {
             spec.devices.push_back(
                 {.name = "x", .type = "ram", .size_bytes = 512u * (1u + unsigned(version))});
         }},
        {{kind::device, "f"},
         "path",
         [](core::target_spec& spec, int version) {
             spec.devices.push_back({.name = "f",
                                     .type = "file",
                                     .size_bytes = 512,
                                     .path = "/f" + std::to_string(version)});
         }},
        {{kind::subsystem, other},
         "model",
         [](core::target_spec& spec, int version) {
             core::subsystem_spec subsystem;
             subsystem.nqn = other;
             subsystem.serial = "T";
             subsystem.model = "M" + std::to_string(version);
             spec.subsystems.push_back(subsystem);
         }},
        {{kind::name_space, merged_nqn, "7"},
         "device",
         [](core::target_spec& spec, int version) {
             const std::string device = version == 0 ? "a" : version == 1 ? "b" : "c";
             if (version == 2)
                 spec.devices.push_back({.name = "c", .type = "ram", .size_bytes = 512});
             spec.subsystems[0].namespaces.push_back({.nsid = 7, .device = device});
         }},
        {{kind::host, merged_nqn, "nqn.2014-08.x:h"},
         "",
         [](core::target_spec& spec, int) {
             spec.subsystems[0].hosts.push_back("nqn.2014-08.x:h");
         }},
        {{kind::referral, "tcp:192.0.2.9:8009"},
         "",
         [](core::target_spec& spec, int) {
             spec.referrals.push_back({"tcp", "192.0.2.9", 8009});
         }},
    };
}

core::target_spec with(const subject& what, std::optional<int> version) {
    core::target_spec spec = frame();
    // A version that needs a device finds it on every side.
    spec.devices.push_back({.name = "c", .type = "ram", .size_bytes = 512});
    if (!version) return spec;
    core::target_spec added = frame();
    what.add(added, *version);
    std::erase_if(added.devices, [](const auto& d) { return d.name == "c"; });
    added.devices.push_back({.name = "c", .type = "ram", .size_bytes = 512});
    return added;
}

const object_fields* found(const core::target_spec& spec, const object_key& key) {
    static config_objects all;
    all = objects_of(spec);
    return all.find(key);
}

std::optional<object_fields> state(const core::target_spec& spec, const object_key& key) {
    const object_fields* fields = found(spec, key);
    return fields == nullptr ? std::nullopt : std::optional(*fields);
}

struct world {
    subject what;
    std::optional<int> base, file, rest;
    bool from_file = true;
    merge_rules rules;
};

void for_every_world(const std::function<void(const world&)>& run) {
    const std::vector<std::optional<int>> states{std::nullopt, 0, 1, 2};
    for (const subject& what : subjects()) {
        const std::size_t versions = what.field.empty() ? 2 : states.size();
        for (std::size_t b = 0; b < versions; ++b)
            for (std::size_t f = 0; f < versions; ++f)
                for (std::size_t c = 0; c < versions; ++c)
                    for (const unsigned bits : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u})
                        run({what, states[b], states[f], states[c], (bits & 1) != 0,
                             merge_rules{(bits & 2) != 0, (bits & 4) != 0}});
    }
}

/// Refused, or which version (or none) there shall be.
struct expectation {
    bool refused = false;
    std::optional<int> version;
};

expectation expected(const world& w) {
    const bool files_own = w.from_file && w.base.has_value();
    const auto contest = [&]() -> expectation {
        if (!w.rules.force) return {true, std::nullopt};
        return {false, w.file};
    };
    if (w.file == w.rest) return {false, w.rest};
    if (!w.file) {  // the file lacks what is configured
        if (!files_own) return {false, w.rules.prune ? std::nullopt : w.rest};
        return w.rest == w.base ? expectation{false, std::nullopt} : contest();
    }
    if (!w.rest) {  // what the file has is not configured
        if (!w.base) return {false, w.file};
        return w.file == w.base ? expectation{false, std::nullopt} : contest();
    }
    if (w.base && w.rest == w.base) return {false, w.file};
    if (w.base && w.file == w.base) return {false, w.rest};
    return contest();
}

TEST(config_merge, holds_its_rules_in_every_small_world) {
    std::size_t worlds = 0;
    for_every_world([&](const world& w) {
        ++worlds;
        merge_sides sides{with(w.what, w.base), with(w.what, w.file), with(w.what, w.rest), {}};
        sides.file_made = all_objects(sides.base);
        if (!w.from_file) sides.file_made.erase(w.what.key);
        const merge_result result = merge(sides, w.rules);
        expectation wanted = expected(w);
        const auto told = [&] {
            const auto text = [](std::optional<int> v) {
                return v ? std::to_string(*v) : std::string("-");
            };
            return w.what.key.text() + ": base " + text(w.base) + ", file " + text(w.file) +
                   ", rest " + text(w.rest) + (w.from_file ? ", the file's" : ", REST's") +
                   (w.rules.prune ? ", prune" : "") + (w.rules.force ? ", force" : "");
        };
        // Whatever anybody says: a device that is there does not become smaller.
        const bool shrinks = w.what.key.name == "x" && w.rest && wanted.version &&
                             *wanted.version < *w.rest && !wanted.refused;
        if (shrinks) wanted = {true, std::nullopt};
        ASSERT_EQ(!result.conflicts.empty(), wanted.refused) << told();
        if (wanted.refused) {
            ASSERT_EQ(result.conflicts[0].object, w.what.key) << told();
            ASSERT_FALSE(result.conflicts[0].remedy.empty()) << told();
            return;
        }
        ASSERT_EQ(state(result.spec, w.what.key), state(with(w.what, wanted.version), w.what.key))
            << told();
        // Nothing beside it is touched.
        for (const auto& [key, fields] : objects_of(frame()).fields)
            ASSERT_EQ(state(result.spec, key), std::optional(fields)) << told();
        // What is not followed in the file is said; and REST's word is not lost in silence.
        const bool not_followed = state(result.spec, w.what.key) != state(sides.file, w.what.key);
        const bool lost = w.rest != w.base &&
                          state(result.spec, w.what.key) != state(sides.configured, w.what.key);
        if (not_followed || lost) {
            ASSERT_FALSE(result.notes.empty()) << told();
        }
        if (lost) {
            ASSERT_TRUE(result.drops()) << told();
        }
    });
    EXPECT_GT(worlds, 1500u);
}

// Once merged, the file and what is configured have settled: merging again changes nothing, and
// what REST made is REST's still.
TEST(config_merge, is_settled_afterwards) {
    for_every_world([&](const world& w) {
        if (w.rules.prune || w.rules.force) return;
        merge_sides sides{with(w.what, w.base), with(w.what, w.file), with(w.what, w.rest), {}};
        sides.file_made = all_objects(sides.base);
        if (!w.from_file) sides.file_made.erase(w.what.key);
        const merge_result once = merge(sides, {});
        if (!once.conflicts.empty()) return;
        const merge_result again = merge({sides.file, sides.file, once.spec, once.file_made}, {});
        ASSERT_THAT(again.conflicts, IsEmpty()) << w.what.key.text();
        ASSERT_EQ(objects_of(again.spec).fields, objects_of(once.spec).fields);
        ASSERT_EQ(again.file_made, once.file_made);
    });
}

core::target_spec with_size(std::uint64_t bytes) {
    core::target_spec spec = frame();
    spec.devices[0].size_bytes = bytes;
    return spec;
}

merge_sides sides_of(core::target_spec base, core::target_spec file, core::target_spec configured) {
    merge_sides sides{std::move(base), std::move(file), std::move(configured), {}};
    sides.file_made = all_objects(sides.base);
    return sides;
}

TEST(config_merge, an_older_file_does_not_cut_off_what_rest_has_grown) {
    core::target_spec file = with_size(4096);
    file.subsystems[0].allow_any_host = true;  // something else is edited
    const merge_result result = merge(sides_of(with_size(4096), file, with_size(8192)), {});
    ASSERT_THAT(result.conflicts, IsEmpty());
    EXPECT_EQ(result.spec.devices[0].size_bytes, 8192u);
    EXPECT_TRUE(result.spec.subsystems[0].allow_any_host);
    ASSERT_EQ(result.notes.size(), 1u);
    EXPECT_THAT(result.notes[0].text(), HasSubstr("device a: size"));
}

TEST(config_merge, a_conflict_names_object_field_and_all_three_values) {
    const merge_sides sides = sides_of(with_size(4096), with_size(16384), with_size(8192));
    const merge_result result = merge(sides, {});
    ASSERT_EQ(result.conflicts.size(), 1u);
    EXPECT_THAT(result.conflicts[0].text(),
                testing::AllOf(HasSubstr("device a, size"), HasSubstr("4096"), HasSubstr("16384"),
                               HasSubstr("8192")));
    EXPECT_THAT(result.conflicts[0].remedy, HasSubstr("force"));
    const merge_result forced = merge(sides, {.force = true});
    ASSERT_THAT(forced.conflicts, IsEmpty());
    EXPECT_EQ(forced.spec.devices[0].size_bytes, 16384u);
    EXPECT_TRUE(forced.drops());
}

TEST(config_merge, not_even_force_makes_a_device_smaller) {
    for (const bool force : {false, true}) {
        const merge_result result =
            merge(sides_of(with_size(8192), with_size(4096), with_size(8192)), {.force = force});
        ASSERT_EQ(result.conflicts.size(), 1u);
        EXPECT_FALSE(result.conflicts[0].can_force);
        EXPECT_THAT(result.conflicts[0].remedy, HasSubstr("--shrink"));
    }
    core::target_spec elsewhere = with_size(4096);
    elsewhere.devices[0].type = "null";
    EXPECT_THAT(merge(sides_of(with_size(8192), elsewhere, with_size(8192)), {}).conflicts,
                IsEmpty());
}

// A subsystem that the file removes while REST has given it a namespace, and the other way round.
TEST(config_merge, what_a_subsystem_has_counts_as_its_own) {
    const core::target_spec base = frame();
    core::target_spec gone = base;
    gone.subsystems.clear();
    core::target_spec grown = base;
    grown.subsystems[0].namespaces = {{.nsid = 1, .device = "a"}};
    const merge_result refused = merge(sides_of(base, gone, grown), {});
    ASSERT_EQ(refused.conflicts.size(), 1u);
    EXPECT_THAT(refused.conflicts[0].text(), HasSubstr("namespace " + merged_nqn + "/1 was added"));
    EXPECT_TRUE(merge(sides_of(base, gone, grown), {.force = true}).spec.subsystems.empty());
    EXPECT_TRUE(merge(sides_of(base, gone, grown), {.prune = true}).spec.subsystems.empty());

    const merge_result other_way = merge(sides_of(base, grown, gone), {});
    ASSERT_EQ(other_way.conflicts.size(), 1u);
    const merge_result back = merge(sides_of(base, grown, gone), {.force = true});
    ASSERT_EQ(back.spec.subsystems.size(), 1u);
    EXPECT_EQ(back.spec.subsystems[0].namespaces.size(), 1u);
    // Nobody has touched it in the file: it stays away, with all that it had.
    const merge_result away = merge(sides_of(grown, grown, gone), {});
    EXPECT_THAT(away.conflicts, IsEmpty());
    EXPECT_TRUE(away.spec.subsystems.empty());
}

TEST(config_merge, a_device_that_rest_uses_is_not_taken_away) {
    core::target_spec file = frame();
    file.devices.erase(file.devices.begin());
    core::target_spec configured = frame();
    configured.subsystems[0].namespaces = {{.nsid = 1, .device = "a"}};
    const merge_result result = merge(sides_of(frame(), file, configured), {});
    ASSERT_EQ(result.conflicts.size(), 1u);
    EXPECT_THAT(result.conflicts[0].text(), HasSubstr("device a"));
    EXPECT_THAT(result.conflicts[0].remedy, HasSubstr("namespace " + merged_nqn + "/1"));
    // Both give it to a namespace.
    core::target_spec both = frame();
    both.subsystems[0].namespaces = {{.nsid = 2, .device = "a"}};
    EXPECT_EQ(merge(sides_of(frame(), both, configured), {}).conflicts.size(), 1u);
}

TEST(config_merge, what_a_file_leaves_open_fits_what_the_target_chose) {
    core::target_spec file = frame();
    file.subsystems[0].namespaces = {{.nsid = 1, .device = "a"}};
    core::target_spec configured = file;
    configured.subsystems[0].namespaces[0].uuid = "0e7b6a3e-6a5c-4e1a-8f3e-000000000001";
    const merge_result added = merge(sides_of(frame(), file, configured), {});
    ASSERT_THAT(added.conflicts, IsEmpty());
    EXPECT_EQ(added.spec.subsystems[0].namespaces[0].uuid,
              configured.subsystems[0].namespaces[0].uuid);
    EXPECT_TRUE(added.file_made.contains({kind::name_space, merged_nqn, "1"}))
        << "the file has it by now";
    // An identity that the file named once, and names no more, does not change.
    const merge_result dropped = merge(sides_of(configured, file, configured), {});
    EXPECT_EQ(dropped.spec.subsystems[0].namespaces[0].uuid,
              configured.subsystems[0].namespaces[0].uuid);
}

// --- the history ---------------------------------------------------------------------------------

// Operators push their own file again and again: after a fold has put REST's changes into it, too.
TEST(config_history, the_operators_file_is_known_again_behind_a_fold) {
    const core::target_spec own = frame();
    core::target_spec folded = with_size(8192);
    folded.referrals = {{"tcp", "192.0.2.9", 8009}};
    config_history history = history_of(own);
    history.follow(core::add_referral{folded.referrals[0]});
    history.written = {"written", folded};

    core::target_spec pushed = own;  // with news of its own
    pushed.subsystems[0].allow_any_host = true;
    ASSERT_EQ(history.ancestor_of({"pushed", pushed}).digest, "read");
    const merge_result kept = merge(
        {history.ancestor_of({"pushed", pushed}).spec, pushed, folded, history.file_made}, {});
    ASSERT_THAT(kept.conflicts, IsEmpty());
    EXPECT_EQ(kept.spec.devices[0].size_bytes, 8192u);
    EXPECT_EQ(kept.spec.referrals.size(), 1u);
    EXPECT_TRUE(kept.spec.subsystems[0].allow_any_host);

    core::target_spec edited = folded;  // by hand, what was folded
    edited.devices[0].size_bytes = 16384;
    ASSERT_EQ(history.ancestor_of({"edited", edited}).digest, "written");
    const merge_result taken = merge(
        {history.ancestor_of({"edited", edited}).spec, edited, folded, history.file_made}, {});
    ASSERT_THAT(taken.conflicts, IsEmpty());
    EXPECT_EQ(taken.spec.devices[0].size_bytes, 16384u);
}

TEST(config_history, what_rest_removes_and_makes_again_is_rests) {
    config_history history = history_of(frame());
    EXPECT_TRUE(history.file_made.contains({kind::subsystem, merged_nqn}));
    history.follow(core::delete_subsystem{merged_nqn});
    core::subsystem_spec again;
    again.nqn = merged_nqn;
    history.follow(core::create_subsystem{again});
    EXPECT_FALSE(history.file_made.contains({kind::subsystem, merged_nqn}));
    EXPECT_TRUE(history.file_made.contains({kind::device, "a"}));
}

TEST(config_history, survives_its_form) {
    core::target_spec spec = frame();
    spec.devices[0].name = "a/\"b\" c";
    config_history history = history_of(spec);
    EXPECT_EQ(decode_history(encode(history), "h").value(), history);
    history.written = {"w", with_size(8192)};
    const std::string text = encode(history);
    EXPECT_EQ(decode_history(text, "h").value(), history);
    for (std::size_t i = 0; i < text.size(); i += 7) {
        std::string damaged = text;
        damaged[i] ^= 1;
        EXPECT_FALSE(decode_history(damaged, "h").has_value()) << i;
        EXPECT_FALSE(decode_history(text.substr(0, i), "h").has_value()) << i;
    }
}

// Lost or never there: what might have been folded counts as REST's, and stays.
TEST(config_history, begins_by_what_the_file_looks_like) {
    const std::string by_hand = R"({"devices": [{"name": "a", "type": "ram", "size": 512}]})";
    const core::target_spec spec = parse_config(by_hand).value().spec;
    EXPECT_EQ(config_history::first(by_hand, {"d", spec}).file_made.size(), 1u);
    const std::string ours = render_config(by_hand, spec);
    EXPECT_THAT(config_history::first(ours, {"d", spec}).file_made, IsEmpty());
}

}  // namespace
}  // namespace fulmar::admin
