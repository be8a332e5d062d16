// Files with secrets: nobody but their owner may have been able to read or write them.
// Called on: any thread.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstddef>
#include <string>

namespace fulmar::admin {

/// The whole file, at most `most` bytes; a symbolic link is not followed. `what` is for people:
/// "token file".
/// Errors: not_found; permission_denied when others than its owner could use it, or when it belongs
/// to somebody else than root and the daemon's account; invalid_argument when it is larger.
result<std::string> read_private_file(const std::string& path, const std::string& what,
                                      std::size_t most);

}  // namespace fulmar::admin
