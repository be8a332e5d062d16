// The bytes of a ram device: address space reserved once, so that no pointer moves when the device
// is resized. Any thread may read and write; growing and shrinking is the control reactor's.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstddef>
#include <cstdint>

namespace fulmar::backend {

/// Huge pages are for what is read and written at random; what stays empty for the most part goes
/// without.
enum class ram_pages : std::uint8_t { huge, small };

class ram_store {
  public:
    static constexpr std::uint64_t room_to_grow = std::uint64_t{1} << 40;

    /// It may grow to `room` bytes, or less where address space is scarce.  Errors: no_memory.
    static result<ram_store> create(std::uint64_t bytes, std::uint64_t room = room_to_grow,
                                    ram_pages pages = ram_pages::huge);
    ram_store(ram_store&& other) noexcept;
    ram_store& operator=(ram_store&&) = delete;
    ~ram_store();

    /// To which it may grow.
    [[nodiscard]] std::uint64_t reserved_bytes() const noexcept { return reserved_; }

    [[nodiscard]] std::byte* at(std::uint64_t offset) const noexcept { return base_ + offset; }

    /// Makes [0, bytes) usable; what was beyond the old size reads zero.  Errors: no_memory.
    result<void> grow(std::uint64_t old_bytes, std::uint64_t bytes) noexcept;
    /// Gives the memory beyond `bytes` back. It stays mapped: an operation under way may still
    /// touch it, harmlessly.
    void shrink(std::uint64_t old_bytes, std::uint64_t bytes) noexcept;

    /// Zeroes a range; whole pages of a long one are given back instead of written.
    void zero(std::uint64_t offset, std::uint64_t bytes) const noexcept;
    /// Zeroes a range and gives all its whole pages back.
    void discard(std::uint64_t offset, std::uint64_t bytes) const noexcept;

    static constexpr std::uint64_t page_bytes = 4096;

  private:
    ram_store(std::byte* base, std::uint64_t reserved, ram_pages pages) noexcept
        : base_(base), reserved_(reserved), pages_(pages) {}
    std::byte* base_;
    std::uint64_t reserved_;
    ram_pages pages_;
};

}  // namespace fulmar::backend
