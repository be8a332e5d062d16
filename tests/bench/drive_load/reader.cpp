#include "bench/drive_load/reader.hpp"

#include <sys/resource.h>

#include <utility>

namespace fulmar::bench {

namespace {

std::uint64_t nanoseconds(const timeval& t) noexcept {
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(t.tv_usec) * 1'000u;
}

}  // namespace

reader::reader(backend::pcie::reactor_queue& place, backend::pcie::namespace_view& of,
               std::span<std::byte> memory, const options& wanted, std::function<void()> finished)
    : place_(place),
      namespace_(of),
      options_(wanted),
      finished_(std::move(finished)),
      ops_(wanted.depth),
      start_(*this),
      timer_(*this) {
    const std::size_t each = std::size_t{wanted.io_blocks} * of.block_bytes;
    for (std::size_t i = 0; i < ops_.size(); ++i) {
        read_op& op = ops_[i];
        op.owner = this;
        op.where = {memory.data() + i * each, each};
        op.kind = backend::io_kind::read;
        op.block_count = wanted.io_blocks;
        op.data = {&op.where, 1};
        op.done = [](backend::io_op& done, nvme::status status) noexcept {
            auto& self = static_cast<read_op&>(done);
            self.owner->ended(self, status);
        };
    }
}

void reader::start() noexcept {
    engine::reactor& r = place_.reactor();
    channel_.emplace(place_, namespace_);
    r.timers().arm(timer_, r.fresh_now() + options_.warmup);
    for (read_op& op : ops_) issue(op);
}

void reader::issue(read_op& op) noexcept {
    op.first_block = next_place();
    op.since = place_.reactor().now();
    ++under_way_;
    channel_->submit(op);
}

// A read that fails is not sent again: of a lost drive it would be answered inside submit().
void reader::ended(read_op& op, nvme::status status) noexcept {
    --under_way_;
    if (!nvme::is_success(status)) {
        ++report_.failed;
        if (phase_ == phase::counting) count_until(so_far());
        phase_ = phase::ending;
    }
    if (phase_ == phase::counting) {
        ++report_.reads;
        report_.latency.add(
            static_cast<std::uint64_t>((place_.reactor().now() - op.since).count()));
    }
    if (phase_ != phase::ending) return issue(op);
    // The channel is on the stack of this call: it is closed from the timer.
    if (under_way_ == 0)
        place_.reactor().timers().arm(timer_, place_.reactor().now() + duration(1));
}

void reader::phase_over() noexcept {
    engine::reactor& r = place_.reactor();
    switch (phase_) {
        case phase::warming:
            phase_ = phase::counting;
            from_ = so_far();
            r.timers().arm(timer_, r.fresh_now() + options_.length);
            return;
        case phase::counting:
            count_until(so_far());
            phase_ = phase::ending;
            return;
        case phase::ending:
            if (under_way_ != 0) return;  // whoever ends last arms it again
            channel_.reset();
            finished_();
            return;
    }
}

void reader::count_until(const spent& end) noexcept {
    report_.seconds = std::chrono::duration<double>(end.at - from_.at).count();
    report_.cpu_user_ns = end.user_ns - from_.user_ns;
    report_.cpu_system_ns = end.system_ns - from_.system_ns;
    report_.doorbells = end.doorbells - from_.doorbells;
    report_.sleeps = end.sleeps - from_.sleeps;
    report_.turns = end.turns - from_.turns;
}

reader::spent reader::so_far() const noexcept {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const engine::reactor& r = place_.reactor();
    return {.at = r.fresh_now(),
            .user_ns = nanoseconds(used.ru_utime),
            .system_ns = nanoseconds(used.ru_stime),
            .doorbells = place_.progress.doorbells.load(std::memory_order_relaxed),
            .sleeps = r.counters().sleeps.load(std::memory_order_relaxed),
            .turns = r.counters().turns.load(std::memory_order_relaxed)};
}

std::uint64_t reader::next_place() noexcept {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_ % (options_.region_blocks / options_.io_blocks) * options_.io_blocks;
}

}  // namespace fulmar::bench
