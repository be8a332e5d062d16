// Random hosts, operators and accidents, for the churn. Each does one small thing when asked to.
#pragma once

#include "world.hpp"

#include <memory>
#include <string>
#include <vector>

namespace fulmar::sim {

/// What the churn plays with.
struct stage_set {
    std::vector<std::string> subsystems;
    std::vector<std::string> disks;
    std::vector<std::string> hosts;
};

/// A host that connects, reads, writes, aborts, resets, stalls and leaves as it likes.
class random_host {
  public:
    random_host(world& w, const stage_set& set, std::size_t number);
    void act();

  private:
    enum class phase : std::uint8_t { away, connecting, enabling, live, resetting };
    void approach();
    void go_on();
    void live();
    void some_io();
    void some_admin();
    void some_queue();
    void some_trouble();
    queue* any_io();

    world& world_;
    const stage_set& set_;
    std::size_t number_;
    phase phase_ = phase::away;
    std::unique_ptr<queue> admin_;
    std::vector<std::unique_ptr<queue>> queues_;
    command_ref waiting_;
    std::size_t events_ = 0;
};

/// Operators that change whatever there is; the invariant checker learns from world::ask().
class random_operator {
  public:
    /// An operation may take `limit`, and as long again for each that was under way before it.
    random_operator(world& w, const stage_set& set, duration limit)
        : world_(w), set_(set), limit_(limit) {}
    void act();
    /// Complains about answers that came late or never.
    void check();

  private:
    struct question {
        ticket_ref ticket;
        std::size_t ahead = 0;
    };
    void check(const question& q);
    core::change some_change();
    core::subsystem_spec some_subsystem(const std::string& nqn);
    core::change some_device(const std::string& disk);
    std::string free_disk();

    world& world_;
    const stage_set& set_;
    duration limit_;
    std::vector<question> asked_;
};

/// Disks stall and vanish, reactors are starved.
class random_accidents {
  public:
    random_accidents(world& w, const stage_set& set, double rate)
        : world_(w), set_(set), rate_(rate) {}
    void act();

  private:
    struct ending {
        instant when;
        std::string disk;     ///< to be woken, or empty:
        std::size_t reactor;  ///< to be thawed
    };
    world& world_;
    const stage_set& set_;
    double rate_;
    std::vector<ending> endings_;
};

}  // namespace fulmar::sim
