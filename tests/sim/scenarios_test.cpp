#include <fulmar/nvme/registers.hpp>
#include <gtest/gtest.h>

#include "world.hpp"

namespace fulmar::sim {
namespace {

namespace sc = nvme::sc;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string one = "nqn.2024-01.sim:one";
const std::string two = "nqn.2024-01.sim:two";

core::subsystem_spec subsystem(const std::string& nqn, std::vector<std::string> disks) {
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

world_options options(unsigned data_reactors = 1) {
    world_options o;
    o.data_reactors = data_reactors;
    o.subsystems = {subsystem(one, {"a", "b"})};
    return o;
}

identity host(int number = 0, const std::string& nqn = one) {
    identity who;
    who.host = "nqn.2024-01.sim:host-" + std::to_string(number);
    who.host_id = static_cast<std::uint8_t>(number + 1);
    who.subsystem = nqn;
    return who;
}

bool succeeded(const command_ref& c) { return c->answered && nvme::is_success(c->status); }

TEST(hosts, reads_what_it_wrote) {
    world w(options());
    auto admin = w.admin(host());
    auto io = w.io(*admin, 1);
    auto write = io->write(1, 7, 8);
    ASSERT_TRUE(w.wait(write));
    EXPECT_TRUE(succeeded(write)) << nvme::describe(write->status);
    auto fetched = io->write(1, 100, 64, false);
    ASSERT_TRUE(w.wait(fetched));
    EXPECT_TRUE(succeeded(fetched)) << nvme::describe(fetched->status);
    auto read = io->read(1, 7, 8);
    ASSERT_TRUE(w.wait(read));
    ASSERT_TRUE(succeeded(read));
    EXPECT_EQ(read_stamp(read->data.data()).tag, write->tag);
}

}  // namespace
}  // namespace fulmar::sim
