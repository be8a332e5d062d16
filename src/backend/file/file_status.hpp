// What the operating system's errors mean to a host. Any thread; pure.
#pragma once

#include <fulmar/backend/io_op.hpp>

namespace fulmar::backend {

/// The status for `error` (an errno value, positive) of an operation of `kind`. docs/status.md has
/// the same table.
[[nodiscard]] nvme::status status_of(int error, io_kind kind) noexcept;

/// True when `error` says that there is nothing behind the descriptor any more.
[[nodiscard]] bool means_gone(int error) noexcept;

}  // namespace fulmar::backend
