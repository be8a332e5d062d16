// Asynchronous file operations as a reactor sees them. What moves the bytes (io_uring, or a test's
// forgetful disk) is behind this seam. Opening, sizing, renaming and locking files are not
// operations: they block, and the control reactor does them.
#pragma once

#include <fulmar/base/intrusive.hpp>
#include <fulmar/base/result.hpp>

#include <sys/uio.h>

#include <cstdint>
#include <span>

namespace fulmar::engine {

class reactor;

enum class file_op_kind : std::uint8_t {
    read,
    write,
    sync,          ///< fsync: data and all metadata
    data_sync,     ///< fdatasync: data, and the metadata without which it could not be found
    deallocate,    ///< punches a hole; reads zero afterwards; the size stays
    write_zeroes,  ///< reads zero afterwards; the space stays allocated; the size stays
};

/// One operation. The submitter owns it and what it points to, and leaves both alone until `done`
/// runs: exactly once for each submit(), on the reactor of the file_io, and never inside submit().
/// After its first instruction the op may be used again.
struct file_op {
    /// `result`: bytes moved (read, write) or 0; negative: -errno. Fewer bytes than `length` mean
    /// the end of the file and nothing else: what the kernel does piecemeal is continued before
    /// anybody is told.
    using completion = void (*)(file_op&, std::int64_t result) noexcept;

    file_op_kind kind = file_op_kind::read;
    bool durable = false;  ///< write: on stable storage before `done` (RWF_DSYNC)
    int fd = -1;
    std::uint64_t offset = 0;          ///< bytes
    std::uint64_t length = 0;          ///< bytes; for read and write the sum over `vectors`
    std::span<const iovec> vectors{};  ///< read, write
    completion done = nullptr;

    // The file_io's, while it holds the op.
    list_hook hook{};
    std::uint64_t moved = 0;  ///< bytes so far
    enum class place : std::uint8_t { idle, queued, at_kernel } where = place::idle;

  protected:
    ~file_op() = default;
};

/// The files of one reactor. Holds any number of operations: what the queue to the kernel cannot
/// take waits in order. Called on: owning reactor, all methods.
class file_io {
  public:
    virtual void submit(file_op& op) noexcept = 0;

    /// Tries to end `op` early; its answer is then -ECANCELED. It completes through `done` as
    /// always, now or in its own time.
    virtual void cancel(file_op& op) noexcept = 0;

    /// Operations submitted and not answered.
    [[nodiscard]] virtual std::uint32_t outstanding() const noexcept = 0;

  protected:
    virtual ~file_io() = default;
};

/// Where the file_io of a reactor comes from. Destroyed after the reactors' threads have ended, and
/// before the reactors.
class file_io_provider {
  public:
    virtual ~file_io_provider() = default;

    /// The file_io of `r`, made at the first call; it lives as long as the provider.  Called on:
    /// `r`. Errors: not_supported (io_uring is switched off); no_memory.
    virtual result<file_io*> for_reactor(reactor& r) = 0;
    /// True when nothing is outstanding anywhere: only then may it be destroyed. Storage that hangs
    /// may never let go.  Called on: any thread, once the reactors' threads have ended.
    [[nodiscard]] virtual bool at_rest() const noexcept = 0;
};

}  // namespace fulmar::engine
