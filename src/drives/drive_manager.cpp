#include "drive_adoption.hpp"
#include "drive_metrics.hpp"
#include "drive_rules.hpp"
#include "drive_service.hpp"
#include "hotplug_bridge.hpp"

#include <fulmar/drives/drive_manager.hpp>

#include <utility>

namespace fulmar::drives {

drive_manager::drive_manager(engine::reactor& control, std::vector<engine::reactor*> data,
                             const admin::drive_options& options, vfio::system_paths paths)
    : provider_(vfio::make_vfio_provider()),
      rules_(std::make_unique<drive_rules>(options)),
      service_(
          std::make_unique<drive_service>(control, device_list_, std::move(paths), rules_.get())),
      metrics_(std::make_unique<drive_metrics>(device_list_)),
      environment_{.control = &control,
                   .data = std::move(data),
                   .provider = provider_.get(),
                   .device_list = &device_list_,
                   .observer = service_.get(),
                   .filter = rules_.get()} {}

drive_manager::~drive_manager() = default;

void drive_manager::begin(core::control_port& target) {
    adoption_ = std::make_unique<drive_adoption>(*environment_.control, target, *service_,
                                                 device_list_, *rules_);
    hotplug_ = std::make_unique<hotplug_bridge>(*environment_.control, device_list_, *provider_,
                                                *adoption_);
}

void drive_manager::look_around() { adoption_->look_around(); }

void drive_manager::set_publisher(const publisher& to) {
    if (!to) return service_->set_publisher(nullptr);
    service_->set_publisher([this, to](const admin::event& event) {
        to(event);
        if (adoption_) adoption_->heard(event);
    });
}

admin::drive_port& drive_manager::port() noexcept { return *service_; }

const core::counter_source& drive_manager::counters() const noexcept { return *metrics_; }

admin::event_numbers& drive_manager::numbers() noexcept { return service_->numbers(); }

void drive_manager::stop() noexcept {
    hotplug_.reset();
    if (service_) service_->set_publisher(nullptr);
    adoption_.reset();
}

void drive_manager::leave_questions() noexcept { service_.reset(); }

}  // namespace fulmar::drives
