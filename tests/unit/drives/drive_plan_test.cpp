// Which drive an operator means, and what his wish takes.
#include "drive_plan.hpp"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

namespace fulmar::drives {
namespace {

using admin::drive_report;
using admin::drive_wish;

std::vector<drive_report> one_drive(std::vector<std::string> devices, const char* state = "ready") {
    drive_report one;
    one.address = vfio::parse_pci_address("0000:0b:00.0").value();
    one.present = true;
    one.driver = devices.empty() ? "nvme" : "vfio-pci";
    one.serial = devices.empty() ? "SER1" : "";
    one.names = std::move(devices);
    one.state = one.names.empty() ? "" : state;
    return {one};
}

TEST(drive_plan, a_drive_is_meant_by_its_place_or_its_serial_number) {
    const auto all = one_drive({});
    EXPECT_TRUE(drive_named(all, "0000:0b:00.0"));
    EXPECT_TRUE(drive_named(all, "SER1"));
    EXPECT_EQ(drive_named(all, "0000:0c:00.0").error().code, errc::not_found);
    EXPECT_EQ(drive_named(one_drive({"d1"}), "").error().code, errc::not_found)
        << "a serial number that nobody knows names none";
}

TEST(drive_plan, all_devices_on_a_drive_are_attached_and_detached) {
    const auto all = one_drive({"d1", "d2"});
    for (const drive_wish wish : {drive_wish::detach, drive_wish::drain}) {
        const auto plan = plan_of(all, "0000:0b:00.0", wish).value();
        ASSERT_EQ(plan.changes.size(), 2u);
        const auto& second = std::get<core::detach_device>(plan.changes[1]);
        EXPECT_EQ(second.name, "d2");
        EXPECT_EQ(second.drain, wish == drive_wish::drain);
    }
    const auto plan = plan_of(all, "0000:0b:00.0", drive_wish::attach).value();
    ASSERT_EQ(plan.changes.size(), 2u);
    EXPECT_EQ(std::get<core::attach_device>(plan.changes[0]).name, "d1");
}

TEST(drive_plan, without_a_device_there_is_nothing_to_attach_or_detach) {
    for (const drive_wish wish : {drive_wish::attach, drive_wish::detach, drive_wish::drain}) {
        const auto refused = plan_of(one_drive({}), "SER1", wish);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, errc::conflict);
        EXPECT_NE(refused.error().text().find("no device of Fulmar stands on"), std::string::npos);
    }
}

TEST(drive_plan, a_drive_that_fulmar_may_have_at_any_moment_is_not_unbound) {
    EXPECT_EQ(plan_of(one_drive({"d1"}), "0000:0b:00.0", drive_wish::unbind).error().code,
              errc::conflict);
    auto away = one_drive({"d1"}, "absent");
    EXPECT_FALSE(plan_of(away, "0000:0b:00.0", drive_wish::unbind)) << "it may come back";
    away[0].detached = true;
    EXPECT_TRUE(plan_of(away, "0000:0b:00.0", drive_wish::unbind));
    away[0].state = "releasing";
    EXPECT_FALSE(plan_of(away, "0000:0b:00.0", drive_wish::unbind)) << "it is still open";
}

TEST(drive_plan, what_is_bound_already_is_done) {
    EXPECT_TRUE(plan_of(one_drive({"d1"}), "0000:0b:00.0", drive_wish::bind)->done);
    EXPECT_FALSE(plan_of(one_drive({}), "SER1", drive_wish::bind)->done);
    EXPECT_TRUE(plan_of(one_drive({}), "SER1", drive_wish::unbind)->done);
}

}  // namespace
}  // namespace fulmar::drives
