// Which file or disk backs which device of this process, and what those stand on in turn. The
// kernel's locks keep other processes out, but their errors cannot tell an operator who was first.
// Any thread.
#pragma once

#include <fulmar/base/result.hpp>

#include <set>
#include <string>

namespace fulmar::backend {

/// `below` are the claims of what it stands on: a partition's disk, a mapped device's disks, the
/// file behind a loop device. Two partitions of a disk may be served, but not one and the disk.
/// Errors: conflict, naming the device that has it.
result<void> claim_file(const std::string& claim, const std::set<std::string>& below,
                        const std::string& device, const std::string& path);
void release_file(const std::string& claim) noexcept;

}  // namespace fulmar::backend
