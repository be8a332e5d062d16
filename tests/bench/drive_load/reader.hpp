// Reads all over a region, as many under way as asked. Lives on one data reactor.
#pragma once

#include "backend/pcie/channel.hpp"

#include <fulmar/backend/io_op.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/engine/message.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/engine/timer_wheel.hpp>
#include <fulmar/host/histogram.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace fulmar::bench {

struct drive_load_report {
    double seconds = 0;
    std::uint64_t reads = 0;
    std::uint64_t failed = 0;  ///< not counted as reads; the first one ends the load
    std::uint64_t cpu_user_ns = 0;
    std::uint64_t cpu_system_ns = 0;
    std::uint64_t doorbells = 0;  ///< register writes for both queues
    std::uint64_t sleeps = 0;     ///< of the data reactor
    std::uint64_t turns = 0;
    host::histogram latency;  ///< in whole turns of the reactor: no clock is read per read
};

class reader {
  public:
    struct options {
        std::uint32_t depth = 1;
        std::uint32_t io_blocks = 1;
        std::uint64_t region_blocks = 0;
        duration warmup{};
        duration length{};
    };

    /// `memory` is what the drive may write to: one piece for each read under way. `finished` runs
    /// on the reactor when nothing is under way and the channel is closed.
    reader(backend::pcie::reactor_queue& place, backend::pcie::namespace_view& of,
           std::span<std::byte> memory, const options& wanted, std::function<void()> finished);
    reader(const reader&) = delete;
    reader& operator=(const reader&) = delete;

    /// Called on: any thread, once.
    void begin() noexcept { place_.reactor().post(start_); }
    /// After `finished`.
    [[nodiscard]] const drive_load_report& report() const noexcept { return report_; }

  private:
    struct read_op final : backend::io_op {
        reader* owner = nullptr;
        iovec where{};
        instant since{};
    };
    struct start_message final : engine::message {
        explicit start_message(reader& r) noexcept
            : message([](engine::message& m) noexcept {
                  static_cast<start_message&>(m).owner->start();
              }),
              owner(&r) {}
        reader* owner;
    };
    struct phase_timer final : engine::timer {
        explicit phase_timer(reader& r) noexcept
            : timer([](engine::timer& t) noexcept {
                  static_cast<phase_timer&>(t).owner->phase_over();
              }),
              owner(&r) {}
        reader* owner;
    };
    enum class phase : std::uint8_t { warming, counting, ending };
    /// What has been used up until now.
    struct spent {
        instant at{};
        std::uint64_t user_ns = 0;
        std::uint64_t system_ns = 0;
        std::uint64_t doorbells = 0;
        std::uint64_t sleeps = 0;
        std::uint64_t turns = 0;
    };

    void start() noexcept;
    void issue(read_op& op) noexcept;
    void ended(read_op& op, nvme::status status) noexcept;
    void phase_over() noexcept;
    void count_until(const spent& end) noexcept;
    [[nodiscard]] spent so_far() const noexcept;
    [[nodiscard]] std::uint64_t next_place() noexcept;

    backend::pcie::reactor_queue& place_;
    backend::pcie::namespace_view& namespace_;
    options options_;
    std::function<void()> finished_;
    std::optional<backend::pcie::channel> channel_;
    std::vector<read_op> ops_;
    start_message start_;
    phase_timer timer_;
    phase phase_ = phase::warming;
    spent from_;
    std::uint32_t under_way_ = 0;
    std::uint64_t random_ = 0x9e37'79b9'7f4a'7c15;
    drive_load_report report_;
};

}  // namespace fulmar::bench
