// What is configured but not there: what a start could not bring up, and nobody has made since.
// Pure; any thread.
#pragma once

#include <fulmar/core/model.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::admin {

struct missing_part {
    std::string_view what;   ///< "device", "listener", "subsystem", "namespace"
    std::string name;        ///< a namespace: its subsystem's NQN
    std::uint32_t nsid = 0;  ///< a namespace's
    friend bool operator==(const missing_part&, const missing_part&) = default;
};

/// Objects of `configured` that `running` does not have. Of a missing subsystem, its namespaces are
/// not listed too.
std::vector<missing_part> missing_parts(const core::target_spec& configured,
                                        const core::target_spec& running);

}  // namespace fulmar::admin
