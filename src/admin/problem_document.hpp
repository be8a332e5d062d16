// Errors as RFC 9457 problem documents. Pure.
#pragma once

#include "http.hpp"

#include <fulmar/admin/problem.hpp>
#include <fulmar/base/result.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace fulmar::admin {

/// The HTTP status that says `why`.
std::uint16_t status_of(const error& why) noexcept;

/// "type" is urn:fulmar:problem:CODE; "where" and "remedy" are ours. `instance` is the path.
http_response problem_response(std::uint16_t status, std::string_view code, const error& why,
                               std::string_view instance);
/// With the code of the error.
http_response problem_response(const error& why, std::string_view instance);
/// 403: `who` may not do `what`, for which the role `least` is needed.
http_response role_refusal(const caller& who, role least, std::string_view what,
                           std::string_view instance);
/// Every finding in "errors": 400 when the body is no JSON, 422 otherwise.
http_response problem_response(const problem_list& problems, std::string_view instance);

/// Text for the wire; whatever is no UTF-8 in it is replaced, never thrown about.
std::string dump(const nlohmann::ordered_json& value);

}  // namespace fulmar::admin
