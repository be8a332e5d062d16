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
#include <fulmar/core/io_task.hpp>
#include <fulmar/core/qpair.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace fulmar::core {

class poll_group;
struct subsystem_group;

/// One namespace on one poll group.
/// Called on: owning reactor.
struct namespace_entry {
    namespace_id id;
    subsystem_group* subsystem = nullptr;
    core::gate gate;
    std::unique_ptr<backend::io_channel> channel;
    nvme::status closed_status;  ///< what a closed gate answers
    // Copied from the description for the data path.
    unsigned block_shift = 9;
    std::uint64_t block_count = 0;
    ana_state ana = ana_state::optimized;
    backend::geometry geometry;
    bool write_protected = false;

    intrusive_list<request, &request::list> parked;
    intrusive_list<io_task, &io_task::entry_hook>
        tasks;                    ///< at the backend, in order of submission
    std::uint32_t abandoned = 0;  ///< tasks still at the backend whose request was given up

    void refresh(const namespace_description& from) noexcept;
};

/// Whether Connects may pass.
enum class view_state : std::uint8_t { closed, open, fenced };

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

    [[nodiscard]] namespace_entry* find(std::uint32_t number) noexcept {
        return number - 1 < entries.size() ? entries[number - 1].get() : nullptr;
    }

    // The group's side of each action; each returns true when it is done at once.
    bool add_namespace(const namespace_description& what, backend::device& device);
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
    void replace_view(subsystem_view description) noexcept;

  private:
    void close_all() noexcept;
    void attach(group_command& command);
    [[nodiscard]] std::uint32_t still_waiting(const group_command& command) noexcept;
    void answer_parked(namespace_entry& entry, nvme::status answer) noexcept;
    void abandon_tasks(namespace_entry& entry, nvme::status answer) noexcept;
    void tell_namespace_changed(std::uint32_t number) noexcept;
};

}  // namespace fulmar::core
