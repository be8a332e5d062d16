// Runs blocking jobs where there are no threads: each begins when the seed says so, and while it
// blocks everybody else goes on, other jobs included.
#pragma once

#include "fiber.hpp"

#include <fulmar/base/clock.hpp>
#include <fulmar/engine/helper_job.hpp>

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace fulmar::sim {

/// Called on: one thread, whose jobs it runs while it lives.
class job_runner final : engine::helper_runner {
  public:
    job_runner(const clock_source& clock, std::mt19937_64& random);
    /// Nothing is left of its jobs.
    ~job_runner();
    job_runner(const job_runner&) = delete;
    job_runner& operator=(const job_runner&) = delete;

    /// Once a round: begins what is due, and goes on with what has waited long enough. True when
    /// anything ran.
    bool step();
    [[nodiscard]] bool idle() const { return all_.empty(); }
    /// When step() has something to do; the end of time when there is nothing.
    [[nodiscard]] instant next_due() const;

    // From a job, which blocks for that long; does nothing elsewhere.
    void wait_rounds(std::uint64_t rounds);
    void wait(duration time);

  private:
    struct run {
        std::unique_ptr<fiber> stack;
        instant due;
        std::uint64_t rounds = 0;
    };
    void take(engine::helper_job& job) override;
    [[nodiscard]] std::uint64_t pick(std::uint64_t below) { return random_() % below; }

    const clock_source& clock_;
    std::mt19937_64& random_;
    std::vector<std::unique_ptr<run>> all_;  // oldest first
    run* current_ = nullptr;
};

}  // namespace fulmar::sim
