#include "bench/ceiling/memory.hpp"

#include "bench/ceiling/socket.hpp"

#include <sys/mman.h>

#include <bit>
#include <cstring>

namespace fulmar::bench {

walked_memory::walked_memory(std::size_t bytes)
    : base_(nullptr), bytes_(std::bit_floor(bytes)), mask_(bytes_ - 1) {
    void* at = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) die("mmap");
    ::madvise(at, bytes_, MADV_HUGEPAGE);
    std::memset(at, 0x5a, bytes_);
    base_ = static_cast<std::byte*>(at);
}

walked_memory::~walked_memory() { ::munmap(base_, bytes_); }

}  // namespace fulmar::bench
