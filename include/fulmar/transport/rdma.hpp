// NVMe/RDMA for the composition root. On a machine without RDMA devices its listeners wait for one.
#pragma once

#include <fulmar/core/target.hpp>
#include <fulmar/core/transport.hpp>

#include <memory>

namespace fulmar::transport {

/// Called on: control reactor.
std::unique_ptr<core::transport> make_rdma_transport(core::target& target);

}  // namespace fulmar::transport
