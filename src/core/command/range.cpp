#include "range.hpp"

#include "io.hpp"

#include <fulmar/core/target.hpp>

#include <bit>
#include <utility>

namespace fulmar::core::command::range {

namespace {

// The ranges that its data names are not looked at here: it shares the whole namespace.
range_locks::stripe_set touched_by(const request& r) noexcept {
    if (r.io.brings_ranges) return range_locks::all;
    if (r.io.block_count == 0) return 0;
    return range_locks::touched(r.io.first_block, r.io.block_count, r.entry->block_shift);
}

void wake_who_waits(const namespace_entry& entry) noexcept {
    if (!entry.ranges->somebody_waits()) return;
    const auto groups = entry.group->target().groups();
    for (std::uint64_t who = entry.ranges->take_announced(); who != 0; who &= who - 1)
        groups[static_cast<std::size_t>(std::countr_zero(who))]->post_ranges_released();
}

bool try_once(request& r, range_locks::stripe_set wanted) noexcept {
    range_locks& locks = *r.entry->ranges;
    if (r.io.fused) {
        r.hold.alone = true;
        return locks.claim(wanted, r.hold.stripes);
    }
    switch (locks.share(wanted)) {
        case range_locks::sharing::yes: r.hold = {.stripes = wanted}; return true;
        case range_locks::sharing::no: return false;
        case range_locks::sharing::for_a_moment: wake_who_waits(*r.entry); return false;
    }
    return false;
}

}  // namespace

bool take(request& r) noexcept {
    const range_locks::stripe_set wanted = touched_by(r);
    if (wanted == 0 || try_once(r, wanted)) return true;
    poll_group& group = r.owner->group();
    r.entry->ranges->announce(group.place());
    if (try_once(r, wanted)) return true;
    if (!r.in_capsule.empty()) io::keep_in_capsule(r);
    group.await_range(r);
    return false;
}

void give_back(const namespace_entry& entry, range_hold& hold) noexcept {
    const range_hold had = std::exchange(hold, {});
    if (had.alone)
        entry.ranges->unclaim(had.stripes);
    else
        entry.ranges->unshare(had.stripes);
    wake_who_waits(entry);
}

void stop_waiting(request& r) noexcept {
    using list = intrusive_list<request, &request::list>;
    list holder;  // has no size: any list lets a node of another go
    holder.erase(list::s_iterator_to(r));
}

}  // namespace fulmar::core::command::range
