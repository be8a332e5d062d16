// The device that core sees: a name and a place; its drive comes and goes.
#include "channel.hpp"
#include "drive.hpp"

#include <fulmar/backend/pcie_device.hpp>

#include <fmt/format.h>

namespace fulmar::backend {

namespace {

class pcie_device_impl final : public pcie_device, private pcie::drive_listener {
  public:
    pcie_device_impl(const pcie_options& options, pcie_device_list* device_list)
        : options_(options), device_list_(device_list) {}
    ~pcie_device_impl() override {
        if (device_list_ != nullptr) device_list_->leave(*this);
        if (namespace_ != nullptr) drive_->leave(*namespace_);
    }
    pcie_device_impl(const pcie_device_impl&) = delete;
    pcie_device_impl& operator=(const pcie_device_impl&) = delete;

    /// Once; what fails leaves nothing behind.
    result<void> stand_on(pcie::drive& of) {
        if (device_list_ != nullptr) device_list_->join(*this);
        FULMAR_TRY(namespace_, of.join(options_.drive_nsid, *this));  // the last that may throw
        drive_ = &of;
        return {};
    }
    [[nodiscard]] pcie::drive& drive() const noexcept { return *drive_; }

    backend::geometry geometry() const noexcept override {
        backend::geometry now = namespace_->geometry;
        now.block_count = namespace_->view.block_count.load(std::memory_order_relaxed);
        return now;
    }
    const device_identity& identity() const noexcept override { return namespace_->identity; }
    device_state state() const noexcept override {
        return drive_->ready(*namespace_) ? device_state::ready : device_state::lost;
    }
    bool has_unflushed_writes() const noexcept override { return namespace_->view.ledger.owes(); }
    bool lost_data() const noexcept override {
        return state() == device_state::lost && namespace_->cache_gone && has_unflushed_writes();
    }
    result<std::unique_ptr<io_channel>> open_channel(engine::reactor& r) override {
        pcie::reactor_queue* const place = drive_->place_of(r);
        if (place == nullptr)
            return fail(errc::not_supported, "the drive has no queue for this reactor");
        return std::make_unique<pcie::channel>(*place, namespace_->view);
    }
    result<void> resize(std::uint64_t new_block_count, shrinking /*unused*/) override {
        if (new_block_count == 0) return {};
        return fail(errc::not_supported, "the size of a drive is its own");
    }
    result<void> reopen() override {
        if (state() == device_state::ready) return {};
        if (lost_data() && drive_->accept_loss(*namespace_)) return {};
        if (drive_->status().detached)
            return fail(errc::conflict, "an operator detached the drive", {},
                        "fulmar drive attach takes it again");
        if (drive_->state() == drive_state::ready)
            drive_->look_at(*namespace_);
        else
            drive_->attach();
        return fail(errc::unavailable, fmt::format("the drive is being brought up ({})", reason()),
                    {}, "its namespace comes back by itself");
    }
    std::string note() const override {
        if (state() == device_state::ready) return drive_->warning();
        return fmt::format("{}: {}", to_string(drive_->state()), reason());
    }
    void set_listener(device_listener* listener) noexcept override { listener_ = listener; }

    const vfio::pci_address& address() const noexcept override { return options_.address; }
    drive_status status() const override { return drive_->status(); }
    const pcie_options& options() const noexcept override { return options_; }
    void arrived() noexcept override { drive_->arrived(); }
    void report_loss(loss_cause cause) noexcept override { drive_->report_loss(cause); }
    result<void> detach(bool drain) override {
        drive_->detach(drain);
        return {};
    }
    result<void> attach() override {
        drive_->attach();
        return {};
    }

  private:
    void on_drive_lost(const std::string& reason) noexcept override {
        if (listener_ != nullptr) listener_->on_device_lost(*this, reason);
    }
    bool on_drive_back_without_data(const std::string& reason) noexcept override {
        return listener_ == nullptr || listener_->on_device_back_without_data(*this, reason);
    }
    void on_drive_ready() noexcept override {
        if (listener_ != nullptr) listener_->on_device_returned(*this);
    }
    void on_drive_resized() noexcept override {
        if (listener_ != nullptr) listener_->on_device_resized(*this);
    }
    [[nodiscard]] std::string reason() const {
        return drive_->state() == drive_state::ready ? namespace_->reason : drive_->status().reason;
    }

    pcie_options options_;
    pcie::drive* drive_ = nullptr;                // it deletes itself after its last namespace
    pcie::drive_namespace* namespace_ = nullptr;  // null: not on a drive
    pcie_device_list* device_list_;
    device_listener* listener_ = nullptr;
};

// The drive that a device of this device list has at that address already.
pcie::drive* drive_at(const pcie_device_list* device_list, const vfio::pci_address& address) {
    if (device_list == nullptr) return nullptr;
    for (pcie_device* device : device_list->all())
        if (device->address() == address)
            if (auto* const ours = dynamic_cast<pcie_device_impl*>(device)) return &ours->drive();
    return nullptr;
}

}  // namespace

result<std::unique_ptr<pcie_device>> make_pcie_device(const pcie_options& options,
                                                      const pcie_environment& environment) {
    if (environment.control == nullptr || environment.provider == nullptr ||
        environment.data.empty())
        return fail(errc::internal, "the environment of drives is incomplete");
    if (environment.filter != nullptr && !environment.filter->allows_place(options.address))
        return fail(errc::permission_denied,
                    fmt::format("the configuration allows no drive at {}", options.address.text()),
                    "/address", "see /drives/allow there");
    auto made = std::make_unique<pcie_device_impl>(options, environment.device_list);
    pcie::drive* const shared = drive_at(environment.device_list, options.address);
    if (shared == nullptr) {
        auto unused = std::make_unique<pcie::drive>(options, environment);
        FULMAR_CHECK(made->stand_on(*unused));   // the first never fails, but for memory
        pcie::drive& fresh = *unused.release();  // it deletes itself after its last device
        if (options.detached)
            fresh.detach(false);
        else
            fresh.attach();
        return made;
    }
    if (options.write_through != shared->options().write_through)
        return fail(errc::conflict,
                    fmt::format("another device uses the write cache of the drive at {} in another "
                                "way",
                                options.address.text()),
                    "/write_cache", "say the same for all devices of a drive");
    const std::string& serial = shared->options().serial;
    if (!options.serial.empty() && !serial.empty() && options.serial != serial)
        return fail(errc::conflict,
                    fmt::format("another device wants the drive of serial {} at {}", serial,
                                options.address.text()),
                    "/serial", "name the same drive, or none");
    FULMAR_CHECK(made->stand_on(*shared));
    if (options.detached) shared->detach(false);  // the drive stays away for all of them
    return made;
}

}  // namespace fulmar::backend
