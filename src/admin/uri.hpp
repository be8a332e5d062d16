// The target of a request, taken apart: path segments and query, percent-decoded. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fulmar::admin {

struct request_target {
    std::vector<std::string> segments;  ///< "/v1/subsystems/a%2Fb" → "v1", "subsystems", "a/b"
    std::vector<std::pair<std::string, std::string>> query;
    std::string path;  ///< as sent, for "instance" in a problem
};

/// Nothing when it is no origin-form target: bad escapes, control characters, no leading "/".
std::optional<request_target> parse_target(std::string_view target);

/// One path segment: everything but unreserved characters and ":" escaped.
std::string escape_segment(std::string_view text);

}  // namespace fulmar::admin
