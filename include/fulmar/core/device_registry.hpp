// The devices by name, and who uses which. One device backs at most one namespace.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/base/string_map.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/core/device_claim.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/status_report.hpp>

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

    /// The entry's spec has no `create` any more once the device is open: it has been met.
    /// Errors: already_exists (the name); conflict (what it stands on belongs to another device,
    /// which is named); the factory's; those of device::open().
    result<void> create(const device_spec& spec, backend::opening why);
    using outcome_listener = std::function<void(const device_spec&, const result<void>&)>;
    /// Those of a configuration, which are opened together. `tell` is called for each, in order.
    void create_all(const std::vector<device_spec>& specs, const outcome_listener& tell);
    /// Who is told that `create` has been met later than in create().
    void on_created(std::function<void(const std::string& name)> tell) {
        created_ = std::move(tell);
    }
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
    /// A resize of `e` as it turned out, for the journal: the size that it has now, or 0 where it
    /// follows what is underneath.
    [[nodiscard]] static resize_device resized(const entry& e);

    [[nodiscard]] entry* find(std::string_view name) noexcept;
    [[nodiscard]] std::vector<device_spec> specs() const;
    [[nodiscard]] device_status status(const entry& e) const;
    [[nodiscard]] std::vector<device_status> all() const;
    /// Those that are full, or do not serve though nobody detached them.
    [[nodiscard]] std::vector<target_status::trouble> troubles() const;
    [[nodiscard]] std::size_t size() const noexcept { return devices_.size(); }

  private:
    [[nodiscard]] result<void> has_room_for(const device_spec& spec) const;
    result<void> adopt(const device_spec& spec, std::unique_ptr<backend::device> opened,
                       backend::opening why);
    void on_device_lost(backend::device& which, const std::string& reason) noexcept override;
    void on_device_returned(backend::device& which) noexcept override;
    bool on_device_back_without_data(backend::device& which,
                                     const std::string& reason) noexcept override;
    void on_device_full(backend::device& which, bool is) noexcept override;
    void on_device_resized(backend::device& which) noexcept override;

    device_factory factory_;
    std::function<void(const std::string& name)> created_;
    string_map<std::unique_ptr<entry>> devices_;
    std::vector<std::string> order_;  // of creation, for reports
};

}  // namespace fulmar::core
