// What one poll group knows of one subsystem: its namespaces with their gates and channels, and who
// is connected here.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/base/intrusive.hpp>
#include <fulmar/core/connect_op.hpp>
#include <fulmar/core/controller.hpp>
#include <fulmar/core/description.hpp>
#include <fulmar/core/gate.hpp>
#include <fulmar/core/group_command.hpp>
#include <fulmar/core/group_rules.hpp>
#include <fulmar/core/io_task.hpp>
#include <fulmar/core/namespace_gauge.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/timer_wheel.hpp>
#include <fulmar/mem/buffer_share.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace fulmar::core {

class poll_group;
struct subsystem_group;

/// One namespace on one poll group. When its namespace goes while a silent device holds operations,
/// the entry stays behind, orphaned: it keeps the channel, and through it the device, until the
/// last of them is reaped. Called on: owning reactor.
struct namespace_entry {
    namespace_entry() noexcept = default;
    ~namespace_entry();
    namespace_entry(const namespace_entry&) = delete;
    namespace_entry& operator=(const namespace_entry&) = delete;

    /// Its device is lost, and its I/O waits for it.
    [[nodiscard]] bool held() const noexcept {
        return gate.position == gate_position::waiting_for_device;
    }

    namespace_id id;
    subsystem_group* subsystem = nullptr;  ///< null: orphaned
    subsystem_id owner;
    std::uint64_t owner_key = 0;  ///< of its subsystem's NQN, for when that is gone
    poll_group* group = nullptr;
    backend::device* device = nullptr;
    core::gate gate;
    std::unique_ptr<backend::io_channel> channel;
    nvme::status closed_status;  ///< what a closed gate answers
    // Copied from the description for the data path.
    unsigned block_shift = 9;
    std::uint64_t block_count = 0;
    ana_state ana = ana_state::optimized;
    ana_states_view ana_paths;  ///< null: the same by every listener
    std::uint32_t ana_group = 0;
    backend::geometry geometry;
    bool write_protected = false;
    bool restricted = false;  ///< by an ANA state, write protection or a reservation
    bool hold = false;        ///< a loss of its device makes its I/O wait
    std::uint32_t park_ms = 0;
    reservation_view reservation;  ///< null: nobody has registered
    range_locks_view ranges;       ///< null: nobody has to be alone in a range, ever
    host_list visible_to;          ///< null: every host sees it

    intrusive_list<request, &request::list> parked;
    intrusive_list<io_task, &io_task::entry_hook>
        tasks;                ///< at the backend, in order of submission
    mem::buffer_share share;  ///< of the pool, for its commands
    intrusive_list<request, &request::list>
        buffer_waiters;                ///< inside the gate, and beyond the share
    list_hook starving_hook{};         ///< in the group's list while there are any
    std::uint32_t abandoned = 0;       ///< tasks still at the backend whose request was given up
    std::uint32_t quarantined = 0;     ///< chunks that those keep, which the share counts
    std::unique_ptr<io_task> flush;    ///< of a drain that makes durable; null until there is one
    std::uint64_t flushed_for = 0;     ///< the transition whose Flush is at the backend; or 0
    namespace_gauge* gauge = &unseen;  ///< where others look; nobody does once it is orphaned
    namespace_gauge unseen;
    /// Lets other threads see what has changed.
    void show() noexcept {
        gauge->outstanding.store(gate.inside, std::memory_order_relaxed);
        gauge->parked.store(gate.parked, std::memory_order_relaxed);
    }
    void show_abandoned() noexcept {
        gauge->abandoned.store(abandoned, std::memory_order_relaxed);
        gauge->quarantined.store(quarantined, std::memory_order_relaxed);
    }
    /// The oldest request that waits for a lost device has waited long enough.
    void on_parked_too_long() noexcept;
    // On the control reactor: the device stays in use, and later: it is free, and this goes.
    void on_orphaned() noexcept;
    void on_reaped() noexcept;
    engine::member_timer<&namespace_entry::on_parked_too_long> park_limit{*this};
    engine::member_message<&namespace_entry::on_orphaned> orphaned{*this};
    engine::member_message<&namespace_entry::on_reaped> reaped{*this};
    list_hook orphan_hook{};

    void refresh(const namespace_description& from) noexcept;
    /// Of a new description, what concerns ANA.
    void take_paths(const namespace_description& from) noexcept;
    /// By a listener of that column.
    [[nodiscard]] ana_state ana_at(std::uint16_t column) const noexcept {
        return ana_paths != nullptr ? (*ana_paths)[column] : ana;
    }
    /// By some listener it is not served.
    [[nodiscard]] bool has_closed_path() const noexcept;
    /// It is going: its gate answers, whatever its paths are.
    void leave_ana() noexcept;
    /// What its state, protection and reservation make of `restricted`.
    void restrict() noexcept;
};

