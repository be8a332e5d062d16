#include <fulmar/host/histogram.hpp>

#include <algorithm>
#include <cmath>

namespace fulmar::host {

void histogram::merge(const histogram& other) noexcept {
    for (std::size_t i = 0; i < slots; ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    sum_ += other.sum_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
}

std::uint64_t histogram::percentile_ns(double fraction) const noexcept {
    if (total_ == 0) return 0;
    const double clamped = std::clamp(fraction, 0.0, 1.0);
    const auto wanted = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::ceil(clamped * static_cast<double>(total_))));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < slots; ++i) {
        seen += counts_[i];
        if (seen >= wanted) return std::clamp(top_of(i), min_, max_);
    }
    return max_;
}

}  // namespace fulmar::host
