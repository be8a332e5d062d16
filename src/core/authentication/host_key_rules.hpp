// What the configuration says of a host's authentication, as the core asks it. Pure.
#pragma once

#include <fulmar/core/connect_refusal.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/secure_channel.hpp>
#include <fulmar/security/dhchap.hpp>

#include <optional>
#include <string_view>
#include <vector>

namespace fulmar::security {
class key_source;
}

namespace fulmar::core {

/// Hashes and groups that its hosts may use. Words that nobody knows allow nothing.
[[nodiscard]] security::dhchap_policy dhchap_policy_of(const subsystem_spec& spec) noexcept;
/// Why a host that is allowed may not connect all the same; nothing when it may. `keys` may be
/// null: then none is usable.
[[nodiscard]] std::optional<connect_refusal> refusal_of_keys(
    const subsystem_spec& spec, std::string_view host, const security::key_source* keys) noexcept;
/// Why what its connection is encrypted with, or null, is not right for a Connect of `host` to
/// `subsystem`.
[[nodiscard]] std::optional<connect_refusal> refusal_of_channel(
    const subsystem_spec& spec, std::string_view subsystem, std::string_view host,
    const secure_channel* channel) noexcept;
/// Hosts read something else in the discovery log than before, where TLS is allowed.
[[nodiscard]] bool tells_other_security(const std::vector<host_keys_spec>& before,
                                        const std::vector<host_keys_spec>& after) noexcept;

}  // namespace fulmar::core
