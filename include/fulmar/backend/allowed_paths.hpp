// Where devices may be whose path nobody has named who may name any: the configuration file and
// whoever owns the machine may, others only what a list of patterns says. Checked with all links
// followed; what is opened then is opened without following any, so that a link that is put there
// meanwhile leads nowhere.
#pragma once

#include <fulmar/base/result.hpp>

#include <optional>
#include <string>
#include <vector>

namespace fulmar::backend {

/// From now on a path that is not trusted must fit one of `patterns`, as of a shell: * stops at a
/// slash, and /** at the end is everything in a folder. Without them, as before it is called, every
/// path may be named. Called on: control reactor, before the first device is made.
void confine_devices(std::optional<std::vector<std::string>> patterns);
/// A device on `path`, said like this, may be wherever it leads. Called on: any thread.
void trust_path(const std::string& path);
/// Whether `path` is neither trusted nor free. Called on: any thread.
bool is_confined(const std::string& path);

/// Where `path`, which is confined, leads: that, and with no links followed, is what may be opened.
/// Errors: permission_denied, whether there is something or not. Called on: any thread.
result<std::string> allowed_place(const std::string& path);

/// Whether `path`, which has no links in it, fits `pattern`; links of the pattern's own folder are
/// followed. Called on: any thread.
bool fits_path_pattern(const std::string& pattern, const std::string& path);

}  // namespace fulmar::backend
