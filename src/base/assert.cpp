#include <fulmar/base/assert.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace fulmar {

namespace {
constinit std::atomic<assert_hook> hook{nullptr};
}

void set_assert_hook(assert_hook new_hook) noexcept { hook.store(new_hook); }

void assert_failed(const char* expression, const char* file, int line) noexcept {
    std::fprintf(stderr, "fulmar: %s:%d: assertion failed: %s\n", file, line, expression);
    if (assert_hook h = hook.exchange(nullptr)) h();
    std::abort();
}

}  // namespace fulmar
