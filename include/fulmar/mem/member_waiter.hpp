// A wait for memory that hands what was granted to a member function of the object that it is
// embedded in.
#pragma once

#include <fulmar/base/member_function.hpp>
#include <fulmar/mem/buffer_chain.hpp>
#include <fulmar/mem/buffer_credit.hpp>

#include <utility>

namespace fulmar::mem {

/// Calls `void Owner::Granted(buffer_chain&&) noexcept`, inside buffer_pool::pump().
/// Called on: the pool's reactor.
template <auto Granted>
class member_waiter final : public buffer_waiter {
  public:
    explicit member_waiter(owner_of<Granted>& owner) noexcept
        : buffer_waiter([](buffer_waiter& w, buffer_chain&& chain) noexcept {
              (static_cast<member_waiter&>(w).owner_.*Granted)(std::move(chain));
          }),
          owner_(owner) {}

  private:
    owner_of<Granted>& owner_;
};

}  // namespace fulmar::mem
