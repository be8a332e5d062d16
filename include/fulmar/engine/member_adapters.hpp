// Timers, messages, descriptor watches and pollers that call a member function of the object that
// they are embedded in: `member_timer<&listener::retry> retry_{*this};`. The function is chosen at
// compile time: a node costs a pointer to its owner, and a call of it what a handler costs.
#pragma once

#include <fulmar/base/member_function.hpp>
#include <fulmar/engine/descriptor_watch.hpp>
#include <fulmar/engine/message.hpp>
#include <fulmar/engine/poller.hpp>
#include <fulmar/engine/timer_wheel.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace fulmar::engine {

/// Calls `void Owner::Expired() noexcept` when it expires.
/// Called on: owning reactor.
template <auto Expired>
class member_timer final : public timer {
  public:
    explicit member_timer(owner_of<Expired>& owner) noexcept
        : timer([](timer& t) noexcept { (static_cast<member_timer&>(t).owner_.*Expired)(); }),
          owner_(owner) {}

  private:
    owner_of<Expired>& owner_;
};

/// Calls `void Owner::Arrived() noexcept` where it arrives. From the function's first instruction
/// on it may be posted again, or destroyed with its owner.
/// Called on: any thread.
template <auto Arrived>
class member_message final : public message {
  public:
    explicit member_message(owner_of<Arrived>& owner) noexcept
        : message([](message& m) noexcept { (static_cast<member_message&>(m).owner_.*Arrived)(); }),
          owner_(owner) {}

  private:
    owner_of<Arrived>& owner_;
};

/// Calls `void Owner::Ready() noexcept`, or `void Owner::Ready(std::uint32_t events) noexcept`.
/// Called on: owning reactor.
template <auto Ready>
class member_watch final : public descriptor_watch {
  public:
    explicit member_watch(owner_of<Ready>& owner) noexcept
        : descriptor_watch([](descriptor_watch& w, std::uint32_t events) noexcept {
              owner_of<Ready>& to = static_cast<member_watch&>(w).owner_;
              if constexpr (std::is_invocable_v<decltype(Ready), owner_of<Ready>&, std::uint32_t>)
                  (to.*Ready)(events);
              else
                  (to.*Ready)();
          }),
          owner_(owner) {}

  private:
    owner_of<Ready>& owner_;
};

/// Calls `bool Owner::Poll() noexcept`, and likewise whichever of the rest of the sleep handshake
/// is named; a null is what `poller` says of it.
/// Called on: owning reactor.
template <auto Poll, auto HasWork = nullptr, auto TrySleep = nullptr, auto Wake = nullptr>
class member_poller final : public poller {
  public:
    explicit member_poller(owner_of<Poll>& owner) noexcept : owner_(owner) {}

    bool poll() noexcept override { return (owner_.*Poll)(); }
    [[nodiscard]] bool has_work() noexcept override {
        if constexpr (is_named<HasWork>)
            return (owner_.*HasWork)();
        else
            return poller::has_work();
    }
    bool try_sleep() noexcept override {
        if constexpr (is_named<TrySleep>)
            return (owner_.*TrySleep)();
        else
            return poller::try_sleep();
    }
    void wake() noexcept override {
        if constexpr (is_named<Wake>) (owner_.*Wake)();
    }

  private:
    template <auto Function>
    static constexpr bool is_named = !std::is_same_v<decltype(Function), std::nullptr_t>;

    owner_of<Poll>& owner_;
};

}  // namespace fulmar::engine
