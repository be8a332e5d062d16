// Tells the address sanitizer which chunks nobody may touch: use after return is then reported, not
// suffered.
#pragma once

#include <fulmar/base/sanitizer.hpp>

#include <cstddef>

#if FULMAR_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace fulmar::mem {

#if FULMAR_ASAN
inline constexpr bool poisoning = true;
inline void poison(const std::byte* at, std::size_t bytes) noexcept {
    __asan_poison_memory_region(at, bytes);
}
inline void unpoison(const std::byte* at, std::size_t bytes) noexcept {
    __asan_unpoison_memory_region(at, bytes);
}
#else
inline constexpr bool poisoning = false;
inline void poison(const std::byte*, std::size_t) noexcept {}
inline void unpoison(const std::byte*, std::size_t) noexcept {}
#endif

}  // namespace fulmar::mem
