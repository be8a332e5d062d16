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
    const bool any = at != spec.host_keys.end();
    if (spec.dhchap_required && (!any || at->dhchap_key.empty())) return connect_refusal::no_key;
    if (!any) return std::nullopt;
    const auto usable = [keys](const std::string& name) {
        return keys != nullptr && keys->state_of(name) == security::key_state::usable;
    };
    const bool proves = at->dhchap_key.empty() || usable(at->dhchap_key);
    const bool answers = at->dhchap_ctrl_key.empty() || usable(at->dhchap_ctrl_key);
    const bool encrypts =
        at->tls_psk.empty() ||
        (keys != nullptr && keys->tls_state_of(at->tls_psk) == security::key_state::usable);
    if (proves && answers && encrypts) return std::nullopt;
    return connect_refusal::key_unusable;
}

std::optional<connect_refusal> refusal_of_channel(const subsystem_spec& spec,
                                                  std::string_view subsystem, std::string_view host,
                                                  const secure_channel* channel) noexcept {
    if (channel != nullptr) {
        if (channel->host_nqn == host && channel->subsystem_nqn == subsystem) return std::nullopt;
        return connect_refusal::other_identity;
    }
    const auto at = std::find_if(spec.host_keys.begin(), spec.host_keys.end(),
                                 [host](const host_keys_spec& one) { return one.nqn == host; });
    if (at == spec.host_keys.end() || at->tls_psk.empty() || at->tls_optional) return std::nullopt;
    return connect_refusal::not_encrypted;
}

bool tells_other_security(const std::vector<host_keys_spec>& before,
                          const std::vector<host_keys_spec>& after) noexcept {
    const auto lacks = [](const std::vector<host_keys_spec>& all, const host_keys_spec& wanted) {
        return !wanted.tls_psk.empty() &&
               std::none_of(all.begin(), all.end(), [&](const host_keys_spec& one) {
                   return one.nqn == wanted.nqn && !one.tls_psk.empty() &&
                          one.tls_optional == wanted.tls_optional;
               });
    };
    const auto differs = [&](const auto& some, const auto& others) {
        return std::any_of(some.begin(), some.end(),
                           [&](const host_keys_spec& one) { return lacks(others, one); });
    };
    return differs(before, after) || differs(after, before);
}

}  // namespace fulmar::core
