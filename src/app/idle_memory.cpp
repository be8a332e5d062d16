#include "idle_memory.hpp"

#include <malloc.h>

#include <algorithm>
#include <chrono>

namespace fulmar::app {

namespace {
constexpr std::chrono::seconds look_interval{5};
constexpr std::uint64_t worth_it = 64;  // connections that have gone
constexpr int large_block = 64 * 1024;
}  // namespace

// Fixed, or the library raises it with each such block that is freed, and keeps the next ones.
void return_large_blocks() noexcept { ::mallopt(M_MMAP_THRESHOLD, large_block); }

idle_memory::idle_memory(engine::reactor& control, core::target& target) noexcept
    : control_(control), target_(target) {
    control_.timers().arm(timer_, control_.fresh_now() + look_interval);
}

idle_memory::~idle_memory() { control_.timers().cancel(timer_); }

void idle_memory::look() noexcept {
    std::uint64_t present = 0;
    for (const auto& group : target_.groups())
        present += group->counters().connections.load(std::memory_order_relaxed);
    most_ = std::max(most_, present);
    if (most_ - present < worth_it || most_ - present < present) return;
    most_ = present;
    ::malloc_trim(0);
}

void idle_memory::on_look() noexcept {
    look();
    control_.timers().arm(timer_, control_.now() + look_interval);
}

}  // namespace fulmar::app
