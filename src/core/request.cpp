#include <fulmar/core/request.hpp>

#include <fulmar/base/assert.hpp>

#include "io_steps.hpp"

namespace fulmar::core {

namespace {
// From the embedded waiter back to its request.
request& request_of(mem::buffer_waiter& waiter) noexcept {
    constexpr auto offset = offsetof(request, waiter);
    return *reinterpret_cast<request*>(reinterpret_cast<std::byte*>(&waiter) - offset);
}
}  // namespace

request::request() noexcept
    : waiter([](mem::buffer_waiter& w, mem::buffer_chain&& chain) noexcept {
          io_steps::buffer_granted(request_of(w), std::move(chain));
      }) {}

void request::advance(request_event on) noexcept {
    const auto to = next_state(request_edges, state_, on);
    FULMAR_ASSERT(to.has_value());
    state_ = *to;
}

void request::reset() noexcept {
    in_capsule = {};
    in_capsule_chunk.release();
    chain.release();
    in_place = nullptr;
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
    generation = 0;
    task = nullptr;
    admin_context = nullptr;
}

}  // namespace fulmar::core
