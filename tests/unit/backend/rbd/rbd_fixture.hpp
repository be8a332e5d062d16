// A device on an image of the test's own cluster, and what it told.
#pragma once

#include "fake_cluster.hpp"

#include <fulmar/backend/rbd_device.hpp>
#include <fulmar/backend/storage_memory.hpp>

#include <gtest/gtest.h>
#include <support/io_runner.hpp>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace fulmar::test {

struct rbd_listener final : backend::device_listener {
    void on_device_lost(backend::device&, const std::string& why) noexcept override {
        ++losses;
        reason = why;
    }
    void on_device_returned(backend::device&) noexcept override { ++returns; }
    void on_device_resized(backend::device&) noexcept override { ++resizes; }
    int losses = 0, returns = 0, resizes = 0;
    std::string reason;
};

struct rbd_memory final : backend::storage_memory {
    std::optional<backend::storage_record> recall(const std::string& device,
                                                  const std::string& path) const override {
        const auto at = known.find(device);
        if (at == known.end() || at->second.path != path) return {};
        return at->second;
    }
    void remember(const std::string& device, const backend::storage_record& what) override {
        known[device] = what;
    }
    std::map<std::string, backend::storage_record> known;
};

class rbd_fixture : public ::testing::Test {
  protected:
    static constexpr std::size_t image_bytes = 4 << 20;

    void TearDown() override {
        cluster.opens_late = false;
        cluster.error = 0;
        cluster.release();
        close();
        EXPECT_EQ(cluster.opened, cluster.closed) << "an image is still open";
        EXPECT_EQ(cluster.closed_too_early, 0);
    }
    void make(backend::rbd_options options = {}) {
        options.name = "disk";
        options.pool = "rbd";
        options.image = "image";
        device =
            backend::make_rbd_device(
                options,
                {.control = &*reactor, .data = {&*reactor}, .memory = &memory, .cluster = &cluster})
                .value();
        device->set_listener(&listener);
    }
    void open(const backend::rbd_options& options = {}) {
        make(options);
        const auto opened = device->open(backend::opening::asked_for);
        ASSERT_TRUE(opened) << opened.error().text();
        ASSERT_TRUE(becomes("ready")) << device->trouble();
        channel = device->open_channel(*reactor).value();
    }
    bool becomes(std::string_view condition) {
        return reactor.run_until([&] { return device->condition() == condition; });
    }
    void turn(std::chrono::milliseconds time) {
        const auto end = std::chrono::steady_clock::now() + time;
        static_cast<void>(
            reactor.run_until([&] { return std::chrono::steady_clock::now() > end; }));
    }
    void close() {
        channel.reset();
        device.reset();
        reactor.bring_home();
    }
    static std::vector<std::byte> filled(std::size_t bytes, unsigned seed) {
        std::mt19937 random(seed);
        std::vector<std::byte> out(bytes);
        for (std::byte& b : out) b = static_cast<std::byte>(random());
        return out;
    }
    io_runner io() { return {reactor, *channel}; }

    fake_cluster cluster{image_bytes};
    hand_reactor reactor{true};
    rbd_memory memory;
    rbd_listener listener;
    std::unique_ptr<backend::device> device;
    std::unique_ptr<backend::io_channel> channel;
};

}  // namespace fulmar::test
