#include <fulmar/base/assert.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <fmt/format.h>
#include <sys/mman.h>

#include <bit>
#include <cstdint>

namespace fulmar::mem {

dma_region::~dma_region() {
    if (data_ != nullptr) source_->release(data_, size_);
}

result<dma_region> memory_source::allocate(std::size_t bytes, std::size_t alignment) {
    FULMAR_ASSERT(bytes != 0 && std::has_single_bit(alignment));
    std::byte* data = acquire(bytes, alignment);
    if (data == nullptr)
        return fail(errc::no_memory, fmt::format("cannot allocate {} KiB of memory", bytes >> 10),
                    {}, "make the buffer pools smaller, or free memory or hugepages");
    return dma_region(*this, data, bytes);
}

// Alignment beyond a page: map too much and cut the ends off.
std::byte* heap_memory::acquire(std::size_t bytes, std::size_t alignment) noexcept {
    constexpr std::size_t page = 4096;
    const std::size_t length = (bytes + page - 1) & ~(page - 1);
    const std::size_t spare = alignment > page ? alignment : 0;
    void* mapped = ::mmap(nullptr, length + spare, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    auto* begin = static_cast<std::byte*>(mapped);
    if (spare == 0) return begin;
    const std::size_t before =
        (alignment - (reinterpret_cast<std::uintptr_t>(begin) & (alignment - 1))) & (alignment - 1);
    if (before != 0) ::munmap(begin, before);
    if (spare != before) ::munmap(begin + before + length, spare - before);
    return begin + before;
}

void heap_memory::release(std::byte* data, std::size_t bytes) noexcept { ::munmap(data, bytes); }

}  // namespace fulmar::mem
