// Two hosts and an operator around a drive that comes and goes. Hosts judge every answer by what
// docs/status.md promises for it.
#pragma once

#include "scenario.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace fulmar::sim {

inline const std::string drive_disk = "drive";
inline const std::string other_disk = "disk";  ///< a simulated one, which is never lost

struct drive_case {
    std::uint64_t seed = 1;
    core::loss_policy on_loss = core::loss_policy::fail;
    bool operators =
        true;  ///< one creates and deletes beside, and takes the drive's namespace away
    bool removals = false;  ///< the scenario itself takes namespaces and subsystems away
    std::vector<std::string> drives{drive_disk};
    std::uint32_t transition_timeout_ms = 10'000;
    /// Under `hold` drives do without their write caches, which are lost with the power: then
    /// nothing that was acknowledged may be. True: they use them all the same.
    bool cached = false;
};

/// Namespace n is on the n-th drive, and one more is on the other disk.
world_options around(const drive_case& c);
core::namespace_spec on_drive(const drive_case& c, std::size_t which = 0);

/// A host on a reactor of its own that reads, writes and flushes, now and then without a pause, and
/// comes again when its connection ends.
class drive_host {
  public:
    drive_host(world& w, const drive_case& c, int number, bool ana_events);
    void act();

    [[nodiscard]] bool live() const { return io_ != nullptr && step_ == step::live; }
    [[nodiscard]] queue& admin() { return *admin_; }
    [[nodiscard]] queue& io() { return *io_; }
    [[nodiscard]] std::uint64_t answered(std::uint32_t nsid) const { return successes_.at(nsid); }
    [[nodiscard]] std::uint64_t told_of_loss() const { return losses_; }
    void pause(bool on) { paused_ = on; }
    void reset();  ///< its controller, by CC.EN, with I/O under way

  private:
    enum class step : std::uint8_t { away, connecting, enabling, asking, joining, live, resetting };
    struct waiting {
        command_ref c;
        instant since;
    };
    void go_on();
    void submit_some();
    void send(const command_ref& c, std::uint32_t nsid);
    void judge(const command& c, std::uint32_t nsid);
    void look_at_clock();

    world& world_;
    const drive_case& case_;
    identity who_;
    bool ana_events_;
    step step_ = step::away;
    instant next_{};
    std::unique_ptr<queue> admin_;
    std::unique_ptr<queue> io_;
    command_ref waiting_;
    std::vector<waiting> sent_;
    std::vector<std::uint64_t> successes_;
    std::uint64_t losses_ = 0;
    bool paused_ = false;
};

/// Creates and deletes a subsystem beside, and in every second round takes the drive's namespace
/// away and gives it back.
class drive_operator {
  public:
    drive_operator(world& w, const drive_case& c) : world_(w), case_(c) {}
    void act();
    void finish() { finishing_ = true; }  ///< no further round
    [[nodiscard]] bool idle() const { return finishing_ && step_ == 0 && asked_ == nullptr; }

  private:
    core::change next_change();

    world& world_;
    const drive_case& case_;
    ticket_ref asked_;
    instant next_{};
    std::uint64_t round_ = 0;
    int step_ = 0;
    bool finishing_ = false;
};

/// All of them in one world.
class drive_story {
  public:
    explicit drive_story(const drive_case& c);
    ~drive_story();
    drive_story(const drive_story&) = delete;
    drive_story& operator=(const drive_story&) = delete;

    [[nodiscard]] bool serves(const std::string& drive = drive_disk) {
        return w.slots().state(drive) == backend::drive_state::ready;
    }
    /// Whatever operators have done: the subsystem is there and active, with all its namespaces.
    void restore();
    /// Whatever has happened: mends the drives, puts them back, and expects that every namespace
    /// serves every host.
    void recover();
    void give(drive_fault what, const std::string& drive = drive_disk) { w.give(drive, what); }

    drive_case about;
    world w;
    std::vector<std::unique_ptr<drive_host>> hosts;
    drive_operator operators;

  private:
    void bring_back(const std::string& drive);
};

}  // namespace fulmar::sim
