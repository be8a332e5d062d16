// What the two ends of a loopback connection share: frames that travel as messages between their
// reactors, and where each end is. An end is touched on its own reactor only.
#pragma once

#include <fulmar/engine/message.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/nvme/command.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fulmar::transport {
class loopback_connection;
}

namespace fulmar::transport::loopback {

class loopback_group;
class loopback_qpair;

/// Called on: see the members.
struct wire {
    std::uint64_t number = 0;
    engine::reactor* hosts = nullptr;
    engine::reactor* data = nullptr;          ///< set before the host hears `opened`
    loopback_connection* host_end = nullptr;  ///< hosts' reactor
    loopback_qpair* target_end = nullptr;     ///< data reactor
};

enum class frame_kind : std::uint8_t {
    // To the target.
    command,
    data,    ///< bytes that an `ask` asked for
    credit,  ///< the host has read `length` frames
    cut,
    // To the host.
    opened,
    ask,  ///< send `length` bytes from `offset` on, for `tag`
    answer,
    closed,  ///< refused, or ended
};

/// Owned by whoever holds it; a posted frame belongs to its handler.
/// Called on: the reactor that holds it.
struct frame final : engine::message {
    frame(frame_kind what, std::shared_ptr<wire> on) noexcept;

    frame_kind kind;
    std::shared_ptr<wire> way;
    nvme::sqe sqe{};
    nvme::cqe cqe{};
    std::uint16_t cid = 0;
    std::uint16_t tag = 0;
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    bool in_capsule = false;
    bool broken = false;  ///< its data arrived with a wrong digest
    std::vector<std::byte> bytes;
    instant due{};

    static void to_target(std::unique_ptr<frame> f) noexcept;
    static void to_host(std::unique_ptr<frame> f) noexcept;

  private:
    static void at_target(engine::message& m) noexcept;
    static void at_host(engine::message& m) noexcept;
};

}  // namespace fulmar::transport::loopback
