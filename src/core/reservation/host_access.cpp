#include "host_access.hpp"

#include <fulmar/base/assert.hpp>

#include <algorithm>
#include <new>

namespace fulmar::core {

bool host_access::make_room(std::size_t hosts) noexcept {
    if (hosts <= denied_.size()) return true;
    try {
        denied_.reserve(hosts);
        taken_.reserve(hosts);
    } catch (const std::bad_alloc&) {
        return false;
    }
    denied_.resize(hosts);
    taken_.resize(hosts);
    return true;
}

void host_access::refresh(const reservation_state& state,
                          std::span<const nvme::host_id> hosts) noexcept {
    FULMAR_ASSERT(hosts.size() <= denied_.size());
    std::fill(taken_.begin(), taken_.end(), access::none);
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        const access_bits now = denied_to(state, hosts[i]);
        taken_[i] = static_cast<access_bits>(now & ~unsigned{denied_[i]});
        denied_[i] = now;
    }
    any_ = state.is_held();
}

void host_access::admit(std::size_t place, const reservation_state& state,
                        const nvme::host_id& host) noexcept {
    FULMAR_ASSERT(place < denied_.size());
    denied_[place] = denied_to(state, host);
    taken_[place] = access::none;
    any_ = state.is_held();
}

}  // namespace fulmar::core
