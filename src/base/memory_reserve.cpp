#include <fulmar/base/memory_reserve.hpp>

#include <fmt/format.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <new>

namespace fulmar::memory_reserve {

namespace {

std::atomic<void*> reserve{nullptr};
std::atomic<std::size_t> wanted{0};  // bytes; 0: none is kept
std::atomic<std::uint64_t> given{0};

// Private and writable, so that it counts against every limit that malloc() may meet; never
// touched, so that it costs no memory.
void* map(std::size_t bytes) noexcept {
    void* const got =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return got == MAP_FAILED ? nullptr : got;
}

// What `operator new` calls when malloc() has failed; it tries again when this returns.
void give() {
    void* const mine = reserve.exchange(nullptr);
    if (mine == nullptr) throw std::bad_alloc();
    ::munmap(mine, wanted.load());
    given.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

result<void> keep(std::size_t bytes) {
    if (wanted.load() != 0) return {};
    void* const got = map(bytes);
    if (got == nullptr)
        return fail_errno(fmt::format("cannot keep {} bytes in reserve", bytes), errno);
    wanted.store(bytes);
    reserve.store(got);
    std::set_new_handler(give);
    return {};
}

bool whole() noexcept {
    const std::size_t bytes = wanted.load();
    if (bytes == 0 || reserve.load() != nullptr) return true;
    void* const got = map(bytes);
    if (got == nullptr) return false;
    void* nobody = nullptr;
    if (!reserve.compare_exchange_strong(nobody, got)) ::munmap(got, bytes);  // another was faster
    return true;
}

std::uint64_t times_given() noexcept { return given.load(std::memory_order_relaxed); }

}  // namespace fulmar::memory_reserve
