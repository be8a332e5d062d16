// Fabrics commands as they arrive on any queue (NVMe-oF 1.1, section 3).
#pragma once

#include <fulmar/core/request.hpp>

/// Called on: the qpair's reactor.
namespace fulmar::core::command::fabrics {

void start(request& r) noexcept;

}  // namespace fulmar::core::command::fabrics
