// A device on an image of a Ceph cluster, or on a snapshot of one.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/base/limits.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace fulmar::backend {

class storage_memory;
class storage_watch;

namespace rbd {
class cluster;
}

struct rbd_options {
    std::string name{};
    std::string pool{};
    std::string ceph_namespace{};
    std::string image{};
    std::string snapshot{};  ///< of the image, read-only; empty: the image itself
    std::string user = "admin";
    std::string conf{};               ///< empty: /etc/ceph/ceph.conf
    std::string keyring{};            ///< empty: where `conf` says
    std::string cpus{};               ///< "0-3,8", for the threads of the client; empty: any
    std::uint64_t size_bytes = 0;     ///< 0: that of the image; of a larger one the beginning
    std::uint32_t block_bytes = 512;  ///< 0: 4096 where the size allows it
    /// An operation that is not answered for so long makes the device lost.
    duration command_limit = limits::rbd_command;
};

/// All of it outlives the devices.
struct rbd_environment {
    engine::reactor* control = nullptr;
    std::vector<engine::reactor*> data{};
    storage_watch* watch = nullptr;    ///< null: the control reactor may always wait
    storage_memory* memory = nullptr;  ///< null: nothing is remembered over restarts
    rbd::cluster* cluster = nullptr;   ///< null: through librbd
};

/// Whether this build can have such devices.  Called on: any thread.
[[nodiscard]] bool knows_rbd() noexcept;

/// Lost until its image is open and its exclusive lock ours: device::open(opening::asked_for) waits
/// for that, at most limits::storage_patience. It opens the image anew by itself when the cluster
/// is back, when the lock was broken, and after it has been fenced; but not before all that it had
/// sent to the cluster has ended there. What it opens must be the image that it was, and no
/// smaller. Every write is durable when it is answered (rbd_cache is off).
/// Called on: control reactor.
/// Errors: not_supported (no librbd in this build); invalid_argument.
result<std::unique_ptr<device>> make_rbd_device(const rbd_options& options,
                                                const rbd_environment& environment);

}  // namespace fulmar::backend
