// What somebody may do who administrates the daemon. Roles are in an order: each may do all that
// the ones before it may. Constant data; any thread.
#pragma once

#include <fulmar/core/fields/field.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace fulmar::admin {

enum class role : std::uint8_t {
    anyone,     ///< nobody knows who it is; none is granted it
    metrics,    ///< reads the counters, and nothing else
    viewer,     ///< reads all that is no secret
    operator_,  ///< changes what can neither lose data nor let anybody in
    admin       ///< everything
};

}  // namespace fulmar::admin

namespace fulmar {

/// Those that can be granted.
template <>
struct core::words_of<admin::role> {
    static constexpr std::array<std::string_view, 4> names{"metrics", "viewer", "operator",
                                                           "admin"};
    static constexpr std::array values{admin::role::metrics, admin::role::viewer,
                                       admin::role::operator_, admin::role::admin};
};

}  // namespace fulmar
