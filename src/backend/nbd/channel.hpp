// One reactor's way into a device on an NBD server. Owning reactor only. Must never allocate per
// operation; what has no job waits in order.
#pragma once

#include "job.hpp"
#include "place.hpp"

#include <fulmar/backend/device.hpp>

#include <cstdint>
#include <memory>

namespace fulmar::backend::nbd {

class channel final : public io_channel {
  public:
    static constexpr std::uint32_t job_count = 256;

    channel(place& here, export_view& view);
    ~channel() override;
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;

    void submit(io_op& op) noexcept override;
    void abort(io_op& op) noexcept override;
    [[nodiscard]] std::uint32_t outstanding() const noexcept override { return outstanding_; }

    // From the place that carried it out.
    [[nodiscard]] place& here() const noexcept { return place_; }
    void finish(job& j, nvme::status status) noexcept;

  private:
    using op_list = intrusive_list<io_op, &io_op::hook>;
    [[nodiscard]] nvme::status refusal(const io_op& op) const noexcept;
    void start(io_op& op) noexcept;

    place& place_;
    export_view& view_;
    std::unique_ptr<job[]> jobs_;
    job* free_ = nullptr;
    op_list waiting_;
    std::uint32_t outstanding_ = 0;
};

}  // namespace fulmar::backend::nbd
