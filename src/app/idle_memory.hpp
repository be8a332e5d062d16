// Gives memory back to the system when many connections have gone: the C library keeps what was
// freed, and a target that was busy once would look so for ever.
#pragma once

#include <fulmar/core/target.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <cstdint>

namespace fulmar::app {

/// Tables of a queue go back to the system one by one as they are freed.
/// Called on: main thread, once, before others are there.
void return_large_blocks() noexcept;

/// Called on: control reactor, all methods.
class idle_memory {
  public:
    idle_memory(engine::reactor& control, core::target& target) noexcept;
    ~idle_memory();
    idle_memory(const idle_memory&) = delete;
    idle_memory& operator=(const idle_memory&) = delete;

  private:
    void on_look() noexcept;
    void look() noexcept;

    engine::reactor& control_;
    core::target& target_;
    std::uint64_t most_ = 0;  // connections, since memory was given back
    engine::member_timer<&idle_memory::on_look> timer_{*this};
};

}  // namespace fulmar::app
