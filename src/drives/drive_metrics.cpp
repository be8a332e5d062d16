#include "drive_metrics.hpp"

#include <fmt/format.h>

namespace fulmar::drives {

namespace {

using labels = std::vector<std::pair<std::string, std::string>>;

void add(core::counters_report& into, const char* name, const char* help, bool monotonic,
         labels about, double value) {
    into.samples.push_back({name, help, monotonic, std::move(about), value});
}

double seconds(std::uint64_t us) { return static_cast<double>(us) / 1e6; }

void add_drains(core::counters_report& into, const std::string& name,
                const backend::drive_counters& of) {
    constexpr const char* help =
        "From the first sign of a loss until nothing of the drive was outstanding";
    std::uint64_t until = 0;
    for (std::size_t i = 0; i < of.drained.size(); ++i) {
        until += of.drained[i];
        const std::string bound =
            i < of.bounds_us.size() ? fmt::format("{}", seconds(of.bounds_us[i])) : "+Inf";
        add(into, "fulmar_device_drain_seconds_bucket", help, true,
            {{"device", name}, {"le", bound}}, static_cast<double>(until));
    }
    add(into, "fulmar_device_drain_seconds_sum", help, true, {{"device", name}},
        seconds(of.drained_us));
    add(into, "fulmar_device_drain_seconds_count", help, true, {{"device", name}},
        static_cast<double>(until));
}

void add_health(core::counters_report& into, const std::string& name,
                const backend::drive_health& now) {
    const auto gauge = [&](const char* what, const char* help, double value) {
        add(into, what, help, false, {{"device", name}}, value);
    };
    gauge("fulmar_device_critical_warning", "Bits of the drive's SMART critical warning",
          now.critical_warning);
    gauge("fulmar_device_temperature_kelvin", "The drive's composite temperature",
          now.temperature_kelvin);
    gauge("fulmar_device_used_percent", "Of the drive's rated endurance", now.used_percent);
    gauge("fulmar_device_available_spare_percent", "Spare blocks that are left",
          now.available_spare_percent);
    add(into, "fulmar_device_media_errors_total", "Of the drive's life", true, {{"device", name}},
        static_cast<double>(now.media_errors));
}

}  // namespace

void drive_metrics::report(core::counters_report& into) const {
    for (const backend::pcie_device* device : device_list_.all()) {
        const backend::drive_status now = device->status();
        const std::string& name = device->options().name;
        add(into, "fulmar_device_ready", "1: the drive serves, 0: it is lost", false,
            {{"device", name}}, now.state == backend::drive_state::ready ? 1 : 0);
        for (std::size_t i = 1; i < backend::loss_cause_count; ++i) {
            const auto cause = static_cast<backend::loss_cause>(i);
            if (cause == backend::loss_cause::bring_up_failed) continue;  // nothing was lost
            add(into, "fulmar_device_lost_total", "Losses of the drive, by the first sign", true,
                {{"device", name}, {"cause", std::string(to_string(cause))}},
                static_cast<double>(now.counters.losses[i]));
        }
        add(into, "fulmar_device_late_reports_total",
            "Signs of a loss that was known already, or of a former drive", true,
            {{"device", name}}, static_cast<double>(now.late_reports));
        add(into, "fulmar_device_faults",
            "Completions of the drive that fit no command, since it was brought up", false,
            {{"device", name}}, static_cast<double>(now.faults));
        add(into, "fulmar_device_aborts_total", "Commands that the drive was asked to end", true,
            {{"device", name}}, static_cast<double>(now.aborts));
        add(into, "fulmar_device_events_total", "Asynchronous events of the drive", true,
            {{"device", name}}, static_cast<double>(now.events));
        if (now.health) add_health(into, name, *now.health);
        add_drains(into, name, now.counters);
    }
}

}  // namespace fulmar::drives
