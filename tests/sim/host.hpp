// A host's queue: commands with their answers, told to the invariant checker.
#pragma once

#include "host_link.hpp"
#include "invariant_checker.hpp"

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/fabrics.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fulmar::sim {

class world;

/// One command on its way, and what came of it.
struct command {
    nvme::sqe sqe{};
    std::uint64_t tag = 0;     ///< of a write's first block
    std::uint32_t blocks = 0;  ///< of a read, to be checked
    moment sent = 0;
    bool done = false;  ///< answered, or its connection closed
    bool answered = false;
    nvme::status status{};
    std::uint32_t dw0 = 0;
    std::uint32_t dw1 = 0;
    std::vector<std::byte> data;
    std::function<void(command&)> then;  ///< when it is done
};
using command_ref = std::shared_ptr<command>;

/// Who a host is, and what it wants to reach.
struct identity {
    std::string host = "nqn.2024-01.sim:host-0";
    std::uint8_t host_id = 1;
    std::string subsystem;
    std::optional<std::size_t> group = std::nullopt;  ///< poll group of its connections
    std::uint16_t port = 4420;                        ///< 4421: the second listener
    // Over NVMe/TCP, where the world has it:
    bool tcp = false;
    bool header_digest = false;
    bool data_digest = false;
    std::size_t segment = 1'460;  ///< bytes that go to the target at once, at most
};

/// Called on: the hosts' reactor.
class queue final : private link_user {
  public:
    queue(world& w, identity who);
    ~queue();

    // Fabrics.
    command_ref connect(std::uint16_t qid, std::uint16_t cntlid, std::uint32_t keep_alive_ms = 0,
                        std::uint16_t entries = 32);
    command_ref disconnect();
    command_ref property_set(std::uint32_t offset, std::uint64_t value);
    command_ref property_get(std::uint32_t offset, bool wide = false);
    command_ref enable();
    command_ref disable();
    command_ref shut_down();
    // Admin.
    command_ref admin(nvme::admin_opcode opcode, std::uint32_t nsid = 0,
                      std::uint32_t answer_bytes = 0, std::uint32_t cdw10 = 0,
                      std::uint32_t cdw11 = 0);
    command_ref keep_alive() { return admin(nvme::admin_opcode::keep_alive); }
    command_ref async_event() { return admin(nvme::admin_opcode::async_event_request); }
    command_ref abort(std::uint16_t sqid, std::uint16_t cid);
    // I/O.
    command_ref read(std::uint32_t nsid, std::uint64_t lba, std::uint32_t blocks = 1);
    command_ref write(std::uint32_t nsid, std::uint64_t lba, std::uint32_t blocks = 1,
                      bool in_capsule = true, bool fua = false);
    command_ref io(nvme::io_opcode opcode, std::uint32_t nsid, std::uint64_t lba = 0,
                   std::uint32_t blocks = 1);

    /// Anything else. Null `data` with `answer_bytes` reads.
    command_ref submit(nvme::sqe sqe, std::span<const std::byte> data = {}, bool in_capsule = false,
                       std::uint32_t answer_bytes = 0, std::uint64_t tag = 0,
                       std::uint32_t blocks = 0);

    void cut();
    [[nodiscard]] host_link& connection() { return *connection_; }
    [[nodiscard]] bool closed() const { return closed_; }
    [[nodiscard]] const identity& who() const { return who_; }
    [[nodiscard]] std::uint16_t qid() const { return qid_; }
    [[nodiscard]] std::uint16_t controller() const { return cntlid_; }
    [[nodiscard]] std::size_t outstanding() const { return open_.size(); }
    [[nodiscard]] std::size_t room() const {
        return depth_ - 1 - std::min(depth_ - 1, open_.size());
    }
    /// Commands that must be answered by and by: all but requests for events.
    [[nodiscard]] std::size_t owed() const;
    [[nodiscard]] std::vector<std::uint16_t> outstanding_cids() const;

  private:
    void on_answer(const nvme::cqe& answer, std::span<const std::byte> data) noexcept override;
    void on_closed() noexcept override;
    void check_read(const command& c, std::uint16_t cid);
    void end_all();

    world& world_;
    identity who_;
    std::unique_ptr<host_link> connection_;
    std::map<std::uint16_t, command_ref> open_;
    std::size_t depth_ = 2;
    std::uint16_t qid_ = 0;
    std::uint16_t cntlid_ = 0;
    std::uint16_t next_cid_ = 0;
    bool closed_ = false;
};

}  // namespace fulmar::sim
