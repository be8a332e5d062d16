// What a host knows of its submission queue's head: how many commands the controller has taken.
#pragma once

#include <fulmar/host/protocol_checker.hpp>
#include <fulmar/nvme/command.hpp>

#include <cstdint>

namespace fulmar::host {

/// Follows the SQ head pointer (SQHD) of each answer and records in the checker what cannot be so:
/// a head outside of the queue or past what was sent (Base 3.3.1.2, Fabrics 3.3), or behind the
/// commands that have been answered. Not thread-safe: its queue's thread.
class sq_head {
  public:
    /// `entries` of the submission queue; without flow control the controller sends FFFFh.
    sq_head(std::uint16_t entries, bool flow_control) noexcept
        : entries_(entries), flow_control_(flow_control) {}

    [[nodiscard]] bool flow_control() const noexcept { return flow_control_; }
    /// How many commands of `free_ids` may be sent now.
    [[nodiscard]] std::uint32_t room(std::uint32_t free_ids) const noexcept;
    /// The SQHD that an answer would have which takes no further command.
    [[nodiscard]] std::uint16_t value() const noexcept;

    void sent() noexcept { ++unconsumed_; }
    /// Before `with` is counted as answered in `told`.
    void take(const nvme::cqe& with, protocol_checker& told) noexcept;

  private:
    std::uint16_t entries_;
    std::uint16_t head_ = 0;
    std::uint32_t unconsumed_ = 0;  // sent, and not yet covered by a head
    std::uint64_t consumed_ = 0;
    bool flow_control_;
    bool connected_ = false;  // the first answer, the Connect command's, has come
};

}  // namespace fulmar::host
