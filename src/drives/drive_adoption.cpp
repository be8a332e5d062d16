#include "drive_adoption.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/core/fields/device_fields.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace fulmar::drives {

struct drive_adoption::errand final : core::control_request {
    using answered = std::function<void(const result<core::control_answer>&)>;
    errand(drive_adoption& who, core::change change, answered next)
        : control_request(std::move(change), true,
                          [](core::control_request& r) noexcept {
                              auto& self = static_cast<errand&>(r);
                              self.set_handler(&errand::on_done);
                              self.control->post(self);
                          }),
          owner(&who),
          control(&who.control_),
          then(std::move(next)) {}
    static void on_done(engine::message& m) noexcept {
        const std::unique_ptr<errand> self(static_cast<errand*>(&m));
        if (self->owner == nullptr) return;
        std::erase(self->owner->errands_, self.get());
        try {
            self->then(self->outcome);
        } catch (const std::exception& failure) {
            log::error("drives: {}", failure.what());
        }
    }
    drive_adoption* owner;  // null: it has gone meanwhile
    engine::reactor* control;
    answered then;
};

drive_adoption::~drive_adoption() {
    for (errand* one : errands_) one->owner = nullptr;
}

void drive_adoption::submit(core::change what, errand::answered then) {
    auto fresh = std::make_unique<errand>(*this, std::move(what), std::move(then));
    errands_.push_back(fresh.get());
    target_.submit(*fresh.release());  // deletes itself when it has been answered
}

// --- a drive comes -------------------------------------------------------------------------------

void drive_adoption::look_around() {
    if (rules_.takes_any()) ask(nullptr);
}

void drive_adoption::arrived(const vfio::pci_address& where) {
    if (rules_.rule_for(where, {}, {}) != nullptr) ask(&where);
}

void drive_adoption::ask(const vfio::pci_address* where) {
    drives_.list([self = std::weak_ptr(self_),
                  only = where != nullptr ? std::optional(*where) : std::nullopt](
                     const result<std::vector<admin::drive_report>>& all) {
        const auto still = self.lock();
        if (!still) return;
        if (!all) return log::warn("drives: {}", all.error().text());
        for (const admin::drive_report& one : *all)
            if (!only || one.address == *only) (*still)->consider(one);
    });
}

void drive_adoption::consider(const admin::drive_report& drive) {
    if (!drive.present || !drive.names.empty()) return;
    const admin::attach_rule* const rule =
        rules_.rule_for(drive.address, drive.serial, drive.model);
    if (rule == nullptr) return;
    const std::string where = drive.address.text();
    if (!drive.users.empty())
        return log::info("drive {} is left alone though a rule wants it: {}", where,
                         fmt::join(drive.users, ", "));
    core::device_spec spec;
    spec.name = fmt::format("drive-{}", where);
    spec.type = core::device_word(core::device_type::pcie);
    spec.address = where;
    spec.write_cache = rule->write_cache;
    if (!adopted_.try_emplace(spec.name, adopted{.rule = rule}).second) return;
    log::info("drive {} arrived, and a rule takes it", where);
    submit(core::create_device{spec},
           [this, name = spec.name](const result<core::control_answer>& outcome) {
               if (outcome) {
                   adopted_[name].made = true;
                   return go_on(name);
               }
               adopted_.erase(name);
               log::warn("drive {} was not taken: {}", name, outcome.error().text());
           });
}

// --- it says who it is ---------------------------------------------------------------------------

void drive_adoption::heard(const admin::event& event) {
    const auto found = adopted_.find(event.device);
    if (found == adopted_.end()) return;
    if (event.what == "ready") {
        found->second.ready = true;
        go_on(event.device);
    } else if (event.what == "refused" &&
               event.cause == to_string(backend::loss_cause::other_drive)) {
        let_go(event.device, event.detail);
    } else if (event.what == "detached") {  // an operator has other plans for it
        adopted_.erase(found);
    }
}

void drive_adoption::go_on(const std::string& device) {
    const adopted now = adopted_[device];
    if (!now.made || !now.ready) return;
    const auto at = std::ranges::find_if(
        device_list_.all(), [&](const auto* one) { return one->options().name == device; });
    if (at == device_list_.all().end()) {
        adopted_.erase(device);
        return;
    }
    const backend::device_identity& who = (*at)->identity();
    if (!drive_rules::matches(now.rule->which, (*at)->address(), who.serial, who.model))
        return let_go(device,
                      fmt::format("it is {} {}, which no rule takes", who.model, who.serial));
    adopted_.erase(device);
    if (now.rule->subsystem.empty()) return;
    core::namespace_spec spec = now.rule->use;
    spec.device = device;
    submit(core::add_namespace{now.rule->subsystem, spec},
           [device, to = now.rule->subsystem](const result<core::control_answer>& outcome) {
               if (outcome)
                   log::info("device {} is a namespace of {} now", device, to);
               else
                   log::warn("device {} serves, but is no namespace of {}: {}", device, to,
                             outcome.error().text());
           });
}

void drive_adoption::let_go(const std::string& device, const std::string& why) {
    adopted_.erase(device);
    log::warn("device {} is taken back: {}", device, why);
    submit(core::delete_device{device}, [device](const result<core::control_answer>& outcome) {
        if (!outcome) log::warn("device {}: {}", device, outcome.error().text());
    });
}

}  // namespace fulmar::drives
