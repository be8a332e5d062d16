// Fused Compare and Write (NVMe Base 2.0, section 3.4.2; NVM Command Set 1.0, section 2.4): two
// commands that follow each other on one queue, whenever their data comes. The Write, called the
// second, drives both: it alone enters the gate, waits for the memory of both, and is alone in
// their range; the Compare, the first, is `paired` meanwhile, and is answered when it has been
// carried out, or with the second when it has not.
#pragma once

#include <fulmar/core/request.hpp>

#include <cstdint>

/// Called on: the qpair's reactor, all of them. Must never: allocate, log or block.
namespace fulmar::core::command::fused {

/// A command of a live I/O queue has arrived that is fused, or before which a first waits for its
/// second. `fault`: what is wrong with it already. True: it is dealt with.
[[nodiscard]] bool arrived(request& r, nvme::status fault) noexcept;
/// From now on the namespace of `second` has locks of ranges; or `status` says why not.
void have_locks(request& second, nvme::status status) noexcept;
/// What a gate counts while the pair is parked.
[[nodiscard]] std::uint64_t kept_bytes(const request& second) noexcept;
/// The second is inside its gate.
void entered(request& second) noexcept;
/// What the pair has waited for, in the chain of the second.
void have_buffer(request& second) noexcept;
/// The data of one of a pair is there, or its transport says what went wrong.
void data_arrived(request& one, nvme::status status) noexcept;
/// The second has all that it needs, and is alone: the first is carried out, then the second.
void execute(request& second) noexcept;
/// One of a pair ends with `status`: so does the other.
void other_ends(request& one, nvme::status status) noexcept;
/// The second of the pair that `one` belongs to; null while it has not come.
[[nodiscard]] inline request* second_of(request& one) noexcept {
    return one.io.fused ? &one : one.partner;
}

}  // namespace fulmar::core::command::fused
