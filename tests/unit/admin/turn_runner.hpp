// Runs the journal's jobs where there are to be no threads.
#pragma once

#include <fulmar/engine/helper_job.hpp>

#include <deque>

namespace fulmar::admin::testing_support {

/// The journal's jobs run on the test's thread, some turns after they began: what is beside the
/// test on the machine decides nothing, least of all how long it takes.
class turn_runner final : engine::helper_runner {
  public:
    turn_runner() { engine::helper_job::run_with(this); }
    ~turn_runner() {
        run_all();
        engine::helper_job::run_with(nullptr);
    }
    turn_runner(const turn_runner&) = delete;
    turn_runner& operator=(const turn_runner&) = delete;

    /// One job, when its time has come.
    bool run_one() {
        if (jobs_.empty() || ++turns_ % 16 != 0) return false;
        engine::helper_job& next = *jobs_.front();
        jobs_.pop_front();
        next.run();
        return true;
    }
    void run_all() {
        while (!jobs_.empty()) static_cast<void>(run_one());
    }

  private:
    void take(engine::helper_job& job) override { jobs_.push_back(&job); }

    std::deque<engine::helper_job*> jobs_;
    unsigned turns_ = 0;
};

}  // namespace fulmar::admin::testing_support
