// A device in a regular file or on a block device of this machine.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/engine/file_io.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace fulmar::backend {

struct file_options {
    std::string name{};  ///< of the device: named in the error when somebody wants the same file
    std::string path{};  ///< a regular file (created, sparse, when absent and a size is given) or a
                         ///< block device
    std::uint64_t size_bytes = 0;  ///< 0: what is there. A file that is smaller grows; of a larger
                                   ///< one the beginning is used
    std::uint32_t block_bytes = 512;
    bool direct = true;  ///< O_DIRECT where possible; note() tells where not
};

/// Has a volatile write cache: FUA becomes RWF_DSYNC, Flush fdatasync. After one of these failed
/// the device is lost until reopen(), because the kernel would report the next one as a success.
/// The file is locked against other daemons and backs one device only. `control` is where the
/// listener is told; `files` outlives the device. Called on: control reactor. Errors: not_found;
/// permission_denied; invalid_argument; conflict (somebody uses it); no_memory (disk full);
/// io_error.
result<std::unique_ptr<device>> make_file_device(const file_options& options,
                                                 engine::reactor& control,
                                                 engine::file_io_provider& files);

}  // namespace fulmar::backend
