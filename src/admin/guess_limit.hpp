// How often an address may present a token that is none: so often at once, then now and then. A
// table of fixed size, in which addresses that fall together share what they have. One thread; the
// caller brings the time.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/limits.hpp>

#include <array>
#include <cstdint>
#include <string>

namespace fulmar::admin {

class guess_limit {
  public:
    guess_limit();

    /// How long until `address` may try again; zero: now.
    [[nodiscard]] duration wait(const std::string& address, instant now) const;
    void failed(const std::string& address, instant now);

  private:
    [[nodiscard]] std::size_t slot(const std::string& address) const;
    std::uint64_t seed_;  // nobody outside can find addresses that share a slot with another's
    std::array<instant, limits::admin_guess_slots> settled_{};  // when all failures are forgotten
};

}  // namespace fulmar::admin
