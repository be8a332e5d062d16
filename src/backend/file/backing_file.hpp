// What a file device stands on: descriptors, size, identity. The real one is path_file; tests have
// one that forgets. Control reactor only: opening, sizing and locking block,
// and bounded_open_file bounds for how long.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace fulmar::backend {

/// Why a file device is lost.
enum class file_loss_cause : std::uint8_t {
    none,
    sync_failed,  ///< data that was acknowledged may not be on the disk, and the kernel will not
                  ///< say so again
    no_room,      ///< as sync_failed, because the storage was full
    gone,         ///< ENODEV and the like
    smaller,      ///< than the device: what was there is lost
    unlinked,     ///< it has no name any more, and its data goes when we close it
    replaced,     ///< its path names another file or disk
    absent,       ///< its path names nothing
};

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

    /// True when ranges can be deallocated, and then read zero; also while nobody knows, since the
    /// only way to find out is to deallocate something.
    [[nodiscard]] virtual bool can_deallocate() const noexcept = 0;
    /// Bytes that it deallocates and zeroes as a whole, or not at all; 1 where there is no such
    /// thing.
    [[nodiscard]] virtual std::uint32_t storage_block() const noexcept { return 1; }
    [[nodiscard]] virtual const std::string& claim() const noexcept = 0;  ///< see device_identity
    [[nodiscard]] virtual const std::string& note() const noexcept = 0;   ///< see device::note()

    /// What the kernel knows of it without asking anybody, so that it never waits. `bytes` are the
    /// device's.  Called on: any thread.
    [[nodiscard]] virtual file_loss_cause glance(std::uint64_t bytes) const noexcept {
        static_cast<void>(bytes);
        return file_loss_cause::none;
    }
    /// The same and more, and may block.  Called on: any thread.
    [[nodiscard]] virtual file_loss_cause look(std::uint64_t bytes) const noexcept {
        return glance(bytes);
    }

    /// Whether there is room for more data; nothing: nobody knows. May block.  Called on: any
    /// thread.
    [[nodiscard]] virtual std::optional<bool> has_room() const noexcept { return {}; }

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
