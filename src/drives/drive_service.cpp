#include "drive_service.hpp"

#include "drive_plan.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/base/log.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace fulmar::drives {

namespace {

/// What a job's outcome is until it says something else.
tl::unexpected<error> given_up() {
    return fail(errc::no_memory, "the question about the drives was given up");
}

vfio::slot_indicator indicator_of(const std::string& word) {
    if (word == "on") return vfio::slot_indicator::on;
    return word == "blink" ? vfio::slot_indicator::blink : vfio::slot_indicator::off;
}

}  // namespace

// What it throws ends it, so that its outcome must begin as a failure: see given_up().
void drive_service::job::work() noexcept {
    try {
        run();
    } catch (const std::exception& failure) {
        log::error("drives: {}", failure.what());
    }
}

void drive_service::job::on_done() noexcept {
    std::unique_ptr<job> self;
    const auto at = std::find_if(owner->jobs_.begin(), owner->jobs_.end(),
                                 [this](const auto& one) { return one.get() == this; });
    self = std::move(*at);
    owner->jobs_.erase(at);
    try {
        next();
    } catch (const std::exception& failure) {
        log::error("drives: {}", failure.what());
    }
}

void drive_service::job::on_abandoned() noexcept { const std::unique_ptr<job> self(this); }

drive_service::drive_service(engine::reactor& control, const backend::pcie_device_list& device_list,
                             vfio::system_paths paths, const backend::drive_filter* filter)
    : control_(control),
      device_list_(device_list),
      paths_(std::move(paths)),
      filter_(filter),
      questions_(control) {}

drive_service::~drive_service() {
    for (std::unique_ptr<job>& one : jobs_) one.release()->abandon();  // deletes itself
}

void drive_service::post(std::function<void()> what) {
    questions_.post([ask = std::move(what)]() noexcept {
        try {
            ask();
        } catch (const std::exception& failure) {  // the deadline of who asked answers him
            log::error("drives: {}", failure.what());
        }
    });
}

result<void> drive_service::start(std::function<void()> run, std::function<void()> next,
                                  const std::string& moves) {
    if (jobs_.size() >= limits::max_drive_jobs)
        return fail(
            errc::limit_reached,
            fmt::format("{} questions about drives wait for the kernel already", jobs_.size()), {},
            "the kernel's log says why it does not answer");
    auto fresh = std::make_unique<job>();
    fresh->owner = this;
    fresh->run = std::move(run);
    fresh->next = std::move(next);
    fresh->moves = moves;
    jobs_.push_back(std::move(fresh));
    if (auto begun = jobs_.back()->start(control_); !begun) {
        jobs_.pop_back();
        return begun;
    }
    return {};
}

// --- what there is -------------------------------------------------------------------------------

void drive_service::list(admin::drive_port::listed then) {
    post([this, next = std::move(then)] { begin_list(next); });
}

void drive_service::find(const std::string& which, admin::drive_port::shown then) {
    list([which, next = std::move(then)](const result<std::vector<admin::drive_report>>& all) {
        next(all ? drive_named(*all, which) : tl::unexpected(all.error()));
    });
}

void drive_service::plan(const std::string& which, admin::drive_wish wish,
                         admin::drive_port::planned then) {
    list(
        [which, wish, next = std::move(then)](const result<std::vector<admin::drive_report>>& all) {
            next(all ? plan_of(*all, which, wish) : tl::unexpected(all.error()));
        });
}

std::vector<vfio::pci_address> drive_service::open_drives() const {
    std::vector<vfio::pci_address> out;
    for (const backend::pcie_device* device : device_list_.all())
        if (device->status().state != backend::drive_state::absent)
            out.push_back(device->address());
    return out;
}

void drive_service::begin_list(const admin::drive_port::listed& then) {
    auto found = std::make_shared<result<std::vector<vfio::drive_info>>>(given_up());
    auto begun = start(
        [found, paths = paths_, open = open_drives()] { *found = vfio::list_drives(paths, open); },
        [this, found, then] {
            found->has_value() ? then(join(**found)) : then(tl::unexpected(found->error()));
        });
    if (!begun) then(tl::unexpected(begun.error()));
}

std::vector<admin::drive_report> drive_service::join(
    const std::vector<vfio::drive_info>& found) const {
    std::vector<admin::drive_report> out;
    for (const vfio::drive_info& drive : found) {
        admin::drive_report& one = out.emplace_back();
        static_cast<vfio::drive_info&>(one) = drive;
        one.present = true;
        one.allowed = filter_ == nullptr || filter_->allows_place(drive.address);
    }
    for (const backend::pcie_device* device : device_list_.all()) {
        const vfio::pci_address address = device->address();
        auto at = std::find_if(out.begin(), out.end(),
                               [&](const auto& one) { return one.address == address; });
        if (at == out.end()) {
            out.emplace_back().address = address;
            at = std::prev(out.end());
        }
        add_device(*at, *device);
    }
    for (admin::drive_report& one : out) one.history = history_.of(one.address.text());
    std::sort(out.begin(), out.end(),
              [](const auto& a, const auto& b) { return a.address < b.address; });
    return out;
}

