// Takes drives that nobody has configured, where the configuration has a rule for them: makes the
// device, waits until the drive says who it is, and adds the namespace. What it makes is recorded
// like any change, and is the operator's from then on.
// Must never: take a drive that somebody uses, or export one before its identity is known.
#pragma once

#include "drive_rules.hpp"
#include "drive_service.hpp"

#include <fulmar/core/control.hpp>
#include <fulmar/engine/reactor.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace fulmar::drives {

/// Called on: control reactor, all methods.
class drive_adoption {
  public:
    drive_adoption(engine::reactor& control, core::control_port& target, drive_service& drives,
                   const backend::pcie_device_list& device_list, const drive_rules& rules)
        : control_(control),
          target_(target),
          drives_(drives),
          device_list_(device_list),
          rules_(rules) {}
    ~drive_adoption();
    drive_adoption(const drive_adoption&) = delete;
    drive_adoption& operator=(const drive_adoption&) = delete;

    /// Looks at every drive of the bus that no device stands on: at start, and when events of the
    /// kernel were lost.
    void look_around();
    /// The kernel found one there, or gave it to vfio-pci.
    void arrived(const vfio::pci_address& where);
    /// What the drives' observer tells.
    void heard(const admin::event& event);

  private:
    /// A change on its way to the target; lives until it is answered.
    struct errand;
    /// A device that was made here and is not exported yet.
    struct adopted {
        const admin::attach_rule* rule = nullptr;
        bool made = false;   // the device is recorded
        bool ready = false;  // its drive has told who it is
    };

    /// Asks about the drives, then considers those at `where`; everywhere when it is null.
    void ask(const vfio::pci_address* where);
    void consider(const admin::drive_report& drive);
    void submit(core::change what, std::function<void(const result<core::control_answer>&)> then);
    void go_on(const std::string& device);
    void let_go(const std::string& device, const std::string& why);

    engine::reactor& control_;
    core::control_port& target_;
    drive_service& drives_;
    const backend::pcie_device_list& device_list_;
    const drive_rules& rules_;
    std::map<std::string, adopted> adopted_;  // by device
    std::vector<errand*> errands_;
    std::shared_ptr<drive_adoption*> self_ = std::make_shared<drive_adoption*>(this);
};

}  // namespace fulmar::drives
