// Admin commands: find a buffer, move data, then let the controller execute.
#pragma once

#include <fulmar/core/request.hpp>

/// Called on: the qpair's reactor, which is the controller's home.
namespace fulmar::core::command::admin {

void start(request& r) noexcept;
/// Its buffer is there.
void have_buffer(request& r) noexcept;
void data_arrived(request& r) noexcept;

}  // namespace fulmar::core::command::admin
