// The hops of a Connect (and of the leave that undoes it); each says on which reactor it runs.
#pragma once

#include <fulmar/core/connect_op.hpp>
#include <fulmar/core/request.hpp>

namespace fulmar::core::command::connect {

// On the qpair's reactor.

void start(request& r) noexcept;
void resolve(connect_op& op) noexcept;  ///< find the subsystem; go on, wait or refuse
void end_wait(connect_op& op) noexcept;
void wait_is_over(connect_op& op) noexcept;  ///< or at home, where it waits for its predecessor
void admin_granted(engine::message& m) noexcept;  ///< an id was assigned: the controller is made
void returned(engine::message& m) noexcept;       ///< refused, or joined a controller
void leaving_noted(engine::message& m) noexcept;
void detached(engine::message& m) noexcept;

// On the control reactor.

void at_control(engine::message& m) noexcept;

// On the controller's home reactor.

void at_home(engine::message& m) noexcept;
/// The queue is closing: a successor may wait for it.
void leaving_at_home(engine::message& m) noexcept;
void detach_at_home(engine::message& m) noexcept;
/// The queue in `old` has the number that `op` wants. True: at_home() is called again when it has
/// left, or when there is no more time.
[[nodiscard]] bool wait_behind(connect_op& op, queue_slot& old) noexcept;

}  // namespace fulmar::core::command::connect
