// What is added over REST stops short of what the next start can read of the configuration file.
#include "json_tree.hpp"
#include "model_json.hpp"
#include "spec_editor.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/core/fields/field_compare.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

namespace fulmar::admin {
namespace {

constexpr auto largest32 = std::numeric_limits<std::uint32_t>::max();
constexpr auto largest16 = std::numeric_limits<std::uint16_t>::max();

std::size_t values_of(const nlohmann::ordered_json& node) {
    std::size_t out = 1;
    if (node.is_structured())
        for (const auto& inner : node) out += values_of(inner);
    return out;
}

core::file_room written(const core::target_spec& spec) {
    const std::string text = render_config("{}", spec);
    return {text.size(), values_of(nlohmann::ordered_json::parse(text))};
}

core::file_room claimed(const core::target_spec& spec) {
    core::claim_book book;
    const auto take = [&](const std::vector<core::spec_claim>& claims) {
        for (const core::spec_claim& claim : claims) book.take(claim, "x");
    };
    for (const auto& one : spec.listeners) take(core::claims_of(one));
    for (const auto& one : spec.referrals) take(core::claims_of(one));
    for (const auto& one : spec.devices) take(core::claims_of(one, ""));
    for (const auto& one : spec.subsystems) {
        take(core::claims_of(one));
        for (const auto& ns : one.namespaces) take(core::claims_of(ns, one.nqn));
        for (const auto& host : one.hosts) take(core::claims_of_host(host, one.nqn));
    }
    return book.room();
}

/// Every member that is written, as long as it may be.
core::target_spec everything(std::size_t times) {
    core::target_spec out;
    for (std::size_t i = 0; i < times; ++i) {
        out.listeners.push_back({"rdma", std::string(45, 'a'), largest16});
        out.referrals.push_back({"rdma", std::string(45, 'a'), largest16});
        core::device_spec file;
        file.name = fmt::format("file{}\"\\", i);
        file.type = "file";
        file.size_bytes = (std::uint64_t{1} << 60) - 512;
        file.block_bytes = 4096;
        file.path = "/dev/\"disk\"\\\x01";
        file.create = true;
        file.direct = false;
        file.write_cache = core::write_cache_mode::through;
        file.description = "the \"left\" one";
        core::device_spec drive;
        drive.name = fmt::format("drive{}", i);
        drive.type = "pcie";
        drive.size_bytes = file.size_bytes;
        drive.address = "ffff:ff:1f.7";
        drive.serial = "12345678901234567890";
        drive.drive_nsid = largest32;
        drive.bind = false;
        drive.detached = true;
        drive.write_cache = core::write_cache_mode::through;
        core::subsystem_spec s;
        s.nqn = fmt::format("nqn.2026-11.io.fulmar:{}", i);
        s.serial = "12345678901234567890";
        s.model = "another one";
        s.hosts = {"host \"one\"", "host two"};
        s.listeners = {"rdma:[fe80::1%eth0]:65535", "tcp:127.0.0.1:4420"};
        s.min_cntlid = largest16 - 1;
        s.max_cntlid = largest16;
        s.max_namespaces = limits::max_namespaces;
        s.paused = true;
        s.description = std::string(limits::max_description_bytes, '"');
        for (const std::string& device : {file.name, drive.name}) {
            core::namespace_spec ns;
            ns.nsid = largest32 - static_cast<std::uint32_t>(s.namespaces.size());
            ns.device = device;
            ns.uuid = "aa000000-0000-4000-8000-000000000001";
            ns.nguid = "aa000000000040008000000000000001";
            ns.ana = core::ana_state::non_optimized;
            ns.on_loss = core::loss_policy::hold;
            ns.park_ms = ns.hold_s = largest32;
            ns.visible_to = {.all = false, .named = {s.hosts.front()}};
            ns.description = "the \"database\"";
            s.namespaces.push_back(ns);
        }
        out.devices.push_back(file);
        out.devices.push_back(drive);
        out.subsystems.push_back(s);
    }
    return out;
}

TEST(config_room, objects_take_no_more_than_their_claims_say) {
    const core::file_room one = written(everything(1));
    const core::file_room ten = written(everything(10));
    const core::file_room reckoned = claimed(everything(9));
    EXPECT_LE(ten.bytes - one.bytes, reckoned.bytes);
    EXPECT_LE(ten.values - one.values, reckoned.values);
    EXPECT_LT(reckoned.bytes, (ten.bytes - one.bytes) * 3 / 2) << "it is a close bound";
}

TEST(config_room, as_many_devices_and_namespaces_as_there_may_be_have_room) {
    core::target_spec spec;
    for (std::uint32_t i = 0; i < limits::max_devices; ++i) {
        core::device_spec device;
        device.name = fmt::format("volume-{}", i);
        device.type = "file";
        device.path = fmt::format("/srv/storage/customers/some-customer/volumes/volume-{}.img", i);
        spec.devices.push_back(device);
        if (i % limits::max_namespaces == 0) {
            spec.subsystems.emplace_back();
            spec.subsystems.back().nqn = fmt::format("nqn.2026-11.io.fulmar:customer-{}", i);
        }
        core::namespace_spec ns;
        ns.nsid = i % limits::max_namespaces + 1;
        ns.device = device.name;
        spec.subsystems.back().namespaces.push_back(ns);
    }
    const core::file_room room = claimed(spec);
    EXPECT_LE(room.bytes, limits::max_objects_bytes);
    EXPECT_LE(room.values, limits::max_objects_values);
}

TEST(config_room, what_is_added_is_refused_before_the_file_cannot_be_read) {
    spec_editor editor({});
    const auto with_hosts = [](std::size_t number) {
        core::create_subsystem out;
        out.spec.nqn = fmt::format("nqn.2026-11.io.fulmar:{}", number);
        for (std::size_t i = 0; i < limits::max_hosts; ++i)
            out.spec.hosts.push_back(fmt::format("{:0>223}", i));
        return core::change(out);
    };
    std::size_t made = 0;
    result<void> outcome;
    for (; made < limits::max_subsystems; ++made) {
        core::change wanted = with_hosts(made);
        outcome = editor.hold(wanted);
        if (!outcome) break;
        ASSERT_TRUE(editor.follow(wanted).has_value());
        editor.release(wanted);
    }
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error().code, errc::limit_reached) << outcome.error().text();
    const std::string text = render_config("{}", editor.spec());
    EXPECT_GT(text.size(), limits::max_objects_bytes * 9 / 10);
    problem_list problems;
    EXPECT_TRUE(parse_json(text, config_bounds, problems).has_value());

