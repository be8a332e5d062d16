// A queue whose host has just proved who it is takes its place among those of its listener, its
// subsystem and its controller. Until then it has kept nobody out of any of them.
#pragma once

#include <fulmar/core/connect_op.hpp>

namespace fulmar::core::command::proof {

// On the qpair's reactor.

/// Sends the queue's Connect around once more; its authentication hears placed().
void start(connect_op& op) noexcept;
void returned(engine::message& m) noexcept;

// On the control reactor.

void at_control(engine::message& m) noexcept;

// On the controller's home reactor.

/// Where connect::at_home() leads then.
void at_home(connect_op& op) noexcept;

}  // namespace fulmar::core::command::proof
