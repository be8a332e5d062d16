// Signals as events of the control reactor. They are blocked in every thread, so that no system
// call is ever interrupted.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/base/unique_fd.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <functional>
#include <memory>

namespace fulmar::app {

/// Called on: control reactor.
class signals {
  public:
    /// Blocks TERM, INT, HUP and PIPE for the calling thread and all that it starts later.
    static void block() noexcept;

    /// Calls `on_signal(number)` on `control` for TERM, INT and HUP.
    static result<std::unique_ptr<signals>> watch(engine::reactor& control,
                                                  std::function<void(int)> on_signal);
    ~signals();
    signals(const signals&) = delete;
    signals& operator=(const signals&) = delete;

  private:
    signals(engine::reactor& control, unique_fd fd, std::function<void(int)> on_signal);
    void read_all() noexcept;

    engine::reactor& control_;
    unique_fd fd_;
    std::function<void(int)> on_signal_;
    engine::member_watch<&signals::read_all> watch_{*this};
};

}  // namespace fulmar::app
