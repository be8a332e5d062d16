// Each slot is a sequence lock whose words are atomics: stores release and loads acquire, so that
// whoever sees a word of a newer entry also sees that its version has moved on.
#include <fulmar/core/error_log.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>

namespace fulmar::core {

namespace {

/// NVM command set: 80h write fault to 84h reference tag check; what follows is not the medium's
/// fault (Compare Failure, Access Denied).
bool is_media_error(const nvme::status& s) noexcept {
    return s.sct == nvme::sc::write_fault.sct && s.sc >= nvme::sc::write_fault.sc &&
           s.sc < nvme::sc::compare_failure.sc;
}

}  // namespace

void error_log::add(const command_error& what) noexcept {
    if (is_media_error(what.status)) media_errors_.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t count = count_.fetch_add(1, std::memory_order_relaxed) + 1;
    slot& s = slots_[(count - 1) % slot_count];
    std::uint64_t version = s.version.load(std::memory_order_relaxed);
    // Somebody who is a whole round ahead or behind writes here: one of the two entries is lost,
    // which the count tells.
    if (version % 2 != 0 || version >= count * 2) return;
    if (!s.version.compare_exchange_strong(version, version | 1, std::memory_order_acquire,
                                           std::memory_order_relaxed))
        return;
    nvme::error_log_entry entry{};
    entry.error_count = count;
    entry.sqid = what.sqid;
    entry.cid = what.cid;
    entry.status_field = what.status.to_field();
    entry.parameter_error_location = nvme::error_location_unknown;
    entry.lba = what.lba;
    entry.nsid = what.nsid;
    const auto raw = std::bit_cast<std::array<std::uint64_t, words>>(entry);
    for (std::size_t i = 0; i < words; ++i) s.data[i].store(raw[i], std::memory_order_release);
    s.version.store(count * 2, std::memory_order_release);
}

error_log::page error_log::newest() const noexcept {
    page all{};
    std::size_t used = 0;
    const std::uint64_t last = count();
    for (std::uint64_t back = 0; back < slot_count && back < last; ++back) {
        const slot& s = slots_[(last - 1 - back) % slot_count];
        const std::uint64_t version = s.version.load(std::memory_order_acquire);
        if (version == 0 || version % 2 != 0) continue;
        std::array<std::uint64_t, words> raw{};
        for (std::size_t i = 0; i < words; ++i) raw[i] = s.data[i].load(std::memory_order_acquire);
        if (s.version.load(std::memory_order_relaxed) != version) continue;
        all[used++] = std::bit_cast<nvme::error_log_entry>(raw);
    }
    // A slot that was written anew meanwhile is out of its place.
    std::sort(
        all.begin(), all.begin() + static_cast<std::ptrdiff_t>(used),
        [](const auto& a, const auto& b) { return a.error_count.value() > b.error_count.value(); });
    return all;
}

}  // namespace fulmar::core
