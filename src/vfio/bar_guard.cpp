// The table is of atomics: the handler may run on any thread, in the middle of anything. It must
// never allocate, lock or log.
#include "bar_guard.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

namespace fulmar::vfio {

namespace {

constexpr std::uint32_t max_windows = 256;

struct guarded {
    std::atomic<bool> taken{false};
    std::atomic<std::byte*> base{nullptr};  // set last, cleared first
    std::atomic<std::size_t> bytes{0};
    std::atomic<int> event_fd{-1};
};
constinit std::array<guarded, max_windows> windows;
constinit std::atomic<bool> installed{false};

void on_bus_error(int number, siginfo_t* info, void*) {
    auto* const at = static_cast<std::byte*>(info->si_addr);
    for (guarded& window : windows) {
        std::byte* const base = window.base.load(std::memory_order_acquire);
        if (base == nullptr || at < base || at >= base + window.bytes.load()) continue;
        if (!bar_guard::replace(base, window.bytes.load())) break;
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t put = ::write(window.event_fd.load(), &one, sizeof one);
        return;
    }
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    ::sigaction(number, &usual, nullptr);  // the access is repeated, and ends the process
}

}  // namespace

bool bar_guard::replace(std::byte* base, std::size_t bytes) noexcept {
    return ::mmap(base, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                  0) == base;
}

result<std::uint32_t> bar_guard::watch(std::byte* base, std::size_t bytes, int event_fd) {
    if (!installed.exchange(true)) {
        struct sigaction action {};
        action.sa_sigaction = on_bus_error;
        action.sa_flags = SA_SIGINFO;
        sigemptyset(&action.sa_mask);
        ::sigaction(SIGBUS, &action, nullptr);
    }
    for (std::uint32_t i = 0; i < max_windows; ++i) {
        guarded& window = windows[i];
        if (window.taken.exchange(true)) continue;
        window.bytes.store(bytes);
        window.event_fd.store(event_fd);
        window.base.store(base, std::memory_order_release);
        return i;
    }
    return fail(errc::limit_reached, "too many drives are open at once");
}

void bar_guard::unwatch(std::uint32_t handle) noexcept {
    windows[handle].base.store(nullptr, std::memory_order_release);
    windows[handle].event_fd.store(-1);
    windows[handle].taken.store(false);
}

}  // namespace fulmar::vfio
