// When an event happened, and which of all events it is. Called on: control reactor.
#pragma once

#include <fulmar/admin/event.hpp>

#include <cstdint>

namespace fulmar::admin {

class event_numbers {
  public:
    void date(event& one) noexcept;

  private:
    std::uint64_t last_ = 0;
};

}  // namespace fulmar::admin
