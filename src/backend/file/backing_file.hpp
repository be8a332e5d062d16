// What a file device stands on: descriptors, size, identity. The real one is path_file; tests have
// one that forgets. Control reactor only: opening, sizing and locking block,
// and patient_file bounds for how long.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstdint>
#include <string>

namespace fulmar::backend {

class backing_file {
  public:
    virtual ~backing_file() = default;

    /// For operations whose memory is aligned to memory_alignment(). The number stays the same over
    /// reopen(), so that reactors need not be told.  Called on: any thread.
    [[nodiscard]] virtual int fd() const noexcept = 0;
    /// For all others; the same as fd() when that needs no alignment.  Called on: any thread.
    [[nodiscard]] virtual int unaligned_fd() const noexcept = 0;
    [[nodiscard]] virtual std::uint32_t memory_alignment()
        const noexcept = 0;  ///< Called on: any thread

    /// A descriptor of its own for syncing, or -errno. The kernel tells each open file once that
    /// written data was lost: one that is shared could tell somebody else.  Called on: any thread.
    [[nodiscard]] virtual int open_for_sync() noexcept = 0;
    virtual void close_for_sync(int fd) noexcept = 0;

    /// True when ranges can be deallocated, and then read zero.
    [[nodiscard]] virtual bool can_deallocate() const noexcept = 0;
    [[nodiscard]] virtual const std::string& claim() const noexcept = 0;  ///< see device_identity
    [[nodiscard]] virtual const std::string& note() const noexcept = 0;   ///< see device::note()

    /// Bytes, now.
    virtual result<std::uint64_t> size() = 0;
    /// Grows or shrinks, durably; what comes in beyond `old_bytes` reads zero.  Errors:
    /// not_supported; no_memory; io_error.
    virtual result<void> set_size(std::uint64_t old_bytes, std::uint64_t new_bytes) = 0;
    /// Opens what must be the same file again and forgets cached data that never reached it.
    /// Errors: conflict; io_error.
    virtual result<void> reopen() = 0;
};

}  // namespace fulmar::backend
