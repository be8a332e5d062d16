#include "uevent.hpp"

#include <fulmar/base/clock.hpp>
#include <fulmar/hotplug/monitor.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

using namespace fulmar;
using hotplug::parse_uevent;
using hotplug::uevent_action;

namespace {

std::string message(const std::string& header, const std::vector<std::string>& lines) {
    std::string text = header + '\0';
    for (const std::string& line : lines) text += line + '\0';
    return text;
}

const std::string pulled = message("remove@/devices/pci0000:00/0000:00:05.0/0000:0b:00.0",
                                   {"ACTION=remove", "SUBSYSTEM=pci", "PCI_CLASS=10802",
                                    "PCI_SLOT_NAME=0000:0b:00.0", "SEQNUM=1234"});

TEST(uevent, reads_what_the_kernel_writes) {
    const auto event = parse_uevent(pulled);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->action, uevent_action::remove);
    EXPECT_EQ(event->subsystem, "pci");
    EXPECT_EQ(event->pci_slot_name, "0000:0b:00.0");
    EXPECT_EQ(event->device_path, "/devices/pci0000:00/0000:00:05.0/0000:0b:00.0");
}

TEST(uevent, survives_every_cut_and_every_wrong_byte) {
    for (std::size_t length = 0; length <= pulled.size(); ++length)
        static_cast<void>(parse_uevent({pulled.data(), length}));
    for (std::size_t at = 0; at < pulled.size(); ++at) {
        std::string spoiled = pulled;
        spoiled[at] = static_cast<char>(spoiled[at] ^ 0x80);
        static_cast<void>(parse_uevent(spoiled));
    }
    EXPECT_FALSE(parse_uevent({}));
    EXPECT_FALSE(parse_uevent(message("libudev", {"ACTION=add"})));
    EXPECT_FALSE(parse_uevent(message("@/devices", {})));
}

struct recorder final : hotplug::listener {
    void on_arrival(const vfio::pci_address& where) noexcept override {
        seen.push_back("+" + where.text());
    }
    void on_removal(const vfio::pci_address& where) noexcept override {
        seen.push_back("-" + where.text());
    }
    void on_overrun() noexcept override { seen.emplace_back("?"); }
    std::vector<std::string> seen;
};

TEST(monitor, tells_of_functions_that_come_and_go_and_of_nothing_else) {
    monotonic_clock clock;
    const auto reactor = engine::reactor::create({.clock = &clock}).value();
    recorder told;
    const auto opened = hotplug::monitor::listen(*reactor, told);
    if (!opened) GTEST_SKIP() << opened.error().text();
    hotplug::monitor& monitor = **opened;
    const auto say = [&](const char* action, std::vector<std::string> lines, bool kernel = true) {
        const std::string text = message(std::string(action) + "@/devices/x", lines);
        monitor.on_message(text, kernel);
    };
    const std::string slot = "PCI_SLOT_NAME=0000:0b:00.0";
    say("add", {"SUBSYSTEM=pci", slot});
    say("bind", {"SUBSYSTEM=pci", slot, "DRIVER=nvme"});
    say("bind", {"SUBSYSTEM=pci", slot, "DRIVER=vfio-pci"});
    say("unbind", {"SUBSYSTEM=pci", slot});
    say("change", {"SUBSYSTEM=pci", slot});
    say("remove", {"SUBSYSTEM=vfio-dev", slot});
    say("remove", {"SUBSYSTEM=pci", slot}, false);
    say("remove", {"SUBSYSTEM=pci", "PCI_SLOT_NAME=../../etc"});
    say("remove", {"SUBSYSTEM=pci"});
    say("remove", {"SUBSYSTEM=pci", slot});
    EXPECT_EQ(told.seen,
              (std::vector<std::string>{"+0000:0b:00.0", "+0000:0b:00.0", "-0000:0b:00.0"}));
    EXPECT_EQ(monitor.counters().refused, 3u);
    EXPECT_EQ(monitor.counters().messages, 6u);
}

}  // namespace
