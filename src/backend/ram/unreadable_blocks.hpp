// Which blocks of a ram device Write Uncorrectable has made unreadable: a bit for each block, since
// any write may make any one of them readable again, and must find room to say so. Pages of the map
// that were never marked take no memory. Any thread; growing is the control reactor's.
#pragma once

#include "ram_store.hpp"

#include <atomic>
#include <cstdint>
#include <utility>

namespace fulmar::backend {

class unreadable_blocks {
  public:
    /// For `blocks`, and later up to `most_blocks` of them.  Errors: no_memory.
    static result<ram_store> make_room(std::uint64_t blocks, std::uint64_t most_blocks);
    explicit unreadable_blocks(ram_store room) noexcept : map_(std::move(room)) {}

    [[nodiscard]] static constexpr std::uint64_t bytes_for(std::uint64_t blocks) noexcept {
        return (blocks + word_bits - 1) / word_bits * sizeof(std::uint64_t);
    }

    /// False: no block is marked, and nothing else need be asked.
    [[nodiscard]] bool any() const noexcept {
        return at_most_.load(std::memory_order_acquire) != 0;
    }
    /// Whether one of them is marked.
    [[nodiscard]] bool among(std::uint64_t first, std::uint64_t count) const noexcept;
    void mark(std::uint64_t first, std::uint64_t count) noexcept;
    void forget(std::uint64_t first, std::uint64_t count) noexcept;

    /// What is new is not marked.  Errors: no_memory.
    result<void> grow(std::uint64_t old_blocks, std::uint64_t blocks) noexcept;

  private:
    static constexpr std::uint64_t word_bits = 64;

    [[nodiscard]] std::atomic_ref<std::uint64_t> word(std::uint64_t index) const noexcept;

    ram_store map_;
    std::atomic<std::uint64_t> at_most_{0};  ///< marked blocks; more for a moment, and never less
};

}  // namespace fulmar::backend
