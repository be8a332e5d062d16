#include <fulmar/engine/reactor_pool.hpp>

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include <utility>

namespace fulmar::engine {

namespace {

result<void> pin_this_thread(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpu), &set);
    const int rc = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    if (rc != 0)
        return fail_errno(fmt::format("cannot pin a data reactor to CPU {}", cpu), rc,
                          "/cores/cpus",
                          "name CPUs that this process may use, or leave the list out");
    return {};
}

/// A CPU of its own for each of `count` threads, from those that the caller may use; none when
/// there are fewer: two that poll on one CPU would only take turns.
std::vector<int> cpus_for(std::uint32_t count) {
    std::vector<int> out;
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return out;
    for (int cpu = 0; cpu < CPU_SETSIZE && out.size() < count; ++cpu)
        if (CPU_ISSET(static_cast<unsigned>(cpu), &allowed)) out.push_back(cpu);
    if (out.size() < count) out.clear();
    return out;
}

}  // namespace

result<std::unique_ptr<reactor_pool>> reactor_pool::create(const options& opts) {
    std::unique_ptr<reactor_pool> pool(new reactor_pool(opts));
    if (opts.cpus.empty()) pool->options_.cpus = cpus_for(opts.count);
    for (std::uint32_t i = 0; i < opts.count; ++i) {
        FULMAR_TRY(auto r, reactor::create({.id = reactor_id(static_cast<std::uint16_t>(i)),
                                            .busy_window = opts.busy_window,
                                            .clock = opts.clock}));
        pool->reactors_.push_back(std::move(r));
    }
    return pool;
}

reactor_pool::~reactor_pool() { join(); }

result<void> reactor_pool::start() {
    for (std::size_t i = 0; i < reactors_.size(); ++i) {
        reactor& r = *reactors_[i];
        std::promise<result<void>> started;
        std::future<result<void>> outcome = started.get_future();
        std::promise<void> end;
        ends_.push_back(end.get_future());
        threads_.emplace_back([this, i, &r, &started, at_end = std::move(end)]() mutable {
            pthread_setname_np(pthread_self(), fmt::format("reactor-{}", i).c_str());
            result<void> pinned =
                options_.cpus.empty() ? result<void>{} : pin_this_thread(options_.cpus[i]);
            if (pinned && options_.hooks.on_start != nullptr && !options_.hooks.on_start(r))
                pinned = fail(errc::not_supported, "a data reactor's thread cannot be registered");
            const bool usable = pinned.has_value();
            started.set_value(std::move(pinned));
            if (usable) r.run();
            if (usable && options_.hooks.on_stop != nullptr) options_.hooks.on_stop(r);
            at_end.set_value();
        });
        if (result<void> begun = outcome.get(); !begun) {
            join();
            return begun;
        }
    }
    return {};
}

bool reactor_pool::stop(duration limit) noexcept {
    for (const auto& r : reactors_) r->stop();
    const auto until = std::chrono::steady_clock::now() + limit;
    for (const std::future<void>& end : ends_)
        if (end.wait_until(until) != std::future_status::ready) return false;
    join();
    return true;
}

void reactor_pool::join() noexcept {
    for (const auto& r : reactors_) r->stop();
    threads_.clear();
    ends_.clear();
}

}  // namespace fulmar::engine
