// Drives for the administration, kept as data. Answers on the thread that asks, unless held.
#pragma once

#include "drives/drive_plan.hpp"

#include <fulmar/admin/drive_port.hpp>

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace fulmar::test {

class fake_drives final : public admin::drive_port {
  public:
    fake_drives() {
        admin::drive_report one;
        one.address = vfio::parse_pci_address("0000:0b:00.0").value();
        one.present = true;
        one.slot = "11";
        one.driver = "nvme";
        one.iommu_group = 14;
        one.serial = "SER 1";
        one.disks = {"nvme0n1"};
        one.history.push_back(event(1, "arrived"));
        drives_.push_back(one);
        one.address = vfio::parse_pci_address("0000:0c:00.0").value();
        one.serial = "SER2";
        one.iommu_group.reset();
        one.users = {"/dev/nvme1n1 is mounted on /data"};
        drives_.push_back(one);
    }

    static admin::event event(std::uint64_t sequence, std::string what) {
        admin::event out;
        out.sequence = sequence;
        out.unix_ms = 1'700'000'000'123;
        out.address = "0000:0b:00.0";
        out.what = std::move(what);
        return out;
    }

    /// Changes a drive.  Called on: any thread.
    void edit(std::size_t which, const std::function<void(admin::drive_report&)>& how) {
        const std::lock_guard guard(lock_);
        how(drives_[which]);
    }
    /// While true nobody is answered.
    void silent(bool on) {
        const std::lock_guard guard(lock_);
        silent_ = on;
    }
    [[nodiscard]] std::string indicator() const {
        const std::lock_guard guard(lock_);
        return indicator_;
    }

    void list(listed then) override {
        std::vector<admin::drive_report> all;
        {
            const std::lock_guard guard(lock_);
            if (silent_) return;
            all = drives_;
        }
        then(std::move(all));
    }
    void find(const std::string& which, shown then) override {
        list([&](const auto& all) { then(drives::drive_named(*all, which)); });
    }
    void plan(const std::string& which, admin::drive_wish wish, planned then) override {
        list([&](const auto& all) { then(drives::plan_of(*all, which, wish)); });
    }
    void bind(const std::string& address, const std::string& driver, finished then) override {
        {
            const std::lock_guard guard(lock_);
            if (silent_) return;
            for (admin::drive_report& one : drives_) {
                if (one.address.text() != address) continue;
                if (one.users.empty()) {
                    one.driver = driver;
                    if (driver == "vfio-pci") one.serial.clear();  // nobody tells it then
                } else {
                    const std::string user = one.users.front();
                    return then(fail(errc::conflict, address + " is in use: " + user));
                }
            }
        }
        then({});
    }
    void locate(const std::string&, const std::string& word, finished then) override {
        {
            const std::lock_guard guard(lock_);
            if (silent_) return;
            indicator_ = word;
        }
        then({});
    }

  private:
    mutable std::mutex lock_;
    std::vector<admin::drive_report> drives_;
    std::string indicator_;
    bool silent_ = false;
};

}  // namespace fulmar::test
