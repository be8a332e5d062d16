// A host that writes and reads numbers in blocks of its own, and remembers what became of each.
#pragma once

#include "history.hpp"

#include <fulmar/host/controller.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/status.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

namespace fulmar::cluster {

/// One thread at a time, but for stop().
class history_writer {
  public:
    /// Blocks [first, first + count).
    history_writer(std::uint16_t port, std::uint64_t first, std::uint64_t count,
                   std::uint32_t block_bytes, given_up promise = given_up::has_ended)
        : history_(promise), first_(first), count_(count), bytes_(block_bytes), random_(first) {
        host::controller_options options;
        options.target = {.address = "127.0.0.1", .port = port};
        options.subnqn = "nqn.2026-11.io.fulmar:e2e";
        options.timeout = std::chrono::seconds(60);
        controller_ = host::controller::connect(options).value();
        queue_ = controller_->open_io_queue(1, 8).value();
    }
    ~history_writer() { stop(); }
    history_writer(const history_writer&) = delete;
    history_writer& operator=(const history_writer&) = delete;

    void start() {
        thread_ = std::thread([this] {
            while (!over_) step();
        });
    }
    void stop() {
        over_ = true;
        if (thread_.joinable()) thread_.join();
    }
    /// Reads all that was written.
    void look_at_everything() {
        for (const std::uint64_t block : history_.written()) static_cast<void>(read(block));
    }
    /// Until it succeeds, or fails for good.
    bool write(std::uint64_t block) {
        const std::uint64_t value = ++last_;
        std::vector<std::byte> data(bytes_);
        std::memcpy(data.data(), &value, sizeof value);
        for (;;) {
            const nvme::status s = transfer(nvme::io_opcode::write, block, data);
            if (nvme::is_success(s)) {
                history_.acknowledged(block, value);
                ++acknowledged_;
                return true;
            }
            if (s.dnr) break;
            ++repeated_;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        history_.unknown(block, value);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return false;
    }
    /// False: it failed.
    bool read(std::uint64_t block) {
        std::vector<std::byte> data(bytes_);
        for (;;) {
            const nvme::status s = transfer(nvme::io_opcode::read, block, data);
            if (nvme::is_success(s)) break;
            if (s.dnr) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        std::uint64_t value = 0;
        std::memcpy(&value, data.data(), sizeof value);
        history_.read(block, value);
        return true;
    }
    nvme::status transfer(nvme::io_opcode opcode, std::uint64_t lba, std::vector<std::byte>& data) {
        nvme::sqe sqe{};
        sqe.opcode = static_cast<std::uint8_t>(opcode);
        sqe.nsid = 1;
        nvme::encode_block_range(sqe, {.slba = lba, .blocks = 1});
        const bool writes = opcode == nvme::io_opcode::write;
        const auto got = host::execute(
            *queue_,
            {.sqe = sqe,
             .direction = writes ? host::transfer::to_controller : host::transfer::from_controller,
             .data = data},
            host::deadline(std::chrono::seconds(60)));
        EXPECT_TRUE(got) << got.error().text();
        if (!got) over_ = true;
        controller_->poll();
        return got ? got->status() : nvme::sc::internal_error.no_retry();
    }
    [[nodiscard]] const block_history& history() const { return history_; }
    [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
    [[nodiscard]] std::uint64_t repeated() const { return repeated_; }

  private:
    void step() {
        const std::uint64_t block = first_ + random_() % count_;
        if (random_() % 4 == 0)
            static_cast<void>(read(block));
        else
            static_cast<void>(write(block));
    }

    block_history history_;
    std::uint64_t first_, count_;
    std::uint32_t bytes_;
    std::mt19937_64 random_;
    std::uint64_t last_ = 0;
    std::atomic<std::uint64_t> acknowledged_{0}, repeated_{0};
    std::atomic<bool> over_{false};
    std::unique_ptr<host::controller> controller_;
    host::queue* queue_ = nullptr;
    std::thread thread_;
};

}  // namespace fulmar::cluster
