// Must never: log or report any part of a key.
#include <fulmar/base/limits.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/subsystem_group.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/core/tls_host_keys.hpp>
#include <fulmar/security/key_source.hpp>

#include <utility>

namespace fulmar::core {

using security::tls_derivation;
using security::tls_identity;
using security::tls_identity_version;
using security::tls_psk;

namespace {

/// Adds what `key` would be for that identity; in version 0, where it may be any, every one.
void add_psk(std::vector<tls_psk>& to, std::string_view text, const tls_identity& offered,
             const security::tls_key& key, tls_derivation how) {
    if (key.suite() != offered.suite) return;
    auto made = derive_tls_psk(key, offered.host_nqn, offered.subsystem_nqn, offered.version, how);
    if (made && made->identity == text) to.push_back(std::move(*made));
}

void add_named_key(std::vector<tls_psk>& to, std::string_view text, const tls_identity& offered,
                   const host_keys_spec& entry, const security::key_source& keys) {
    const auto found = keys.find_tls(entry.tls_psk);
    if (!found) return;
    for (const security::tls_key& key : *found) {
        if (to.size() >= limits::tls_keys_per_host) return;
        add_psk(to, text, offered, key, tls_derivation::standard);
        if (entry.tls_compat) add_psk(to, text, offered, key, tls_derivation::old_libnvme);
    }
}

}  // namespace

std::vector<tls_psk> tls_host_keys::find(std::string_view identity) const {
    std::vector<tls_psk> found;
    const auto offered = security::read_tls_identity(identity);
    const security::key_source* const keys = group_.target().keys();
    subsystem_group* const named = offered ? group_.find(offered->subsystem_nqn) : nullptr;
    if (named == nullptr || keys == nullptr) return found;
    const auto add_from = [&](const subsystem_description& view) {
        const host_keys_spec* const entry = view.keys_of(offered->host_nqn);
        if (entry != nullptr && !entry->tls_psk.empty())
            add_named_key(found, identity, *offered, *entry, *keys);
    };
    if (!named->view->discovery) {
        add_from(*named->view);
        return found;
    }
    for (const auto& one : group_.subsystem_groups()) {
        if (one == nullptr || one->view == nullptr) continue;
        add_from(*one->view);
        const bool enough = offered->version == tls_identity_version::digest
                                ? !found.empty()
                                : found.size() >= limits::tls_keys_per_host;
        if (enough) break;
    }
    return found;
}

}  // namespace fulmar::core
