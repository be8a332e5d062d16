// The devices by name, and who uses which. One device backs at most one namespace.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/core/device_claim.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/status_report.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::core {

class subsystem;

/// Opens what a spec describes. Called on: control reactor.
using device_factory = std::function<result<std::unique_ptr<backend::device>>(const device_spec&)>;

/// Called on: control reactor, all methods.
class device_registry final : private backend::device_listener {
  public:
    explicit device_registry(device_factory factory) : factory_(std::move(factory)) {}

    struct entry {
        device_spec spec;
        std::unique_ptr<backend::device> device;
        device_claim claim;
        subsystem* user = nullptr;  ///< null: backs no namespace
        std::uint32_t user_nsid = 0;
        std::string lost_reason;
    };

    /// Errors: already_exists (the name); conflict (what it stands on belongs to another device,
    /// which is named); the factory's.
    result<void> create(const device_spec& spec);
    /// Errors: not_found; conflict (in use, by whom).
    result<void> remove(std::string_view name);

    /// Errors: not_found; conflict (in use, by whom).
    result<entry*> claim(std::string_view name, subsystem& user, std::uint32_t nsid);
    void release(std::string_view name) noexcept;
    /// A poll group has given up operations that the device still has; and: they are all back.
    /// Until then it stays claimed.
    void hold(const backend::device& which) noexcept;
    void let_go(const backend::device& which) noexcept;

    /// Notes what a device has become: by a resize, a reopen, or by itself.
    void refresh(entry& e) noexcept;

    [[nodiscard]] entry* find(std::string_view name) noexcept;
    [[nodiscard]] std::vector<device_spec> specs() const;
    [[nodiscard]] device_status status(const entry& e) const;
    [[nodiscard]] std::vector<device_status> all() const;
    [[nodiscard]] std::size_t size() const noexcept { return devices_.size(); }

  private:
    void on_device_lost(backend::device& which, const std::string& reason) noexcept override;
    void on_device_returned(backend::device& which) noexcept override;
    void on_device_resized(backend::device& which) noexcept override;

    device_factory factory_;
    boost::unordered_flat_map<std::string, std::unique_ptr<entry>> devices_;
    std::vector<std::string> order_;  // of creation, for reports
};

}  // namespace fulmar::core
