// The turn. Read run_stages(): its order is the architecture.
#include <fulmar/base/relaxed.hpp>
#include <fulmar/engine/reactor.hpp>

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

namespace fulmar::engine {

namespace {
constinit thread_local reactor* current_reactor = nullptr;

}  // namespace

reactor* reactor::current() noexcept { return current_reactor; }

reactor::reactor(const options& opts)
    : options_(opts),
      flight_(opts.id),
      now_(opts.clock->now()),
      last_work_(now_),
      last_descriptors_(now_),
      timers_(now_),
      wakeup_watch_([](descriptor_watch& w, std::uint32_t) noexcept {
          std::uint64_t count = 0;
          [[maybe_unused]] const ssize_t got = ::read(w.fd_, &count, sizeof count);
      }) {}

reactor::~reactor() {
    for (auto& list : pollers_) FULMAR_ASSERT(list.empty());
}

result<std::unique_ptr<reactor>> reactor::create(const options& opts) {
    std::unique_ptr<reactor> r(new reactor(opts));
    if (!opts.descriptors) return r;
    r->epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!r->epoll_) return fail_errno("cannot create an epoll set", errno);
    r->wakeup_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!r->wakeup_) return fail_errno("cannot create an eventfd", errno);
    r->events_ = std::make_unique<epoll_event[]>(limits::epoll_events_per_turn);
    FULMAR_CHECK(r->watch(r->wakeup_watch_, r->wakeup_.get(), EPOLLIN));
    return r;
}

post_result reactor::post(message& m) noexcept {
    const post_result posted = mailbox_.push(m);
    // The counterpart is sleep(): it announces the sleep, then looks at the mailbox once more.
    if (sleeping_.load(std::memory_order_seq_cst)) wake_up();
    return posted;
}

void reactor::stop() noexcept {
    stopping_.store(true, std::memory_order_seq_cst);
    if (sleeping_.load(std::memory_order_seq_cst)) wake_up();
}

void reactor::wake_up() noexcept {
    if (!sleeping_.exchange(false, std::memory_order_seq_cst) || !wakeup_) return;
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(wakeup_.get(), &one, sizeof one);
}

void reactor::add(poller& p, stage s) noexcept { pollers_[static_cast<unsigned>(s)].push_back(p); }

void reactor::remove(poller& p, stage s) noexcept {
    auto& list = pollers_[static_cast<unsigned>(s)];
    const auto after = list.erase(list.iterator_to(p));
    if (next_ == &p) next_ = after == list.end() ? nullptr : &*after;
}

bool reactor::run_stages() noexcept {
    bool worked = false;
    // 1. Messages: what other reactors decided holds for everything below.
    if (const std::uint32_t handled = mailbox_.drain(limits::messages_per_turn)) {
        add_relaxed(counters_.messages, handled);
        worked = true;
    }
    // 2. Timers: a deadline that has passed beats work that would have met it.
    if (const std::uint32_t fired = timers_.advance(now_)) {
        add_relaxed(counters_.timers_fired, fired);
        worked = true;
    }
    // Descriptors that became ready join the pollers below. Under load a look now and then is
    // enough.
    if (now_ - last_descriptors_ >= descriptor_interval) worked |= poll_descriptors();
    // 3. Reap, 4. receive, 5. submit, 6. flush, 7. settle; poller.hpp says why in this order.
    for (auto& list : pollers_) {
        next_ = list.empty() ? nullptr : &list.front();
        while (next_ != nullptr) {  // a poller may remove itself, and others: remove() moves next_
            poller& p = *next_;
            const auto after = std::next(list.iterator_to(p));
            next_ = after == list.end() ? nullptr : &*after;
            worked |= p.poll();
        }
    }
    return worked;
}

