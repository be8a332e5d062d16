// What a fault device is to do with the next operation. Any thread: rules come from the control
// reactor, operations from all.
#pragma once

#include <fulmar/backend/fault_device.hpp>

#include <deque>
#include <mutex>
#include <random>

namespace fulmar::backend {

class fault_plan {
  public:
    struct decision {
        fault_action action = fault_action::pass;
        nvme::status status{};
        duration delay{};
        bool at_once = false;  ///< answer inside submit()
    };

    void add(const fault_rule& rule);
    void clear();
    void randomise(std::uint64_t seed, const fault_odds& odds);

    decision decide(const io_op& op);
    /// Which of `count` answers comes next.
    std::size_t next_answer(std::size_t count);

  private:
    std::mutex mutex_;
    std::deque<fault_rule> rules_;
    bool random_ = false;
    fault_odds odds_{};
    std::mt19937_64 generator_{};
};

}  // namespace fulmar::backend
