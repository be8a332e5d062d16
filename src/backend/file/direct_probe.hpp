// Can this file do O_DIRECT in the blocks that we want, and how must memory be aligned? Control
// reactor.
#pragma once

#include <fulmar/base/unique_fd.hpp>

#include <cstdint>
#include <string>

namespace fulmar::backend {

struct direct_answer {
    unique_fd fd;  ///< open with O_DIRECT, or empty
    std::uint32_t memory_alignment = 1;
    std::string why_not;  ///< for people, when `fd` is empty
};

/// Asks the kernel (statx, BLKSSZGET) and then tries a read: file systems exist that promise and
/// refuse.
direct_answer probe_direct(const std::string& path, bool is_block, std::uint32_t block_bytes);

}  // namespace fulmar::backend
