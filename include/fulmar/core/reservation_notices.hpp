// The reservation notifications that a controller has for its host: the queue behind log page 80h,
// and the masks of feature 82h (NVMe Base 2.0, sections 5.16.1.24, 5.27 and 8.19.2). Called on: the
// controller's home reactor. Must never: forget that something was lost.
#pragma once

#include <fulmar/base/limits.hpp>
#include <fulmar/nvme/logs.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace fulmar::core {

enum class notice_fate : std::uint8_t {
    queued,  ///< a page is available: Reservation Log Page Available is due
    masked,  ///< the host does not want to know
    lost,    ///< the queue is full; the count of the last page tells
};

/// Called on: home reactor.
class reservation_notices {
  public:
    /// Something happened to the reservation of a namespace. `what` is not `empty`.
    notice_fate add(std::uint32_t nsid, nvme::reservation_notice what) noexcept;
    /// The oldest page, which leaves the queue; all zeroes when there is none.
    [[nodiscard]] nvme::reservation_notification_log take() noexcept;
    /// Pages that take() has not returned yet.
    [[nodiscard]] std::uint32_t available() const noexcept { return size_; }

    /// Dword 11 of feature 82h; 0: nothing is masked.
    [[nodiscard]] std::uint32_t mask_of(std::uint32_t nsid) const noexcept;
    /// For each of `nsids`, which ascend. Reserved bits of `mask` are dropped. False: no memory,
    /// and nothing has changed.
    [[nodiscard]] bool set_mask(std::span<const std::uint32_t> nsids, std::uint32_t mask) noexcept;
    /// The namespace is gone: whoever gets its NSID next starts without a mask.
    void forget_mask(std::uint32_t nsid) noexcept;

    /// A Controller Level Reset: nothing is available, nothing masked, and the count starts anew.
    void reset() noexcept;

  private:
    struct entry {
        std::uint64_t count = 0;
        std::uint32_t nsid = 0;
        nvme::reservation_notice what = nvme::reservation_notice::empty;
    };
    struct masked_namespace {
        std::uint32_t nsid = 0;
        std::uint32_t mask = 0;
    };

    std::array<entry, limits::max_reservation_notices> queue_{};  // a ring
    std::uint32_t first_ = 0;
    std::uint32_t size_ = 0;
    std::uint64_t count_ =
        0;  // of notifications, the lost ones included; never 0 again once it ran
    std::vector<masked_namespace> masks_;  // ascending by NSID; masks of 0 are not kept
};

}  // namespace fulmar::core
