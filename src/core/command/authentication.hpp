// Authentication Send and Receive (NVMe Base 2.0, sections 6.1 and 6.2): what can be wrong with
// them, and the way of their data.
#pragma once

#include <fulmar/core/request.hpp>

/// Called on: the qpair's reactor, all of them.
namespace fulmar::core::command::authentication {

void start(request& r) noexcept;
/// Its data has come, or the buffer for its answer is there.
void data_arrived(request& r) noexcept;
[[nodiscard]] bool is_one(const request& r) noexcept;

}  // namespace fulmar::core::command::authentication
