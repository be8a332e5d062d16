// The history of a daemon that has read a configuration file and written none.
#pragma once

#include "config_history.hpp"
#include "config_merge.hpp"

namespace fulmar::admin::testing_support {

inline config_history history_of(const core::target_spec& read) {
    config_history out;
    out.read = {"read", read};
    out.file_made = all_objects(read);
    return out;
}

}  // namespace fulmar::admin::testing_support
