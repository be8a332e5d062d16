#include <fulmar/base/assert.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/device_claim.hpp>

namespace fulmar::core {

claim_verdict device_claim::verdict() const noexcept {
    if (taken && !mutated(mutation::devices_are_shared)) return claim_verdict::used;
    if (holders != 0 && !mutated(mutation::held_devices_are_claimed)) return claim_verdict::held;
    return claim_verdict::free;
}

void device_claim::take() noexcept {
    FULMAR_ASSERT(verdict() == claim_verdict::free);
    taken = true;
}

bool device_claim::let_go() noexcept {
    FULMAR_ASSERT(holders > 0);
    return --holders == 0;
}

}  // namespace fulmar::core