void drive_service::add_device(admin::drive_report& to, const backend::pcie_device& device) const {
    const backend::drive_status now = device.status();
    to.names.push_back(device.options().name);
    if (to.names.size() > 1) return;  // they share the drive and all that follows
    to.state = to_string(now.state);
    to.in_state_ms =
        now.since == instant{}
            ? 0
            : static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                             control_.fresh_now() - now.since)
                                             .count());
    to.detached = now.detached;
    if (now.last_loss != backend::loss_cause::none) to.cause = to_string(now.last_loss);
    to.reason = now.reason;
    to.losses = now.losses;
    // What is there under another driver may be another drive.
    if (now.state != backend::drive_state::ready) return;
    to.serial = device.identity().serial;
    to.model = device.identity().model;
    to.firmware = now.firmware;
}

// --- moving and lighting -------------------------------------------------------------------------

void drive_service::bind(const std::string& address, const std::string& driver,
                         admin::drive_port::finished then) {
    post([this, address, driver, next = std::move(then)] {
        const auto where = vfio::parse_pci_address(address);
        if (!where) return next(tl::unexpected(where.error()));
        begin_bind(*where, driver, next);
    });
}

void drive_service::begin_bind(const vfio::pci_address& where, const std::string& driver,
                               const admin::drive_port::finished& then) {
    if (driver == "vfio-pci" && filter_ != nullptr && !filter_->allows_place(where))
        return then(fail(errc::permission_denied,
                         fmt::format("the configuration allows no drive at {}", where.text()), {},
                         "see /drives/allow there"));
    const backend::pcie_device* device = device_list_.find(where);
    if (device != nullptr && device->status().state != backend::drive_state::absent)
        return then(fail(errc::conflict,
                         fmt::format("device {} drives {}", device->options().name, where.text()),
                         {}, "detach it first"));
    if (std::any_of(jobs_.begin(), jobs_.end(),
                    [&](const auto& one) { return one->moves == where.text(); }))
        return then(fail(errc::conflict,
                         fmt::format("{} is being bound or unbound already", where.text()), {},
                         "GET the drive: it says which driver has it"));
    auto outcome = std::make_shared<result<void>>(given_up());
    auto begun = start([outcome, where, driver,
                        paths = paths_] { *outcome = vfio::bind_drive(where, driver, paths); },
                       [this, outcome, where, driver, then] {
                           if (*outcome) {
                               const backend::pcie_device* owner = device_list_.find(where);
                               note({.what = driver == "vfio-pci" ? "bound" : "unbound",
                                     .address = where.text(),
                                     .device = owner == nullptr ? "" : owner->options().name,
                                     .detail = driver + " has it"});
                           }
                           then(*outcome);
                       },
                       where.text());
    if (!begun) then(tl::unexpected(begun.error()));
}

void drive_service::locate(const std::string& address, const std::string& indicator,
                           admin::drive_port::finished then) {
    post([this, address, indicator, next = std::move(then)] {
        const auto where = vfio::parse_pci_address(address);
        if (!where) return next(tl::unexpected(where.error()));
        auto outcome = std::make_shared<result<void>>(given_up());
        auto begun = start([outcome, at = *where, to = indicator_of(indicator),
                            paths = paths_] { *outcome = vfio::set_indicator(at, to, paths); },
                           [outcome, next] { next(*outcome); });
        if (!begun) next(tl::unexpected(begun.error()));
    });
}

// --- what happened -------------------------------------------------------------------------------

void drive_service::on_drive_event(const backend::pcie_options& which,
                                   backend::drive_occurrence what, backend::loss_cause cause,
                                   std::string_view detail) noexcept {
    try {
        note({.what = std::string(to_string(what)),
              .address = which.address.text(),
              .device = which.name,
              .cause = cause == backend::loss_cause::none ? "" : std::string(to_string(cause)),
              .detail = std::string(detail)});
    } catch (const std::exception& failure) {  // a number is missing: a gap, for who reads them
        log::warn("an event of drive {} was dropped: {}", which.name, failure.what());
    }
}

void drive_service::note(admin::event event) {
    history_.note(event);
    if (publish_) publish_(event);
}

}  // namespace fulmar::drives
