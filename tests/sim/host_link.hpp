// A host's end of a connection, whatever carries it: the loopback fabric, or NVMe/TCP.
#pragma once

#include <fulmar/nvme/command.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace fulmar::sim {

class world;
struct identity;

/// What a host hears of it. It may do anything inside but destroy the link.
/// Called on: the hosts' reactor.
class link_user {
  public:
    virtual void on_answer(const nvme::cqe& answer, std::span<const std::byte> data) noexcept = 0;
    /// Nothing more will come. Not after cut().
    virtual void on_closed() noexcept = 0;

  protected:
    ~link_user() = default;
};

/// Destroying it cuts it. Called on: the hosts' reactor.
class host_link {
  public:
    virtual ~host_link() = default;

    /// The data pointer is filled in here. Data goes in the capsule, or when the target asks for
    /// it.
    virtual void submit(nvme::sqe command, std::span<const std::byte> data, bool in_capsule,
                        std::uint32_t answer_bytes) = 0;
    /// At once; what is on its way is lost.
    virtual void cut() noexcept = 0;
    /// After everything that was submitted.
    virtual void finish() = 0;
    virtual void set_reading(bool reading) noexcept = 0;
    /// False: the host owes what it is asked for.
    virtual void set_sending_data(bool sending) noexcept = 0;
    /// Of all links of a world there is one with that number.
    [[nodiscard]] virtual std::uint64_t number() const noexcept = 0;
};

/// `user` hears of it later, never inside this call.
std::unique_ptr<host_link> open_link(world& w, link_user& user, const identity& who);
std::unique_ptr<host_link> open_tcp_link(world& w, link_user& user, const identity& who);

}  // namespace fulmar::sim
