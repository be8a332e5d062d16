// A small world: one subsystem slot, two namespaces, two poll groups, three requests, one device
// that can stall and vanish. A copyable value; what it decides is decided by the core's own tables
// and values (gates, group_rules, awaited_acks, operation steps, device claims).
#pragma once

#include <fulmar/core/awaited_acks.hpp>
#include <fulmar/core/device_claim.hpp>
#include <fulmar/core/gate.hpp>
#include <fulmar/core/group_rules.hpp>
#include <fulmar/core/operation_steps.hpp>
#include <fulmar/core/qpair_states.hpp>
#include <fulmar/core/request_states.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::model {

using core::gate_position;
using core::group_action;
using core::namespace_state;
using core::operation_kind;
using core::operation_stage;
using core::qpair_state;
using core::request_state;
using core::subsystem_state;
using core::view_state;
using byte = std::uint8_t;

inline constexpr byte groups = 2;
inline constexpr byte namespaces = 2;
inline constexpr byte requests = 3;
inline constexpr byte connections = 2;  ///< one on each poll group
inline constexpr byte no_orphan = 0xff;

/// What backs a namespace.
enum class disk : byte {
    none,
    drive,   ///< answers when it likes, or never; can vanish
    memory,  ///< answers within the call, always there
};

/// Something that an operator may ask for in a world, and how often.
struct wish {
    operation_kind kind = operation_kind::pause;
    byte ns = 0;  ///< from 0
    disk on = disk::none;
    bool reopens = false;  ///< refresh: a drive that was lost is back
    byte times = 1;
    bool takes = false;       ///< reserve: somebody is denied what was not denied before
    bool unrecorded = false;  ///< reserve: it cannot be written down
};

/// What makes one world different from another.
struct settings {
    std::string name;
    std::vector<wish> wishes;
    std::array<disk, namespaces> starts_with{disk::drive, disk::memory};
    bool starts_active = true;
    bool holds = false;  ///< what is on the drive waits for it when it is lost
    std::array<byte, requests> request_connection{0, 0, 1};
    std::array<byte, requests> request_namespace{0, 0, 0};
    std::array<bool, requests> request_fetches{false, true, false};  ///< data from the host
    std::array<bool, connections> starts_connected{true, true};
    byte used = requests;  ///< requests that may arrive
    byte operations = 3;   ///< at most so many, all kinds together
    byte waiting = 2;      ///< at most so many wait in the queue
    byte cuts = 1;
    byte losses = 1;
    byte failures = 1;  ///< poll groups that fail a command
    byte repeats = 1;   ///< acks that arrive a second time
    byte connects = 1;
};

// --- the parts of a state ------------------------------------------------------------------------

struct running_operation {
    operation_kind kind = operation_kind::pause;
    operation_stage stage = operation_stage::begin;
    byte ns = 0;
    disk on = disk::none;
    bool reopens = false;
    byte generation = 0;  ///< a loss: of the namespace that lost its drive
    byte attached = 0;    ///< create: namespaces that have been tried
    byte unreaped = 0;    ///< remove: what its fence left behind
    bool takes = false;   ///< reserve, as wished
    bool unrecorded = false;
};

struct record {  ///< of a namespace, on the control reactor
    bool present = false;
    byte generation = 0;
    disk on = disk::none;
    namespace_state state = namespace_state::absent;
    bool loss_waits = false;
    bool hold_runs = false;  ///< its timer is armed
    bool hold_over = false;
};

inline constexpr byte queue_room = 5;

struct control_side {
    bool present = false;
    byte generation = 0;  ///< of the slot's incarnation
    subsystem_state state = subsystem_state::inactive;
    bool deleted = false;
    std::array<record, namespaces> ns;
    std::array<byte, namespaces> last_generation{};
    bool running = false;
    running_operation current;
    byte waiting = 0;
    std::array<running_operation, queue_room> queue;
    core::awaited_acks acks;
    byte transitions = 0;
    bool deadline = false;  ///< armed
    core::device_claim claim;
    bool drive_lost = false;
    byte signs = 0;  ///< of the drive's loss, on their way
};

enum class parcel : byte { none, command, escalation, orphaned, reaped };

struct mailbox {
    byte count = 0;
    std::array<parcel, 6> held{};
};

