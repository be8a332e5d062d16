// The connections of one reactor, and when each is received from and sent to.
#pragma once

#include "farewells.hpp"
#include "tcp_qpair.hpp"

#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/engine/poller.hpp>
#include <fulmar/engine/timer_wheel.hpp>

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace fulmar::transport::tcp {

/// A connection on its way from the control reactor to its group.
struct arrival final : engine::message {
    arrival(class tcp_group& to, connection_origin from) noexcept;
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
    void needs_flush(tcp_qpair& q) noexcept;
    void needs_deadlines() noexcept;
    void retire(tcp_qpair& q) noexcept;
    /// The connection has ended, by our own wish.
    void part(std::unique_ptr<byte_stream> stream) noexcept { farewells_.add(std::move(stream)); }

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
    struct receive_poller final : engine::poller {
        explicit receive_poller(tcp_group& g) noexcept : owner(g) {}
        bool poll() noexcept override { return owner.receive_all(); }
        bool has_work() noexcept override { return owner.has_pending_input(); }
        tcp_group& owner;
    };
    struct flush_poller final : engine::poller {
        explicit flush_poller(tcp_group& g) noexcept : owner(g) {}
        bool poll() noexcept override { return owner.flush_all(); }
        bool has_work() noexcept override {
            return !owner.flush_.empty() || !owner.retired_.empty();
        }
        tcp_group& owner;
    };
    bool receive_all() noexcept;
    bool flush_all() noexcept;
    bool has_pending_input() noexcept;
    void deactivate(tcp_qpair& q) noexcept;
    static void on_deadlines(engine::timer& t) noexcept;

    static constexpr std::uint32_t most_active =
        128;  ///< beyond, a miss ends a connection's turn at once
    static constexpr std::uint32_t misses_allowed = 32;  ///< and so does this many misses, when …
    static constexpr duration active_window =
        std::chrono::milliseconds(1);  ///< … nothing came for so long

    core::poll_group& group_;
    receive_poller receiver_;
    flush_poller flusher_;
    std::unique_ptr<std::byte[]> scratch_;
    std::array<iovec, 1024> vectors_;  // IOV_MAX
    farewells farewells_;
    intrusive_list<tcp_qpair, &tcp_qpair::group_hook> all_;
    intrusive_list<tcp_qpair, &tcp_qpair::active_hook> active_;
    std::uint32_t active_count_ = 0;
    intrusive_list<tcp_qpair, &tcp_qpair::flush_hook> flush_;
    intrusive_list<tcp_qpair, &tcp_qpair::group_hook> retired_;
    struct deadline_timer : engine::timer {
        explicit deadline_timer(tcp_group& g) noexcept
            : timer(&tcp_group::on_deadlines), owner(&g) {}
        tcp_group* owner;
    };
    deadline_timer deadlines_;
};

}  // namespace fulmar::transport::tcp
