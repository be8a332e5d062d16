// What the errors of NBD servers, and of the way to them, mean. Any thread; pure.
#pragma once

#include <fulmar/backend/io_op.hpp>

namespace fulmar::backend::nbd {

/// The connection is of no use any more.
[[nodiscard]] bool means_server_gone(int error) noexcept;

/// The error of a write that was refused before anything was written.
[[nodiscard]] bool wrote_nothing(int error) noexcept;

/// The status for `error` (an errno value, positive) of an operation of `kind`.
[[nodiscard]] nvme::status nbd_status(int error, io_kind kind) noexcept;

}  // namespace fulmar::backend::nbd
