// A RAM device with a volatile write cache (or so it says), that remembers what it was asked,
// answers as the test wishes, and holds operations until the test lets them go.
#pragma once

#include "target_fixture.hpp"

#include <fulmar/backend/device.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::testing {

struct spied_op {
    backend::io_kind kind{};
    bool fua = false;
    std::uint64_t first_block = 0;
    std::uint32_t block_count = 0;
    std::vector<backend::block_range> ranges{};
};

/// Shared by a test and the devices that it makes.
/// Called on: any thread.
class spy {
  public:
    /// What was asked since the last call.
    std::vector<spied_op> take();
    /// Every operation of `kind` is answered so, and does nothing; nullopt: no more.
    void answer(backend::io_kind kind, std::optional<nvme::status> with);
    /// From now on operations stay at the device, the aborted ones too when it is `deaf`; false:
    /// all go, and none stays.
    void hold(bool on, bool deaf = false);
    [[nodiscard]] std::size_t held() const;
    /// How it says that it is; nullopt: it says nothing.
    void ail(std::optional<backend::device_health> how);
    /// The device is gone, and says so.  Called on: control reactor (running_target::on_control()).
    void lose(const std::string& reason);

    /// Makes devices of type "spy", and all that the target fixture knows.
    [[nodiscard]] device_factory factory();

  private:
    friend class spy_device;
    friend class spy_channel;

    mutable std::mutex mutex_;
    std::vector<spied_op> seen_;
    std::vector<std::pair<backend::io_kind, nvme::status>> answers_;
    std::optional<backend::device_health> health_;
    bool holding_ = false;
    bool deaf_ = false;
    class spy_device* device_ = nullptr;
    std::size_t held_ = 0;
};

}  // namespace fulmar::testing
