#include "reservation_access.hpp"

#include <algorithm>

namespace fulmar::core {

bool takes_access(const reservation_state& before, const reservation_state& after) noexcept {
    const auto more = [](access_bits denied_before, access_bits denied_after) {
        return (denied_after & ~unsigned{denied_before}) != 0;
    };
    const auto from = [&](const registrant& one) {
        return more(denied_to(before, one.host), denied_to(after, one.host));
    };
    return more(denied(before.type, reservation_role::stranger),
                denied(after.type, reservation_role::stranger)) ||
           std::any_of(before.registrants.begin(), before.registrants.end(), from) ||
           std::any_of(after.registrants.begin(), after.registrants.end(), from);
}

}  // namespace fulmar::core
