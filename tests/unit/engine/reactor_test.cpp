#include "support/eventually.hpp"

#include <fulmar/engine/reactor.hpp>
#include <fulmar/engine/reactor_pool.hpp>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace fulmar::engine {
namespace {

using namespace std::chrono_literals;
using test::eventually;

std::unique_ptr<reactor> make(const clock_source& clock, bool descriptors = true) {
    return reactor::create(
               {.id = {}, .busy_window = 1ms, .clock = &clock, .descriptors = descriptors})
        .value();
}

struct letter final : message {
    letter() : message([](message& m) noexcept { ++static_cast<letter&>(m).runs; }) {}
    std::atomic<int> runs{0};
};

TEST(reactor, turns_through_its_stages_in_order) {
    manual_clock clock;
    auto r = make(clock, false);
    std::string trace;
    struct tracer final : poller {
        tracer(std::string& t, char n) : trace(t), name(n) {}
        bool poll() noexcept override {
            trace += name;
            return false;
        }
        std::string& trace;
        char name;
    } reap(trace, 'r'), receive(trace, 'R'), submit(trace, 's'), flush(trace, 'f');
    struct noter final : message {
        explicit noter(std::string& t)
            : message([](message& m) noexcept { static_cast<noter&>(m).trace += 'm'; }), trace(t) {}
        std::string& trace;
    } mail(trace);
    struct ticker final : timer {
        explicit ticker(std::string& t)
            : timer([](timer& x) noexcept { static_cast<ticker&>(x).trace += 't'; }), trace(t) {}
        std::string& trace;
    } tick(trace);
    r->add(flush, stage::flush);
    r->add(submit, stage::submit);
    r->add(receive, stage::receive);
    r->add(reap, stage::reap);
    r->post(mail);
    r->timers().arm(tick, clock.now());
    clock.advance(2ms);
    EXPECT_TRUE(r->run_once());
    EXPECT_EQ(trace, "mtrRsf");
    trace.clear();
    EXPECT_FALSE(r->run_once());
    EXPECT_EQ(trace, "rRsf");
    r->remove(flush, stage::flush);
    r->remove(submit, stage::submit);
    r->remove(receive, stage::receive);
    r->remove(reap, stage::reap);
}

TEST(reactor, a_poller_may_remove_itself) {
    manual_clock clock;
    auto r = make(clock, false);
    struct once final : poller {
        explicit once(reactor& o) : owner(o) {}
        bool poll() noexcept override {
            ++polls;
            owner.remove(*this, stage::reap);
            return true;
        }
        reactor& owner;
        int polls = 0;
    } a(*r), b(*r);
    r->add(a, stage::reap);
    r->add(b, stage::reap);
    r->run_once();
    r->run_once();
    EXPECT_EQ(a.polls, 1);
    EXPECT_EQ(b.polls, 1);
}

// As when a transition drains and destroys a channel that is polled in the same stage.
TEST(reactor, a_poller_may_remove_who_comes_after_it) {
    manual_clock clock;
    auto r = make(clock, false);
    struct counter final : poller {
        bool poll() noexcept override {
            ++polls;
            return true;
        }
        int polls = 0;
    } last;
    auto next = std::make_unique<counter>();
    struct remover final : poller {
        remover(reactor& o, std::unique_ptr<counter>& v) : owner(o), victim(v) {}
        bool poll() noexcept override {
            if (victim == nullptr) return false;
            owner.remove(*victim, stage::submit);
            victim.reset();
            return true;
        }
        reactor& owner;
        std::unique_ptr<counter>& victim;
    } first(*r, next);
    r->add(first, stage::submit);
    r->add(*next, stage::submit);
    r->add(last, stage::submit);
    r->run_once();
    EXPECT_EQ(next, nullptr);
    EXPECT_EQ(last.polls, 1);
    r->run_once();
    EXPECT_EQ(last.polls, 2);
    r->remove(first, stage::submit);
    r->remove(last, stage::submit);
}

TEST(reactor, messages_timers_and_descriptors_end_its_sleep) {
    const monotonic_clock clock;
    auto r = reactor::create({.id = {}, .busy_window = 0ns, .clock = &clock}).value();
    struct bell final : descriptor_watch {
        bell()
            : descriptor_watch([](descriptor_watch& w, std::uint32_t events) noexcept {
                  auto& self = static_cast<bell&>(w);
                  std::uint64_t count = 0;
                  if ((events & EPOLLIN) != 0 &&
                      ::read(self.fd.get(), &count, sizeof count) == sizeof count)
                      ++self.rings;
              }) {}
        unique_fd fd{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
        std::atomic<int> rings{0};
    } b;
    struct alarm final : timer {
        alarm() : timer([](timer& t) noexcept { ++static_cast<alarm&>(t).rings; }) {}
        std::atomic<int> rings{0};
    } late;
    ASSERT_TRUE(r->watch(b, b.fd.get(), EPOLLIN));
    r->timers().arm(late, clock.now() + 300ms);
    letter l;
    {
        std::jthread thread([&r] { r->run(); });
        ASSERT_TRUE(eventually([&] { return r->counters().sleeps.load() != 0; }));
        // Wakes it from one sleep and waits for the next.
        const auto wake = [&](auto&& by, auto&& seen) {
            const auto sleeps = r->counters().sleeps.load();
            by();
            return eventually(seen) && eventually([&] { return r->counters().sleeps > sleeps; });
        };
        for (int i = 1; i <= 20; ++i)
            ASSERT_TRUE(wake([&] { r->post(l); }, [&] { return l.runs == i; }));
        for (int i = 1; i <= 5; ++i) {
            const auto write = [&] {
                const std::uint64_t one = 1;
                ASSERT_EQ(::write(b.fd.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
            };
            ASSERT_TRUE(wake(write, [&] { return b.rings == i; }));
        }
        EXPECT_TRUE(eventually([&] { return late.rings == 1; }));
        // It turns because of something that happened, and not while nothing does.
        EXPECT_LE(r->counters().turns.load(), 500u) << "an idle reactor does not sleep";
        r->stop();
    }
    r->unwatch(b);
}

// The handshake: posts from several threads at every moment of falling asleep; none is slept over.
TEST(reactor, no_post_is_slept_over) {
    const monotonic_clock clock;
    auto r = reactor::create({.id = {}, .busy_window = 0ns, .clock = &clock}).value();
    std::jthread thread([&r] { r->run(); });
    std::vector<std::jthread> posters;
    std::atomic<int> missed{0};
    for (int p = 0; p < 2; ++p)
        posters.emplace_back([&] {
            letter l;
            for (int i = 1; i <= 2000; ++i) {
                r->post(l);
                for (int spins = 0; l.runs != i || l.queued(); ++spins) {
                    if (spins > 2'000'000) {
                        ++missed;
                        return;
                    }
                    if (spins % 64 == 0) std::this_thread::yield();
                }
            }
        });
    posters.clear();
    EXPECT_EQ(missed, 0);
    r->stop();
}

TEST(reactor, a_poller_that_cannot_sleep_keeps_it_awake) {
    const monotonic_clock clock;
    auto r = make(clock);
    struct insomniac final : poller {
        bool poll() noexcept override {
            ++polls;
            return false;
        }
        bool try_sleep() noexcept override { return !awake; }
        std::atomic<std::uint64_t> polls{0};
        std::atomic<bool> awake{true};
    } p;
    r->add(p, stage::receive);
    {
        std::jthread thread([&r] { r->run(); });
        EXPECT_TRUE(eventually([&] { return p.polls > 10'000; }));
        EXPECT_EQ(r->counters().sleeps.load(), 0u);
        p.awake = false;
        EXPECT_TRUE(eventually([&] { return r->counters().sleeps.load() == 1; }));
        r->stop();
    }
    r->remove(p, stage::receive);
}

TEST(reactor_pool, starts_pins_and_stops) {
    const monotonic_clock clock;
    cpu_set_t allowed;
    sched_getaffinity(0, sizeof allowed, &allowed);
    int cpu = 0;
    while (!CPU_ISSET(static_cast<unsigned>(cpu), &allowed)) ++cpu;
    static std::atomic<int> started{0}, stopped{0};
    auto pool = reactor_pool::create(
                    {.count = 2,
                     .cpus = {cpu, cpu},
                     .busy_window = 10us,
                     .clock = &clock,
                     .hooks = {.on_start = [](reactor&) noexcept { return ++started != 0; },
                               .on_stop = [](reactor&) noexcept { ++stopped; }}})
                    .value();
    ASSERT_TRUE(pool->start());
    EXPECT_EQ(started, 2);
    struct where final : message {
        where()
            : message([](message& m) noexcept {
                  auto& self = static_cast<where&>(m);
                  self.id = reactor::current()->id().value();
                  self.cpu = ::sched_getcpu();
              }) {}
        std::atomic<int> id{-1}, cpu{-1};
    } w;
    pool->reactors()[1]->post(w);
    EXPECT_TRUE(eventually([&] { return w.cpu == cpu; }));
    EXPECT_EQ(w.id, 1);
    EXPECT_TRUE(pool->stop(1min));
    EXPECT_EQ(stopped, 2);
}

TEST(reactor_pool, does_not_wait_for_ever_for_one_that_hangs) {
    const monotonic_clock clock;
    auto pool = reactor_pool::create(
                    {.count = 2, .cpus = {}, .busy_window = 10us, .clock = &clock, .hooks = {}})
                    .value();
    ASSERT_TRUE(pool->start());
    struct hanging final : message {
        hanging()
            : message([](message& m) noexcept {
                  auto& self = static_cast<hanging&>(m);
                  self.hangs = true;
                  self.hangs.notify_all();
                  self.over.wait(false);
              }) {}
        std::atomic<bool> hangs{false}, over{false};
    } call;
    pool->reactors()[1]->post(call);
    call.hangs.wait(false);
    EXPECT_FALSE(pool->stop(10ms));
    EXPECT_FALSE(pool->stop(10ms));
    call.over = true;
    call.over.notify_all();
    EXPECT_TRUE(pool->stop(1min));
    EXPECT_TRUE(pool->stop(1min));
}

TEST(reactor_pool, pins_each_reactor_to_a_cpu_of_its_own_by_itself) {
    const monotonic_clock clock;
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    const auto cpus = static_cast<std::uint32_t>(CPU_COUNT(&allowed));
    struct where final : message {
        where()
            : message([](message& m) noexcept {
                  auto& self = static_cast<where&>(m);
                  CPU_ZERO(&self.mask);
                  sched_getaffinity(0, sizeof self.mask, &self.mask);
                  self.done = true;
              }) {}
        cpu_set_t mask{};
        std::atomic<bool> done{false};
    };
    // As many reactors as CPUs, and one more than that.
    for (const std::uint32_t count : {std::min(cpus, 4u), cpus + 1}) {
        auto pool =
            reactor_pool::create(
                {.count = count, .cpus = {}, .busy_window = 10us, .clock = &clock, .hooks = {}})
                .value();
        ASSERT_TRUE(pool->start());
        std::vector<where> asked(count);
        for (std::uint32_t i = 0; i < count; ++i) pool->reactors()[i]->post(asked[i]);
        EXPECT_TRUE(eventually([&] {
            return std::all_of(asked.begin(), asked.end(),
                               [](const where& w) { return w.done.load(); });
        }));
        EXPECT_TRUE(pool->stop(1min));
        EXPECT_EQ(pool->cpus().size(), count <= cpus ? count : 0u);
        for (std::uint32_t i = 0; i < count; ++i) {
            if (count > cpus) {
                EXPECT_TRUE(CPU_EQUAL(&asked[i].mask, &allowed));
                continue;
            }
            EXPECT_EQ(CPU_COUNT(&asked[i].mask), 1);
            EXPECT_TRUE(CPU_ISSET(static_cast<unsigned>(pool->cpus()[i]), &asked[i].mask));
            for (std::uint32_t other = 0; other < i; ++other)
                EXPECT_FALSE(CPU_EQUAL(&asked[i].mask, &asked[other].mask));
        }
    }
}

TEST(reactor_pool, a_cpu_that_does_not_exist_is_an_error) {
    const monotonic_clock clock;
    auto pool =
        reactor_pool::create({.count = 1, .cpus = {1023}, .clock = &clock, .hooks = {}}).value();
    auto begun = pool->start();
    ASSERT_FALSE(begun);
    EXPECT_EQ(begun.error().where, "/cores/cpus");
}

}  // namespace
}  // namespace fulmar::engine
