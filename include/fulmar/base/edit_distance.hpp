// How far one word is from another, for "did you mean".
#pragma once

#include <cstddef>
#include <string_view>

namespace fulmar {

/// Insertions, deletions, replacements and swapped neighbours that lead from one to the other
/// (optimal string alignment). Takes the product of their lengths: for words, not for texts.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace fulmar
