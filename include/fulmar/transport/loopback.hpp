// A fabric inside the process, for the simulator: no sockets, no threads of its own. The hosts'
// side lives on a reactor like any other, so a scheduler that steps reactors steps the fabric too.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/engine/poller.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/engine/timer_wheel.hpp>
#include <fulmar/nvme/command.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string_view>
#include <vector>

namespace fulmar::transport {

namespace loopback {
struct frame;
struct wire;
class loopback_transport;
}  // namespace loopback

class loopback_connection;
class loopback_fabric;

/// What a host hears of its connections. It may do anything inside but destroy the connection.
/// Called on: the fabric's reactor.
class loopback_host {
  public:
    virtual void on_open(loopback_connection& from) noexcept { (void)from; }
    virtual void on_answer(loopback_connection& from, const nvme::cqe& answer,
                           std::span<const std::byte> data) noexcept = 0;
    /// Nothing more will come: refused, ended by the target, or broken on the way. Not after cut().
    virtual void on_closed(loopback_connection& from) noexcept = 0;

  protected:
    ~loopback_host() = default;
};

/// Hears of each command at the moment when the target takes it in.
/// Called on: the connection's data reactor.
class loopback_observer {
  public:
    virtual void on_arrival(std::uint64_t connection, const nvme::sqe& command) noexcept = 0;

  protected:
    ~loopback_observer() = default;
};

struct loopback_options {
    std::uint64_t seed = 1;
    duration delay_min{};  ///< of each frame, either way; frames of one connection keep their order
    duration delay_max{};
    double break_chance = 0;    ///< per frame: the connection breaks instead of carrying it
    double corrupt_chance = 0;  ///< per frame with data: it arrives broken (a wrong digest)
    std::uint32_t window = 16;  ///< frames that a host may leave unread before the target must wait
    std::uint32_t data_bytes = 32 * 1024;  ///< most per frame of data that the target asked for
    loopback_observer* observer = nullptr;
};

/// Where a connection goes.
struct loopback_address {
    std::string_view address = "sim";
    std::uint16_t port = 4420;
    std::optional<std::size_t> group =
        std::nullopt;  ///< which poll group gets it; else the least loaded
};

/// The host's end of a connection. Destroying it cuts it.
/// Called on: the fabric's reactor, all methods.
class loopback_connection {
  public:
    ~loopback_connection();
    loopback_connection(const loopback_connection&) = delete;
    loopback_connection& operator=(const loopback_connection&) = delete;

    /// Sends a command; the data pointer is filled in here. Data goes in the capsule, or is sent
    /// when the target asks for it; `answer_bytes` is what the host has room for.
    void submit(nvme::sqe command, std::span<const std::byte> data = {}, bool in_capsule = false,
                std::uint32_t answer_bytes = 0);
    /// Ends the connection at once: what is on its way in either direction is lost.
    void cut() noexcept;
    /// Ends it after everything that was submitted.
    void finish();

    /// A host that stops reading: answers pile up at the target.
    void set_reading(bool reading) noexcept { reading_ = reading; }
    /// A host that owes the data it was asked for.
    void set_sending_data(bool sending) noexcept;

    [[nodiscard]] bool open() const noexcept { return state_ == state::open; }
    [[nodiscard]] bool closed() const noexcept { return state_ == state::closed; }
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

  private:
    friend class loopback_fabric;
    friend struct loopback::frame;
    enum class state : std::uint8_t { opening, open, closed };
    struct pending_data;

    loopback_connection(loopback_fabric& fabric, loopback_host& events, std::uint64_t number);
    void arrive(std::unique_ptr<loopback::frame> f) noexcept;
    bool pump(instant now) noexcept;
    bool deliver(loopback::frame& f) noexcept;
    void queue(std::unique_ptr<loopback::frame> f);
    void send_data(const loopback::frame& request);
    void send_now(std::unique_ptr<loopback::frame> f) noexcept;
    void close_here(bool tell) noexcept;

    loopback_fabric& fabric_;
    loopback_host& events_;
    std::uint64_t number_;
    std::shared_ptr<loopback::wire> wire_;
    state state_ = state::opening;
    bool reading_ = true;
    bool sending_data_ = true;
    bool finishing_ = false;
    bool breaking_ = false;
    instant last_out_{};
    instant last_in_{};
    std::vector<std::unique_ptr<loopback::frame>> outgoing_;  // oldest first; short
    std::vector<std::unique_ptr<loopback::frame>> incoming_;
    std::vector<std::unique_ptr<pending_data>> data_;      // of commands that may be asked for it
    std::vector<std::unique_ptr<loopback::frame>> asked_;  // while sending_data_ is false
};

/// Hosts and their connections, on one reactor.
/// Called on: that reactor, unless a method says otherwise.
class loopback_fabric final : private engine::poller {
  public:
    loopback_fabric(engine::reactor& hosts, const loopback_options& options);
    ~loopback_fabric();
    loopback_fabric(const loopback_fabric&) = delete;
    loopback_fabric& operator=(const loopback_fabric&) = delete;

    /// For core::target::add_transport(), once. Called on: control reactor.
    std::unique_ptr<core::transport> make_transport(core::target& target);

    /// `events` hears of it later, never inside this call.
    std::unique_ptr<loopback_connection> connect(loopback_host& events,
                                                 const loopback_address& to = {});

    /// From now on; what is on its way keeps its fate.
    [[nodiscard]] loopback_options& options() noexcept { return options_; }

  private:
    friend class loopback_connection;
    bool poll() noexcept override;
    [[nodiscard]] instant due(instant& last) noexcept;
    void wake_at(instant when) noexcept;
    [[nodiscard]] bool chance(double probability) noexcept;

    engine::reactor& reactor_;
    loopback_options options_;
    std::mt19937_64 random_;
    loopback::loopback_transport* transport_ = nullptr;
    core::target* target_ = nullptr;
    std::uint64_t next_number_ = 1;
    engine::timer wake_{
        [](engine::timer&) noexcept {}};             // so that a sleeper knows of the next frame
    std::vector<loopback_connection*> connections_;  // in order of birth
};

}  // namespace fulmar::transport
