// Bytes that nobody may see: wiped when they go, left out of core dumps, in no text by accident.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace fulmar::security {

/// Pages of its own, which MADV_DONTDUMP keeps out of core dumps and OPENSSL_cleanse wipes. It can
/// neither be copied nor formatted: whoever reads it says reveal(). Called on: any thread.
class secret {
  public:
    secret() noexcept = default;
    /// Of `bytes` zeros. Empty when there is no memory, which the caller has to ask: size() is 0.
    explicit secret(std::size_t bytes) noexcept;
    ~secret();
    secret(secret&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    secret& operator=(secret&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }

    /// A copy of `bytes`; they are the caller's to wipe. Empty when there is no memory.
    [[nodiscard]] static secret of(std::span<const std::byte> bytes) noexcept;
    [[nodiscard]] static secret of_text(std::string_view text) noexcept;
    [[nodiscard]] secret clone() const noexcept { return of(reveal()); }

    [[nodiscard]] std::span<const std::byte> reveal() const noexcept { return {data_, size_}; }
    [[nodiscard]] std::string_view reveal_text() const noexcept {
        return {reinterpret_cast<const char*>(data_), size_};
    }
    [[nodiscard]] std::span<std::byte> fill() noexcept { return {data_, size_}; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    /// The last bytes are not needed. Wipes them.
    void shrink(std::size_t to) noexcept;

  private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Overwrites what the compiler might otherwise leave. Called on: any thread.
void wipe(std::span<std::byte> bytes) noexcept;
/// In a time that depends on the sizes alone. Called on: any thread.
[[nodiscard]] bool equal(std::span<const std::byte> a, std::span<const std::byte> b) noexcept;
/// OpenSSL keeps private numbers in memory of the same kind. Once, before any other thread runs.
void keep_private_numbers_out_of_dumps() noexcept;

}  // namespace fulmar::security
