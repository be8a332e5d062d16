// Runs single operations on an io_channel, from a test's own loop.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/reactor.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace fulmar::test {

[[nodiscard]] inline bool all_zero(std::span<const std::byte> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

/// An operation that remembers its answer. Not movable while it is at a device.
struct test_op : backend::io_op {
    test_op() {
        done = [](backend::io_op& op, nvme::status s) noexcept {
            auto& self = static_cast<test_op&>(op);
            ++self.answers;
            self.status = s;
        };
    }
    test_op(const test_op&) = delete;
    test_op& operator=(const test_op&) = delete;

    void set_data(std::span<std::byte> bytes, std::size_t piece = SIZE_MAX) {
        vectors.clear();
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            piece = std::min(piece, bytes.size() - at);
            vectors.push_back({bytes.data() + at, piece});
        }
        data = vectors;
    }
    [[nodiscard]] bool finished() const { return answers != 0; }

    int answers = 0;
    nvme::status status{};
    std::vector<iovec> vectors;
    std::vector<backend::block_range> block_ranges;
};

/// A reactor that the test turns by hand. At its end it brings jobs home: whatever starts them is
/// to be gone by then.
class hand_reactor {
  public:
    explicit hand_reactor(bool descriptors = true)
        : reactor_(engine::reactor::create(
                       {.id = {}, .busy_window = {}, .clock = &clock_, .descriptors = descriptors})
                       .value()) {}
    ~hand_reactor() { bring_home(); }
    hand_reactor(const hand_reactor&) = delete;
    hand_reactor& operator=(const hand_reactor&) = delete;
    engine::reactor& operator*() { return *reactor_; }
    engine::reactor* operator->() { return reactor_.get(); }

    /// Turns until `condition` holds; false after `limit`.
    template <typename Condition>
    bool run_until(Condition&& condition, duration limit = std::chrono::seconds(10)) {
        const instant end = clock_.now() + limit;
        while (!condition()) {
            if (clock_.now() > end) return false;
            reactor_->run_once();
        }
        return true;
    }

    /// Jobs that were left alone end, also those that another one's end starts, and what they were
    /// made of goes.
    void bring_home() {
        do EXPECT_TRUE(engine::helper_job::wait_for_all(std::chrono::seconds(30)));
        while (reactor_->run_once());
    }

  private:
    monotonic_clock clock_;
    std::unique_ptr<engine::reactor> reactor_;
};

/// Submits to a channel and waits for the answer.
class io_runner {
  public:
    io_runner(hand_reactor& reactor, backend::io_channel& channel)
        : reactor_(reactor), channel_(channel) {}

    nvme::status read(std::uint64_t first, std::uint32_t count, std::span<std::byte> into,
                      std::size_t piece = SIZE_MAX) {
        return range(backend::io_kind::read, first, count, into, piece);
    }
    nvme::status write(std::uint64_t first, std::uint32_t count, std::span<std::byte> from,
                       bool fua = false, std::size_t piece = SIZE_MAX) {
        return range(backend::io_kind::write, first, count, from, piece, fua);
    }
    nvme::status compare(std::uint64_t first, std::uint32_t count, std::span<std::byte> with) {
        return range(backend::io_kind::compare, first, count, with, SIZE_MAX);
    }
    nvme::status write_zeroes(std::uint64_t first, std::uint32_t count, bool fua = false) {
        return range(backend::io_kind::write_zeroes, first, count, {}, SIZE_MAX, fua);
    }
    nvme::status verify(std::uint64_t first, std::uint32_t count) {
        return range(backend::io_kind::verify, first, count, {}, SIZE_MAX);
    }
    nvme::status write_uncorrectable(std::uint64_t first, std::uint32_t count) {
        return range(backend::io_kind::write_uncorrectable, first, count, {}, SIZE_MAX);
    }
    nvme::status flush() {
        test_op op;
        op.kind = backend::io_kind::flush;
        return run(op);
    }
    nvme::status deallocate(std::vector<backend::block_range> ranges) {
        test_op op;
        op.kind = backend::io_kind::deallocate;
        op.ranges = ranges;
        return run(op);
    }
    /// `sources`, one after the other, to `first`.
    nvme::status copy(std::vector<backend::block_range> sources, std::uint64_t first,
                      bool fua = false) {
        test_op op;
        op.kind = backend::io_kind::copy;
        op.ranges = sources;
        op.first_block = first;
        for (const backend::block_range& one : sources) op.block_count += one.count;
        op.fua = fua;
        return run(op);
    }
    nvme::status run(test_op& op) {
        channel_.submit(op);
        if (!reactor_.run_until([&op] { return op.finished(); }))
            return {nvme::status_type::vendor, 0xff};
        return op.answers == 1 ? op.status : nvme::status{nvme::status_type::vendor, 0xfe};
    }

  private:
    nvme::status range(backend::io_kind kind, std::uint64_t first, std::uint32_t count,
                       std::span<std::byte> bytes, std::size_t piece, bool fua = false) {
        test_op op;
        op.kind = kind;
        op.first_block = first;
        op.block_count = count;
        op.fua = fua;
        op.set_data(bytes, piece);
        return run(op);
    }
    hand_reactor& reactor_;
    backend::io_channel& channel_;
};

/// Remembers what a device told.
struct test_listener final : backend::device_listener {
    void on_device_lost(backend::device&, const std::string& why) noexcept override {
        ++losses;
        reason = why;
    }
    void on_device_resized(backend::device&) noexcept override { ++resizes; }
    int losses = 0;
    int resizes = 0;
    std::string reason;
};

}  // namespace fulmar::test
