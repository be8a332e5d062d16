#include "fault_plan.hpp"

#include <algorithm>
#include <array>

namespace fulmar::backend {

namespace sc = nvme::sc;

void fault_plan::add(const fault_rule& rule) {
    const std::scoped_lock lock(mutex_);
    rules_.push_back(rule);
}

void fault_plan::clear() {
    const std::scoped_lock lock(mutex_);
    rules_.clear();
    random_ = false;
    odds_ = {};
}

void fault_plan::randomise(std::uint64_t seed, const fault_odds& odds) {
    const std::scoped_lock lock(mutex_);
    random_ = true;
    odds_ = odds;
    generator_.seed(seed);
}

fault_plan::decision fault_plan::decide(const io_op& op) {
    const std::scoped_lock lock(mutex_);
    const auto rule = std::find_if(rules_.begin(), rules_.end(), [&op](const fault_rule& r) {
        return !r.kind || *r.kind == op.kind;
    });
    if (rule != rules_.end()) {
        const decision d{.action = rule->action, .status = rule->status, .delay = rule->delay};
        if (rule->count != 0 && --rule->count == 0) rules_.erase(rule);
        return d;
    }
    if (!random_) return {};
    decision d;
    d.at_once = odds_.inline_answers && generator_() % 4 == 0;
    std::uint64_t draw = generator_() % 1000;
    if (draw < odds_.fail) {
        constexpr std::array reads{sc::unrecovered_read_error, sc::internal_error,
                                   sc::command_interrupted};
        constexpr std::array writes{sc::write_fault, sc::internal_error, sc::capacity_exceeded};
        const bool is_read =
            op.kind == io_kind::read || op.kind == io_kind::compare || op.kind == io_kind::verify;
        d.action = fault_action::fail;
        d.status = (is_read ? reads : writes)[generator_() % 3];
    } else if ((draw -= odds_.fail) < odds_.delay) {
        d.action = fault_action::delay;
        d.delay = duration(static_cast<std::int64_t>(
            generator_() % static_cast<std::uint64_t>(odds_.max_delay.count() + 1)));
    } else if ((draw -= odds_.delay) < odds_.lose) {
        d.action = fault_action::lose;
    }
    return d;
}

std::size_t fault_plan::next_answer(std::size_t count) {
    const std::scoped_lock lock(mutex_);
    return random_ && odds_.shuffle ? generator_() % count : 0;
}

}  // namespace fulmar::backend
