// A device on a fake drive, for the tests of the driver.
#pragma once

#include "support/failing_memory.hpp"
#include "support/fake_drive.hpp"
#include "support/io_runner.hpp"

#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::test {

using backend::drive_state;
using std::chrono::milliseconds;

inline constexpr std::size_t buffer_bytes = 4 << 20;

struct counting_listener final : backend::device_listener {
    void on_device_lost(backend::device&, const std::string& why) noexcept override {
        ++losses;
        reason = why;
    }
    void on_device_returned(backend::device&) noexcept override { ++returns; }
    void on_device_resized(backend::device&) noexcept override { ++resizes; }
    int losses = 0;
    int returns = 0;
    int resizes = 0;
    std::string reason;
};

/// What was told of a drive, as "what cause".
struct diary final : backend::drive_observer {
    void on_drive_event(const backend::pcie_options& which, backend::drive_occurrence what,
                        backend::loss_cause cause, std::string_view) noexcept override {
        const unwatched_memory ours;
        EXPECT_EQ(which.name, "drive1");
        lines.push_back(std::string(to_string(what)) + (cause == backend::loss_cause::none
                                                            ? ""
                                                            : " " + std::string(to_string(cause))));
    }
    std::vector<std::string> lines;
};

/// One reactor is control and data at once: the fake controller has a thread of its own.
struct pcie_fixture : ::testing::Test {
    fake_drive sim_drive;
    hand_reactor reactor{true};
    mem::heap_memory source;
    mem::dma_region buffers = source.allocate(buffer_bytes).value();
    backend::pcie_device_list device_list;
    backend::pcie_environment environment{.control = &*reactor,
                                          .data = {&*reactor},
                                          .provider = &sim_drive.provider(),
                                          .memory = {{buffers.data(), buffers.size()}},
                                          .device_list = &device_list,
                                          .observer = &diary_};
    diary diary_;
    backend::pcie_options options{.name = "drive1",
                                  .address = vfio::parse_pci_address("0000:0b:00.0").value(),
                                  .command_timeout = milliseconds(1500)};
    counting_listener listener;
    std::unique_ptr<backend::pcie_device> device;
    std::unique_ptr<backend::io_channel> channel;

    void SetUp() override { ASSERT_NO_FATAL_FAILURE(make()); }
    void make() {
        device = backend::make_pcie_device(options, environment).value();
        device->set_listener(&listener);
    }
    void open() {
        ASSERT_TRUE(becomes(drive_state::ready)) << device->status().reason;
        channel = device->open_channel(*reactor).value();
    }
    bool becomes(drive_state wanted) {
        return reactor.run_until([&] { return device->status().state == wanted; });
    }
    void restart(const fake_drive::options& other) {
        close();
        sim_drive.plug(other);
        make();
        open();
    }
    void close() {
        channel.reset();
        if (device == nullptr) return;
        EXPECT_TRUE(device->detach(false));
        EXPECT_TRUE(becomes(drive_state::absent));
        device.reset();
    }
    void TearDown() override {
        close();
        EXPECT_FALSE(sim_drive.is_open());
        EXPECT_EQ(sim_drive.bad_dma(), 0u)
            << "the drive was pointed at memory that is not ours to lend";
        // A helper may still be in its last post, and a drive that nobody has any more ends when it
        // hears of that.
        reactor.bring_home();
    }
    std::span<std::byte> piece(std::size_t offset, std::size_t bytes) {
        return {buffers.data() + offset, bytes};
    }
    std::span<std::byte> filled(std::size_t offset, std::size_t bytes, unsigned seed) {
        std::mt19937 random(seed);
        const auto out = piece(offset, bytes);
        for (std::byte& b : out) b = static_cast<std::byte>(random());
        return out;
    }
    io_runner io() { return {reactor, *channel}; }
};

/// Many operations at once, over one channel.
struct crowd {
    std::vector<std::unique_ptr<test_op>> ops;
    void submit(backend::io_channel& channel, std::span<std::byte> memory, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            auto& op = ops.emplace_back(std::make_unique<test_op>());
            op->kind = i % 2 == 0 ? backend::io_kind::read : backend::io_kind::write;
            op->first_block = i * 8 % 8192;
            op->block_count = 8;
            op->set_data(memory.subspan(i * 4096 % memory.size(), 4096));
            channel.submit(*op);
        }
    }
    [[nodiscard]] std::size_t answered() const {
        return static_cast<std::size_t>(
            std::ranges::count_if(ops, [](const auto& op) { return op->finished(); }));
    }
    [[nodiscard]] bool each_once() const {
        return std::ranges::all_of(ops, [](const auto& op) { return op->answers == 1; });
    }
};

}  // namespace fulmar::test
