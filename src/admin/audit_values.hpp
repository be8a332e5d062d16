// What a change has made of an object, for the line that the audit writes: before and after, in few
// words. The model holds no secrets, only the names of files that do. Pure.
#pragma once

#include <fulmar/core/control.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace fulmar::admin {

/// The object that `change` concerns, as `spec` has it; null when it is not there. Of a subsystem
/// what is its own, without its namespaces.
nlohmann::ordered_json audited_object(const core::target_spec& spec, const core::change& change);

/// Which members differ, and from what to what: "on_loss: \"fail\" → \"hold\"". Long values are
/// told by the beginning of their SHA-256. At most `most` bytes; empty when nothing differs.
std::string audited_difference(const nlohmann::ordered_json& before,
                               const nlohmann::ordered_json& after, std::size_t most);

/// How much of `text`, of at most `most` bytes, ends no character of UTF-8 in its middle.
std::size_t whole_characters(std::string_view text, std::size_t most);

}  // namespace fulmar::admin
