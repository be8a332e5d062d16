#include "drive_rules.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <string>

namespace fulmar::drives {

namespace {

bool fits(const std::string& pattern, std::string_view text) {
    return pattern.empty() || ::fnmatch(pattern.c_str(), std::string(text).c_str(), 0) == 0;
}

/// Nothing that is known speaks against it.
bool may_match(const admin::drive_pattern& pattern, const vfio::pci_address& where,
               std::string_view serial, std::string_view model) {
    return fits(pattern.address, where.text()) &&
           (serial.empty() || fits(pattern.serial, serial)) &&
           (model.empty() || fits(pattern.model, model));
}

}  // namespace

bool drive_rules::matches(const admin::drive_pattern& pattern, const vfio::pci_address& where,
                          std::string_view serial, std::string_view model) noexcept {
    return fits(pattern.address, where.text()) && fits(pattern.serial, serial) &&
           fits(pattern.model, model);
}

bool drive_rules::allows_place(const vfio::pci_address& where) const noexcept {
    return !options_.allow || std::ranges::any_of(*options_.allow, [&](const auto& one) {
        return may_match(one, where, {}, {});
    });
}

bool drive_rules::allows(const vfio::pci_address& where, std::string_view serial,
                         std::string_view model) const noexcept {
    return !options_.allow || std::ranges::any_of(*options_.allow, [&](const auto& one) {
        return matches(one, where, serial, model);
    });
}

const admin::attach_rule* drive_rules::rule_for(const vfio::pci_address& where,
                                                std::string_view serial,
                                                std::string_view model) const noexcept {
    if (options_.allow && std::ranges::none_of(*options_.allow, [&](const auto& one) {
            return may_match(one, where, serial, model);
        }))
        return nullptr;
    const auto found = std::ranges::find_if(options_.auto_attach, [&](const auto& rule) {
        return may_match(rule.which, where, serial, model);
    });
    return found == options_.auto_attach.end() ? nullptr : &*found;
}

}  // namespace fulmar::drives
