// Runs in signal handlers: must neither allocate nor lock.
#include "crash.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/engine/flight_recorder.hpp>

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

namespace fulmar::app {

namespace {

constexpr std::size_t stack_bytes = 64 * 1024;
alignas(16) constinit std::array<char, stack_bytes> stack{};  // for the main thread's overflow
constinit std::atomic<bool> dumped{false};

void dump() noexcept {
    if (!dumped.exchange(true)) engine::dump_flight_recorders(STDERR_FILENO);
}

// The default action is in place again (SA_RESETHAND): it ends the process with the same signal.
void on_fatal(int number) {
    dump();
    ::raise(number);
}

}  // namespace

void dump_on_crash() noexcept {
    set_assert_hook(&dump);
    stack_t other{};
    other.ss_sp = stack.data();
    other.ss_size = stack.size();
    ::sigaltstack(&other, nullptr);
    struct sigaction action {};
    action.sa_handler = &on_fatal;
    action.sa_flags = SA_ONSTACK | SA_RESETHAND | SA_NODEFER;
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT})
        ::sigaction(number, &action, nullptr);
}

}  // namespace fulmar::app
