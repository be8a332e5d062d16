#include <fulmar/base/assert.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/gate.hpp>

namespace fulmar::core {

void gate::take(gate_event on) noexcept {
    position = next_state(gate_edges, position, on).value_or(position);
}

admission gate::admit(std::uint32_t for_generation, std::uint64_t bytes) noexcept {
    if (for_generation != generation) return admission::stale;
    switch (position) {
        case gate_position::open: ++inside; return admission::enter;
        case gate_position::quiesced:
        case gate_position::waiting_for_device:
            if (parked >= limits::max_parked_requests ||
                parked_bytes + bytes > limits::max_parked_bytes)
                return admission::overflow;
            ++parked;
            parked_bytes += bytes;
            return admission::park;
        case gate_position::closed: return admission::refuse;
    }
    return admission::refuse;
}

bool gate::turns_back() const noexcept {
    return (position == gate_position::closed || position == gate_position::waiting_for_device) &&
           !mutated(mutation::closed_gates_let_data_through);
}

bool gate::leave() noexcept {
    FULMAR_ASSERT(inside > 0);
    --inside;
    return inside == 0;
}

void gate::unpark(std::uint64_t bytes) noexcept {
    FULMAR_ASSERT(parked > 0 && parked_bytes >= bytes);
    --parked;
    parked_bytes -= bytes;
}

}  // namespace fulmar::core
