// The admin thread's way to the core and back: a request is posted to the control reactor, its
// answer comes home through a lock-free stack and an eventfd, so that the reply never allocates or
// waits. Called on: admin thread. Must never: free a request that the core still has, even when
// nobody wants its answer any more.
#pragma once

#include <fulmar/core/control.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace fulmar::admin {

class control_client {
  public:
    using outcome = result<core::control_answer>;
    using then = std::function<void(outcome, std::uint64_t revision)>;

    /// Answers that take longer than `patience` become errc::timed_out; the late ones are dropped.
    control_client(boost::asio::io_context& io, core::control_port& port,
                   std::chrono::milliseconds patience);
    ~control_client();
    control_client(const control_client&) = delete;
    control_client& operator=(const control_client&) = delete;

    /// `settled` runs when the core has answered, before `next`, and also when that is too late for
    /// `next`: until then the change may still happen. Not when the client has gone.
    void submit(std::variant<core::change, core::query> what, bool durable, then next,
                std::function<void()> settled = {});

    /// Requests that the core has.
    [[nodiscard]] std::size_t outstanding() const noexcept;

  private:
    class impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace fulmar::admin
