// Connections that we end: the peer reads what was on its way to it, then the end. A socket that is
// closed while bytes of the peer wait in it sends a reset instead, which overtakes a terminate
// request. Owning reactor only. Must never allocate, and never keep a socket past its deadline.
#pragma once

#include "byte_stream.hpp"

#include <fulmar/base/clock.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>

#include <array>
#include <cstddef>
#include <memory>

namespace fulmar::transport::tcp {

/// Called on: owning reactor, all methods.
class lingering_closes {
  public:
    explicit lingering_closes(engine::reactor& r) noexcept : reactor_(r) {}
    ~lingering_closes();
    lingering_closes(const lingering_closes&) = delete;
    lingering_closes& operator=(const lingering_closes&) = delete;

    /// Ends the output of `stream`, and closes it when the peer has, or `limits::lingering_close`
    /// later. With `limits::max_lingering_closes` under way the oldest is closed at once.
    void add(std::unique_ptr<byte_stream> stream) noexcept;

  private:
    struct lingering_close {
        std::unique_ptr<byte_stream> stream;
        instant until{};
    };
    void on_look() noexcept;
    [[nodiscard]] bool ended(byte_stream& stream) noexcept;
    void look() noexcept;

    engine::reactor& reactor_;
    std::array<std::byte, 16384> scratch_;  // what nobody reads any more
    std::array<lingering_close, limits::max_lingering_closes>
        all_;  // the first count_, oldest first
    std::size_t count_ = 0;
    engine::member_timer<&lingering_closes::on_look> timer_{*this};
};

}  // namespace fulmar::transport::tcp
