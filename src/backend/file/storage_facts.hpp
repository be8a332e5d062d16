// Reads what tells one file or disk from another, from the kernel alone: no udev, nothing is
// written. May block; any thread.
#pragma once

#include <fulmar/backend/storage_memory.hpp>

#include <sys/stat.h>

#include <set>
#include <string>

namespace fulmar::backend {

/// Of the regular file or block device behind `fd`, which `about` is of.
storage_facts read_facts(int fd, const struct ::stat& about);

/// A number of the block layer about the disk `device` is, or is a part of; 0 when there is none.
std::uint64_t queue_limit(dev_t device, const char* name) noexcept;

/// The block size for a new device there: what the storage works in, 512 or 4096.
std::uint32_t block_bytes_of(const std::string& path) noexcept;

/// Whether a power failure may leave a block of a device half written: the disk under it is known
/// to write less at once. `physical_bytes` 0: it is not known, or there is none.
[[nodiscard]] constexpr bool blocks_may_tear(std::uint32_t block_bytes,
                                             std::uint64_t physical_bytes) noexcept {
    return physical_bytes != 0 && physical_bytes < block_bytes;
}

/// "file:DEV:INODE" or "block:MAJOR:MINOR".
std::string claim_of(const struct ::stat& about);

/// The claims of everything that a block device stands on; nothing of a file.
std::set<std::string> claims_below(const struct ::stat& about);

/// What both know, and differently: "inode is 15 and was 12". Empty: nothing.
std::string changed_facts(const storage_facts& before, const storage_facts& now);

/// True when both tell anything by which they could be told apart.
bool can_compare(const storage_facts& before, const storage_facts& now);

}  // namespace fulmar::backend