struct question {  ///< a group_command
    bool busy = false;
    group_action action = group_action::none;
    byte transition = 0;
    byte generation = 0;
    byte ns = 0;  ///< from 1; 0: none
    byte ns_generation = 0;
    bool succeeded = true;
    byte unreaped = 0;
};

struct escalation {
    bool away = false;
    byte transition = 0;
    byte generation = 0;
};

struct entry {  ///< a namespace_entry
    bool present = false;
    byte generation = 0;
    disk on = disk::none;
    core::gate gate;
    byte parked_count = 0;
    std::array<byte, requests> parked{};
    byte abandoned = 0;
};

struct orphan {
    bool used = false;
    byte abandoned = 0;
};

struct group_side {
    bool present = false;
    byte generation = 0;
    view_state view = view_state::closed;
    bool pending = false;
    bool gave_up = false;
    bool unsettled = false;
    std::array<entry, namespaces> entries;
    std::array<orphan, 2> orphans;
    mailbox in;   ///< from the control reactor
    mailbox out;  ///< to the control reactor
    question asked;
    escalation told;
    byte last_ack = 0;  ///< transition of the ack that was taken last, for a second one
};

enum class task : byte { none, at_drive, abandoned };

struct command {  ///< of a host
    bool arrived = false;
    request_state state = request_state::idle;
    byte order = 0;  ///< of arrival
    bool entered = false;
    bool cut_off = false;    ///< its drive was lost while its data was on the way
    byte generation = 0;     ///< of the subsystem that it was sent to
    byte ns_generation = 0;  ///< of the namespace
    task at = task::none;
    byte orphaned_in = no_orphan;
    byte answers = 0;
};

/// A Connect travels on its own way (for an I/O queue it takes the detour through its controller's
/// home), so that it can be overtaken by everything else.
enum class connect_phase : byte { none, parked, away, granted, must_wait, busy };

struct queue_pair {
    qpair_state state = qpair_state::fresh;
    byte generation = 0;  ///< of the subsystem it belongs to, or asks for
    bool member = false;  ///< of a subsystem group
    connect_phase connect = connect_phase::none;
};

struct budget {
    byte operations = 0, cuts = 0, losses = 0, failures = 0, repeats = 0, connects = 0;
    std::array<byte, 8> wishes{};
};

struct state {
    control_side control;
    std::array<group_side, groups> group;
    std::array<command, requests> request;
    std::array<queue_pair, connections> connection;
    budget left;
    byte arrivals = 0;

    /// The fields, a byte each, one after the other, for hashing. `into` has room for a whole
    /// state. Returns how many bytes they are.
    std::size_t pack(std::span<byte> into) const;
};

// --- what can happen -----------------------------------------------------------------------------

enum class event_kind : byte {
    // The target goes on by itself: time passes, messages arrive.
    group_receives,
    group_settles,
    control_receives,
    deadline,
    drive_fault,
    hold_passes,
    recorded,
    wait_passes,
    answer_sent,
    drain_deadline,
    detached,
    connect_at_control,
    connect_returns,
    connect_wait_over,
    // Everybody else.
    operator_asks,
    command_arrives,
    data_arrives,
    buffer_granted,
    drive_answers,
    connection_cut,
    connect_arrives,
    connect_looks_again,
    drive_vanishes,
    group_fails,
    ack_again,
};
[[nodiscard]] constexpr bool is_internal(event_kind kind) noexcept {
    return kind <= event_kind::connect_wait_over;
}

struct event {
    event_kind kind = event_kind::deadline;
    byte which = 0;
};

[[nodiscard]] state first_state(const settings& of);
/// Everything that can happen next.
void enabled(const settings& of, const state& s, std::vector<event>& into);
/// Does it. Returns what was broken thereby, or an empty text.
[[nodiscard]] std::string_view apply(const settings& of, state& s, event e);
/// What is wrong with a state in which the target itself has nothing more to do.
[[nodiscard]] std::string_view wrong_at_rest(const settings& of, const state& s);
/// What is wrong with a state in which nothing at all can happen any more.
[[nodiscard]] std::string_view wrong_at_end(const settings& of, const state& s);
/// For people.
[[nodiscard]] std::string describe(const settings& of, const state& before, event e);
[[nodiscard]] std::string describe(const state& s);

}  // namespace fulmar::model
