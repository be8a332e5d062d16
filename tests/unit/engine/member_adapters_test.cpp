// Unit tests of engine/member_adapters.hpp: each node calls its function of its owner, costs no
// more than one that is written by hand, and refuses functions that may throw.
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <memory>
#include <type_traits>

namespace fulmar::engine {
namespace {

using namespace std::chrono_literals;

/// As owners are: the nodes name functions that are private, of a class that is not complete yet.
class owner {
  public:
    explicit owner(reactor& r) : reactor_(r) {}
    ~owner() { reactor_.timers().cancel(timer_); }
    owner(const owner&) = delete;
    owner& operator=(const owner&) = delete;

    int expired = 0;
    int arrived = 0;
    int polls = 0;
    int arms = 0;
    int wakes = 0;
    bool work = false;
    bool armable = true;
    std::uint32_t events = 0;

  private:
    void on_expiry() noexcept {
        if (++expired < 3) reactor_.timers().arm(timer_, reactor_.now() + 1ms);
    }
    void on_arrival() noexcept {
        if (++arrived < 3) reactor_.post(message_);
    }
    void on_ready(std::uint32_t seen) noexcept { events |= seen; }
    bool poll() noexcept { return ++polls == 1; }
    [[nodiscard]] bool has_work() const noexcept { return work; }
    bool try_sleep() noexcept {
        ++arms;
        return armable;
    }
    void wake() noexcept { ++wakes; }

    reactor& reactor_;

  public:
    member_timer<&owner::on_expiry> timer_{*this};
    member_message<&owner::on_arrival> message_{*this};
    member_watch<&owner::on_ready> watch_{*this};
    member_poller<&owner::poll> simple_{*this};
    member_poller<&owner::poll, &owner::has_work, &owner::try_sleep, &owner::wake> whole_{*this};
};

std::unique_ptr<reactor> make_for_nodes(const clock_source& clock, bool descriptors = false) {
    return reactor::create(
               {.id = {}, .busy_window = 1ms, .clock = &clock, .descriptors = descriptors})
        .value();
}

TEST(member_adapters, a_timer_calls_its_function_each_time_it_expires) {
    manual_clock clock;
    auto r = make_for_nodes(clock);
    owner o(*r);
    r->timers().arm(o.timer_, clock.now() + 1ms);
    for (int i = 0; i < 10; ++i) {
        r->run_once();
        clock.advance(1ms);
    }
    EXPECT_EQ(o.expired, 3);
    EXPECT_FALSE(o.timer_.armed());
}

TEST(member_adapters, a_message_may_be_posted_again_from_its_function) {
    manual_clock clock;
    auto r = make_for_nodes(clock);
    owner o(*r);
    EXPECT_EQ(r->post(o.message_), post_result::posted);
    for (int i = 0; i < 10; ++i) r->run_once();
    EXPECT_EQ(o.arrived, 3);
    EXPECT_FALSE(o.message_.queued());
}

TEST(member_adapters, a_message_may_be_destroyed_with_its_owner_by_its_function) {
    struct parcel {
        explicit parcel(int& u) : unpacked(u) {}
        void unpack() noexcept {
            ++unpacked;
            delete this;
        }
        int& unpacked;
        member_message<&parcel::unpack> travels{*this};
    };
    manual_clock clock;
    auto r = make_for_nodes(clock);
    int unpacked = 0;
    r->post((new parcel(unpacked))->travels);
    r->run_once();
    EXPECT_EQ(unpacked, 1);
}

TEST(member_adapters, a_watch_hands_on_the_events_where_they_are_wanted) {
    struct deaf {
        void on_ready() noexcept { ++calls; }
        int calls = 0;
        member_watch<&deaf::on_ready> watch{*this};
    } other;
    const monotonic_clock clock;
    auto r = make_for_nodes(clock, true);
    owner o(*r);
    const unique_fd one(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
    const unique_fd two(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
    ASSERT_TRUE(r->watch(o.watch_, one.get(), EPOLLIN));
    ASSERT_TRUE(r->watch(other.watch, two.get(), EPOLLIN));
    EXPECT_TRUE(r->poll_descriptors());
    EXPECT_EQ(o.events, std::uint32_t{EPOLLIN});
    EXPECT_EQ(other.calls, 1);
    r->unwatch(o.watch_);
    r->unwatch(other.watch);
}

TEST(member_adapters, a_poller_asks_what_is_named_and_answers_the_rest_like_any_poller) {
    manual_clock clock;
    auto r = make_for_nodes(clock);
    owner o(*r);
    poller& simple = o.simple_;
    EXPECT_TRUE(simple.poll());
    EXPECT_FALSE(simple.poll());
    EXPECT_FALSE(simple.has_work());
    EXPECT_TRUE(simple.try_sleep());
    simple.wake();
    EXPECT_EQ(o.arms + o.wakes, 0);

    poller& whole = o.whole_;
    EXPECT_FALSE(whole.has_work());
    o.work = true;
    EXPECT_TRUE(whole.has_work());
    EXPECT_TRUE(whole.try_sleep());
    o.armable = false;
    EXPECT_FALSE(whole.try_sleep());
    whole.wake();
    EXPECT_EQ(o.arms, 2);
    EXPECT_EQ(o.wakes, 1);
}

// What one would write by hand: the node and a pointer.
template <typename Node>
struct by_hand : Node {
    void* owner;
};

TEST(member_adapters, cost_a_pointer_each) {
    static_assert(sizeof(owner::timer_) == sizeof(by_hand<timer>));
    static_assert(sizeof(owner::message_) == sizeof(by_hand<message>));
    static_assert(sizeof(owner::watch_) == sizeof(by_hand<descriptor_watch>));
    static_assert(sizeof(owner::simple_) == sizeof(owner::whole_));
    static_assert(sizeof(owner::whole_) <= sizeof(void*) + sizeof(list_hook) + sizeof(void*));
}

struct functions {
    void safe() noexcept {}
    void throws() {}
};
template <typename Method>
constexpr bool is_accepted = requires {
    typename member_function<Method>::owner;
};
static_assert(is_accepted<decltype(&functions::safe)>);
static_assert(!is_accepted<decltype(&functions::throws)>);

}  // namespace
}  // namespace fulmar::engine
