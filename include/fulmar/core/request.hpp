// One command on its way through the target. Transports derive from it and own the array; core
// drives it.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/intrusive.hpp>
#include <fulmar/core/parsed_io.hpp>
#include <fulmar/core/range_locks.hpp>
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
struct reservation_errand;

/// Why a command must not reach its device although it is inside the gate.
enum class cut_off : std::uint8_t {
    no,
    lost,    ///< the device was lost while its data was on the way: not the one that comes back
    hidden,  ///< its host does not see the namespace any more
    path,    ///< the path that it came by was closed, by its ANA state
};

/// Called on: the qpair's reactor, all members. What every command touches comes first; request.cpp
/// holds the sizes.
class request {
  private:
    request_state state_ = request_state::idle;

  public:
    request() noexcept;
    request(const request&) = delete;
    request& operator=(const request&) = delete;

    // On its way. Core's, but for `direction`, `length` and `in_place`.
    bool entered = false;  ///< it is inside its gate
    core::cut_off cut = core::cut_off::no;
    nvme::data_direction direction = nvme::data_direction::none;
    std::uint32_t length = 0;      ///< bytes that move
    std::uint32_t sgl_bytes = 0;   ///< what the data pointer describes; 0: none. The transport's
    std::uint32_t generation = 0;  ///< of the namespace that it was addressed to
    qpair* owner = nullptr;
    namespace_entry* entry = nullptr;  ///< whose gate it entered or is parked at
    parsed_io io{};                    ///< an I/O command's, once it has been read
    const std::byte* in_place =
        nullptr;  ///< a read's data in the device's memory: valid until the end of this turn

    // What arrived.
    nvme::sqe sqe{};
    nvme::status transport_status{};  ///< success, or why the command cannot be run (its data
                                      ///< arrived broken)
    nvme::status
        sgl_status{};  ///< success, or what is wrong with the data pointer on this transport

    // What is answered.
    nvme::status status{};
    std::uint32_t dw0 = 0;
    std::uint32_t dw1 = 0;

    std::uint32_t charged = 0;  ///< chunks that its namespace's share counts
    range_hold hold{};          ///< of its blocks, until its task has it
    io_task* task = nullptr;    ///< while it is at a backend
    mem::buffer_chain chain;    ///< the request's own buffer
    std::span<const std::byte>
        in_capsule{};  ///< data that came with the command; valid during qpair::on_command() only
    mem::buffer_chain
        in_capsule_chunk;  ///< where to keep it longer: taken by the transport beforehand

    // While it waits.
    std::uint64_t parked_bytes = 0;  ///< what its gate counts while it is parked
    instant parked_at{};
    reservation_errand* errand = nullptr;  ///< while the control reactor decides about it
    request* partner = nullptr;            ///< of its fused pair; see command/fused.hpp
    std::uint8_t missing = 0;              ///< whose data a fused pair has to fetch
    list_hook list{};  ///< parked at its gate, waiting for a buffer, or awaiting its range
    struct buffer_wait : mem::buffer_waiter {
        explicit buffer_wait(request& r) noexcept;
        request* owner;
    };
    buffer_wait waiter;

    [[nodiscard]] std::uint16_t cid() const noexcept { return sqe.cid.value(); }
    [[nodiscard]] request_state state() const noexcept { return state_; }
    /// True when the answer carries data to the host.
    [[nodiscard]] bool answers_with_data() const noexcept {
        return direction == nvme::data_direction::controller_to_host && length != 0 &&
               nvme::is_success(status);
    }

    /// Takes the edge for `on`; a missing edge is our own mistake.
    void advance(request_event on) noexcept;

    void reset() noexcept;

    /// Where its parts lie: for request.cpp, which asserts it.
    struct layout;
};

}  // namespace fulmar::core
