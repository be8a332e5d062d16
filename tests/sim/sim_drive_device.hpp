// A real drive's device as the simulated world has it: every operation goes through to the driver,
// and the invariant checker learns what was lent, to whom, and what the drive does to which block.
#pragma once

#include "invariant_checker.hpp"
#include "sim_drive.hpp"

#include <fulmar/backend/pcie_device.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fulmar::sim {

/// What is lent to the drive in one slot, and whose its blocks are. Called on: one thread.
class sim_drive_ledger {
  public:
    sim_drive_ledger(std::string name, sim_drive& in, invariant_checker& judge, const moment& now);

    /// An operation on its way; its memory is the drive's until end().
    struct loan {
        const backend::io_op* op = nullptr;
        std::uint64_t whose = 0;  ///< the incarnation of its namespace
        std::string serial;       ///< of the drive that it is meant for
    };
    void begin(loan& l);
    void end(loan& l);
    [[nodiscard]] std::size_t lent() const { return loans_; }
    /// Of the memory that reactors lend.
    void add_memory(std::span<std::byte> region) { memory_.push_back(region); }
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::uint64_t served() const { return served_; }  ///< pieces that the drive moved

  private:
    struct piece {
        loan* of;
        std::uint64_t bytes;
        std::uint64_t offset;  // in the operation's data
    };
    bool reach(const std::byte* at, std::uint64_t bytes);
    void look(const nvme::sqe& command, std::span<std::byte> blocks, bool after);
    void show(std::uint64_t lba, std::byte* block, const loan& to);
    void look_at_power_loss(bool after);

    std::string name_;
    sim_drive& sim_drive_;
    invariant_checker& checker_;
    const moment& now_;
    std::vector<std::span<std::byte>> memory_;
    std::map<const std::byte*, piece> pieces_;
    std::size_t loans_ = 0;
    std::uint64_t served_ = 0;
    // Of the command that the drive carries out.
    nvme::sqe command_{};
    std::span<std::byte> blocks_;
    std::uint64_t moved_ = 0;
    const loan* reader_ = nullptr;
    std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> written_for_;  // by serial, LBA
    std::vector<std::byte> before_;  // the medium, while the drive is without power
};

/// The device that core gets: `real`, watched by `ledger`.
std::unique_ptr<backend::device> watch_device(std::unique_ptr<backend::pcie_device> real,
                                              sim_drive_ledger& ledger);

}  // namespace fulmar::sim
