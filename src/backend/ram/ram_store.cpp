#include "ram_store.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace fulmar::backend {

namespace {

constexpr std::uint64_t give_back_bytes =
    256 * 1024;  // below, writing zeros is cheaper than faulting pages in again

constexpr std::uint64_t page_up(std::uint64_t bytes) noexcept {
    return (bytes + ram_store::page_bytes - 1) & ~(ram_store::page_bytes - 1);
}

// Huge pages save most of the TLB misses of random access. A device that may be meant to be sparse
// goes without: one block written would cost it 2 MiB.
bool wants_huge_pages(std::uint64_t bytes) noexcept {
    struct sysinfo machine {};
    return ::sysinfo(&machine) == 0 &&
           bytes <= std::uint64_t{machine.totalram} * machine.mem_unit / 2;
}

}  // namespace

result<ram_store> ram_store::create(std::uint64_t bytes, std::uint64_t room, ram_pages pages) {
    const std::uint64_t wanted = page_up(bytes);
    // Address space is not memory, but it can be limited: settle for less room to grow.
    for (std::uint64_t reserve = std::max(page_up(room), wanted);;
         reserve = std::max(reserve / 2, wanted)) {
        void* at =
            ::mmap(nullptr, reserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at != MAP_FAILED) {
            ram_store store(static_cast<std::byte*>(at), reserve, pages);
            FULMAR_CHECK(store.grow(0, bytes));
            return store;
        }
        if (reserve == wanted)
            return fail_errno(fmt::format("cannot reserve {} MiB of memory", bytes >> 20), errno);
    }
}

ram_store::ram_store(ram_store&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)),
      reserved_(other.reserved_),
      pages_(other.pages_) {}

ram_store::~ram_store() {
    if (base_ != nullptr) ::munmap(base_, reserved_);
}

result<void> ram_store::grow(std::uint64_t old_bytes, std::uint64_t bytes) noexcept {
    if (page_up(bytes) > reserved_)
        return fail(errc::no_memory,
                    fmt::format("a ram device can grow to {} MiB at most", reserved_ >> 20),
                    "/size", "create a new device of that size");
    if (::mprotect(base_, page_up(bytes), PROT_READ | PROT_WRITE) != 0)
        return fail_errno(fmt::format("cannot get {} MiB of memory", bytes >> 20), errno);
    if (pages_ == ram_pages::huge && wants_huge_pages(bytes))
        ::madvise(base_, page_up(bytes), MADV_HUGEPAGE);  // a wish
    // A device that shrank before may have been written beyond its end by what was under way.
    discard(old_bytes, page_up(bytes) - old_bytes);
    return {};
}

void ram_store::shrink(std::uint64_t old_bytes, std::uint64_t bytes) noexcept {
    discard(bytes, page_up(old_bytes) - bytes);
}

void ram_store::zero(std::uint64_t offset, std::uint64_t bytes) const noexcept {
    if (bytes >= give_back_bytes) return discard(offset, bytes);
    std::memset(at(offset), 0, bytes);
}

void ram_store::discard(std::uint64_t offset, std::uint64_t bytes) const noexcept {
    const std::uint64_t end = offset + bytes;
    const std::uint64_t first_page = page_up(offset);
    const std::uint64_t last_page = end & ~(page_bytes - 1);
    if (first_page >= last_page ||
        ::madvise(at(first_page), last_page - first_page, MADV_DONTNEED) != 0) {
        std::memset(at(offset), 0, bytes);
        return;
    }
    std::memset(at(offset), 0, first_page - offset);
    std::memset(at(last_page), 0, end - last_page);
}

}  // namespace fulmar::backend
