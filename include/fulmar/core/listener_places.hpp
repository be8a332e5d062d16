// The connections of one listener, as the control reactor counts them: who may have one more, and
// who gives way when there are none left. fair_share.hpp has the rule.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/core/fair_share.hpp>
#include <fulmar/engine/message.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::core {

class listener_places;
class poll_group;
class qpair;

/// One connection's place at its listener. Made by the control reactor when it accepts; shared with
/// the connection, which says how far it is. Outlives both.
class connection_ticket final : public engine::message {
  public:
    enum class stage : std::uint8_t {
        silent,    ///< has sent nothing yet
        speaking,  ///< has sent something; no Connect has been accepted, or its host has not
                   ///< proved yet who it is
        admitted,  ///< its Connect, or the proof, was let through by the control reactor
        ended,
    };

    connection_ticket(std::shared_ptr<listener_places> listener, poll_group& group,
                      std::uint64_t address, instant opened) noexcept;

    // Called on: the connection's reactor.
    void attach(qpair& owner) noexcept { owner_ = &owner; }
    void spoke() noexcept;
    void heard(instant when) noexcept { heard_.store(when, std::memory_order_relaxed); }
    void connect_refused() noexcept;
    void end() noexcept;

    // Called on: any thread.
    [[nodiscard]] stage now() const noexcept { return stage_.load(std::memory_order_acquire); }
    [[nodiscard]] std::uint64_t address() const noexcept { return address_; }
    [[nodiscard]] listener_places& listener() const noexcept { return *listener_; }

  private:
    friend class listener_places;
    static void at_group(engine::message& m) noexcept;

    const std::shared_ptr<listener_places> listener_;
    poll_group& group_;
    const std::uint64_t address_;
    std::atomic<stage> stage_{stage::silent};
    std::atomic<instant> heard_;
    std::uint64_t host_ = 0;                        // the control reactor's
    bool leaving_ = false;                          // the control reactor's
    qpair* owner_ = nullptr;                        // the connection's reactor's
    std::shared_ptr<connection_ticket> under_way_;  // keeps it while it is posted
};

/// A number for the address that a peer has: its IPv4 address, or the network of its IPv6 address
/// (the first 64 bits: a peer has all of those). Never 0 for an address.
/// Called on: any thread.
[[nodiscard]] std::uint64_t address_key(const void* sockaddr) noexcept;

/// Called on: control reactor, all methods.
class listener_places : public std::enable_shared_from_this<listener_places> {
  public:
    listener_places(std::string name, std::uint32_t most_connections);

    /// A place for a connection that has just been accepted; null: none can be had. When there are
    /// too many that have not sent a Connect, the oldest silent one of the address with most of
    /// them ends. May throw std::bad_alloc.
    [[nodiscard]] std::shared_ptr<connection_ticket> arrive(poll_group& group,
                                                            std::uint64_t address, instant now);
    /// The Connect of `one`, or the proof that its host had to give, of a host that may connect.
    /// False: every place is taken, by hosts that have no more than their share.
    [[nodiscard]] bool connects(connection_ticket& one, std::uint64_t host, instant now) noexcept;

    /// The listener is gone: nobody is asked to give way any more. Its connections may go on.
    void close() noexcept { tickets_.clear(); }
    /// Something that all listeners share is short (descriptors): the same for one connection that
    /// has not sent a Connect. False: there is none.
    bool spare_one(std::uint64_t address, instant now);

  private:
    friend class connection_ticket;
    using chosen = bool (*)(const connection_ticket& t) noexcept;
    void forget_ended() noexcept;
    [[nodiscard]] std::uint32_t count(chosen which) const noexcept;
    bool end_a_handshake(std::uint64_t address, instant now);
    bool make_room(chosen among, const seat& newcomer, const share_rule& rule, instant now,
                   duration silent_for);
    void send_away(const std::shared_ptr<connection_ticket>& one, std::string_view why,
                   instant now) noexcept;

    const std::string name_;
    const std::uint32_t most_;
    std::vector<std::shared_ptr<connection_ticket>> tickets_;
    std::size_t tidy_at_ = 64;
    // Exact where nobody is leaving; they only tell whether it is worth looking. Any thread's.
    std::atomic<std::uint32_t> waiting_{0};
    std::atomic<std::uint32_t> admitted_{0};
    log::limiter complaints_;
};

}  // namespace fulmar::core