bool reactor::run_once() noexcept {
    reactor* const outer = current_reactor;
    current_reactor = this;
    const instant previous = now_;
    now_ = options_.clock->now();
    note_gap(previous);
    const bool worked = run_stages();
    add_relaxed(counters_.turns);
    if (worked) {
        last_work_ = now_;
        add_relaxed(counters_.busy_turns);
        const auto took = static_cast<std::uint64_t>((options_.clock->now() - now_).count());
        if (took > counters_.longest_turn_ns.load(std::memory_order_relaxed))
            counters_.longest_turn_ns.store(took, std::memory_order_relaxed);
    }
    current_reactor = outer;
    return worked;
}

void reactor::run() noexcept {
    while (!stopping_.load(std::memory_order_relaxed)) {
        if (run_once()) continue;
        if (now_ - last_work_ >= options_.busy_window) sleep();
    }
}

// The handshake: announce, then look once more, then block. A sender that pushed before the
// announcement is seen by the look; one that pushes after it sees the announcement and writes the
// eventfd.
void reactor::sleep() noexcept {
    if (!epoll_) return;
    sleeping_.store(true, std::memory_order_seq_cst);
    bool ready = mailbox_.empty() && !stopping_.load(std::memory_order_seq_cst);
    current_reactor = this;
    for (auto& list : pollers_)
        for (poller& p : list) ready = p.try_sleep() && ready;
    if (ready)
        for (auto& list : pollers_)
            for (poller& p : list) ready = ready && !p.has_work();
    if (ready) {
        add_relaxed(counters_.sleeps);
        now_ = options_.clock->now();
        const int timeout_ms = sleep_timeout_ms();
        const instant until = now_ + std::chrono::milliseconds(timeout_ms);
        dispatch_descriptors(timeout_ms);
        now_ = options_.clock->now();
        if (timeout_ms >= 0) note_gap(until);
    }
    sleeping_.store(false, std::memory_order_seq_cst);
    for (auto& list : pollers_)
        for (poller& p : list) p.wake();
    current_reactor = nullptr;
}

// `expected` is when this turn should have begun.
void reactor::note_gap(instant expected) noexcept {
    if (now_ - expected >= stall_threshold) last_stall_ = {.end = now_, .length = now_ - expected};
}

int reactor::sleep_timeout_ms() const noexcept {
    const instant until = timers_.next_wakeup();
    if (until == timer_wheel::never) return -1;
    if (until <= now_) return 0;
    constexpr std::int64_t longest_ms = 60'000;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now_).count();
    return static_cast<int>(std::min<std::int64_t>(left, longest_ms));
}

bool reactor::poll_descriptors() noexcept {
    last_descriptors_ = now_;
    return dispatch_descriptors(0);
}

bool reactor::dispatch_descriptors(int timeout_ms) noexcept {
    if (!epoll_ || !batch_.empty()) return false;
    const int count = ::epoll_wait(epoll_.get(), events_.get(),
                                   static_cast<int>(limits::epoll_events_per_turn), timeout_ms);
    if (count <= 0) return false;  // nothing, or EINTR
    if (timeout_ms != 0) now_ = options_.clock->now();
    batch_ = {events_.get(), static_cast<std::size_t>(count)};
    for (epoll_event& event : batch_) {
        auto* w = static_cast<descriptor_watch*>(event.data.ptr);
        if (w != nullptr) w->ready_(*w, event.events);
    }
    batch_ = {};
    return true;
}

result<void> reactor::watch(descriptor_watch& w, int fd, std::uint32_t events) noexcept {
    if (!epoll_) return fail(errc::not_supported, "this reactor has no descriptors");
    epoll_event event{};
    event.events = events;
    event.data.ptr = &w;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
        return fail_errno("cannot wait on a descriptor", errno);
    w.fd_ = fd;
    return {};
}

void reactor::unwatch(descriptor_watch& w) noexcept {
    if (!w.watched()) return;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, w.fd_, nullptr);
    w.fd_ = -1;
    for (epoll_event& event : batch_)
        if (event.data.ptr == &w) event.data.ptr = nullptr;
}

}  // namespace fulmar::engine
