// Reservation commands: Report is answered here, from what the poll group knows; the others are
// decided by the control reactor. They pass no gate: what they change may have to wait for it.
#pragma once

#include <fulmar/core/request.hpp>

/// Called on: the qpair's reactor.
namespace fulmar::core::command::reservation {

/// The form of the command has been read into `r.io`.
void start(request& r) noexcept;
/// Its data is there, or the room for it.
void go_on(request& r) noexcept;

}  // namespace fulmar::core::command::reservation
