#include "hugepage_probe.hpp"

#include <fmt/format.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace fulmar::mem {

namespace {

constexpr std::size_t huge = std::size_t{2} << 20;

std::uint64_t read_number(const std::string& path) {
    std::uint64_t value = 0;
    std::ifstream(path) >> value;
    return value;
}

}  // namespace

hugepage_answer probe_hugepages(std::size_t bytes, const std::string& sysfs) {
    const std::string folder = sysfs + "/hugepages-2048kB/";
    const std::size_t needed = (bytes + huge - 1) / huge;
    const std::uint64_t free = read_number(folder + "free_hugepages");
    if (free == 0) return {false, "no 2 MiB hugepages are free"};
    if (free < needed)
        return {false, fmt::format("{} hugepages are free, {} are needed", free, needed)};

    const std::size_t length = needed * huge;
    void* at = ::mmap(nullptr, length, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
    if (at == MAP_FAILED)
        return {false, fmt::format("hugepages cannot be mapped: {}", std::strerror(errno))};
    // A cgroup limit shows only when pages are touched, and then as SIGBUS; this call reports it
    // instead.
    const int touched = ::madvise(at, length, MADV_POPULATE_WRITE);
    const int why = errno;
    ::munmap(at, length);
    if (touched != 0 && why != EINVAL)  // EINVAL: a kernel before 5.14
        return {false, fmt::format("hugepages cannot be used: {}", std::strerror(why))};
    return {true, fmt::format("{} MiB of 2 MiB hugepages", length >> 20)};
}

}  // namespace fulmar::mem