/// Called on: owning reactor.
struct subsystem_group {
    subsystem_group(poll_group& owner, subsystem_view description) noexcept;

    poll_group* group;
    subsystem_id id;
    subsystem_view view;
    view_state state = view_state::closed;
    std::vector<std::unique_ptr<namespace_entry>>
        entries;  ///< by nsid - 1; null where there is none
    intrusive_list<controller, &controller::subsystem_hook> controllers;
    intrusive_list<qpair, &qpair::subsystem_hook_> qpairs;
    group_command* pending = nullptr;  ///< the command that waits for something to drain
    bool gave_up = false;              ///< its deadline has passed

    [[nodiscard]] namespace_entry* find(std::uint32_t number) noexcept {
        return number - 1 < entries.size() ? entries[number - 1].get() : nullptr;
    }

    // The group's side of each action; each returns true when it is done at once.
    bool add_namespace(const namespace_description& what, group_command& command);
    bool begin(group_command& command);
    /// Something happened that `pending` may wait for: look at it at the end of the turn
    /// (settle()). Not at once: this is called from inside the very channels that settling may
    /// destroy.
    void check_pending() noexcept;
    void settle() noexcept;
    void give_up_pending() noexcept;
    list_hook unsettled_hook{};

    void open_gate(namespace_entry& entry) noexcept;
    void close_gate(namespace_entry& entry, nvme::status answer) noexcept;
    /// A request waits at the gate of a lost device: no longer than it may.
    void watch_parked(namespace_entry& entry) noexcept;
    /// Answers who has waited that long.
    void parked_too_long(namespace_entry& entry) noexcept;
    void replace_view(subsystem_view description) noexcept;

  private:
    void note(const char* what, const char* detail, namespace_id ns = {}, std::uint64_t object = 0,
              std::uint64_t value = 0) const noexcept;
    [[nodiscard]] static nvme::status closing_status(group_action action) noexcept;
    void move_gates(const group_command& command) noexcept;
    void end_connections() noexcept;
    [[nodiscard]] bool attach(group_command& command);
    [[nodiscard]] bool concerns(const group_command& command,
                                const namespace_entry& entry) const noexcept;
    [[nodiscard]] std::uint32_t still_waiting(const group_command& command) const noexcept;
    [[nodiscard]] std::uint32_t unreaped(const group_command& command) const noexcept;
    [[nodiscard]] std::uint32_t unreaped_of_expelled(std::string_view host) const noexcept;
    [[nodiscard]] std::uint32_t unreaped_of_controller(std::uint64_t instance) const noexcept;
    template <typename Is>
    [[nodiscard]] std::uint32_t count_unreaped(Is is_meant) const noexcept;
    [[nodiscard]] std::uint32_t queues_of_controller(std::uint64_t instance) const noexcept;
    [[nodiscard]] bool ends_with(const group_command& command, const request& r) const noexcept;
    void orphan_what_is_left(const group_command& command) noexcept;
    void refuse_pending() noexcept;
    [[nodiscard]] bool flush_drained(group_command& command) noexcept;
    static void drained_flushed(backend::io_op& op, nvme::status status) noexcept;
    void disconnect_disallowed() noexcept;
    void end_controller(std::uint64_t instance) noexcept;
    void answer_parked(namespace_entry& entry, nvme::status answer) noexcept;
    void abandon_tasks(namespace_entry& entry, nvme::status answer) noexcept;
    void tell_namespace_changed(std::uint32_t number) noexcept;
    void tell_of_paths(const subsystem_description& former) noexcept;
    void tell_of_reservation(const group_command& command) noexcept;
    void tell_namespaces_changed(const group_command& command) noexcept;
    void choose_viewers(namespace_entry& entry, const namespace_description& now,
                        bool told) noexcept;
    void turn_away(namespace_entry& entry) noexcept;
    [[nodiscard]] bool changes_access(const group_command& command,
                                      const namespace_entry& entry) const noexcept;
    [[nodiscard]] static std::uint32_t tasks_shut_out(const namespace_entry& entry) noexcept;
    [[nodiscard]] std::uint32_t unreaped_shut_out(const namespace_entry& entry) const noexcept;
};

/// Called on: owning reactor.
inline bool qpair::hides(const namespace_entry& entry) const noexcept {
    return hidden_.has(entry.id.index + 1);
}

}  // namespace fulmar::core
