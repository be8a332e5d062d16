// The slots of a simulated machine: cards with the real driver on them, its blocking jobs, and the
// kernel's and the operators' hands.
#pragma once

#include "card_device.hpp"
#include "job_runner.hpp"

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
    bool lose_cache = false;     ///< what was not flushed is gone with a card's power
    bool write_through = false;  ///< the cache is off
};

/// Called on: one thread.
class rack final : backend::drive_observer {
  public:
    using teller = std::function<void(std::string)>;

    rack(const clock_source& clock, std::mt19937_64& random, book& judge, const moment& now,
         teller tell)
        : random_(random), book_(judge), now_(now), tell_(std::move(tell)), jobs_(clock, random) {}
    ~rack();

    /// Before the first device.
    void use(engine::reactor& control, engine::reactor& data, std::span<std::byte> pool);
    /// A card of that serial in a slot of its own; devices of that name stand on it.
    void add(const std::string& name, const rack_options& options);
    [[nodiscard]] bool has(const std::string& name) const { return slots_.contains(name); }
    [[nodiscard]] core::device_spec spec(const std::string& name) const;
    result<std::unique_ptr<backend::device>> make(const core::device_spec& spec);

    /// Once a round: cards and jobs get on. True when anything happened.
    bool step();
    [[nodiscard]] instant next_due() const { return jobs_.next_due(); }

    /// The card's, or the kernel's; false: it is an operator's to give.
    bool give(const std::string& name, drive_sign what);
    /// Until they are: cards that are to be mended are mended each round.
    void heal(const std::string& name) { ailing_.emplace(name, false); }
    /// And then the kernel finds it.
    void bring_back(const std::string& name) { ailing_[name] = true; }
    void heal_all();
    [[nodiscard]] bool healthy(const std::string& name) const {
        return !ailing_.contains(name) && at(name).in.healthy();
    }

    [[nodiscard]] card& in(const std::string& name) { return slots_.at(name)->in; }
    [[nodiscard]] const card_ledger& ledger(const std::string& name) const {
        return at(name).ledger;
    }
    /// Null when there is no such device now.
    [[nodiscard]] const backend::pcie_device* driver(const std::string& name) const {
        return roster_.find(at(name).address);
    }
    [[nodiscard]] backend::drive_state state(const std::string& name) const;
    [[nodiscard]] std::uint64_t losses() const { return losses_; }
    [[nodiscard]] std::size_t lent() const;  ///< operations that the drives have
    /// No job, no loan, no card in use.
    [[nodiscard]] bool quiet() const;
    void expect_quiet() const;

  private:
    struct slot {
        slot(std::string name, const vfio::pci_address& where, test::fake_drive::options what,
             rack& r);
        vfio::pci_address address;
        card in;
        card_ledger ledger;
        backend::pcie_environment environment;
        backend::drive_state seen = backend::drive_state::absent;
        int told = 0;              // losses of this incarnation
        bool open_before = false;  // a former device has not let go of the card yet
    };
    [[nodiscard]] const slot& at(const std::string& name) const { return *slots_.at(name); }
    void on_drive_event(const backend::pcie_options& which, backend::drive_occurrence what,
                        backend::loss_cause cause, std::string_view detail) noexcept override;

    std::mt19937_64& random_;
    book& book_;
    const moment& now_;
    teller tell_;
    job_runner jobs_;
    backend::pcie_environment common_;
    backend::pcie_roster roster_;
    rack_options options_;
    std::map<std::string, std::unique_ptr<slot>> slots_;
    std::map<std::string, bool> ailing_;  // true: it is found again
    std::uint64_t losses_ = 0;
};

}  // namespace fulmar::sim
