// NVMe/TCP for the composition root.
#pragma once

#include <fulmar/core/target.hpp>
#include <fulmar/core/transport.hpp>

#include <memory>

namespace fulmar::transport {

/// Called on: control reactor.
std::unique_ptr<core::transport> make_tcp_transport(core::target& target);

}  // namespace fulmar::transport
