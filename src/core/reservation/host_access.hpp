// What each host that is connected to one poll group is denied by the reservation of one namespace:
// a byte per host, by the host's place among those of the group. The data path reads it; it is
// written when a reservation is adopted and when a host comes. Called on: owning reactor.
// Must never: allocate where it is read.
#pragma once

#include "reservation_access.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fulmar::core {

/// Called on: owning reactor.
class host_access {
  public:
    /// Room for places below `hosts`, at Connect. False: no memory, and nothing has changed.
    [[nodiscard]] bool make_room(std::size_t hosts) noexcept;
    /// A reservation was adopted. `hosts` by place, as many as there is room for at most.
    void refresh(const reservation_state& state, std::span<const nvme::host_id> hosts) noexcept;
    /// A host came to `place`.
    void admit(std::size_t place, const reservation_state& state,
               const nvme::host_id& host) noexcept;
    /// Per command, and only where any() says so.
    [[nodiscard]] access_bits denied_at(std::size_t place) const noexcept { return denied_[place]; }
    /// Something is denied to somebody: false for every namespace without a reservation.
    [[nodiscard]] bool any() const noexcept { return any_; }
    /// What the last refresh() took from the host at `place`. Its commands that need it and are
    /// still at the backend have to come home before the reservation command is answered.
    [[nodiscard]] access_bits taken_at(std::size_t place) const noexcept { return taken_[place]; }

  private:
    std::vector<access_bits> denied_;
    std::vector<access_bits> taken_;
    bool any_ = false;
};

}  // namespace fulmar::core
