// One operation on a device: an intrusive node with one completion function.
#pragma once

#include <fulmar/base/intrusive.hpp>
#include <fulmar/nvme/status.hpp>

#include <sys/uio.h>

#include <cstdint>
#include <span>

namespace fulmar::backend {

enum class io_kind : std::uint8_t {
    read,
    write,
    flush,
    write_zeroes,
    deallocate,
    compare,
    verify,
    copy,  ///< `ranges`, one after the other, to first_block: block_count blocks in all
    write_uncorrectable  ///< until they are written, whatever reads those blocks fails (2/81h)
};

/// Answers an operation that a device has because it is lost, or was lost before: what the host is
/// told then is not the device's to choose.
inline constexpr nvme::status device_gone = nvme::sc::internal_path_error;

/// A range of a deallocate or a source of a copy, in logical blocks.
struct block_range {
    std::uint64_t first = 0;
    std::uint32_t count = 0;
};

/// The submitter owns the node and everything it points to, and leaves both alone until `done`
/// runs. `done` runs exactly once for every submitted op, on the reactor of the channel; it may run
/// inside submit(). After its first instruction the channel does not touch the op, and neither
/// device nor kernel touches its memory (else the device keeps the op).
struct io_op {
    using completion = void (*)(io_op&, nvme::status) noexcept;

    io_kind kind = io_kind::read;
    bool fua = false;               ///< write, write_zeroes, copy: durable before completion
    std::uint64_t first_block = 0;  ///< in logical blocks of the device
    std::uint32_t block_count = 0;  ///< 1-based
    std::span<const iovec>
        data{};  ///< read: filled; write, compare: source. Its bytes equal block_count blocks
    std::span<const block_range> ranges{};  ///< deallocate, copy
    completion done = nullptr;

    // The channel's, while it holds the op.
    list_hook hook{};
    std::uint64_t cookie = 0;

  protected:
    ~io_op() = default;
};

}  // namespace fulmar::backend
