#include "failing_memory.hpp"

#include <dlfcn.h>
#include <execinfo.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string_view>

namespace fulmar::test {
namespace {

struct counter {
    bool armed = false;
    bool hit = false;
    shortage how = shortage::bare;
    int watched = 0;
    int unwatched = 0;
    std::uint64_t left = 0;
};
thread_local counter here;

bool fails_now() noexcept {
    if (!here.armed || here.watched == 0 || here.unwatched != 0 || here.hit) return false;
    if (here.left != 0) {
        --here.left;
        return false;
    }
    here.hit = true;
    return true;
}

bool is_in_destructor_of_json() noexcept {
    std::array<void*, 16> callers{};
    const int depth = ::backtrace(callers.data(), static_cast<int>(callers.size()));
    return std::any_of(callers.begin(), callers.begin() + depth, [](void* caller) {
        ::Dl_info at{};
        if (::dladdr(caller, &at) == 0 || at.dli_sname == nullptr) return false;
        const std::string_view name = at.dli_sname;  // mangled
        return name.find("basic_json") != name.npos &&
               (name.ends_with("D1Ev") || name.ends_with("D2Ev") ||
                name.find("destroy") != name.npos);
    });
}

bool has_reserve() noexcept {
    return here.how == shortage::with_reserve ||
           (here.how == shortage::bare_but_for_json && is_in_destructor_of_json());
}

// The handler ends it, or makes room for another try.
void meet_shortage() {
    const std::new_handler help = std::get_new_handler();
    if (help == nullptr || !has_reserve()) throw std::bad_alloc();
    help();
}

void* allocate(std::size_t bytes, std::size_t alignment) {
    if (fails_now()) meet_shortage();
    if (bytes == 0) bytes = 1;
    for (;;) {
        void* const made =
            alignment == 0
                ? std::malloc(bytes)
                : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
        if (made != nullptr) return made;
        const std::new_handler help = std::get_new_handler();
        if (help == nullptr) throw std::bad_alloc();
        help();
    }
}

}  // namespace

failing_memory::failing_memory(std::uint64_t nth, shortage how) noexcept {
    here.armed = true;
    here.how = how;
    here.hit = false;
    here.left = nth;
}
failing_memory::~failing_memory() { here.armed = here.hit = false; }
bool failing_memory::hit() const noexcept { return here.hit; }

watched_memory::watched_memory() noexcept { ++here.watched; }
watched_memory::~watched_memory() { --here.watched; }

unwatched_memory::unwatched_memory() noexcept { ++here.unwatched; }
unwatched_memory::~unwatched_memory() { --here.unwatched; }

}  // namespace fulmar::test

void* operator new(std::size_t bytes) { return fulmar::test::allocate(bytes, 0); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return fulmar::test::allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
// The rest of the set: the sanitizers have their own of each.
void* operator new[](std::size_t bytes) { return fulmar::test::allocate(bytes, 0); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
    return fulmar::test::allocate(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept try {
    return fulmar::test::allocate(bytes, 0);
} catch (const std::bad_alloc&) {
    return nullptr;
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept try {
    return fulmar::test::allocate(bytes, 0);
} catch (const std::bad_alloc&) {
    return nullptr;
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept
    try {
    return fulmar::test::allocate(bytes, static_cast<std::size_t>(alignment));
} catch (const std::bad_alloc&) {
    return nullptr;
}
void* operator new[](std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept
    try {
    return fulmar::test::allocate(bytes, static_cast<std::size_t>(alignment));
} catch (const std::bad_alloc&) {
    return nullptr;
}
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }
