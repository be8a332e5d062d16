// Admin commands: find a buffer, move data, then let the controller execute.
#pragma once

#include <fulmar/core/request.hpp>

namespace fulmar::core {

/// Called on: the qpair's reactor, which is the controller's home.
struct admin_steps {
    static void start(request& r) noexcept;
    static void buffer_granted(request& r) noexcept;
    static void data_arrived(request& r) noexcept;

  private:
    static void have_buffer(request& r) noexcept;
};

}  // namespace fulmar::core
