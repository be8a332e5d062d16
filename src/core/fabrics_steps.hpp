// Fabrics commands as they arrive on any queue (NVMe-oF 1.1, section 3).
#pragma once

#include <fulmar/core/request.hpp>

namespace fulmar::core {

/// Called on: the qpair's reactor.
struct fabrics_steps {
    static void start(request& r) noexcept;

  private:
    static void disconnect(request& r) noexcept;
};

}  // namespace fulmar::core
