// What an operation on a subsystem does next: a pure function of its stage and of what it sees.
// Values only, so that the model explores the very code that the control reactor runs; operations
// add the payload (views, devices, answers).
#pragma once

#include <fulmar/core/group_action.hpp>
#include <fulmar/core/namespace_states.hpp>
#include <fulmar/core/subsystem_states.hpp>

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fulmar::core {

enum class operation_kind : std::uint8_t {
    create,
    remove,
    pause,
    resume,
    add_namespace,
    remove_namespace,
    lose_namespace,
    end_hold,           ///< the device has been away for longer than its I/O waits
    refresh_namespace,  ///< quiesce, look at the device or change it, open
    reserve,            ///< a reservation command: drain, record, adopt
};
[[nodiscard]] std::string_view to_string(operation_kind kind) noexcept;

/// Which question to the poll groups the operation waits for.
enum class operation_stage : std::uint8_t {
    begin,  ///< none yet
    adding,
    attaching,
    opening,
    quiescing,
    still_quiesced,   ///< it is paused: what its devices hold still
    quiescing_again,  ///< opening failed: back to where it was
    opening_again,    ///< quiescing failed: likewise
    closing,
    removing,
    detaching,
    losing,
    draining,       ///< what a host is denied from now on has to come home
    recording,      ///< not a question: the storage of reservations writes
    adopting,       ///< every poll group takes the new state
    undoing_drain,  ///< nothing has changed: the gates open again
    undoing_close,  ///< a creation that failed
    undoing_remove,
    undoing_attach,
};
[[nodiscard]] std::string_view to_string(operation_stage stage) noexcept;

enum class operation_end : std::uint8_t {
    none,     ///< goes on
    done,     ///< and what it promised holds, as far as every ack says so
    refused,  ///< it did not work out, and everything is as it was or explains itself
    gone,     ///< what it is about is not there (any more)
};

/// What an operation sees when it goes on.
struct operation_inputs {
    subsystem_state subsystem = subsystem_state::inactive;
    bool deleted = false;
    bool failed = false;  ///< a poll group could not do its part
    bool more = false;    ///< create: a namespace is waiting to be attached
    bool spoilt = false;  ///< create: the next namespace cannot be
    // The namespace that it is about.
    bool present = false;
    bool of_this_generation = true;  ///< a loss: it is the namespace that lost its device
    bool device_ready = true;
    bool holds = false;    ///< a loss makes its I/O wait, and that is not over
    bool changes = false;  ///< reserve: the command leads to another state
    bool takes = false;    ///< reserve: which denies somebody what was not denied before
    namespace_state ns = namespace_state::absent;
};

/// What it does then, in this order.
struct operation_step {
    std::optional<namespace_event> at_namespace = std::nullopt;
    std::optional<subsystem_event> at_subsystem = std::nullopt;
    bool attach_next = false;               ///< create: the next namespace takes `attach`
    group_action ask = group_action::none;  ///< of every poll group; then it waits
    bool record = false;                    ///< reserve: write it down first; then it waits
    bool adopt = false;                     ///< reserve: the new state is the namespace's now
    operation_stage next = operation_stage::begin;
    operation_end end = operation_end::none;
    bool drop_namespace = false;  ///< its record goes, and its device is free
    bool drop_subsystem = false;  ///< all records go
};

/// Called on: any thread.
[[nodiscard]] operation_step next_step(operation_kind kind, operation_stage stage,
                                       const operation_inputs& inputs) noexcept;

}  // namespace fulmar::core
