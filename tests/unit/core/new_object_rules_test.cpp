// What a new device, subsystem or namespace must satisfy. Pure functions over plain values.
#include <fulmar/base/limits.hpp>
#include <fulmar/core/new_object_rules.hpp>

#include <gtest/gtest.h>

#include <set>

namespace fulmar::core {
namespace {

const std::string nqn = "nqn.2026-11.io.fulmar:a";

subsystem_spec subsystem_of(std::uint32_t most) {
    subsystem_spec out;
    out.nqn = nqn;
    out.max_namespaces = most;
    return out;
}

TEST(new_device, wants_room_and_a_name_of_its_own) {
    EXPECT_TRUE(check_new_device("a", limits::max_devices - 1, false));
    EXPECT_EQ(check_new_device("a", limits::max_devices, false).error().code, errc::limit_reached);
    const auto twin = check_new_device("a", 1, true);
    ASSERT_FALSE(twin);
    EXPECT_EQ(twin.error().code, errc::already_exists);
    EXPECT_EQ(twin.error().where, "/name");
}

TEST(new_subsystem, is_judged_by_its_name_its_controller_ids_and_its_room) {
    EXPECT_TRUE(check_new_subsystem(subsystem_of(1), false));
    EXPECT_EQ(check_new_subsystem(subsystem_of(1), true).error().code, errc::already_exists);
    const auto refused = [](auto&& change) {
        subsystem_spec spec = subsystem_of(limits::max_namespaces);
        change(spec);
        const auto checked = check_new_subsystem(spec, false);
        EXPECT_EQ(checked ? errc::already_exists : checked.error().code, errc::invalid_argument);
        return checked ? std::string() : checked.error().where;
    };
    EXPECT_EQ(refused([](auto& s) { s.nqn.clear(); }), "/nqn");
    EXPECT_EQ(refused([](auto& s) { s.nqn = "a\nb"; }), "/nqn");
    EXPECT_EQ(refused([](auto& s) { s.min_cntlid = 0; }), "/min_cntlid");
    EXPECT_EQ(refused([](auto& s) { s.max_cntlid = limits::max_cntlid + 1; }), "/min_cntlid");
    EXPECT_EQ(refused([](auto& s) { s.min_cntlid = 9, s.max_cntlid = 8; }), "/min_cntlid");
    EXPECT_EQ(refused([](auto& s) { s.max_namespaces = 0; }), "/max_namespaces");
    EXPECT_EQ(refused([](auto& s) { s.max_namespaces = limits::max_namespaces + 1; }),
              "/max_namespaces");
}

TEST(new_namespace, gets_the_lowest_nsid_that_is_free) {
    const subsystem_spec in = subsystem_of(3);
    std::set<std::uint32_t> taken;
    const auto is_taken = [&](std::uint32_t nsid) { return taken.contains(nsid); };
    EXPECT_EQ(choose_nsid(0, in, is_taken), 1u);
    taken = {1, 3};
    EXPECT_EQ(choose_nsid(0, in, is_taken), 2u);
    taken = {1, 2, 3};
    EXPECT_EQ(choose_nsid(0, in, is_taken).error().code, errc::limit_reached);
    // One that is asked for is not another one's business to choose.
    EXPECT_EQ(choose_nsid(2, in, is_taken), 2u);
    EXPECT_EQ(choose_nsid(4, in, is_taken).error().code, errc::invalid_argument);
}

TEST(new_namespace, is_known_by_what_its_place_says_where_nothing_is_said) {
    namespace_spec spec{.nsid = 7};
    derive_identity(spec, nqn);
    const auto known = read_identity(spec);
    ASSERT_TRUE(known);
    EXPECT_EQ(known->uuid, nvme::derive_uuid(nqn, 7));
    EXPECT_EQ(known->nguid, nvme::derive_nguid(nqn, 7));
    const namespace_spec once = spec;
    derive_identity(spec, "another");
    EXPECT_EQ(spec, once) << "what is there stays";
    spec.uuid = "no uuid";
    EXPECT_EQ(read_identity(spec).error().where, "/uuid");
    spec.uuid = once.uuid;
    spec.nguid = "no nguid";
    EXPECT_EQ(read_identity(spec).error().where, "/nguid");
}

TEST(new_namespace, has_no_twin) {
    const namespace_spec spec{.nsid = 7};
    EXPECT_TRUE(check_twin(spec, nqn, {}));
    EXPECT_EQ(check_twin(spec, nqn, {.has_nsid = true}).error().code, errc::already_exists);
    const auto same = check_twin(spec, nqn, {.with_uuid = 3});
    ASSERT_FALSE(same);
    EXPECT_EQ(same.error().code, errc::conflict);
    EXPECT_EQ(same.error().where, "/uuid");
}

TEST(device_use, is_one_namespaces_and_nobodys_while_operations_are_left) {
    const device_use free;
    const device_use used{claim_verdict::used, nqn, 7};
    const device_use held{.verdict = claim_verdict::held};
    for (const auto& [ask, where] : {std::pair{&check_device_for_namespace, "/device"},
                                     std::pair{&check_device_removal, ""}}) {
        EXPECT_TRUE(ask("d", &free));
        EXPECT_EQ(ask("d", nullptr).error().code, errc::not_found);
        EXPECT_EQ(ask("d", &used).error().code, errc::conflict);
        EXPECT_EQ(ask("d", &used).error().message,
                  "device \"d\" backs namespace 7 of nqn.2026-11.io.fulmar:a");
        EXPECT_EQ(ask("d", &used).error().where, where);
        EXPECT_EQ(ask("d", &held).error().code, errc::conflict);
    }
}

}  // namespace
}  // namespace fulmar::core
