// Data that says what it is: each block is a function of a seed and of its LBA, so that a wrong,
// stale or misplaced block is seen, and mostly named.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace fulmar::host {

/// Any thread; pure.
class pattern {
  public:
    explicit pattern(std::uint64_t seed) noexcept : seed_(seed) {}

    /// Fills whole blocks, the first of which is `lba`. `block_bytes` is a multiple of 8.
    void fill(std::span<std::byte> blocks, std::uint64_t lba,
              std::uint32_t block_bytes) const noexcept;

    /// Where and how data differs from what fill() writes.
    struct mismatch {
        std::uint64_t lba = 0;
        std::uint32_t offset_bytes = 0;           ///< of the first difference inside the block
        bool all_zero = false;                    ///< the whole block is
        std::optional<std::uint64_t> belongs_to;  ///< the block is this pattern's, of another LBA
    };
    /// The first mismatch; nothing when all is right.
    [[nodiscard]] std::optional<mismatch> check(std::span<const std::byte> blocks,
                                                std::uint64_t lba,
                                                std::uint32_t block_bytes) const noexcept;

  private:
    [[nodiscard]] std::uint64_t word(std::uint64_t lba, std::uint64_t index) const noexcept;
    [[nodiscard]] mismatch examine(std::span<const std::byte> block,
                                   std::uint64_t lba) const noexcept;
    std::uint64_t seed_;
};

}  // namespace fulmar::host
