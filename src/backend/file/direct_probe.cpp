#include "direct_probe.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fulmar::backend {

namespace {

constexpr std::uint32_t our_alignment = 4096;  // of buffer chunks and of block 0 of every request

direct_answer refuse(std::string why) {
    direct_answer no;
    no.why_not = std::move(why);
    return no;
}

}  // namespace

direct_answer probe_direct(const std::string& path, bool is_block, std::uint32_t block_bytes) {
    direct_answer answer;
    answer.fd.reset(::open(path.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC));
    if (!answer.fd)
        return refuse(fmt::format("the file system refuses it ({})", std::strerror(errno)));

    std::uint32_t offset_alignment = block_bytes;
    std::uint32_t memory_alignment = block_bytes;
    if (is_block) {
        int logical = 0;
        if (::ioctl(answer.fd.get(), BLKSSZGET, &logical) == 0)
            offset_alignment = memory_alignment = static_cast<std::uint32_t>(logical);
    }
    struct ::statx s {};
    if (::statx(answer.fd.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &s) == 0 &&
        (s.stx_mask & STATX_DIOALIGN) != 0) {
        if (s.stx_dio_offset_align == 0)
            return refuse("the file system cannot do it for this file");
        offset_alignment = s.stx_dio_offset_align;
        memory_alignment = s.stx_dio_mem_align;
    }
    if (block_bytes % offset_alignment != 0)
        return refuse(
            fmt::format("the storage works in units of {} bytes, the device in blocks of {}",
                        offset_alignment, block_bytes));
    if (our_alignment % memory_alignment != 0)
        return refuse(fmt::format("it needs memory aligned to {} bytes", memory_alignment));

    alignas(our_alignment) char block[our_alignment];
    if (::pread(answer.fd.get(), block, block_bytes, 0) < 0 && errno == EINVAL)
        return refuse(fmt::format("a read of {} bytes is refused", block_bytes));
    // Vector lengths count as memory alignment too, and before Linux 6.0 they had to be whole
    // storage blocks.
    answer.memory_alignment = std::max(memory_alignment, offset_alignment);
    return answer;
}

}  // namespace fulmar::backend
