// Which file backs which device of this process. The kernel's locks keep other processes out, but
// their errors cannot tell an operator who was first. Any thread.
#pragma once

#include <fulmar/base/result.hpp>

#include <string>

namespace fulmar::backend {

/// Errors: conflict, naming the device that has it.
result<void> claim_file(const std::string& claim, const std::string& device,
                        const std::string& path);
void release_file(const std::string& claim) noexcept;

}  // namespace fulmar::backend
