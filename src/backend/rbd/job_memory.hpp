// The memory of one job, which librbd reads and writes in place of the host's: it may keep it for
// as long as it likes. Whoever has the job.
#pragma once

#include <cstddef>
#include <memory>

namespace fulmar::backend::rbd {

class job_memory {
  public:
    /// What is kept between operations; more is allocated for those that need it.
    static constexpr std::size_t kept_bytes = 16 * 1024;

    /// At least `bytes`, undefined.
    std::byte* make_room(std::size_t bytes) {
        if (bytes > room_) {
            room_ = 0;
            bytes_ = std::make_unique_for_overwrite<std::byte[]>(bytes < kept_bytes ? kept_bytes
                                                                                    : bytes);
            room_ = bytes < kept_bytes ? kept_bytes : bytes;
        }
        return bytes_.get();
    }
    [[nodiscard]] std::byte* data() noexcept { return bytes_.get(); }
    void give_back() noexcept {
        if (room_ <= kept_bytes) return;
        bytes_.reset();
        room_ = 0;
    }

  private:
    std::unique_ptr<std::byte[]> bytes_{};
    std::size_t room_ = 0;
};

}  // namespace fulmar::backend::rbd
