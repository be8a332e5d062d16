// How a change of reservations or of the protection is told to operators. Any thread; pure.
#pragma once

#include "reservation_errand.hpp"

#include <fulmar/core/namespace_observer.hpp>

#include <cstddef>
#include <optional>

namespace fulmar::core {

/// `what` is one of "registered", "key-replaced", "unregistered", "reserved", "preempted",
/// "released", "cleared", "reservation-persistence", "write-protected", "protection-lifted".
/// What `wish` has made of `before`, without subsystem, namespace and host. Nothing: it changed
/// nothing that an operator would ask about. May throw std::bad_alloc.
[[nodiscard]] std::optional<namespace_occurrence> describe_change(const namespace_wish& wish,
                                                                  const reservation_state& before,
                                                                  const reservation_state& after);

/// The wish is a Preempt.
[[nodiscard]] bool preempts(const namespace_wish& wish) noexcept;
/// How many of those who were registered are not any more.
[[nodiscard]] std::size_t count_lost(const reservation_state& before,
                                     const reservation_state& after) noexcept;

}  // namespace fulmar::core
