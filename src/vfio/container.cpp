#include "container.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/vfio/drives.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace fulmar::vfio {

namespace {

constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t large_page_bytes = std::uint64_t{2} << 20;

result<unique_fd> open_group(int number) {
    const std::string path = fmt::format("/dev/vfio/{}", number);
    unique_fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd) {
        const int why = errno;
        if (why == ENOENT &&
            ::access(fmt::format("/dev/vfio/noiommu-{}", number).c_str(), F_OK) == 0)
            return fail(errc::not_supported, "the drive has no IOMMU, only VFIO's unsafe mode",
                        path, "switch the IOMMU on");
        if (why == EBUSY)
            return fail(errc::conflict, "another process has the drive's IOMMU group open", path,
                        "stop that process");
        return fail_errno("cannot open the drive's IOMMU group", why, path,
                          "bind the drive to vfio-pci: fulmar drive bind");
    }
    vfio_group_status status{};
    status.argsz = sizeof status;
    if (::ioctl(fd.get(), VFIO_GROUP_GET_STATUS, &status) != 0)
        return fail_errno("cannot ask for the state of the IOMMU group", errno, path);
    if ((status.flags & VFIO_GROUP_FLAGS_VIABLE) == 0)
        return fail(errc::conflict,
                    "other functions of the drive's IOMMU group have kernel drivers", path,
                    "bind all of the group to vfio-pci");
    return fd;
}

// Walks the capabilities of VFIO_IOMMU_GET_INFO; what the kernel wrote is checked against its size.
std::vector<iova_range> ranges_in(std::span<const std::byte> info) {
    std::vector<iova_range> ranges;
    vfio_iommu_type1_info head{};
    std::memcpy(&head, info.data(), sizeof head);
    if ((head.flags & VFIO_IOMMU_INFO_CAPS) == 0) return ranges;
    for (std::uint32_t at = head.cap_offset; at != 0;) {
        vfio_info_cap_header header{};
        if (at > info.size() || info.size() - at < sizeof header) break;
        std::memcpy(&header, info.data() + at, sizeof header);
        if (header.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) {
            // Field by field: the kernel's structure ends in an array of no size.
            using range_list = vfio_iommu_type1_info_cap_iova_range;
            if (info.size() - at < sizeof(range_list)) break;
            std::uint32_t entries = 0;
            std::memcpy(&entries, info.data() + at + offsetof(range_list, nr_iovas),
                        sizeof entries);
            std::size_t entry = at + sizeof(range_list);
            for (std::uint32_t i = 0; i < entries; ++i, entry += sizeof(vfio_iova_range)) {
                vfio_iova_range range{};
                if (entry > info.size() || info.size() - entry < sizeof range) break;
                std::memcpy(&range, info.data() + entry, sizeof range);
                ranges.push_back({range.start, range.end});
            }
        }
        if (header.next <= at) break;
        at = header.next;
    }
    return ranges;
}

result<std::vector<iova_range>> usable_ranges(int fd) {
    std::vector<std::byte> info(sizeof(vfio_iommu_type1_info));
    for (int round = 0; round < 2; ++round) {
        auto* const head = reinterpret_cast<vfio_iommu_type1_info*>(info.data());
        head->argsz = static_cast<std::uint32_t>(info.size());
        if (::ioctl(fd, VFIO_IOMMU_GET_INFO, info.data()) != 0)
            return fail_errno("the IOMMU does not describe itself", errno);
        const std::uint32_t needed = head->argsz;
        if (needed <= info.size()) break;
        info.assign(needed, std::byte{});
    }
    std::vector<iova_range> ranges = ranges_in(info);
    // A kernel that reports none (before 5.4): what every IOMMU has, without the interrupt window.
    if (ranges.empty()) ranges = {{0, 0xfedf'ffff}};
    return ranges;
}

}  // namespace

container::container(unique_fd fd, unique_fd group, std::vector<iova_range> usable)
    : container_(std::move(fd)),
      group_(std::move(group)),
      usable_(std::move(usable)),
      addresses_(usable_) {}

result<container> container::open(const pci_address& address) {
    FULMAR_TRY(const int number, iommu_group_of(address));
    unique_fd fd(::open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC));
    if (!fd)
        return fail_errno("cannot open /dev/vfio/vfio", errno, {},
                          "modprobe vfio-pci, and let fulmard open it");
    if (::ioctl(fd.get(), VFIO_GET_API_VERSION) != VFIO_API_VERSION ||
        ::ioctl(fd.get(), VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) == 0)
        return fail(errc::not_supported, "this kernel's VFIO has no type 1 version 2 IOMMU");
    FULMAR_TRY(unique_fd group, open_group(number));
    const int container_fd = fd.get();
    if (::ioctl(group.get(), VFIO_GROUP_SET_CONTAINER, &container_fd) != 0)
        return fail_errno("the IOMMU group does not join its container", errno);
    if (::ioctl(fd.get(), VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0)
        return fail_errno("the IOMMU refuses the drive", errno);
    FULMAR_TRY(auto usable, usable_ranges(fd.get()));
    return container(std::move(fd), std::move(group), std::move(usable));
}

result<unique_fd> container::open_device(const pci_address& address) {
    unique_fd fd(::ioctl(group_.get(), VFIO_GROUP_GET_DEVICE_FD, address.text().c_str()));
    if (!fd)
        return fail_errno(fmt::format("cannot open drive {}", address.text()), errno, {},
                          "bind the drive to vfio-pci: fulmar drive bind");
    return fd;
}

// Same place within a large page as in our address space, so that the IOMMU can use large pages.
result<std::uint64_t> container::map(std::span<std::byte> memory) {
    const auto at = reinterpret_cast<std::uintptr_t>(memory.data());
    const std::uint64_t alignment =
        memory.size() >= large_page_bytes ? large_page_bytes : page_bytes;
    const std::uint64_t shift = at & (alignment - 1);
    FULMAR_TRY(const std::uint64_t begin, addresses_.allocate(memory.size() + shift, alignment));
    vfio_iommu_type1_dma_map request{};
    request.argsz = sizeof request;
    request.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
    request.vaddr = at;
    request.iova = begin + shift;
    request.size = memory.size();
    if (::ioctl(container_.get(), VFIO_IOMMU_MAP_DMA, &request) != 0) {
        const int why = errno;
        addresses_.release(begin, memory.size() + shift);
        return fail_errno(
            fmt::format("cannot let the drive reach {} KiB of memory", memory.size() >> 10), why,
            {}, why == ENOMEM ? "raise the limit of locked memory (LimitMEMLOCK=infinity)" : "");
    }
    mappings_.push_back({begin + shift, memory.size()});
    return begin + shift;
}

void container::unmap_all() noexcept {
    for (const mapping& m : mappings_) {
        vfio_iommu_type1_dma_unmap request{};
        request.argsz = sizeof request;
        request.iova = m.address;
        request.size = m.bytes;
        if (::ioctl(container_.get(), VFIO_IOMMU_UNMAP_DMA, &request) != 0)
            log::error("the IOMMU keeps a mapping of a drive: {}", std::strerror(errno));
    }
    mappings_.clear();
}

}  // namespace fulmar::vfio
