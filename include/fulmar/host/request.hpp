// One command of a host, from submission to its answer.
#pragma once

#include <fulmar/nvme/command.hpp>

#include <cstddef>
#include <cstdint>

namespace fulmar::host {

enum class transfer : std::uint8_t { none, to_controller, from_controller };

/// Owned by the caller, and lent to a queue from submit() until `done` has run, data included.
/// Derive, and static_cast back in the handler. One thread.
class request {
  public:
    using handler = void (*)(request&) noexcept;

    request() noexcept = default;
    explicit request(handler on_done) noexcept : done(on_done) {}
    request(const request&) = delete;
    request& operator=(const request&) = delete;

    // What to do. CID is the queue's; flags and SGL too, unless `sgl_as_given`.
    nvme::sqe command{};
    std::byte* data = nullptr;  ///< null for a read: its data is counted and dropped
    std::uint32_t data_bytes = 0;
    transfer direction = transfer::none;
    bool sgl_as_given = false;    ///< leave flags and SGL alone, and send no data in the capsule
    bool data_in_capsule = true;  ///< writes that fit go in the capsule; false: always by R2T
    handler done = nullptr;       ///< runs once: from poll(), or from close()

    // What came of it.
    nvme::cqe answer{};
    bool answered = false;           ///< false in `done`: the connection ended first
    bool data_damaged = false;       ///< a data digest did not match
    std::uint32_t transferred = 0;   ///< bytes that the controller sent, or asked for by R2T
    std::uint64_t submitted_ns = 0;  ///< monotonic; the start of the turn
    std::uint64_t finished_ns = 0;

    [[nodiscard]] nvme::status status() const noexcept { return answer.get_status(); }
    [[nodiscard]] bool succeeded() const noexcept {
        return answered && !data_damaged && nvme::is_success(status());
    }

  protected:
    ~request() = default;
};

}  // namespace fulmar::host
