// What the TLS connections of one group share: the keys of hosts, memory to encrypt into, and the
// time that handshakes of strangers may take.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/core/tls_host_keys.hpp>
#include <fulmar/security/tls_socket.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace fulmar::transport::tcp {

/// Called on: owning reactor.
class tls_desk {
  public:
    explicit tls_desk(core::poll_group& group) noexcept : keys_(group) {}

    [[nodiscard]] const security::tls_psk_finder& keys() const noexcept { return keys_; }
    /// Empty: no memory. There is none before the first connection wants it.
    [[nodiscard]] security::tls_socket::scratch scratch() noexcept {
        if (!scratch_) scratch_.reset(new (std::nothrow) std::byte[limits::tls_scratch_bytes]);
        return {scratch_.get(), scratch_ ? limits::tls_scratch_bytes : 0};
    }

    /// The handshake of one more peer may begin. Whoever may not asks again the next turn; the
    /// group looks at its connections in the order in which they came.
    [[nodiscard]] bool may_begin(instant now) const noexcept { return now >= free_from_; }
    /// One took from `begun` to `ended`: so much more must pass that strangers keep to their share.
    void spent(instant begun, instant ended) noexcept {
        constexpr std::int64_t share = limits::tls_handshakes_share_percent;
        free_from_ = ended + (ended - begun) * (100 - share) / share;
    }

    /// How many records one key may encrypt. Called on: any thread.
    [[nodiscard]] static std::uint64_t records_per_key() noexcept {
        return records_per_key_.load(std::memory_order_relaxed);
    }
    /// For tests, before there are connections: fewer than the cipher bears.
    static void set_records_per_key(std::uint64_t records) noexcept {
        records_per_key_.store(records, std::memory_order_relaxed);
    }

  private:
    static inline std::atomic<std::uint64_t> records_per_key_{limits::tls_records_per_key};

    core::tls_host_keys keys_;
    std::unique_ptr<std::byte[]> scratch_;
    instant free_from_{};
};

}  // namespace fulmar::transport::tcp
