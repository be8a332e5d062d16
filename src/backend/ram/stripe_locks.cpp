#include "stripe_locks.hpp"

#include <sched.h>

namespace fulmar::backend {

void stripe_locks::acquire(std::atomic<bool>& lock) noexcept {
    constexpr int spins_before_yield = 200;
    for (int spins = 0; lock.exchange(true, std::memory_order_acquire); ++spins) {
        while (lock.load(std::memory_order_relaxed)) {
            if (++spins < spins_before_yield) {
                __builtin_ia32_pause();
            } else {
                ::sched_yield();
            }
        }
    }
}

}  // namespace fulmar::backend
