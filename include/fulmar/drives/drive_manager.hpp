// The drives of this machine, and the one owner of all that concerns them: which may be taken,
// which are, what has happened to each, and what operators ask of them. Devices on drives are made
// with its environment; the administration has its port; kernel events and rules come in here.
#pragma once

#include <fulmar/admin/config.hpp>
#include <fulmar/admin/drive_port.hpp>
#include <fulmar/admin/event_numbers.hpp>
#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/core/counter_source.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/vfio/drive_access.hpp>
#include <fulmar/vfio/drives.hpp>

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace fulmar::drives {

class drive_adoption;
class drive_metrics;
class drive_rules;
class drive_service;
class hotplug_bridge;

/// Called on: control reactor, all methods. Outlives the devices on its drives.
class drive_manager {
  public:
    using publisher = std::function<void(const admin::event&)>;

    /// `data`: the reactors that do I/O, a queue of each drive for each. Both outlive it.
    drive_manager(engine::reactor& control, std::vector<engine::reactor*> data,
                  const admin::drive_options& options, vfio::system_paths paths = {});
    ~drive_manager();
    drive_manager(const drive_manager&) = delete;
    drive_manager& operator=(const drive_manager&) = delete;

    /// What devices on drives are made with.
    [[nodiscard]] const backend::pcie_environment& environment() const noexcept {
        return environment_;
    }
    /// Operations may point there. Before the first device; page aligned.
    void add_dma_memory(std::span<std::byte> memory) { environment_.memory.push_back(memory); }

    /// Listens to the kernel, and takes drives that a rule wants by changes of `target`, which
    /// outlives that.
    void begin(core::control_port& target);
    /// Looks at every drive that no device stands on: once the configured devices are made.
    void look_around();
    /// Who is told of every event; null: nobody any more.
    void set_publisher(const publisher& to);

    /// What the administration asks, and what it asks for: the only way to a drive.
    [[nodiscard]] admin::drive_port& port() noexcept;
    [[nodiscard]] const core::counter_source& counters() const noexcept;
    /// Events of others share these, so that all of them are one row.
    [[nodiscard]] admin::event_numbers& numbers() noexcept;

    /// Nothing begins any more; devices may still be there.
    void stop() noexcept;
    /// No device is left, and nobody asks any more: questions under way are left alone.
    void leave_questions() noexcept;

  private:
    std::unique_ptr<vfio::drive_access_provider> provider_;
    backend::pcie_device_list device_list_;
    std::unique_ptr<drive_rules> rules_;
    std::unique_ptr<drive_service> service_;
    std::unique_ptr<drive_metrics> metrics_;
    backend::pcie_environment environment_;
    std::unique_ptr<drive_adoption> adoption_;
    std::unique_ptr<hotplug_bridge> hotplug_;
};

}  // namespace fulmar::drives
