// Which drives Fulmar may take, and what becomes of one that nobody has configured. Patterns are
// those of a shell: fnmatch(3). Pure; any thread.
#pragma once

#include <fulmar/admin/config.hpp>
#include <fulmar/backend/pcie_device.hpp>

#include <string_view>

namespace fulmar::drives {

/// Does not change once it is made.
class drive_rules final : public backend::drive_filter {
  public:
    explicit drive_rules(admin::drive_options options) : options_(std::move(options)) {}

    // drive_filter.
    [[nodiscard]] bool allows_place(const vfio::pci_address& where) const noexcept override;
    [[nodiscard]] bool allows(const vfio::pci_address& where, std::string_view serial,
                              std::string_view model) const noexcept override;

    /// There is a rule at all.
    [[nodiscard]] bool takes_any() const noexcept { return !options_.auto_attach.empty(); }
    /// The first rule that takes a drive there, as far as `serial` and `model` are known (else
    /// empty); null: none does, or the drive is not allowed.
    [[nodiscard]] const admin::attach_rule* rule_for(const vfio::pci_address& where,
                                                     std::string_view serial,
                                                     std::string_view model) const noexcept;
    /// The same when everything is known of the drive.
    [[nodiscard]] static bool matches(const admin::drive_pattern& pattern,
                                      const vfio::pci_address& where, std::string_view serial,
                                      std::string_view model) noexcept;

  private:
    admin::drive_options options_;
};

}  // namespace fulmar::drives
