// A whole target under a seeded scheduler: control reactor, data reactors, hosts, disks and
// operators on one thread and one clock. The same seed gives the same run, step for step.
#pragma once

#include "disk.hpp"
#include "host.hpp"
#include "invariant_checker.hpp"
#include "job_runner.hpp"
#include "sim_pcie_slots.hpp"
#include "support/remembered_namespaces.hpp"
#include "tcp_fabric.hpp"
#include "trace.hpp"

#include <fulmar/base/clock.hpp>
#include <fulmar/core/target.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/mem/buffer_pool.hpp>
#include <fulmar/mem/memory_source.hpp>
#include <fulmar/transport/loopback.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace fulmar::sim {

/// Where what hosts make of namespaces is recorded, for one life of a target.
class state_keeper {
  public:
    virtual ~state_keeper() = default;
    virtual core::namespace_memory& memory() = 0;
};

struct world_options {
    std::uint64_t seed = 1;
    unsigned data_reactors = 1;
    std::size_t pool_bytes = limits::min_pool_bytes;
    core::target_options limits{};
    transport::loopback_options fabric{};
    disk_manners fault_profile{};
    std::vector<core::subsystem_spec> subsystems{};  ///< with the disks that they name
    std::vector<std::string> drives{};  ///< disks that are real drives' devices, each on a drive
    rack_options sim_drives{};
    bool tcp = false;            ///< hosts may come by NVMe/TCP, too
    bool two_listeners = false;  ///< the second one at port 4421
    bool remembers = false;      ///< what hosts make of namespaces is recorded
    /// Or by this, whose jobs block as long as the seed says; not beside drives.
    std::function<std::unique_ptr<state_keeper>(engine::reactor& control)> keep{};
    std::vector<std::string> unjudged{};  ///< disks to which anybody may write anything
    /// With more turns than that, and some for each byte that hosts receive, it does not come to
    /// rest: that is a failure, and nothing waits any longer. 0: any number.
    std::uint64_t most_turns = 0;
};

/// A change that was asked for, and its answer.
struct ticket final : core::control_request {
    ticket(core::change what, instant now);
    explicit ticket(core::query what);

    std::atomic<int> answers{0};
    std::string text;
    instant asked{};
    moment asked_at = 0;
    instant answered{};
    world* owner = nullptr;
    std::vector<std::uint64_t> lives;  ///< incarnations that it would bring about

    [[nodiscard]] bool done() const { return answers.load() != 0; }
    [[nodiscard]] bool ok() const { return done() && outcome.has_value(); }
    [[nodiscard]] errc code() const { return outcome.error().code; }
    template <typename T>
    [[nodiscard]] const T& as() const {
        return std::get<T>(*outcome);
    }
};
using ticket_ref = std::shared_ptr<ticket>;

/// Called on: one thread.
class world {
  public:
    explicit world(world_options options);
    /// Everything must have come to rest by then: see rest().
    ~world();
    world(const world&) = delete;
    world& operator=(const world&) = delete;

    // Time and turns.
    /// Every reactor that is not frozen turns at least once, in random order; then time moves on.
    void round();
    template <typename Condition>
    bool run_until(Condition&& condition, duration limit = std::chrono::seconds(60)) {
        const instant end = clock_.now() + limit;
        while (!condition()) {
            if (clock_.now() >= end || restless()) return false;
            round();
        }
        return true;
    }
    void run_for(duration time);
    /// Turns until nothing more happens without time passing.
    void settle();
    /// Called before each round: what hosts and operators do by themselves.
    void crowd(std::function<void()> act) { crowd_ = std::move(act); }
    void freeze(std::size_t data_reactor, bool frozen) { frozen_.at(data_reactor + 1) = frozen; }

    /// It has had more turns than it may.
    [[nodiscard]] bool restless() const {
        constexpr std::uint64_t turns_per_byte = 8;
        return options_.most_turns != 0 &&
               steps_ > options_.most_turns + carried_bytes_ * turns_per_byte;
    }

    // What hosts do.
    void carried(std::size_t bytes) { carried_bytes_ += bytes; }
    [[nodiscard]] transport::loopback_fabric& fabric() { return *fabric_; }
    [[nodiscard]] tcp_fabric& tcp() { return *tcp_; }  ///< where the options say so
    std::unique_ptr<queue> open(identity who) {
        hosts_.insert(who.host);
        return std::make_unique<queue>(*this, std::move(who));
    }
    bool wait(const command_ref& c, duration limit = std::chrono::seconds(60)) {
        return run_until([&] { return c->done; }, limit);
    }
    /// An enabled controller's admin queue, or a failed test.
    std::unique_ptr<queue> admin(const identity& who, std::uint32_t keep_alive_ms = 0);
    std::unique_ptr<queue> io(const queue& admin, std::uint16_t qid,
                              std::optional<std::size_t> group = std::nullopt);
    /// I/O Connect sent, not waited for.
    std::unique_ptr<queue> open_io(const queue& admin, std::uint16_t qid,
                                   std::optional<std::size_t> group, command_ref& connecting);

