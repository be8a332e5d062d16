// The connections of one reactor, and when each is received from and sent to.
#pragma once

#include "common/connection_set.hpp"
#include "lingering_closes.hpp"
#include "tcp_qpair.hpp"
#include "tls_desk.hpp"

#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/engine/member_adapters.hpp>

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace fulmar::transport::tcp {

/// A connection on its way from the control reactor to its group.
struct accepted_socket final : engine::message {
    accepted_socket(class tcp_group& to, connection_origin from) noexcept;
    class tcp_group* group;
    connection_origin origin;
};

/// Few active connections are tried directly, every turn; the rest wait for readiness events
/// (edge-triggered). A connection is active while bytes keep coming. Called on: owning reactor, all
/// methods.
class tcp_group final : public core::transport_group {
  public:
    explicit tcp_group(core::poll_group& group);
    ~tcp_group() override;

    void adopt(connection_origin origin) noexcept;
    /// Bytes have arrived, or room for more; the next turn looks.
    void activate(tcp_qpair& q) noexcept;
    void needs_flush(tcp_qpair& q) noexcept { connections_.needs_flush(q); }
    void needs_deadlines() noexcept { connections_.needs_deadlines(); }
    void retire(tcp_qpair& q) noexcept;
    /// The connection has ended, by our own wish.
    void part(std::unique_ptr<byte_stream> stream) noexcept {
        lingering_closes_.add(std::move(stream));
    }

    [[nodiscard]] tls_desk& tls() noexcept { return tls_; }

    [[nodiscard]] core::poll_group& group() noexcept { return group_; }
    [[nodiscard]] engine::reactor& reactor() noexcept { return group_.reactor(); }

    /// Scratch for one call: where bytes are received before they find their place.
    static constexpr std::size_t scratch_bytes = limits::receive_buffer_bytes;
    static constexpr std::size_t room_behind_data = 4096;
    [[nodiscard]] std::span<std::byte> scratch() noexcept {
        return {scratch_.get(), scratch_bytes + kept_room};
    }
    [[nodiscard]] std::span<iovec> vectors() noexcept { return vectors_; }
    static constexpr std::size_t kept_room =
        limits::max_in_capsule_bytes + 512;  ///< in front of it: the rest of a PDU

  private:
    bool receive_all() noexcept;
    bool has_pending_input() noexcept;
    void deactivate(tcp_qpair& q) noexcept;

    static constexpr std::uint32_t most_active =
        128;  ///< beyond, a miss ends a connection's turn at once
    static constexpr std::uint32_t misses_allowed = 32;  ///< and so does this many misses, when …
    static constexpr duration active_window =
        std::chrono::milliseconds(1);  ///< … nothing came for so long

    core::poll_group& group_;
    engine::member_poller<&tcp_group::receive_all, &tcp_group::has_pending_input> receiver_{*this};
    std::unique_ptr<std::byte[]> scratch_;
    std::array<iovec, 1024> vectors_;  // IOV_MAX
    tls_desk tls_;
    lingering_closes lingering_closes_;
    intrusive_list<tcp_qpair, &tcp_qpair::active_hook> active_;
    std::uint32_t active_count_ = 0;
    common::connection_set<tcp_qpair> connections_;
};

}  // namespace fulmar::transport::tcp
