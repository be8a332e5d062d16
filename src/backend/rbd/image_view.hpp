// What the channels of a device have to know of its image.
#pragma once

#include "image_states.hpp"

#include <fulmar/base/clock.hpp>

#include <atomic>
#include <cstdint>

namespace fulmar::backend::rbd {

/// Who is told that the image must be given up. Called on: any thread.
class loss_reporter {
  public:
    /// The first cause counts. From the return on nothing is submitted any more.
    virtual void report(image_loss why) noexcept = 0;

  protected:
    ~loss_reporter() = default;
};

/// Read on any thread. What is no atomic changes only while no reactor has an image.
struct image_view {
    std::atomic<bool> lost{true};
    std::atomic<std::uint64_t> block_count{0};
    unsigned shift = 9;
    bool read_only = false;
    duration command_limit{};
    loss_reporter* reporter = nullptr;
};

}  // namespace fulmar::backend::rbd
