// Drives as sysfs shows them: on a tree that the test builds.
#include "support/temp_dir.hpp"

#include <fulmar/vfio/drives.hpp>
#include <fulmar/vfio/pci_address.hpp>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace fulmar;
namespace fs = std::filesystem;

namespace {

TEST(pci_address, reads_what_it_writes) {
    for (const char* text : {"0000:0b:00.0", "ffff:ff:1f.7", "0001:00:10.3"})
        EXPECT_EQ(vfio::parse_pci_address(text).value().text(), text);
    EXPECT_EQ(vfio::parse_pci_address("0b:00.0").value().text(), "0000:0b:00.0");
}

TEST(pci_address, refuses_everything_else) {
    for (const char* text :
         {"", "0000:0b:00", "0000:0b:00.8", "0000:0b:20.0", "0000:0b:00.0 ", "0000-0b:00.0",
          "000:0b:00.0", "0000:0g:00.0", "+000:0b:00.0", "0000:0b:00.00", "b:00.0"})
        EXPECT_FALSE(vfio::parse_pci_address(text)) << text;
}

struct drives_test : testing::Test {
    test::temp_dir dir;
    vfio::system_paths paths{.pci = (dir.path() / "bus/pci").string(),
                             .proc = (dir.path() / "proc").string(),
                             .dev = (dir.path() / "dev").string()};
    vfio::pci_address address = vfio::parse_pci_address("0000:0b:00.0").value();

    void write(const fs::path& where, const std::string& text) {
        fs::create_directories((dir.path() / where).parent_path());
        std::ofstream(dir.path() / where) << text << '\n';
    }
    void link(const fs::path& where, const std::string& to) {
        fs::create_directories((dir.path() / where).parent_path());
        fs::create_symlink(to, dir.path() / where);
    }
    void add_function(const std::string& at, const std::string& kind) {
        write("bus/pci/devices/" + at + "/class", kind);
        write("bus/pci/devices/" + at + "/vendor", "0x1b36");
        write("bus/pci/devices/" + at + "/device", "0x0010");
        write("bus/pci/devices/" + at + "/driver_override", "(null)");
    }
    void add_drive(const std::string& driver) {
        add_function("0000:0b:00.0", "0x010802");
        if (!driver.empty()) link("bus/pci/devices/0000:0b:00.0/driver", "../../drivers/" + driver);
        link("bus/pci/devices/0000:0b:00.0/iommu_group", "../../../kernel/iommu_groups/14");
    }
    void add_disk() {
        write("bus/pci/devices/0000:0b:00.0/nvme/nvme3/nvme3n1/dev", "259:5");
        write("bus/pci/devices/0000:0b:00.0/nvme/nvme3/nvme3n1/nvme3n1p1/dev", "259:6");
        write("proc/self/mountinfo", "1 2 0:3 / /proc rw - proc proc rw");
        write("proc/swaps", "Filename\tType");
    }
};

TEST_F(drives_test, lists_drives_and_nothing_else) {
    add_function("0000:00:1f.2", "0x010601");
    add_function("0000:0c:00.0", "0x010802");
    add_drive("nvme");
    write("bus/pci/slots/11/address", "0000:0b:00");
    const auto all = vfio::list_drives(paths);
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].address.text(), "0000:0b:00.0");
    EXPECT_EQ(all[0].driver, "nvme");
    EXPECT_EQ(all[0].iommu_group, 14);
    EXPECT_EQ(all[0].slot, "11");
    EXPECT_EQ(all[1].driver, "");
    EXPECT_EQ(all[1].iommu_group, std::nullopt);
}

TEST_F(drives_test, says_who_uses_a_disk_or_its_partition) {
    add_drive("nvme");
    add_disk();
    EXPECT_TRUE(vfio::find_drive(address, paths).value().users.empty());
    write("proc/self/mountinfo", "30 1 259:6 / /data rw - ext4 /dev/nvme3n1p1 rw");
    auto users = vfio::find_drive(address, paths).value().users;
    ASSERT_EQ(users.size(), 1u);
    EXPECT_EQ(users[0], "/dev/nvme3n1p1 is mounted on /data");
    const auto refused = vfio::bind_drive(address, "vfio-pci", paths);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::conflict);
    EXPECT_NE(refused.error().text().find("mounted on /data"), std::string::npos);
    add_disk();
    write("bus/pci/devices/0000:0b:00.0/nvme/nvme3/nvme3n1/holders/md0/x", "");
    users = vfio::find_drive(address, paths).value().users;
    ASSERT_EQ(users.size(), 1u);
    EXPECT_EQ(users[0], "/dev/nvme3n1 is part of md0");
}

