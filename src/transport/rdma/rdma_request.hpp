// A request of an NVMe/RDMA connection: with where its data is at the host, and how much of the
// work for it the device still has.
#pragma once

#include "sgl_walk.hpp"

#include <fulmar/base/clock.hpp>
#include <fulmar/base/intrusive.hpp>
#include <fulmar/core/request.hpp>

#include <cstdint>

namespace fulmar::transport::rdma {

/// What the transport does for a request.
enum class transfer_phase : std::uint8_t {
    none,     ///< it is core's, or free
    connect,  ///< fetches the data of a Connect, before core sees it
    fetch,    ///< fetches what core has asked for
    answer,   ///< sends data and answer
};

/// Called on: owning reactor.
struct rdma_request final : core::request {
    static constexpr std::uint32_t no_slot = 0xffff'ffff;

    bool in_use = false;
    transfer_phase phase = transfer_phase::none;
    bool answer_posted = false;
    std::uint32_t total = 0;   ///< bytes of this phase
    std::uint32_t moved = 0;   ///< of them, posted
    std::uint32_t posted = 0;  ///< work requests at the device, of any phase
    std::uint32_t answer_slot = no_slot;
    /// When the host must have let all of this phase pass; nothing: none of it is at the device.
    instant due{};
    sgl_view sgl;
    /// Memory that the device may touch although the request has ended, or before it began. Goes
    /// when `posted` is 0.
    mem::buffer_chain dma_pinned;

    list_hook free_hook{};
    list_hook output_hook{};  ///< in one of the connection's lists of what is due
};

}  // namespace fulmar::transport::rdma