    ASSERT_TRUE(editor.apply(core::delete_subsystem{"nqn.2026-11.io.fulmar:1"}).has_value());
    core::change again = with_hosts(made);
    EXPECT_TRUE(editor.hold(again).has_value()) << "what was removed leaves its room";
    editor.release(again);
    EXPECT_TRUE(editor.hold(again).has_value()) << "and so does what came to nothing";
    editor.release(again);
}

core::change description_of(std::size_t subsystem, char with) {
    core::subsystem_spec wanted;
    wanted.description = std::string(limits::max_description_bytes, with);
    return core::modify_subsystem{fmt::format("nqn.2026-11.io.fulmar:{}", subsystem),
                                  core::edits_between(core::subsystem_spec{}, wanted)};
}

TEST(config_room, a_text_that_grows_takes_room_and_gives_it_back) {
    core::target_spec spec = everything(2);
    spec_editor editor(spec);
    const auto check = [&] {
        const core::file_room room = written(editor.spec());
        EXPECT_LE(room.bytes, claimed(editor.spec()).bytes + 200) << "with the lists of objects";
    };
    core::change longer = description_of(1, '"');
    ASSERT_TRUE(editor.hold(longer).has_value());
    ASSERT_TRUE(editor.follow(longer).has_value());
    editor.release(longer);
    check();
    core::subsystem_spec plain;
    plain.description = "x";
    ASSERT_TRUE(
        editor
            .apply(core::modify_subsystem{"nqn.2026-11.io.fulmar:1",
                                          core::edits_between(core::subsystem_spec{}, plain)})
            .has_value());
    check();
    EXPECT_EQ(editor.spec().subsystems[1].description, "x");
}

}  // namespace
}  // namespace fulmar::admin
