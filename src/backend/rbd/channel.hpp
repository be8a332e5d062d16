// One way into a device on an image: what its reactor's lane carries out. Owning reactor only.
#pragma once

#include "image_view.hpp"

#include <fulmar/backend/device.hpp>

#include <cstdint>

namespace fulmar::backend::rbd {

class lane;

class channel final : public io_channel {
  public:
    channel(lane& here, image_view& view) noexcept : lane_(here), view_(view) {}
    ~channel() override;
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;

    void submit(io_op& op) noexcept override;
    void abort(io_op& op) noexcept override;
    [[nodiscard]] std::uint32_t outstanding() const noexcept override { return outstanding_; }

    [[nodiscard]] lane& here() const noexcept { return lane_; }
    /// From the lane. It may end in the destruction of this channel.
    void answer(io_op& op, nvme::status status) noexcept;

  private:
    [[nodiscard]] nvme::status refusal(const io_op& op) const noexcept;

    lane& lane_;
    image_view& view_;
    std::uint32_t outstanding_ = 0;
};

}  // namespace fulmar::backend::rbd
