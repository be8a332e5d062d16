// One command on its way through the target. Transports derive from it and own the array; core
// drives it.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/intrusive.hpp>
#include <fulmar/core/request_states.hpp>
#include <fulmar/mem/buffer_chain.hpp>
#include <fulmar/mem/buffer_credit.hpp>
#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/status.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace fulmar::core {

class qpair;
struct namespace_entry;
class io_task;

/// Called on: the qpair's reactor, all members.
class request {
  public:
    request() noexcept;
    request(const request&) = delete;
    request& operator=(const request&) = delete;

    // What arrived.
    nvme::sqe sqe{};
    qpair* owner = nullptr;
    std::span<const std::byte>
        in_capsule{};  ///< data that came with the command; valid during qpair::on_command() only
    mem::buffer_chain
        in_capsule_chunk;  ///< where to keep it longer: taken by the transport beforehand
    nvme::status transport_status{};  ///< success, or why the command cannot be run (its data
                                      ///< arrived broken)
    std::uint32_t sgl_bytes = 0;      ///< what the data pointer describes; 0: none
    nvme::status
        sgl_status{};  ///< success, or what is wrong with the data pointer on this transport

    // What moves.
    nvme::data_direction direction = nvme::data_direction::none;
    std::uint32_t length = 0;  ///< bytes
    mem::buffer_chain chain;   ///< the request's own buffer
    const std::byte* in_place =
        nullptr;  ///< a read's data in the device's memory: valid until the end of this turn

    // What is answered.
    nvme::status status{};
    std::uint32_t dw0 = 0;
    std::uint32_t dw1 = 0;

    [[nodiscard]] std::uint16_t cid() const noexcept { return sqe.cid.value(); }
    [[nodiscard]] request_state state() const noexcept { return state_; }
    /// True when the answer carries data to the host.
    [[nodiscard]] bool answers_with_data() const noexcept {
        return direction == nvme::data_direction::controller_to_host && length != 0 &&
               nvme::is_success(status);
    }

    /// Takes the edge for `on`; a missing edge is our own mistake.
    void advance(request_event on) noexcept;

    // Core's.
    namespace_entry* entry = nullptr;  ///< whose gate it entered or is parked at
    bool entered = false;
    bool hint_only = false;          ///< Dataset Management without anything for the backend to do
    std::uint64_t parked_bytes = 0;  ///< what its gate counts while it is parked
    std::uint32_t charged = 0;       ///< chunks that its namespace's share counts
    instant parked_at{};
    bool cut_off = false;  ///< its device was lost while its data was on the way: it must not reach
                           ///< the one that comes back
    std::uint32_t generation = 0;   ///< of the namespace that it was addressed to
    io_task* task = nullptr;        ///< while it is at a backend
    void* admin_context = nullptr;  ///< an asynchronous admin command's
    list_hook list{};               ///< parked at its gate, or starving
    struct buffer_wait : mem::buffer_waiter {
        explicit buffer_wait(request& r) noexcept;
        request* owner;
    };
    buffer_wait waiter;

    void reset() noexcept;

  private:
    request_state state_ = request_state::idle;
};

}  // namespace fulmar::core
