// A null_peer on a thread of its own, for the length of a test.
#pragma once

#include "support/null_peer.hpp"

#include <fulmar/host/controller.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace fulmar::test {

class running_peer {
  public:
    explicit running_peer(const null_peer::options& o = {.memory_bytes = 4u << 20})
        : peer_(o), thread_([this] { peer_.run(stop_); }) {}
    ~running_peer() { stop_ = true; }
    running_peer(const running_peer&) = delete;
    running_peer& operator=(const running_peer&) = delete;

    [[nodiscard]] host::controller_options options() const {
        return {.target = {"127.0.0.1", peer_.port()}, .subnqn = "nqn.2026-11.io.fulmar:test"};
    }
    [[nodiscard]] std::unique_ptr<host::controller> connect() const { return connect(options()); }
    [[nodiscard]] static std::unique_ptr<host::controller> connect(
        const host::controller_options& o) {
        auto made = host::controller::connect(o);
        EXPECT_TRUE(made) << made.error().text();
        return made ? std::move(*made) : nullptr;
    }

  private:
    std::atomic<bool> stop_{false};
    null_peer peer_;
    std::jthread thread_;
};

}  // namespace fulmar::test
