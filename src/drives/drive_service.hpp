// The drives of this machine for the administration: what sysfs tells, what Fulmar's devices tell,
// and what has happened to each. Whatever blocks runs on helper threads. Must never: let sysfs be
// read of a drive that is open.
#pragma once

#include "drive_history.hpp"

#include <fulmar/admin/drive_port.hpp>
#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/inbox.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/vfio/drives.hpp>

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace fulmar::drives {

/// Called on: control reactor, unless a method says otherwise.
class drive_service final : public admin::drive_port, public backend::drive_observer {
  public:
    using publisher = std::function<void(const admin::event&)>;

    /// `filter` may be null: every drive may be bound.
    drive_service(engine::reactor& control, const backend::pcie_device_list& device_list,
                  vfio::system_paths paths = {}, const backend::drive_filter* filter = nullptr);
    /// Jobs that still run are left alone; who asked is not answered.
    ~drive_service();
    drive_service(const drive_service&) = delete;
    drive_service& operator=(const drive_service&) = delete;

    /// Events of others share these, so that all of them are one row.
    [[nodiscard]] admin::event_numbers& numbers() noexcept { return history_.numbers(); }

    /// Who is told of every event. Before the first device is made.
    void set_publisher(publisher to) { publish_ = std::move(to); }

    // drive_port.  Called on: any thread; answers on the control reactor.
    void list(admin::drive_port::listed then) override;
    void find(const std::string& which, admin::drive_port::shown then) override;
    void plan(const std::string& which, admin::drive_wish wish,
              admin::drive_port::planned then) override;
    void bind(const std::string& address, const std::string& driver,
              admin::drive_port::finished then) override;
    void locate(const std::string& address, const std::string& indicator,
                admin::drive_port::finished then) override;

    // drive_observer.
    void on_drive_event(const backend::pcie_options& which, backend::drive_occurrence what,
                        backend::loss_cause cause, std::string_view detail) noexcept override;

  private:
    /// Something that blocks, on a thread of its own.
    struct job final : engine::helper_job {
        void work() noexcept override;
        void on_done() noexcept override;
        void on_abandoned() noexcept override;
        drive_service* owner = nullptr;
        std::function<void()> run;   // touches nothing but what it owns
        std::function<void()> next;  // on the control reactor
        std::string moves;           // address of a drive that is being bound; else empty
    };

    void post(std::function<void()> what);
    /// Errors: limit_reached; no_memory.
    result<void> start(std::function<void()> run, std::function<void()> next,
                       const std::string& moves = {});
    void begin_list(const admin::drive_port::listed& then);
    void begin_bind(const vfio::pci_address& where, const std::string& driver,
                    const admin::drive_port::finished& then);
    [[nodiscard]] std::vector<vfio::pci_address> open_drives() const;
    [[nodiscard]] std::vector<admin::drive_report> join(
        const std::vector<vfio::drive_info>& found) const;
    void add_device(admin::drive_report& to, const backend::pcie_device& device) const;
    void note(admin::event event);

    engine::reactor& control_;
    const backend::pcie_device_list& device_list_;
    vfio::system_paths paths_;
    const backend::drive_filter* filter_;
    publisher publish_;
    engine::inbox questions_;
    std::list<std::unique_ptr<job>> jobs_;
    drive_history history_;
};

}  // namespace fulmar::drives
