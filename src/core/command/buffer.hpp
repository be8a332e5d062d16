// How a command finds its buffer: the share of its device, then that of its host, then the credit
// of its connection. Each stage has a queue of its own, so that what waits at one never stands in
// front of what waits for something else.
#pragma once

#include <fulmar/core/host.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/core/request.hpp>
#include <fulmar/core/subsystem_group.hpp>

/// Called on: the qpair's reactor, all of them.
namespace fulmar::core::command::buffer {

/// A buffer for `r.length` bytes: now, or as soon as it may have one.
void want(request& r) noexcept;
/// The pool has granted the chunks that the request waited for.
void granted(request& r, mem::buffer_chain&& chain) noexcept;
/// Ends the wait for a buffer, if there is one.
void cancel_wait(request& r) noexcept;
/// From now on its device is what the buffer waits for, and no longer its host.
void charge_device(request& r) noexcept;

// Requests that wait for the share of a namespace's device, or of a host.
[[nodiscard]] inline auto& waiting(namespace_entry& entry) noexcept { return entry.buffer_waiters; }
[[nodiscard]] inline auto& waiting(host_buffers& host) noexcept { return host.waiting; }
/// The oldest of them may go on.
[[nodiscard]] bool can_go_on(namespace_entry& entry) noexcept;
[[nodiscard]] bool can_go_on(host_buffers& host) noexcept;
/// It does, if it may.
bool go_on(namespace_entry& entry) noexcept;
bool go_on(host_buffers& host) noexcept;

/// What the device of `entry` has kept since the last look but one is charged to it alone.
void charge_slow_tasks(namespace_entry& entry) noexcept;

}  // namespace fulmar::core::command::buffer
