// The host's side of DH-HMAC-CHAP on one queue.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/nvme/auth.hpp>
#include <fulmar/security/dhchap.hpp>
#include <fulmar/security/dhchap_key.hpp>
#include <fulmar/security/key_exchange.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fulmar::security {

struct dhchap_credentials {
    std::string host_nqn{};
    std::string subsystem_nqn{};
    dhchap_key host_key{};
    std::optional<dhchap_key> controller_key{};  ///< the controller has to prove who it is
    dhchap_policy policy{};                      ///< what is offered
};

/// One transaction: negotiate(), then on_challenge(), then on_success1(). One thread.
class dhchap_host {
  public:
    dhchap_host(const dhchap_credentials& who, std::uint16_t t_id) noexcept
        : who_(who), t_id_(t_id) {}

    [[nodiscard]] std::vector<std::byte> negotiate() const;
    /// The Reply. Errors: invalid_argument (a message that is wrong), permission_denied (the
    /// controller says Failure1), no_memory.
    [[nodiscard]] result<std::vector<std::byte>> on_challenge(std::span<const std::byte> message);
    /// Success2, or nothing when none is awaited. Errors: the same; permission_denied as well when
    /// the controller could not prove who it is: then failure2() is to be sent.
    [[nodiscard]] result<std::optional<std::vector<std::byte>>> on_success1(
        std::span<const std::byte> message);
    [[nodiscard]] std::vector<std::byte> failure2(nvme::auth_failure why) const;

    // What was agreed on, after on_challenge().
    [[nodiscard]] nvme::dhchap_hash hash() const noexcept { return hash_; }
    [[nodiscard]] nvme::dhchap_group group() const noexcept { return group_; }

  private:
    [[nodiscard]] result<void> read_challenge(std::span<const std::byte> message);
    [[nodiscard]] result<void> exchange_with(std::span<const std::byte> peer);
    [[nodiscard]] result<void> check_header(std::span<const std::byte> message,
                                            nvme::auth_id wanted) const;

    const dhchap_credentials& who_;
    std::uint16_t t_id_;
    nvme::dhchap_hash hash_{};
    nvme::dhchap_group group_{};
    std::uint32_t s1_ = 0;
    std::uint32_t s2_ = 0;
    std::vector<std::byte> c1_;
    std::vector<std::byte> c2_;
    std::optional<key_exchange> exchange_;
    secret shared_;
};

}  // namespace fulmar::security
