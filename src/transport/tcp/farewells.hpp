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
class farewells {
  public:
    explicit farewells(engine::reactor& r) noexcept : reactor_(r) {}
    ~farewells();
    farewells(const farewells&) = delete;
    farewells& operator=(const farewells&) = delete;

    /// Ends the output of `stream`, and closes it when the peer has, or `limits::farewell` later.
    /// With `limits::max_farewells` under way the oldest is closed at once.
    void add(std::unique_ptr<byte_stream> stream) noexcept;

  private:
    struct farewell {
        std::unique_ptr<byte_stream> stream;
        instant until{};
    };
    void on_look() noexcept;
    [[nodiscard]] bool ended(byte_stream& stream) noexcept;
    void look() noexcept;

    engine::reactor& reactor_;
    std::array<std::byte, 16384> scratch_;             // what nobody reads any more
    std::array<farewell, limits::max_farewells> all_;  // the first count_, oldest first
    std::size_t count_ = 0;
    engine::member_timer<&farewells::on_look> timer_{*this};
};

}  // namespace fulmar::transport::tcp
