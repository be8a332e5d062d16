// A device on a server of the test, and what it told.
#pragma once

#include "fake_server.hpp"

#include <fulmar/backend/nbd_device.hpp>
#include <fulmar/backend/storage_memory.hpp>

#include <gtest/gtest.h>
#include <support/io_runner.hpp>
#include <support/temp_dir.hpp>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace fulmar::test {

struct nbd_listener final : backend::device_listener {
    void on_device_lost(backend::device&, const std::string& why) noexcept override {
        ++losses;
        reason = why;
    }
    void on_device_returned(backend::device&) noexcept override { ++returns; }
    void on_device_resized(backend::device&) noexcept override { ++resizes; }
    bool on_device_back_without_data(backend::device&, const std::string& why) noexcept override {
        reason = why;
        ++back_without_data;
        return takes_back_without_data;
    }
    int losses = 0, returns = 0, resizes = 0, back_without_data = 0;
    bool takes_back_without_data = true;
    std::string reason;
};

struct nbd_memory final : backend::storage_memory {
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

class nbd_fixture : public ::testing::Test {
  protected:
    void TearDown() override { close(); }
    void make(backend::nbd_options options) {
        options.name = "disk";
        if (options.uri.empty()) options.uri = uri;
        device = backend::make_nbd_device(
                     options, {.control = &*reactor, .data = {&*reactor}, .memory = &memory})
                     .value();
        device->set_listener(&listener);
    }
    void open(const backend::nbd_options& options = {}) {
        make(options);
        const auto opened = device->open(backend::opening::asked_for);
        ASSERT_TRUE(opened) << opened.error().text();
        ASSERT_TRUE(becomes("ready")) << device->trouble();
        channel = device->open_channel(*reactor).value();
    }
    void start(fake_nbd_server::options how = {}) { server.start(std::move(how)); }
    bool becomes(std::string_view condition) {
        return reactor.run_until([&] { return device->condition() == condition; });
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

    temp_dir dir;
    std::string socket = dir / "socket";
    std::string uri = "nbd+unix:///disk?socket=" + socket;
    fake_nbd_server server{socket};
    hand_reactor reactor{true};
    nbd_memory memory;
    nbd_listener listener;
    std::unique_ptr<backend::device> device;
    std::unique_ptr<backend::io_channel> channel;
};

}  // namespace fulmar::test
