// A configuration as a list of objects with fields, the form in which two or three of them are
// compared: listeners, devices, subsystems, their namespaces and hosts, referrals. Fields are the
// members that the object has as JSON, so whatever a resource learns to say is compared as well.
// Pure.
#pragma once

#include <fulmar/core/control.hpp>
#include <fulmar/core/fields/field.hpp>
#include <fulmar/core/model.hpp>

#include <nlohmann/json.hpp>

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::admin {

enum class object_kind : std::uint8_t { listener, device, subsystem, name_space, host, referral };

struct object_key {
    object_kind kind = object_kind::device;
    std::string name = {};  ///< of the object; of a namespace or host: the NQN of its subsystem
    std::string part = {};  ///< the NSID of a namespace, the NQN of a host; else empty

    /// For people: "device f", "namespace nqn…:a/1", "host nqn…:h of nqn…:a".
    [[nodiscard]] std::string text() const;
    friend auto operator<=>(const object_key&, const object_key&) = default;
};

std::string_view kind_word(object_kind kind) noexcept;
std::optional<object_kind> parse_kind_word(std::string_view word) noexcept;

using object_fields = std::map<std::string, nlohmann::ordered_json>;

struct config_objects {
    std::vector<object_key> order;  ///< as in the configuration; a subsystem before what it has
    std::map<object_key, object_fields> fields;

    [[nodiscard]] const object_fields* find(const object_key& key) const;
};

/// What the table of the object's kind says of `field`; null when it has none of that name.
const core::field_facts* facts_of(object_kind kind, std::string_view field) noexcept;

config_objects objects_of(const core::target_spec& spec);

/// The specification of one object. Errors: invalid_argument when its fields do not go together.
result<core::listener_spec> listener_of(const object_fields& fields);
result<core::device_spec> device_of(const object_fields& fields);
/// Without namespaces and hosts.
result<core::subsystem_spec> subsystem_of(const object_fields& fields);
result<core::namespace_spec> namespace_of(const object_fields& fields);
result<core::referral_spec> referral_of(const object_fields& fields);

/// What `change` makes or takes away, whole: the subsystem, not what is in it.
std::optional<object_key> made_or_removed_by(const core::change& change);

}  // namespace fulmar::admin