TEST_F(drives_test, finds_the_users_below_a_multipath_disk) {
    add_drive("nvme");
    write("bus/pci/devices/0000:0b:00.0/nvme/nvme3/nvme3c0n1/dev", "259:9");
    write("block/nvme3n1/dev", "259:7");
    write("proc/self/mountinfo", "30 1 259:7 / /data rw - ext4 /dev/nvme3n1 rw");
    const auto users = vfio::find_drive(address, paths).value().users;
    ASSERT_EQ(users.size(), 1u);
    EXPECT_EQ(users[0], "/dev/nvme3n1 is mounted on /data");
}

TEST_F(drives_test, refuses_what_is_no_drive_or_has_no_iommu) {
    EXPECT_EQ(vfio::find_drive(address, paths).error().code, errc::not_found);
    add_function("0000:0b:00.0", "0x010601");
    EXPECT_EQ(vfio::find_drive(address, paths).error().code, errc::not_found);
    add_function("0000:0c:00.0", "0x010802");
    const auto other = vfio::parse_pci_address("0000:0c:00.0").value();
    const auto refused = vfio::bind_drive(other, "vfio-pci", paths);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::not_supported);
    EXPECT_NE(refused.error().text().find("IOMMU"), std::string::npos);
}

TEST_F(drives_test, tells_what_the_kernels_driver_knows) {
    add_drive("nvme");
    add_disk();
    for (const auto& [file, text] :
         {std::pair{"serial", "S1   "}, std::pair{"model", "M 1  "},
          std::pair{"firmware_rev", "1.0"}, std::pair{"subsysnqn", "nqn.2014-08.org.x:1"}})
        write(std::string("bus/pci/devices/0000:0b:00.0/nvme/nvme3/") + file, text);
    write("bus/pci/devices/0000:0b:00.0/nvme/nvme3/state", "connecting");
    EXPECT_EQ(vfio::find_drive(address, paths)->serial, "") << "nobody has asked the drive yet";
    write("bus/pci/devices/0000:0b:00.0/nvme/nvme3/state", "live");
    const auto drive = vfio::find_drive(address, paths).value();
    EXPECT_EQ(drive.serial, "S1");
    EXPECT_EQ(drive.model, "M 1");
    EXPECT_EQ(drive.firmware, "1.0");
    EXPECT_EQ(drive.subsystem_nqn, "nqn.2014-08.org.x:1");
    EXPECT_EQ(drive.disks, (std::vector<std::string>{"nvme3n1"}));
}

TEST_F(drives_test, reads_no_attribute_of_a_drive_that_is_open) {
    add_drive("vfio-pci");
    write("bus/pci/slots/11/address", "0000:0b:00");
    // A pipe in the place of an attribute: whoever opens it waits, as for a drive that is asked
    // for.
    for (const char* attribute : {"class", "vendor", "device", "driver_override"}) {
        const fs::path at = dir.path() / "bus/pci/devices/0000:0b:00.0" / attribute;
        fs::remove(at);
        ASSERT_EQ(::mkfifo(at.c_str(), 0600), 0);
    }
    const vfio::pci_address open[] = {address};
    const auto all = vfio::list_drives(paths, open);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].driver, "vfio-pci");
    EXPECT_EQ(all[0].iommu_group, 14);
    EXPECT_EQ(all[0].slot, "11");
    EXPECT_EQ(all[0].vendor, "");
}

TEST_F(drives_test, lights_the_slot_or_says_what_is_missing) {
    add_drive("vfio-pci");
    const auto no_slot = vfio::set_indicator(address, vfio::slot_indicator::on, paths);
    ASSERT_FALSE(no_slot);
    EXPECT_EQ(no_slot.error().code, errc::not_supported);
    EXPECT_NE(no_slot.error().text().find("no hot-plug slot"), std::string::npos);
    write("bus/pci/slots/11/address", "0000:0b:00");
    const auto no_light = vfio::set_indicator(address, vfio::slot_indicator::on, paths);
    ASSERT_FALSE(no_light);
    EXPECT_NE(no_light.error().text().find("slot 11 has no attention"), std::string::npos);
    write("bus/pci/slots/11/attention", "0");
    EXPECT_TRUE(vfio::set_indicator(address, vfio::slot_indicator::blink, paths));
    std::string now;
    std::ifstream(dir.path() / "bus/pci/slots/11/attention") >> now;
    EXPECT_EQ(now, "2");
}

TEST_F(drives_test, a_drive_that_is_bound_already_is_left_alone) {
    add_drive("vfio-pci");
    EXPECT_TRUE(vfio::bind_drive(address, "vfio-pci", paths));
}

}  // namespace
