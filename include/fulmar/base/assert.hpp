// Assertions are for the author's own mistakes, and they are on in every build. Whatever a peer, a
// device, the kernel, an operator, an allocator or message order can cause is an error path instead
// (docs/STYLE.md).
#pragma once

namespace fulmar {

/// Called once, on the failing thread, before the process aborts: the flight recorder's dump. Must
/// not allocate.
using assert_hook = void (*)() noexcept;

/// Any thread. Installs `hook`; the last one wins.
void set_assert_hook(assert_hook hook) noexcept;

[[noreturn]] void assert_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace fulmar

#define FULMAR_ASSERT(expression)            \
    (static_cast<bool>(expression) ? void(0) \
                                   : ::fulmar::assert_failed(#expression, __FILE__, __LINE__))

/// Checks that cost too much for a release build (thread affinity, list walks). Defined by the
/// debug and sanitizer presets.
#ifdef FULMAR_DEBUG_CHECKS
#define FULMAR_DASSERT(expression) FULMAR_ASSERT(expression)
#else
#define FULMAR_DASSERT(expression) ((void)sizeof(!(expression)))
#endif
