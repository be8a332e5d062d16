// What both sides of DH-HMAC-CHAP compute and agree on. NVMe Base 2.0, section 8.13.5.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/nvme/auth.hpp>
#include <fulmar/security/digest.hpp>
#include <fulmar/security/secret.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

namespace fulmar::security {

/// A set of identifiers, bit n for n.
template <typename Id>
class id_set {
  public:
    constexpr id_set() noexcept = default;
    constexpr id_set(std::initializer_list<Id> ids) noexcept {
        for (const Id id : ids) add(id);
    }
    constexpr void add(Id id) noexcept {
        bits_ = static_cast<std::uint8_t>(bits_ | 1u << static_cast<unsigned>(id));
    }
    [[nodiscard]] constexpr bool has(Id id) const noexcept {
        return (bits_ >> static_cast<unsigned>(id) & 1u) != 0;
    }
    [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }
    friend constexpr bool operator==(const id_set&, const id_set&) noexcept = default;

  private:
    std::uint8_t bits_ = 0;
};

/// What one side is willing to use.
struct dhchap_policy {
    id_set<nvme::dhchap_hash> hashes{nvme::dhchap_hash::sha256, nvme::dhchap_hash::sha384,
                                     nvme::dhchap_hash::sha512};
    id_set<nvme::dhchap_group> groups{nvme::dhchap_group::null, nvme::dhchap_group::ffdhe2048,
                                      nvme::dhchap_group::ffdhe3072};
    friend constexpr bool operator==(const dhchap_policy&, const dhchap_policy&) noexcept = default;
};

/// The strongest of both; nothing when they have none in common.  Called on: any thread.
[[nodiscard]] std::optional<nvme::dhchap_hash> strongest(
    const id_set<nvme::dhchap_hash>& a, const id_set<nvme::dhchap_hash>& b) noexcept;
[[nodiscard]] std::optional<nvme::dhchap_group> strongest(
    const id_set<nvme::dhchap_group>& a, const id_set<nvme::dhchap_group>& b) noexcept;

/// Who answers a challenge.
enum class dhchap_role : std::uint8_t { host, controller };

/// What a response depends on. The names are those of the one who answers, and of the other.
struct dhchap_question {
    dhchap_role role{};
    nvme::dhchap_hash hash{};
    std::span<const std::byte> challenge{};  ///< as sent; HL bytes
    std::span<const std::byte> shared{};     ///< of the key exchange; empty: none
    std::uint32_t seqnum = 0;
    std::uint16_t t_id = 0;
    std::uint8_t sc_c = nvme::auth_no_secure_channel;
    std::string_view own_nqn{};
    std::string_view other_nqn{};
};
/// `key` is transformed already. Errors: no_memory.  Called on: any thread.
[[nodiscard]] result<digest> respond(const dhchap_question& to, const secret& key);

}  // namespace fulmar::security
