#include "job_runner.hpp"

#include <fulmar/base/assert.hpp>

#include <algorithm>

namespace fulmar::sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;

job_runner::job_runner(const clock_source& clock, std::mt19937_64& random)
    : clock_(clock), random_(random) {
    engine::helper_job::run_with(this);
}

job_runner::~job_runner() {
    FULMAR_ASSERT(idle());
    engine::helper_job::run_with(nullptr);
}

// A thread begins soon; where the processors are busy, late.
void job_runner::take(engine::helper_job& job) {
    const duration delay =
        pick(10) == 0 ? duration(milliseconds(pick(2'000))) : duration(microseconds(pick(3'000)));
    all_.push_back(std::make_unique<run>(
        run{std::make_unique<fiber>([&job] { job.run(); }), clock_.now() + delay, 0}));
}

bool job_runner::step() {
    bool worked = false;
    for (std::size_t i = 0; i < all_.size(); ++i) {  // one that runs may start another
        run& one = *all_[i];
        if (one.rounds != 0) --one.rounds;
        if (one.rounds != 0 || one.due > clock_.now()) continue;
        current_ = &one;
        one.stack->resume();
        current_ = nullptr;
        worked = true;
    }
    std::erase_if(all_, [](const auto& one) { return one->stack->ended(); });
    return worked;
}

instant job_runner::next_due() const {
    instant next = instant::max();
    for (const auto& one : all_) next = std::min(next, one->rounds != 0 ? clock_.now() : one->due);
    return next;
}

void job_runner::wait_rounds(std::uint64_t rounds) {
    if (current_ == nullptr || rounds == 0) return;
    current_->rounds = rounds;
    current_->stack->stop();
}

void job_runner::wait(duration time) {
    if (current_ == nullptr) return;
    current_->due = clock_.now() + time;
    current_->stack->stop();
}

}  // namespace fulmar::sim
