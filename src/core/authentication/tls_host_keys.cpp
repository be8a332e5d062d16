// Must never: log or report any part of a key.
#include <fulmar/base/limits.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/subsystem_group.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/core/tls_host_keys.hpp>
#include <fulmar/security/key_source.hpp>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace fulmar::core {

using security::tls_derivation;
using security::tls_identity;
using security::tls_identity_version;
using security::tls_psk;

namespace {

/// By the standard and as old hosts do it; some 28 us each.
constexpr std::uint32_t most_derivations = 2 * limits::tls_keys_per_host;

/// What one identity may cost: each derivation is some HMACs, and who asks has proved nothing.
struct key_search {
    std::string_view text;
    const tls_identity& offered;
    const security::key_source& keys;
    std::vector<tls_psk> found = {};
    std::vector<const host_keys_spec*> asked = {};
    std::uint32_t left = most_derivations;

    /// Keeps what `key` would be for that identity; in version 0, where it may be any, every one.
    void derive(const security::tls_key& key, tls_derivation how) {
        if (left == 0 || key.suite() != offered.suite) return;
        --left;
        auto made =
            derive_tls_psk(key, offered.host_nqn, offered.subsystem_nqn, offered.version, how);
        if (made && made->identity == text) found.push_back(std::move(*made));
    }
    // What a key gives depends on its host alone, not on the subsystem that lists it.
    [[nodiscard]] bool was_asked(const host_keys_spec& entry) const {
        return std::any_of(asked.begin(), asked.end(), [&](const host_keys_spec* one) {
            return one->tls_psk == entry.tls_psk && one->tls_compat == entry.tls_compat;
        });
    }
    void ask(const host_keys_spec& entry) {
        if (entry.tls_psk.empty() || was_asked(entry)) return;
        asked.push_back(&entry);
        const auto named = keys.find_tls(entry.tls_psk);
        if (!named) return;
        for (const security::tls_key& key : *named) {
            derive(key, tls_derivation::standard);
            if (entry.tls_compat) derive(key, tls_derivation::old_libnvme);
        }
    }
    [[nodiscard]] bool over() const {
        const bool by_digest = offered.version == tls_identity_version::digest;
        return left == 0 || asked.size() >= most_derivations ||
               (by_digest ? !found.empty() : found.size() >= limits::tls_keys_per_host);
    }
};

}  // namespace

std::vector<tls_psk> tls_host_keys::find(std::string_view identity) const {
    const auto offered = security::read_tls_identity(identity);
    const security::key_source* const keys = group_.target().keys();
    subsystem_group* const named = offered ? group_.find(offered->subsystem_nqn) : nullptr;
    if (named == nullptr || keys == nullptr) return {};
    key_search search{.text = identity, .offered = *offered, .keys = *keys};
    const auto ask = [&](const subsystem_description& view) {
        if (const host_keys_spec* const entry = view.keys_of(offered->host_nqn)) search.ask(*entry);
    };
    if (!named->view->discovery) {
        ask(*named->view);
        return std::move(search.found);
    }
    for (const auto& one : group_.subsystem_groups()) {
        if (one != nullptr && one->view != nullptr) ask(*one->view);
        if (search.over()) break;
    }
    return std::move(search.found);
}

}  // namespace fulmar::core
