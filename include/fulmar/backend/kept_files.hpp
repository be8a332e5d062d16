// What no device may be on: the daemon's own files, and files that are no storage (/proc, /sys, …).
// A host's write there would keep the daemon from starting, or change the machine.
#pragma once

#include <fulmar/base/result.hpp>

#include <string>

namespace fulmar::backend {

/// From now on no device is made on `path`, under this name or another. With `and_beside`, on none
/// whose name begins with it and a dot either ("fulmard.json.journal"), nor on what is in such a
/// folder ("fulmard.json.keys/a"), by whatever name or mount. `what` is told in the
/// error: "the configuration". Called on: control reactor.
void keep_from_devices(const std::string& path, const std::string& what, bool and_beside = false);
/// The same for a file that is open already (a log that standard output goes to); others than
/// regular files are none of ours.  Called on: control reactor.
void keep_from_devices(int fd, const std::string& what);

/// Looks at what `path` is, or would be when it was created; opens nothing.
/// Errors: conflict; invalid_argument.  Called on: any thread, once all is kept.
result<void> may_back_a_device(const std::string& path);

/// The same of what has been opened as `path`, however it came to be there: the daemon's own files
/// under other names, and what is no storage.
/// Errors: conflict; invalid_argument.  Called on: any thread, once all is kept.
result<void> may_back_a_device(int fd, const std::string& path);

}  // namespace fulmar::backend
