// One side of a Diffie-Hellman exchange in a group of RFC 7919, with a private number of its own.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/nvme/auth.hpp>
#include <fulmar/security/secret.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

struct evp_pkey_st;

namespace fulmar::security {

/// Takes milliseconds of a core (ffdhe2048: 2, ffdhe8192: 97): never on a reactor.
/// Called on: any thread, one at a time.
class key_exchange {
  public:
    /// Errors: no_memory; invalid_argument (the null group).
    [[nodiscard]] static result<key_exchange> begin(nvme::dhchap_group group);

    /// Big-endian, as long as the group's prime.
    [[nodiscard]] std::span<const std::byte> public_value() const noexcept {
        return {public_.data(), size_of(group_)};
    }
    [[nodiscard]] nvme::dhchap_group group() const noexcept { return group_; }
    /// What both sides have in common, as long as the prime. Errors: invalid_argument (a value that
    /// no honest peer has: of another length, at most 1, at least the prime less 1); no_memory.
    [[nodiscard]] result<secret> shared_with(std::span<const std::byte> peer) const;

  private:
    struct free_key {
        void operator()(evp_pkey_st* key) const noexcept;
    };
    using key_pointer = std::unique_ptr<evp_pkey_st, free_key>;
    key_exchange(nvme::dhchap_group group, key_pointer key) noexcept
        : group_(group), key_(std::move(key)) {}
    [[nodiscard]] key_pointer read_peer(std::span<const std::byte> peer) const noexcept;

    nvme::dhchap_group group_;
    key_pointer key_;
    std::array<std::byte, nvme::dhchap_public_bytes_max> public_{};
};

}  // namespace fulmar::security
