// Where keys come from: by their names, as the configuration refers to them.
#pragma once

#include <fulmar/base/limits.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/security/dhchap_key.hpp>
#include <fulmar/security/tls_psk.hpp>

#include <cstdint>
#include <string_view>
#include <vector>

namespace fulmar::security {

enum class key_state : std::uint8_t {
    usable,
    missing,  ///< there is no key of that name
    broken,   ///< there is, but it cannot be read, is no key, or others may read it
};
/// Called on: any thread.
[[nodiscard]] constexpr std::string_view to_string(key_state state) noexcept {
    return state == key_state::usable    ? "usable"
           : state == key_state::missing ? "missing"
                                         : "broken";
}

/// A key's name is the name of its file: it can name no other folder, and no hidden file.
/// Called on: any thread.
[[nodiscard]] constexpr bool is_key_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > limits::max_key_name_bytes || name.front() == '.')
        return false;
    for (const char c : name)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-'))
            return false;
    return true;
}

/// Called on: any thread, all methods; none of them touches a file.
class key_source {
  public:
    virtual ~key_source() = default;
    [[nodiscard]] virtual key_state state_of(std::string_view name) const noexcept = 0;
    /// Copies of the keys of that name, the present one first, then those that are still accepted.
    /// At least one. Errors: not_found, no_memory.
    [[nodiscard]] virtual result<std::vector<dhchap_key>> find(std::string_view name) const = 0;
    /// The same of keys of TLS. A key of the other kind is a broken one.
    [[nodiscard]] virtual key_state tls_state_of(std::string_view name) const noexcept {
        (void)name;
        return key_state::missing;
    }
    [[nodiscard]] virtual result<std::vector<tls_key>> find_tls(std::string_view name) const {
        (void)name;
        return fail(errc::not_found, "there are no keys of TLS");
    }
};

}  // namespace fulmar::security
