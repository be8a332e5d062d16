#include "host_key_rules.hpp"

#include <fulmar/core/fields/host_keys_fields.hpp>
#include <fulmar/security/key_source.hpp>

#include <algorithm>

namespace fulmar::core {

security::dhchap_policy dhchap_policy_of(const subsystem_spec& spec) noexcept {
    security::dhchap_policy out;
    if (!spec.dhchap_hashes.empty()) out.hashes = {};
    for (std::size_t i = 0; i < dhchap_hash_words.size(); ++i)
        for (const std::string& word : spec.dhchap_hashes)
            if (word == dhchap_hash_words[i]) out.hashes.add(nvme::all_dhchap_hashes[i]);
    if (!spec.dhchap_groups.empty()) out.groups = {};
    for (std::size_t i = 0; i < dhchap_group_words.size(); ++i)
        for (const std::string& word : spec.dhchap_groups)
            if (word == dhchap_group_words[i]) out.groups.add(nvme::all_dhchap_groups[i]);
    return out;
}

std::optional<connect_refusal> refusal_of_keys(const subsystem_spec& spec, std::string_view host,
                                               const security::key_source* keys) noexcept {
    const auto at = std::find_if(spec.host_keys.begin(), spec.host_keys.end(),
                                 [host](const host_keys_spec& one) { return one.nqn == host; });
    if (at == spec.host_keys.end()) {
        if (spec.dhchap_required) return connect_refusal::no_key;
        return std::nullopt;
    }
    const auto usable = [keys](const std::string& name) {
        return keys != nullptr && keys->state_of(name) == security::key_state::usable;
    };
    if (usable(at->dhchap_key) && (at->dhchap_ctrl_key.empty() || usable(at->dhchap_ctrl_key)))
        return std::nullopt;
    return connect_refusal::key_unusable;
}

}  // namespace fulmar::core
