// What each command of the control reactor does to the gates of a poll group, and what it waits
// for. Functions of values only, so that the model explores the very code that the data reactors
// run.
#pragma once

#include <fulmar/base/ids.hpp>
#include <fulmar/core/gate.hpp>
#include <fulmar/core/group_action.hpp>

#include <optional>

namespace fulmar::core {

/// Whether Connects may pass, and how the gates of a subsystem group stand at least.
enum class view_state : std::uint8_t { closed, open, quiesced };
[[nodiscard]] std::string_view to_string(view_state state) noexcept;

/// Called on: any thread, all of them.
struct group_rules {
    /// Whether a message for `meant` may reach `present`, which has its slot now.
    [[nodiscard]] static bool is_same(subsystem_id meant, subsystem_id present) noexcept;
    [[nodiscard]] static view_state view_after(group_action action, view_state view) noexcept;
    /// What happens to a gate; nothing: it stays as it is. `named`: its namespace is the one that
    /// the command names, in the generation that it names. `view` is what view_after() said.
    [[nodiscard]] static std::optional<gate_event> at_gate(group_action action, bool named,
                                                           view_state view,
                                                           gate_position now) noexcept;
    /// Whether the ack has to wait until what has passed this gate is answered.
    [[nodiscard]] static bool drains(group_action action, bool named, gate_position now) noexcept;
    /// Whether the deadline ends what the ack waits for. Else it refuses, and nothing has changed.
    [[nodiscard]] static bool gives_up(group_action action) noexcept;
    /// Whether the ack may have to wait for anything.
    [[nodiscard]] static bool may_wait(group_action action) noexcept;
    /// Whether the namespace leaves this poll group with the ack.
    [[nodiscard]] static bool drops(group_action action, bool named) noexcept;
};

}  // namespace fulmar::core
