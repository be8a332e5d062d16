// Who has registered with one namespace and who holds its reservation (NVMe Base 2.0, section
// 8.19): a value. Any thread. Must never: be changed in place; reservation_rules.hpp decides what
// comes next, which is adopted as a whole.
#pragma once

#include <fulmar/core/status_report.hpp>
#include <fulmar/nvme/reservation.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fulmar::core {

struct registrant {
    nvme::host_id host;     ///< all its controllers share the registration
    std::uint64_t key = 0;  ///< need not differ from that of another host; may be 0

    [[nodiscard]] bool operator==(const registrant&) const noexcept = default;
};

/// What a host is to a reservation.
enum class reservation_role : std::uint8_t { stranger, registrant, holder };
inline constexpr std::size_t reservation_roles = 3;

/// Every registrant holds a reservation of these types.
[[nodiscard]] constexpr bool all_registrants_hold(nvme::reservation_type type) noexcept {
    return type == nvme::reservation_type::write_exclusive_all ||
           type == nvme::reservation_type::exclusive_access_all;
}

struct reservation_state {
    std::vector<registrant> registrants;  ///< ascending by host; at most limits::max_registrants
    nvme::host_id holder;                 ///< nil without a reservation, and when all of them hold
    nvme::reservation_type type = nvme::reservation_type::none;
    bool persistent = false;       ///< PTPL: registrants and reservation outlive a power loss
    std::uint32_t generation = 0;  ///< GEN of Reservation Report; wraps

    [[nodiscard]] bool operator==(const reservation_state&) const noexcept = default;

    /// Where `host` is among the registrants, or would be.
    [[nodiscard]] std::size_t place_of(const nvme::host_id& host) const noexcept;
    /// Null when `host` is no registrant.
    [[nodiscard]] const registrant* find(const nvme::host_id& host) const noexcept;
    [[nodiscard]] reservation_role role_of(const nvme::host_id& host) const noexcept;
    [[nodiscard]] bool is_held() const noexcept { return type != nvme::reservation_type::none; }
    [[nodiscard]] bool is_held_by(const nvme::host_id& host) const noexcept {
        return role_of(host) == reservation_role::holder;
    }
};

/// For people. May throw std::bad_alloc.
[[nodiscard]] reservation_status describe(const reservation_state& state);

/// Nobody may do anything, and whoever registers holds: for a namespace whose state is not known.
[[nodiscard]] reservation_state locked_reservation() noexcept;
[[nodiscard]] bool is_locked(const reservation_state& state) noexcept;

/// Registrants in order, once each, within the bound; a holder where the type has one, and who is a
/// registrant. Every state that the rules lead to is possible.
[[nodiscard]] bool is_possible(const reservation_state& state) noexcept;

}  // namespace fulmar::core
