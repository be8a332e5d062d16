// Blocks of a namespace as a stream: several commands at once, their data in order.
#pragma once

#include "target_options.hpp"

#include <fulmar/base/result.hpp>
#include <fulmar/host/queue.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace fulmar::cli {

/// Reads or writes ascending blocks in windows of `depth` commands. One thread.
class block_stream {
  public:
    static constexpr std::uint32_t depth = 8;
    static constexpr std::uint32_t piece_bytes_max = 128 * 1024;

    block_stream(host::controller& c, host::queue& q, const open_namespace& ns);

    /// Passes the blocks on to `sink` in order, until it says false.
    result<void> read(std::uint64_t lba, std::uint64_t blocks,
                      const std::function<bool(std::span<const std::byte>)>& sink);

    /// Takes up to `data.size()` bytes from `source` per call, until it gives none; the last block
    /// is filled up with zeroes. How many bytes were written.
    result<std::uint64_t> write(std::uint64_t lba, std::uint64_t blocks,
                                const std::function<std::size_t(std::span<std::byte>)>& source);

    result<void> flush();

  private:
    result<void> move(std::uint64_t lba, std::span<std::byte> data, bool writing);

    host::controller& controller_;
    host::queue& queue_;
    open_namespace ns_;
    std::uint32_t piece_bytes_;
    std::vector<std::byte> window_;
};

}  // namespace fulmar::cli
