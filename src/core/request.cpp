#include "io_steps.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/core/request.hpp>

namespace fulmar::core {

request::request() noexcept : waiter(*this) {}

request::buffer_wait::buffer_wait(request& r) noexcept
    : buffer_waiter([](mem::buffer_waiter& w, mem::buffer_chain&& granted) noexcept {
          io_steps::buffer_granted(*static_cast<buffer_wait&>(w).owner, std::move(granted));
      }),
      owner(&r) {}

void request::advance(request_event on) noexcept {
    static constexpr auto table =
        by_state_and_event<request_state::answering, request_event::sent>(request_edges);
    const std::uint8_t to = table[static_cast<std::size_t>(state_)][static_cast<std::size_t>(on)];
    FULMAR_ASSERT(to != no_edge);
    state_ = static_cast<request_state>(to);
}

void request::reset() noexcept {
    in_capsule = {};
    in_capsule_chunk.release();
    chain.release();
    in_place = nullptr;
    transport_status = {};
    sgl_bytes = 0;
    sgl_status = {};
    direction = nvme::data_direction::none;
    length = 0;
    status = {};
    dw0 = 0;
    dw1 = 0;
    entry = nullptr;
    entered = false;
    hint_only = false;
    parked_bytes = 0;
    charged = 0;
    generation = 0;
    task = nullptr;
    admin_context = nullptr;
}

}  // namespace fulmar::core
