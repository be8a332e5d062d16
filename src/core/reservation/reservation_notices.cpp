// A ring of pages, and a short list of masks. Called on: the home reactor. Must never: allocate but
// in set_mask().
#include <fulmar/base/assert.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/reservation_notices.hpp>
#include <fulmar/nvme/features.hpp>

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

namespace fulmar::core {

using nvme::reservation_notice;

notice_fate reservation_notices::add(std::uint32_t nsid, reservation_notice what) noexcept {
    FULMAR_ASSERT(what != reservation_notice::empty);
    const std::uint32_t bit = 1u << static_cast<unsigned>(what);
    if ((mask_of(nsid) & bit) != 0 && !mutated(mutation::masked_notices_are_queued))
        return notice_fate::masked;
    if (++count_ == 0) count_ = 1;
    if (size_ == queue_.size()) {
        // The host sees from the last page's count how many it has missed.
        if (!mutated(mutation::lost_notices_are_not_counted))
            queue_[(first_ + size_ - 1) % queue_.size()].count = count_;
        return notice_fate::lost;
    }
    queue_[(first_ + size_++) % queue_.size()] = {.count = count_, .nsid = nsid, .what = what};
    return notice_fate::queued;
}

nvme::reservation_notification_log reservation_notices::take() noexcept {
    constexpr std::uint32_t most = 0xff;  // of the field
    nvme::reservation_notification_log page{};
    if (size_ == 0) return page;
    const entry& oldest = queue_[first_];
    first_ = (first_ + 1) % static_cast<std::uint32_t>(queue_.size());
    --size_;
    page.log_page_count = oldest.count;
    page.type = static_cast<std::uint8_t>(oldest.what);
    page.available_pages = static_cast<std::uint8_t>(std::min(size_, most));
    page.nsid = oldest.nsid;
    return page;
}

std::uint32_t reservation_notices::mask_of(std::uint32_t nsid) const noexcept {
    const auto at = std::lower_bound(
        masks_.begin(), masks_.end(), nsid,
        [](const masked_namespace& m, std::uint32_t wanted) { return m.nsid < wanted; });
    return at != masks_.end() && at->nsid == nsid ? at->mask : 0;
}

bool reservation_notices::set_mask(std::span<const std::uint32_t> nsids,
                                   std::uint32_t mask) noexcept {
    std::vector<masked_namespace> next;
    try {
        next.reserve(masks_.size() + nsids.size());
    } catch (const std::bad_alloc&) {
        return false;
    }
    const auto is_named = [&](const masked_namespace& m) {
        return std::binary_search(nsids.begin(), nsids.end(), m.nsid);
    };
    std::remove_copy_if(masks_.begin(), masks_.end(), std::back_inserter(next), is_named);
    mask &= nvme::reservation_mask::all;
    if (mask != 0)
        for (const std::uint32_t nsid : nsids) next.push_back({.nsid = nsid, .mask = mask});
    std::sort(next.begin(), next.end(),
              [](const masked_namespace& a, const masked_namespace& b) { return a.nsid < b.nsid; });
    masks_ = std::move(next);
    return true;
}

void reservation_notices::forget_mask(std::uint32_t nsid) noexcept {
    std::erase_if(masks_, [&](const masked_namespace& m) { return m.nsid == nsid; });
}

void reservation_notices::reset() noexcept {
    first_ = size_ = 0;
    count_ = 0;
    masks_.clear();
}

}  // namespace fulmar::core
