// A device on an export of a Network Block Device server: qemu-nbd, nbdkit, or another one.
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

struct nbd_options {
    std::string name{};
    std::string uri{};              ///< nbd, nbds, nbd+unix or nbds+unix
    std::uint32_t connections = 1;  ///< of each reactor; one in all without multi-connection
    std::string tls_certificates{};
    std::string tls_psk_file{};
    std::string tls_username{};
    std::uint64_t size_bytes = 0;     ///< 0: what is exported; of a larger export the beginning
    std::uint32_t block_bytes = 512;  ///< 0: what the server works in
    bool write_through = false;       ///< every write is durable before it is acknowledged
    /// A server that answers nothing for so long is lost.
    duration command_limit = limits::nbd_command;
};

/// All of it outlives the devices.
struct nbd_environment {
    engine::reactor* control = nullptr;
    std::vector<engine::reactor*> data{};
    storage_watch* watch = nullptr;    ///< null: the control reactor may always wait
    storage_memory* memory = nullptr;  ///< null: nothing is remembered over restarts
};

/// Whether this build can have such devices.  Called on: any thread.
[[nodiscard]] bool knows_nbd() noexcept;

/// Lost until its server has been reached: device::open(opening::asked_for) waits for that, at most
/// limits::storage_patience. It reconnects by itself, and is lost for good (until reopen()) when a
/// flush failed, or when what it had acknowledged may be gone and its listener says so. What comes
/// back must be what was there, and no smaller; a larger export is taken up then.
/// NBD 2023 "Block size constraints", "Multi-connection".  Called on: control reactor.
/// Errors: not_supported (no libnbd in this build); invalid_argument.
result<std::unique_ptr<device>> make_nbd_device(const nbd_options& options,
                                                const nbd_environment& environment);

}  // namespace fulmar::backend
