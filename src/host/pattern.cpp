#include <fulmar/host/pattern.hpp>

#include <algorithm>
#include <cstring>

namespace fulmar::host {
namespace {

constexpr std::uint64_t golden = 0x9e37'79b9'7f4a'7c15;

/// The finaliser of splitmix64: every bit of the input reaches every bit of the result.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ x >> 30) * 0xbf58'476d'1ce4'e5b9;
    x = (x ^ x >> 27) * 0x94d0'49bb'1331'11eb;
    return x ^ x >> 31;
}

std::uint64_t load_word(std::span<const std::byte> from, std::size_t index) noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, from.data() + index * sizeof value, sizeof value);
    return value;
}

}  // namespace

/// Word 0 is the LBA under a mask that the seed makes: a misplaced block tells where it belongs.
std::uint64_t pattern::word(std::uint64_t lba, std::uint64_t index) const noexcept {
    if (index == 0) return lba ^ mix(seed_ + golden);
    return mix(seed_ + (lba + 1) * golden + index * 0xd1b5'4a32'd192'ed03);
}

void pattern::fill(std::span<std::byte> blocks, std::uint64_t lba,
                   std::uint32_t block_bytes) const noexcept {
    for (; blocks.size() >= block_bytes; blocks = blocks.subspan(block_bytes), ++lba)
        for (std::size_t i = 0; i < block_bytes / sizeof(std::uint64_t); ++i) {
            const std::uint64_t value = word(lba, i);
            std::memcpy(blocks.data() + i * sizeof value, &value, sizeof value);
        }
}

std::optional<pattern::mismatch> pattern::check(std::span<const std::byte> blocks,
                                                std::uint64_t lba,
                                                std::uint32_t block_bytes) const noexcept {
    for (; blocks.size() >= block_bytes; blocks = blocks.subspan(block_bytes), ++lba) {
        std::uint64_t wrong = 0;
        for (std::size_t i = 0; i < block_bytes / sizeof(std::uint64_t); ++i)
            wrong |= load_word(blocks, i) ^ word(lba, i);
        if (wrong != 0) return examine(blocks.first(block_bytes), lba);
    }
    return std::nullopt;
}

pattern::mismatch pattern::examine(std::span<const std::byte> block,
                                   std::uint64_t lba) const noexcept {
    mismatch found{.lba = lba, .belongs_to = {}};
    const std::size_t words = block.size() / sizeof(std::uint64_t);
    std::size_t first = 0;
    while (first < words && load_word(block, first) == word(lba, first)) ++first;
    found.offset_bytes = static_cast<std::uint32_t>(first * sizeof(std::uint64_t));
    found.all_zero =
        std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{}; });
    const std::uint64_t claimed = load_word(block, 0) ^ mix(seed_ + golden);
    bool whole = claimed != lba;
    for (std::size_t i = 1; whole && i < words; ++i)
        whole = load_word(block, i) == word(claimed, i);
    if (whole) found.belongs_to = claimed;
    return found;
}

}  // namespace fulmar::host
