#include "iova_allocator.hpp"

#include <fulmar/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace fulmar::vfio {

iova_allocator::iova_allocator(std::span<const iova_range> usable) {
    for (iova_range range : usable) {
        range.first = std::max(range.first, lowest);
        if (range.first <= range.last) free_.push_back(range);
    }
    std::sort(free_.begin(), free_.end(),
              [](const iova_range& a, const iova_range& b) { return a.first < b.first; });
}

result<std::uint64_t> iova_allocator::allocate(std::uint64_t bytes, std::uint64_t alignment) {
    FULMAR_ASSERT(bytes != 0 && std::has_single_bit(alignment));
    for (std::size_t i = 0; i < free_.size(); ++i) {
        const iova_range range = free_[i];
        const std::uint64_t begin = (range.first + alignment - 1) & ~(alignment - 1);
        if (begin < range.first || begin > range.last || range.last - begin < bytes - 1) continue;
        const std::uint64_t last = begin + (bytes - 1);
        const auto at = free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(i));
        auto next = at;
        if (last != range.last) next = free_.insert(next, {last + 1, range.last});
        if (begin != range.first) free_.insert(next, {range.first, begin - 1});
        return begin;
    }
    return fail(
        errc::no_memory,
        fmt::format("the IOMMU has no {} KiB of addresses left for this drive", bytes >> 10), {},
        "make the buffer pools smaller");
}

void iova_allocator::release(std::uint64_t address, std::uint64_t bytes) {
    iova_range back{address, address + (bytes - 1)};
    auto after = std::find_if(free_.begin(), free_.end(),
                              [&](const iova_range& range) { return range.first > back.first; });
    FULMAR_ASSERT(after == free_.end() || back.last < after->first);
    if (after != free_.end() && back.last + 1 == after->first) {
        back.last = after->last;
        after = free_.erase(after);
    }
    if (after != free_.begin()) {
        const auto before = after - 1;
        FULMAR_ASSERT(before->last < back.first);
        if (before->last + 1 == back.first) {
            before->last = back.last;
            return;
        }
    }
    free_.insert(after, back);
}

}  // namespace fulmar::vfio
