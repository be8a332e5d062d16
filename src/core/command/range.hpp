// How an I/O command gets at its blocks where fused pairs have to be alone in theirs. Only asked
// where a namespace has locks of ranges at all.
#pragma once

#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/request.hpp>
#include <fulmar/core/subsystem_group.hpp>

/// Called on: the qpair's reactor, all of them. Must never: allocate, log or block.
namespace fulmar::core::command::range {

/// True: it has what it touches, until give_back(). False: it waits in its poll group, which calls
/// io::execute() again.
[[nodiscard]] bool take(request& r) noexcept;
/// Its device will touch them no more. Others that wait hear of it.
void give_back(const namespace_entry& entry, range_hold& hold) noexcept;
/// Out of the list of those that wait; it keeps what it has claimed.
void stop_waiting(request& r) noexcept;

}  // namespace fulmar::core::command::range
