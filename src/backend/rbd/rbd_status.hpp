// What the errors of librbd mean. Any thread; pure.
#pragma once

#include "image_states.hpp"

#include <fulmar/backend/io_op.hpp>

namespace fulmar::backend::rbd {

/// Why the image is of no use after `error` (an errno value, positive) of an operation of `kind`;
/// none: it is.
[[nodiscard]] image_loss loss_of(int error, io_kind kind) noexcept;

[[nodiscard]] nvme::status rbd_status(int error, io_kind kind) noexcept;

}  // namespace fulmar::backend::rbd