    // What operators do. The invariant checker learns what it has to.
    ticket_ref ask(core::change what);
    ticket_ref ask(core::query what);
    /// Asks and waits.
    ticket_ref change(core::change what, duration limit = std::chrono::seconds(60));
    /// For tickets: the invariant checker learns what was promised.
    void answered(ticket& t);
    core::subsystem_status status_of(const std::string& nqn);

    // Disks.
    disk& disk_named(const std::string& name);
    disk& add_disk(const std::string& name, std::uint64_t blocks = 4096);
    /// There are some when the options name drives.
    [[nodiscard]] sim_pcie_slots& slots() { return *rack_; }
    [[nodiscard]] bool is_drive(const std::string& name) const {
        return rack_ != nullptr && rack_->has(name);
    }
    [[nodiscard]] core::device_spec device_for(const std::string& name) const;
    /// What happens to a drive; an operator's part goes through the target.
    void give(const std::string& drive, drive_fault what);
    /// The drive of a simulated disk's device is gone, on the control reactor.
    void lose(const std::string& disk, const std::string& reason = "pulled");

    /// Ends everything that the test has not ended: cuts, thaws, unstalls; deletes what is there;
    /// and checks that nothing is left. Queues of the test should be gone.
    void rest();

    [[nodiscard]] invariant_checker& judge() { return checker_; }
    [[nodiscard]] core::target& target() { return *target_; }
    [[nodiscard]] std::mt19937_64& random() { return random_; }
    [[nodiscard]] std::uint64_t pick(std::uint64_t below) {
        return below == 0 ? 0 : random_() % below;
    }
    [[nodiscard]] bool chance(double p) { return std::uniform_real_distribution<>()(random_) < p; }
    [[nodiscard]] instant now() const { return clock_.now(); }
    [[nodiscard]] moment now_step() const { return steps_; }
    [[nodiscard]] std::uint64_t trace_hash() const { return trace_.hash(); }
    [[nodiscard]] std::string trace_tail() const { return trace_.tail(); }
    [[nodiscard]] std::uint64_t seed() const { return options_.seed; }
    [[nodiscard]] std::size_t data_reactors() const { return options_.data_reactors; }
    [[nodiscard]] engine::reactor& data(std::size_t i) { return *reactors_.at(i + 1); }
    [[nodiscard]] core::poll_group& group(std::size_t i) { return *target_->groups()[i]; }

    template <typename... Args>
    void note(fmt::format_string<Args...> form, Args&&... args) {
        const auto us =
            std::chrono::duration_cast<std::chrono::microseconds>(now().time_since_epoch());
        trace_.note(static_cast<std::uint64_t>(us.count()), form, std::forward<Args>(args)...);
    }
    [[nodiscard]] core::target_status target_status();
    /// Of all pools.
    [[nodiscard]] std::uint32_t chunks_missing();

  private:
    bool turn(std::size_t reactor);
    void advance(bool worked);
    void expect_rest();
    void make_drives();
    void sent_away(const std::string& nqn, const std::string& host);
    bool all_quiet();
    bool carry_on_with_jobs();
    void end_keeping();
    result<std::unique_ptr<backend::device>> make_device(const core::device_spec& spec);

    struct watcher;
    world_options options_;
    trace trace_;
    invariant_checker checker_;
    std::mt19937_64 random_;
    manual_clock clock_;
    moment steps_ = 1;
    std::uint64_t carried_bytes_ = 0;
    mem::heap_memory memory_;
    std::map<std::string, std::shared_ptr<disk>> disks_;
    std::map<std::string, sim_device*> devices_;
    std::vector<std::unique_ptr<engine::reactor>> reactors_;  // control, data …, hosts
    std::vector<bool> frozen_;
    std::unique_ptr<watcher> watcher_;
    std::unique_ptr<transport::loopback_fabric> fabric_;
    std::unique_ptr<tcp_fabric> tcp_;
    std::unique_ptr<sim_pcie_slots> rack_;
    test::remembered_namespaces remembered_;
    std::unique_ptr<job_runner> jobs_;
    std::unique_ptr<state_keeper> keeper_;
    std::unique_ptr<core::target> target_;
    std::vector<ticket_ref> asked_;
    std::set<std::string> open_to_all_;  // subsystems that any host may use
    std::set<std::string> known_;        // subsystems that may exist
    std::set<std::string> hosts_;        // that have ever connected
    std::function<void()> crowd_;
    bool resting_ = false;
};

/// The world that is running, for whoever must tell the seed when the process dies.
[[nodiscard]] const world* running();

}  // namespace fulmar::sim
