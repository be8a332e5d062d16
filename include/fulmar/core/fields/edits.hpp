// New values for some of an object's fields, those that may change in place. Plain values.
#pragma once

#include <cstdint>

namespace fulmar::core {

template <typename Spec>
struct field_edits {
    Spec values = {};
    std::uint64_t which = 0;  ///< bit i: the field i of the object's table
};

}  // namespace fulmar::core
