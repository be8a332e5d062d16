// One shared receive queue and what connections may hold of it. A slot is taken by the hardware
// before anybody knows whose it is, so nothing can be refused beforehand: a capsule that has to
// wait for a buffer keeps its slot. Those that wait for longer than a device that works would let
// them keep half of the slots together at most, each the same; the rest is everybody's.
#pragma once

#include "verbs.hpp"

#include <cstdint>
#include <memory>

namespace fulmar::transport::rdma {

/// Made on the control reactor; called on: owning data reactor.
class receive_class {
  public:
    static constexpr std::uint32_t unlimited = 0xffff'ffff;

    std::unique_ptr<shared_receive_queue> queue;
    std::uint32_t first = 0;  ///< of its slots
    std::uint32_t count = 0;

    [[nodiscard]] bool has(std::uint32_t slot) const noexcept { return slot - first < count; }
    /// Slots that a connection which has stalled may hold.
    [[nodiscard]] std::uint32_t allowance() const noexcept { return allowance_; }

    /// A look at all connections that have stalled: begin, each of them, end.
    void begin_look() noexcept { stalled_ = held_ = 0; }
    void add_stalled(std::uint32_t slots) noexcept {
        ++stalled_;
        held_ += slots;
    }
    void end_look() noexcept {
        const std::uint32_t most = count / 2;
        if (held_ > most)
            allowance_ = most / stalled_;
        else if (held_ <= most / 2)  // not at once: they would fill it again until the next look
            allowance_ = unlimited;
        else if (allowance_ != unlimited)
            allowance_ = most / stalled_;  // there may be more of them now
    }

  private:
    std::uint32_t stalled_ = 0;
    std::uint32_t held_ = 0;
    std::uint32_t allowance_ = unlimited;
};

}  // namespace fulmar::transport::rdma
