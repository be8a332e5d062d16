// NVMe/TCP in the simulator: the target's real connections, on streams in memory that carry bytes
// in pieces and in their own time.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/engine/poller.hpp>
#include <fulmar/engine/reactor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace fulmar::sim {

struct tcp_wire;
class tcp_fabric;
class tcp_socket;

/// Called on: the hosts' reactor.
class tcp_user {
  public:
    virtual void on_bytes(std::span<const std::byte> bytes) noexcept = 0;
    /// The target ended it, or refused it. Not after reset().
    virtual void on_ended() noexcept = 0;

  protected:
    ~tcp_user() = default;
};

struct tcp_way {
    std::optional<std::size_t> group = std::nullopt;  ///< else the least loaded
    std::size_t segment = 1'460;  ///< bytes that go to the target at once, at most
    std::size_t room = 65'536;    ///< bytes that the target may have under way to the host
};

/// The host's end; destroying it resets it. Called on: the hosts' reactor.
class tcp_socket {
  public:
    ~tcp_socket();
    tcp_socket(const tcp_socket&) = delete;
    tcp_socket& operator=(const tcp_socket&) = delete;

    void send(std::span<const std::byte> bytes);
    /// No more is sent, after what has been.
    void end();
    void reset() noexcept;
    void set_reading(bool reading) noexcept { reading_ = reading; }
    [[nodiscard]] bool closed() const noexcept { return closed_; }
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

  private:
    friend class tcp_fabric;
    tcp_socket(tcp_fabric& owner, tcp_user& user, const tcp_way& way, std::uint64_t number);
    bool pump();
    bool send_some();
    bool take_some();

    tcp_fabric& owner_;
    tcp_user& user_;
    std::size_t segment_;
    std::uint64_t number_;
    std::shared_ptr<tcp_wire> wire_;
    std::vector<std::byte> outgoing_;
    bool reading_ = true;
    bool ending_ = false;
    bool closed_ = false;
};

/// Called on: the hosts' reactor, unless a method says otherwise.
class tcp_fabric final : private engine::poller {
  public:
    tcp_fabric(engine::reactor& hosts, std::uint64_t seed);
    ~tcp_fabric();
    tcp_fabric(const tcp_fabric&) = delete;
    tcp_fabric& operator=(const tcp_fabric&) = delete;

    static core::listener_spec where();
    /// For core::target::add_transport(), once. Called on: control reactor.
    std::unique_ptr<core::transport> make_transport(core::target& target);
    /// `user` hears of it later, never inside this call.
    std::unique_ptr<tcp_socket> connect(tcp_user& user, const tcp_way& way);

  private:
    friend class tcp_socket;
    class transport;
    class listener;
    struct knock;
    bool poll() noexcept override;

    engine::reactor& reactor_;
    std::mt19937_64 random_;
    transport* transport_ = nullptr;
    core::target* target_ = nullptr;
    std::uint64_t next_number_ = std::uint64_t{1} << 32;  // apart from the loopback's
    std::vector<tcp_socket*> sockets_;                    // in order of birth
};

}  // namespace fulmar::sim
