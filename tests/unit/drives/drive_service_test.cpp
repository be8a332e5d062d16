// What the administration is told of drives: sysfs is a tree of the test's own, the drive is the
// fake controller.
#include "drive_service.hpp"

#include "support/fake_drive.hpp"
#include "support/io_runner.hpp"
#include "support/temp_dir.hpp"

#include <fulmar/base/limits.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace fulmar::drives {
namespace {

namespace fs = std::filesystem;
using admin::drive_report;

struct drive_service_test : testing::Test {
    void SetUp() override {
        environment.observer = &service;
        service.set_publisher([this](const admin::event& one) { events.push_back(one); });
        add_function("0000:0b:00.0", "vfio-pci");
        add_function("0000:0c:00.0", "nvme");
        const fs::path slot = dir.path() / "bus/pci/slots/11";
        fs::create_directories(slot);
        std::ofstream(slot / "address") << "0000:0b:00\n";
    }
    void TearDown() override {
        device.reset();
        EXPECT_TRUE(reactor.run_until([&] { return !sim_drive.is_open(); }));
        reactor.bring_home();
    }
    void add_function(const std::string& at, const std::string& driver) {
        const fs::path folder = dir.path() / "bus/pci/devices" / at;
        fs::create_directories(folder);
        std::ofstream(folder / "class") << "0x010802\n";
        std::ofstream(folder / "vendor") << "0x1b36\n";
        std::ofstream(folder / "device") << "0x0010\n";
        fs::create_symlink("../../../bus/pci/drivers/" + driver, folder / "driver");
    }
    void make() {
        device = backend::make_pcie_device(
                     {.name = "d1", .address = vfio::parse_pci_address("0000:0b:00.0").value()},
                     environment)
                     .value();
    }
    bool becomes(backend::drive_state wanted) {
        return reactor.run_until([&] { return device->status().state == wanted; });
    }
    std::vector<drive_report> list() {
        std::optional<result<std::vector<drive_report>>> answer;
        service.list([&](result<std::vector<drive_report>> all) { answer = std::move(all); });
        EXPECT_TRUE(reactor.run_until([&] { return answer.has_value(); }));
        return answer->value();
    }
    result<void> bind(const std::string& address, const std::string& driver) {
        std::optional<result<void>> answer;
        service.bind(address, driver, [&](result<void> outcome) { answer = std::move(outcome); });
        EXPECT_TRUE(reactor.run_until([&] { return answer.has_value(); }));
        return *answer;
    }

    test::temp_dir dir;
    test::fake_drive sim_drive;
    test::hand_reactor reactor{true};
    backend::pcie_device_list device_list;
    drive_service service{*reactor,
                          device_list,
                          {.pci = (dir.path() / "bus/pci").string(),
                           .proc = (dir.path() / "proc").string(),
                           .dev = (dir.path() / "dev").string()}};
    backend::pcie_environment environment{.control = &*reactor,
                                          .data = {&*reactor},
                                          .provider = &sim_drive.provider(),
                                          .device_list = &device_list};
    std::vector<admin::event> events;
    std::unique_ptr<backend::pcie_device> device;
};

TEST_F(drive_service_test, joins_what_the_bus_and_what_the_device_tell) {
    auto all = list();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].vendor, "0x1b36");
    EXPECT_EQ(all[0].slot, "11");
    EXPECT_TRUE(all[0].names.empty());
    EXPECT_EQ(all[1].driver, "nvme");
    make();
    ASSERT_TRUE(becomes(backend::drive_state::ready)) << device->status().reason;
    // From now on an attribute may wait for the close of the drive: pipes in their place do.
    for (const char* attribute : {"class", "vendor", "device"}) {
        const fs::path at = dir.path() / "bus/pci/devices/0000:0b:00.0" / attribute;
        fs::remove(at);
        ASSERT_EQ(::mkfifo(at.c_str(), 0600), 0);
    }
    all = list();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].names, std::vector<std::string>{"d1"});
    EXPECT_EQ(all[0].state, "ready");
    EXPECT_EQ(all[0].serial, "FAKE1");
    EXPECT_EQ(all[0].driver, "vfio-pci");
    EXPECT_EQ(all[0].slot, "11");
    ASSERT_EQ(all[0].history.size(), 1u);
    EXPECT_EQ(all[0].history[0].what, "ready");
}

TEST_F(drive_service_test, a_place_without_a_drive_is_told_too) {
    sim_drive.plug(std::nullopt);
    fs::remove_all(dir.path() / "bus/pci/devices/0000:0b:00.0");
    make();
    const auto all = list();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].address.text(), "0000:0b:00.0");
    EXPECT_FALSE(all[0].present);
    EXPECT_EQ(all[0].state, "absent");
    EXPECT_NE(all[0].reason.find("no drive"), std::string::npos);
}

TEST_F(drive_service_test, a_drive_that_is_open_is_not_moved) {
    make();
    ASSERT_TRUE(becomes(backend::drive_state::ready));
    const auto refused = bind("0000:0b:00.0", "nvme");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::conflict);
    EXPECT_NE(refused.error().text().find("d1"), std::string::npos);
    EXPECT_EQ(bind("0000:0d:00.0", "vfio-pci").error().code, errc::not_found);
    EXPECT_EQ(bind("0000:0c:00.0", "vfio-pci").error().code, errc::not_supported) << "no IOMMU";
    EXPECT_TRUE(bind("0000:0c:00.0", "nvme")) << "it has it";
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.back().what, "unbound");
}

TEST_F(drive_service_test, events_are_numbered_and_histories_are_bounded) {
    make();
    for (std::uint32_t i = 0; i < limits::drive_history; ++i) {
        ASSERT_TRUE(becomes(backend::drive_state::ready));
        EXPECT_TRUE(device->detach(false));
        ASSERT_TRUE(becomes(backend::drive_state::absent));
        EXPECT_TRUE(device->attach());
    }
    ASSERT_TRUE(becomes(backend::drive_state::ready));
    ASSERT_GT(events.size(), limits::drive_history);
    for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].sequence, i + 1);
    const auto history = list()[0].history;
    ASSERT_EQ(history.size(), limits::drive_history);
    EXPECT_EQ(history.back().sequence, events.back().sequence);
    EXPECT_EQ(history.back().what, "returned");
}

TEST_F(drive_service_test, more_questions_than_helpers_are_refused) {
    const fs::path hangs = dir.path() / "bus/pci/devices/0000:0c:00.0/class";
    fs::remove(hangs);
    ASSERT_EQ(::mkfifo(hangs.c_str(), 0600), 0);
    std::uint32_t answered = 0;
    std::uint32_t refused = 0;
    for (std::uint32_t i = 0; i < limits::max_drive_jobs + 2; ++i)
        service.list([&](const result<std::vector<drive_report>>& all) {
            ++answered;
            if (!all && all.error().code == errc::limit_reached) ++refused;
        });
    ASSERT_TRUE(reactor.run_until([&] { return refused == 2; }));
    EXPECT_EQ(answered, 2u);
    // The kernel answers at last: each open of a pipe for writing lets a reader go.
    ASSERT_TRUE(reactor.run_until([&] {
        const int fd = ::open(hangs.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0) ::close(fd);
        return answered == limits::max_drive_jobs + 2;
    }));
}

}  // namespace
}  // namespace fulmar::drives
