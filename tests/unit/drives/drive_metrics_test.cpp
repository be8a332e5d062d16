#include "drive_metrics.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace fulmar::drives {
namespace {

using backend::loss_cause;

class lost_drive final : public backend::pcie_device {
  public:
    explicit lost_drive(std::string name) { options_.name = std::move(name); }
    backend::geometry geometry() const noexcept override { return {}; }
    const backend::device_identity& identity() const noexcept override { return identity_; }
    result<std::unique_ptr<backend::io_channel>> open_channel(engine::reactor&) override {
        return fail(errc::not_supported, "it has none");
    }
    result<void> resize(std::uint64_t, backend::shrinking) override { return {}; }
    void set_listener(backend::device_listener*) noexcept override {}
    const vfio::pci_address& address() const noexcept override { return options_.address; }
    backend::drive_status status() const override { return now; }
    const backend::pcie_options& options() const noexcept override { return options_; }
    void arrived() noexcept override {}
    void report_loss(loss_cause) noexcept override {}

    backend::drive_status now;

  private:
    backend::pcie_options options_;
    backend::device_identity identity_;
};

std::map<std::string, double> by_name(const core::counters_report& report) {
    std::map<std::string, double> all;
    for (const core::counter_sample& s : report.samples) {
        std::string name = s.name;
        for (const auto& [label, value] : s.labels) name += " " + label + "=" + value;
        EXPECT_TRUE(all.emplace(name, s.value).second) << name << " is there twice";
    }
    return all;
}

TEST(drive_metrics, tell_how_often_and_how_fast_each_drive_was_lost) {
    lost_drive one("one");
    lost_drive two("two");
    backend::pcie_device_list device_list;
    device_list.join(one);
    device_list.join(two);
    one.now.state = backend::drive_state::ready;
    one.now.late_reports = 4;
    one.now.counters.losses[static_cast<std::size_t>(loss_cause::silent)] = 2;
    one.now.aborts = 5;
    one.now.health = backend::drive_health{};
    one.now.health->critical_warning = 4;
    one.now.health->temperature_kelvin = 333;
    for (const std::uint64_t us : {1'000u, 1'001u, 20'000'000u}) one.now.counters.count_drain(us);

    core::counters_report report;
    drive_metrics(device_list).report(report);
    const auto all = by_name(report);
    EXPECT_EQ(all.at("fulmar_device_ready device=one"), 1);
    EXPECT_EQ(all.at("fulmar_device_ready device=two"), 0);
    EXPECT_EQ(all.at("fulmar_device_lost_total device=one cause=silent"), 2);
    EXPECT_EQ(all.at("fulmar_device_lost_total device=one cause=timed-out"), 0);
    EXPECT_EQ(all.at("fulmar_device_lost_total device=two cause=silent"), 0);
    EXPECT_EQ(all.at("fulmar_device_late_reports_total device=one"), 4);
    EXPECT_EQ(all.at("fulmar_device_aborts_total device=one"), 5);
    EXPECT_EQ(all.at("fulmar_device_critical_warning device=one"), 4);
    EXPECT_EQ(all.at("fulmar_device_temperature_kelvin device=one"), 333);
    EXPECT_FALSE(all.contains("fulmar_device_critical_warning device=two")) << "nobody knows";
    EXPECT_EQ(all.at("fulmar_device_drain_seconds_bucket device=one le=0.001"), 1)
        << "bounds belong to their bucket";
    EXPECT_EQ(all.at("fulmar_device_drain_seconds_bucket device=one le=0.005"), 2);
    EXPECT_EQ(all.at("fulmar_device_drain_seconds_bucket device=one le=10"), 2);
    EXPECT_EQ(all.at("fulmar_device_drain_seconds_bucket device=one le=+Inf"), 3);
    EXPECT_EQ(all.at("fulmar_device_drain_seconds_count device=one"), 3);
    EXPECT_NEAR(all.at("fulmar_device_drain_seconds_sum device=one"), 20.002001, 1e-9);
}

}  // namespace
}  // namespace fulmar::drives
