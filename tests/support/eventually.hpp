// The one way for tests to wait for what another thread or process does.
#pragma once

#include <chrono>
#include <thread>

namespace fulmar::test {

/// Waits until `condition` holds, looking again after each `meanwhile`; false when it never did.
/// The limit is for what never comes: it is no statement about speed, so it is long.
template <typename Condition, typename Meanwhile>
[[nodiscard]] bool eventually(Condition&& condition, std::chrono::nanoseconds within,
                              Meanwhile&& meanwhile) {
    const auto end = std::chrono::steady_clock::now() + within;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return condition();
        meanwhile();
    }
    return true;
}

template <typename Condition>
[[nodiscard]] bool eventually(Condition&& condition,
                              std::chrono::nanoseconds within = std::chrono::seconds(30)) {
    return eventually(condition, within,
                      [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); });
}

}  // namespace fulmar::test
