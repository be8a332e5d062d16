// A queue of a controller, whatever fabric carries it: the seam between the host's commands and the
// transports. TCP is host::connection; RDMA will be its sibling.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/host/deadline.hpp>
#include <fulmar/host/protocol_checker.hpp>
#include <fulmar/host/request.hpp>

#include <cstdint>

namespace fulmar::host {

enum class submit_result : std::uint8_t {
    queued,  ///< `done` will run exactly once
    full,    ///< the submission queue or the command ids are used up; poll and try again
    closed,  ///< the connection is gone; `done` will not run
};

/// One thread, all methods. Nothing allocates between opening and closing.
class queue {
  public:
    virtual ~queue() = default;

    /// Takes `r` to be sent at the next poll().
    virtual submit_result submit(request& r) noexcept = 0;

    /// One turn: receives once, runs `done` of what was answered, sends once. Never blocks.
    /// True when anything was received. The handlers may submit, and may close.
    virtual bool poll() noexcept = 0;

    /// Blocks until poll() would find something, or until `until`.
    virtual void wait(const deadline& until) noexcept = 0;

    /// Ends the connection; `done` runs for whatever is outstanding, with `answered` false.
    virtual void close() noexcept = 0;

    [[nodiscard]] virtual bool is_open() const noexcept = 0;
    /// How many submit() would take now.
    [[nodiscard]] virtual std::uint32_t room() const noexcept = 0;
    [[nodiscard]] virtual std::uint32_t outstanding() const noexcept = 0;
    /// Why it is closed; empty message while it is open.
    [[nodiscard]] virtual const error& why_closed() const noexcept = 0;
    [[nodiscard]] virtual const protocol_checker& checker() const noexcept = 0;
    /// The monotonic clock as this turn saw it, in nanoseconds.
    [[nodiscard]] virtual std::uint64_t now_ns() const noexcept = 0;
    /// From Identify Controller on: how much data a capsule may carry.
    virtual void set_in_capsule_bytes(std::uint32_t bytes) noexcept = 0;
};

}  // namespace fulmar::host
