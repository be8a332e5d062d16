// What next() makes of each message, as the table of docs/drive_states.md: everything that can be
// reached, in rows that say the same put together.
#pragma once

#include <pcie/drive_life.hpp>

#include <set>
#include <string>
#include <tuple>

namespace fulmar::backend::pcie {

struct life_order {
    bool operator()(const drive_life& a, const drive_life& b) const noexcept {
        return std::tuple(a.stage, a.goal, a.cause) < std::tuple(b.stage, b.goal, b.cause);
    }
};
/// From a drive that nobody has asked for, by any messages that are possible.
[[nodiscard]] std::set<drive_life, life_order> reachable_lives();
/// Markdown.
[[nodiscard]] std::string render_decisions();

}  // namespace fulmar::backend::pcie
