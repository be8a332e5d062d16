// A peer on NVMe/TCP that keeps to nothing: PDUs that are bent here and there, any bytes, data that
// nobody asked for, or none.
#pragma once

#include "../tcp_fabric.hpp"
#include "step_bytes.hpp"

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/tcp_pdu.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace fulmar::sim {

class world;

/// Called on: the hosts' reactor.
class wild_peer final : tcp_user {
  public:
    /// It wants into `subsystem`, where it can do no harm to what others wrote.
    wild_peer(world& w, std::string subsystem) : world_(w), subsystem_(std::move(subsystem)) {}

    /// One thing, as the bytes say.
    void act(step_bytes& in);
    void behave();

  private:
    void on_bytes(std::span<const std::byte> bytes) noexcept override;
    void on_ended() noexcept override {}
    void take(std::span<const std::byte> pdu);
    void come(step_bytes& in);
    void connect(step_bytes& in);
    void enable(step_bytes& in);
    void admin(step_bytes& in);
    void io(step_bytes& in);
    void anything(step_bytes& in);
    void obey(step_bytes& in);
    void leave(step_bytes& in);
    /// Sends it, perhaps with some bytes of it changed.
    void send_bent(std::vector<std::byte> pdu, step_bytes& in);
    void send(std::span<const std::byte> bytes);
    void send_command(nvme::sqe sqe, std::span<const std::byte> data, step_bytes& in);

    world& world_;
    std::string subsystem_;
    std::unique_ptr<tcp_socket> socket_;
    std::vector<std::byte> held_;
    std::vector<nvme::tcp::r2t> asks_;
    std::uint16_t cntlid_ = 0xffff;  // that the last Connect was told
    std::uint16_t next_cid_ = 0;
};

}  // namespace fulmar::sim
