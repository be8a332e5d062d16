// A device on a backing_file. Its reactors' channels report what ends it; the control reactor tells
// the listener.
#pragma once

#include "backing_file.hpp"

#include <fulmar/backend/device.hpp>
#include <fulmar/engine/file_io.hpp>
#include <fulmar/engine/message.hpp>

#include <atomic>
#include <memory>
#include <string>

namespace fulmar::backend {

/// Why a file device is lost.
enum class file_loss_cause : std::uint8_t {
    none,
    sync_failed,  ///< data that was acknowledged may not be on the disk, and the kernel will not
                  ///< say so again
    gone,         ///< ENODEV and the like
};

/// How ranges are zeroed: the first that the file system knows.
enum class zero_method : std::uint8_t { range, punch, write };

/// See fulmar/backend/file_device.hpp.
class file_device final : public device {
  public:
    /// Called on: control reactor.
    file_device(std::unique_ptr<backing_file> file, std::uint64_t blocks, std::uint32_t block_bytes,
                engine::reactor& control, engine::file_io_provider& files);
    ~file_device() override;

    const char* type() const noexcept override { return "file"; }
    backend::geometry geometry() const noexcept override;
    const device_identity& identity() const noexcept override { return identity_; }
    device_state state() const noexcept override {
        return lost() ? device_state::lost : device_state::ready;
    }
    result<std::unique_ptr<io_channel>> open_channel(engine::reactor& r) override;
    result<void> resize(std::uint64_t new_block_count) override;
    result<void> reopen() override;
    std::string note() const override { return file_->note(); }
    void set_listener(device_listener* listener) noexcept override { listener_ = listener; }

    // For its channels. Called on: any thread.

    [[nodiscard]] backing_file& file() const noexcept { return *file_; }
    /// Counts reopen()s.
    [[nodiscard]] std::uint32_t incarnation() const noexcept {
        return incarnation_.load(std::memory_order_acquire);
    }
    [[nodiscard]] unsigned shift() const noexcept { return shift_; }
    [[nodiscard]] std::uint64_t blocks() const noexcept {
        return blocks_.load(std::memory_order_acquire);
    }
    [[nodiscard]] bool lost() const noexcept {
        return lost_.load(std::memory_order_acquire) != file_loss_cause::none;
    }
    void lose(file_loss_cause cause) noexcept;
    [[nodiscard]] zero_method zeroing() const noexcept {
        return zeroing_.load(std::memory_order_relaxed);
    }
    /// `method` is not supported here: from now on the next one is used.
    void zeroing_failed(zero_method method) noexcept;

  private:
    struct loss_notice;

    std::unique_ptr<backing_file> file_;
    std::atomic<std::uint64_t> blocks_;
    unsigned shift_;
    std::atomic<std::uint32_t> incarnation_{0};
    std::atomic<file_loss_cause> lost_{file_loss_cause::none};
    std::atomic<zero_method> zeroing_{zero_method::range};
    engine::reactor& control_;
    engine::file_io_provider& files_;
    device_identity identity_;
    device_listener* listener_ = nullptr;
    std::unique_ptr<loss_notice>
        notice_;  // it may be in a mailbox when we die, and outlives us then
};

}  // namespace fulmar::backend
