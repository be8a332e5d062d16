#include "command/buffer.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/core/request.hpp>

#include <cstddef>

namespace fulmar::core {

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"  // plain members, no virtual bases
// There are up to 1,024 of them per queue, and each command walks one from end to end.
struct request::layout {
    static_assert(offsetof(request, state_) == 0);
    static_assert(offsetof(request, sqe) <= 80, "the way of a command begins in one line");
    static_assert(offsetof(request, chain) < 256);
    static_assert(sizeof(request) <= 384);
};
#pragma GCC diagnostic pop

request::request() noexcept : waiter(*this) {}

request::buffer_wait::buffer_wait(request& r) noexcept
    : buffer_waiter([](mem::buffer_waiter& w, mem::buffer_chain&& granted) noexcept {
          command::buffer::granted(*static_cast<buffer_wait&>(w).owner, std::move(granted));
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
    parked_bytes = 0;
    charged = 0;
    generation = 0;
    task = nullptr;
    errand = nullptr;
    missing = 0;
}

}  // namespace fulmar::core
