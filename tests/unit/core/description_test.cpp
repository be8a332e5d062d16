#include <fulmar/core/description.hpp>

#include <gtest/gtest.h>

namespace fulmar::core {
namespace {

subsystem_description some() {
    subsystem_description d;
    d.hosts = {"nqn.2024-01.test:a", "nqn.2024-01.test:c"};
    d.listeners = {"tcp:127.0.0.1:4420", "tcp:[::1]:4420"};
    for (const std::uint32_t number : {1u, 3u, 1024u}) {
        namespace_description n;
        n.id = {.index = number - 1, .generation = 1};
        d.namespaces.push_back(n);
    }
    return d;
}

TEST(description, finds_namespaces_by_their_number) {
    const subsystem_description d = some();
    for (const std::uint32_t number : {1u, 3u, 1024u}) {
        ASSERT_NE(d.find(nsid(number)), nullptr);
        EXPECT_EQ(d.find(nsid(number))->number(), nsid(number));
        EXPECT_EQ(d.find(nsid(number))->ana_group(), number);
    }
    for (const std::uint32_t number : {0u, 2u, 4u, 1025u, 0xffff'ffffu})
        EXPECT_EQ(d.find(nsid(number)), nullptr);
}

TEST(description, allows_listed_hosts_or_all) {
    subsystem_description d = some();
    EXPECT_TRUE(d.allows("nqn.2024-01.test:a"));
    EXPECT_FALSE(d.allows("nqn.2024-01.test:b"));
    EXPECT_FALSE(d.allows(""));
    d.allow_any_host = true;
    EXPECT_TRUE(d.allows("nqn.2024-01.test:b"));
}

TEST(description, is_offered_at_listed_listeners_or_at_all) {
    subsystem_description d = some();
    EXPECT_TRUE(d.offered_at("tcp:[::1]:4420"));
    EXPECT_FALSE(d.offered_at("tcp:127.0.0.1:4421"));
    d.listeners.clear();
    EXPECT_TRUE(d.offered_at("tcp:127.0.0.1:4421"));
}

}  // namespace
}  // namespace fulmar::core
