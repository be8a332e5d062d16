// The words that scenarios are written in.
#pragma once

#include "world.hpp"

#include <fulmar/nvme/registers.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace fulmar::sim {

namespace sc = nvme::sc;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline const std::string one = "nqn.2024-01.sim:one";
inline const std::string two = "nqn.2024-01.sim:two";

inline core::subsystem_spec subsystem(const std::string& nqn, std::vector<std::string> disks) {
    core::subsystem_spec s;
    s.nqn = nqn;
    s.allow_any_host = true;
    std::uint32_t nsid = 0;
    for (std::string& disk : disks) {
        core::namespace_spec n;
        n.nsid = ++nsid;
        n.device = std::move(disk);
        s.namespaces.push_back(n);
    }
    return s;
}

/// Subsystem `one` with namespaces 1 and 2 on disks a and b.
inline world_options options(std::uint64_t data_reactors = 1, std::uint64_t seed = 1) {
    world_options o;
    o.seed = seed;
    o.data_reactors = static_cast<unsigned>(data_reactors);
    o.subsystems = {subsystem(one, {"a", "b"})};
    return o;
}

inline identity host(int number = 0, const std::string& nqn = one,
                     std::optional<std::size_t> group = std::nullopt) {
    identity who;
    who.host = "nqn.2024-01.sim:host-" + std::to_string(number);
    who.host_id = static_cast<std::uint8_t>(number + 1);
    who.subsystem = nqn;
    who.group = group;
    return who;
}

inline core::create_device device(const std::string& name) {
    core::create_device c;
    c.spec.name = name;
    c.spec.type = "sim";
    return c;
}

inline core::namespace_spec on(const std::string& disk, std::uint32_t nsid = 0) {
    core::namespace_spec n;
    n.nsid = nsid;
    n.device = disk;
    return n;
}

/// The host wants to hear of changes to namespaces.
inline void watch_namespaces(world& w, queue& admin) {
    constexpr std::uint32_t attribute_notices = 1u << 8;
    const auto set = admin.admin(nvme::admin_opcode::set_features, 0, 0, 0x0b, attribute_notices);
    EXPECT_TRUE(w.wait(set) && set->answered && nvme::is_success(set->status));
}

inline bool succeeded(const command_ref& c) { return c->answered && nvme::is_success(c->status); }

inline ::testing::AssertionResult has(const command_ref& c, nvme::status wanted) {
    if (!c->done) return ::testing::AssertionFailure() << "there is no answer";
    if (!c->answered) return ::testing::AssertionFailure() << "the connection was closed instead";
    if (c->status.is(wanted)) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "it is: " << nvme::describe(c->status);
}

}  // namespace fulmar::sim
