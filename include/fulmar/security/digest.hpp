// Digests and keyed digests of the hashes that DH-HMAC-CHAP knows.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/nvme/auth.hpp>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string_view>

namespace fulmar::security {

/// Wiped when it goes. Called on: any thread.
class digest {
  public:
    digest() noexcept = default;
    ~digest();
    digest(const digest&) noexcept = default;
    digest& operator=(const digest&) noexcept = default;

    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        return {bytes_.data(), size_};
    }

  private:
    friend result<digest> hash_of(nvme::dhchap_hash hash, std::span<const std::byte> data);
    friend result<digest> hmac_of(nvme::dhchap_hash hash, std::span<const std::byte> key,
                                  std::initializer_list<std::span<const std::byte>> parts);
    std::array<std::byte, nvme::dhchap_hash_bytes_max> bytes_{};
    std::size_t size_ = 0;
};

[[nodiscard]] inline std::span<const std::byte> bytes_of(std::string_view text) noexcept {
    return std::as_bytes(std::span(text.data(), text.size()));
}

/// Errors: no_memory (whatever OpenSSL could not do).  Called on: any thread.
[[nodiscard]] result<digest> hash_of(nvme::dhchap_hash hash, std::span<const std::byte> data);
/// HMAC (RFC 2104) of the parts, one behind the other. Errors: no_memory.  Called on: any thread.
[[nodiscard]] result<digest> hmac_of(nvme::dhchap_hash hash, std::span<const std::byte> key,
                                     std::initializer_list<std::span<const std::byte>> parts);

/// Numbers that nobody can guess. Errors: unavailable.  Called on: any thread.
[[nodiscard]] result<void> fill_random(std::span<std::byte> bytes);

}  // namespace fulmar::security
