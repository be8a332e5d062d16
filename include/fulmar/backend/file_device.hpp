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
    std::string path{};  ///< a regular file or a block device
    std::uint64_t size_bytes = 0;     ///< 0: what is there. A file that is smaller is refused, of a
                                      ///< larger one the beginning is used
    std::uint32_t block_bytes = 512;  ///< 0: what the storage works in
    bool create = false;              ///< a file that is absent: sparse, of size_bytes
    bool direct = true;               ///< O_DIRECT where possible; note() tells where not
    bool write_through = false;       ///< every write is durable before it is acknowledged
    /// Whether a device may be on `path`; null: on any. May block.  Called on: any thread.
    result<void> (*permit)(const std::string& path) = nullptr;
    /// Judges what has been opened as `path`; null: everything may be. Likewise.
    result<void> (*permit_open)(int fd, const std::string& path) = nullptr;
};

class storage_memory;
class storage_watch;

/// What file devices live on; all of it outlives them.
struct file_environment {
    engine::reactor* control = nullptr;  ///< where listeners are told
    engine::file_io_provider* files = nullptr;
    storage_watch* watch = nullptr;    ///< null: nothing is looked for or at
    storage_memory* memory = nullptr;  ///< null: nothing is remembered
};

/// Has a volatile write cache: FUA becomes RWF_DSYNC, Flush fdatasync. After one of these failed
/// the device is lost until reopen(), because the kernel would report the next one as a success;
/// and as soon as what it stands on is noticed to have become smaller, or to be another or gone.
/// The file is locked against other daemons and backs one device only. It is missing until
/// device::open(). Called on: control reactor. Errors: invalid_argument.
result<std::unique_ptr<device>> make_file_device(const file_options& options,
                                                 const file_environment& environment);

/// One that is open.  Called on: control reactor.  Errors: not_found; permission_denied;
/// invalid_argument; conflict (somebody uses it); no_memory (disk full); io_error.
result<std::unique_ptr<device>> make_file_device(const file_options& options,
                                                 engine::reactor& control,
                                                 engine::file_io_provider& files);

}  // namespace fulmar::backend
