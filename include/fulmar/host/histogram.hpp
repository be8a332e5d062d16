// Latencies as a log-linear histogram: 64 steps per power of two, so that any percentile is right
// to 1.6 %.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace fulmar::host {

/// Counts values in nanoseconds up to 2^42 (an hour and more); larger ones count as that. One
/// thread; adding is a few instructions and never allocates.
class histogram {
  public:
    void add(std::uint64_t ns, std::uint64_t times = 1) noexcept {
        counts_[slot_of(ns)] += times;
        total_ += times;
        sum_ += ns * times;
        if (ns > max_) max_ = ns;
        if (ns < min_) min_ = ns;
    }
    void merge(const histogram& other) noexcept;
    void clear() noexcept { *this = histogram{}; }

    [[nodiscard]] std::uint64_t count() const noexcept { return total_; }
    [[nodiscard]] std::uint64_t min_ns() const noexcept { return total_ == 0 ? 0 : min_; }
    [[nodiscard]] std::uint64_t max_ns() const noexcept { return max_; }
    [[nodiscard]] double mean_ns() const noexcept {
        return total_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(total_);
    }
    /// The value that `fraction` (0…1) of all values do not exceed, to the histogram's precision; 0
    /// when empty.
    [[nodiscard]] std::uint64_t percentile_ns(double fraction) const noexcept;

  private:
    static constexpr unsigned step_bits = 6;
    static constexpr unsigned steps = 1u << step_bits;
    static constexpr unsigned max_bits = 42;
    static constexpr std::size_t slots = (max_bits - step_bits + 1) * steps;

    static constexpr std::size_t slot_of(std::uint64_t ns) noexcept {
        if (ns < steps) return static_cast<std::size_t>(ns);
        const unsigned bits = static_cast<unsigned>(std::bit_width(ns));
        if (bits > max_bits) return slots - 1;
        const unsigned shift = bits - step_bits - 1;
        return (shift + 1) * steps + static_cast<std::size_t>((ns >> shift) - steps);
    }
    /// The largest value that counts in `slot`.
    static constexpr std::uint64_t top_of(std::size_t slot) noexcept {
        if (slot < steps) return slot;
        const unsigned shift = static_cast<unsigned>(slot / steps) - 1;
        return ((static_cast<std::uint64_t>(slot % steps) + steps + 1) << shift) - 1;
    }

    std::array<std::uint64_t, slots> counts_{};
    std::uint64_t total_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t min_ = ~std::uint64_t{0};
    std::uint64_t max_ = 0;
};

}  // namespace fulmar::host
