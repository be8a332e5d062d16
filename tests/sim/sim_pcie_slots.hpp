// The slots of a simulated machine: drives with the real driver on them, its blocking jobs, and the
// kernel's and the operators' hands.
#pragma once

#include "job_runner.hpp"
#include "sim_drive_device.hpp"

#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/core/model.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace fulmar::sim {

struct rack_options {
    duration command_timeout = std::chrono::milliseconds(1500);
    std::uint64_t block_count = 1024;
    bool lose_cache = false;     ///< what was not flushed is gone with a drive's power
    bool write_through = false;  ///< the cache is off
};

/// Called on: one thread.
class sim_pcie_slots final : backend::drive_observer {
  public:
    using teller = std::function<void(std::string)>;

    sim_pcie_slots(const clock_source& clock, std::mt19937_64& random, invariant_checker& judge,
                   const moment& now, teller tell)
        : random_(random),
          checker_(judge),
          now_(now),
          tell_(std::move(tell)),
          jobs_(clock, random) {}
    ~sim_pcie_slots();

    /// Before the first device.
    void use(engine::reactor& control, engine::reactor& data, std::span<std::byte> pool);
    /// A drive of that serial in a slot of its own; devices of that name stand on it.
    void add(const std::string& name, const rack_options& options);
    [[nodiscard]] bool has(const std::string& name) const { return slots_.contains(name); }
    [[nodiscard]] core::device_spec spec(const std::string& name) const;
    result<std::unique_ptr<backend::device>> make(const core::device_spec& spec);

    /// Once a round: drives and jobs get on. True when anything happened.
    bool step();
    [[nodiscard]] instant next_due() const { return jobs_.next_due(); }

    /// The drive's, or the kernel's; false: it is an operator's to give.
    bool give(const std::string& name, drive_fault what);
    /// Until they are: drives that are to be mended are mended each round.
    void heal(const std::string& name) { ailing_.emplace(name, false); }
    /// And then the kernel finds it.
    void bring_back(const std::string& name) { ailing_[name] = true; }
    void heal_all();
    [[nodiscard]] bool healthy(const std::string& name) const {
        return !ailing_.contains(name) && at(name).in.healthy();
    }

    [[nodiscard]] sim_drive& in(const std::string& name) { return slots_.at(name)->in; }
    [[nodiscard]] const sim_drive_ledger& ledger(const std::string& name) const {
        return at(name).ledger;
    }
    /// Null when there is no such device now.
    [[nodiscard]] const backend::pcie_device* driver(const std::string& name) const {
        return device_list_.find(at(name).address);
    }
    [[nodiscard]] backend::drive_state state(const std::string& name) const;
    [[nodiscard]] std::uint64_t losses() const { return losses_; }
    [[nodiscard]] std::size_t lent() const;  ///< operations that the drives have
    /// No job, no loan, no drive in use.
    [[nodiscard]] bool quiet() const;
    void expect_quiet() const;

  private:
    struct slot {
        slot(std::string name, const vfio::pci_address& where, test::fake_drive::options what,
             sim_pcie_slots& r);
        vfio::pci_address address;
        sim_drive in;
        sim_drive_ledger ledger;
        backend::pcie_environment environment;
        backend::drive_state seen = backend::drive_state::absent;
        int told = 0;              // losses of this incarnation
        bool open_before = false;  // a former device has not let go of the drive yet
    };
    [[nodiscard]] const slot& at(const std::string& name) const { return *slots_.at(name); }
    void on_drive_event(const backend::pcie_options& which, backend::drive_occurrence what,
                        backend::loss_cause cause, std::string_view detail) noexcept override;

    std::mt19937_64& random_;
    invariant_checker& checker_;
    const moment& now_;
    teller tell_;
    job_runner jobs_;
    backend::pcie_environment common_;
    backend::pcie_device_list device_list_;
    rack_options options_;
    std::map<std::string, std::unique_ptr<slot>> slots_;
    std::map<std::string, bool> ailing_;  // true: it is found again
    std::uint64_t losses_ = 0;
};

}  // namespace fulmar::sim
