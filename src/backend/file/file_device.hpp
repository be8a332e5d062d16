// A device on a backing_file, or on one that is yet to come. Its reactors' channels report what
// ends it; the control reactor tells the listener.
#pragma once

#include "backing_file.hpp"
#include "file_states.hpp"
#include "write_ledger.hpp"

#include <fulmar/backend/device.hpp>
#include <fulmar/backend/file_device.hpp>
#include <fulmar/backend/storage_memory.hpp>
#include <fulmar/backend/storage_watch.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/engine/file_io.hpp>
#include <fulmar/engine/message.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace fulmar::backend {

class file_seeker;
struct opened_file;
struct open_failure;
using open_outcome = tl::expected<opened_file, open_failure>;

/// How ranges are zeroed: the first that the file system knows.
enum class zero_method : std::uint8_t { range, punch, write };

/// See fulmar/backend/file_device.hpp.
class file_device final : public device {
  public:
    /// On a file that is open.  Called on: control reactor.
    file_device(std::unique_ptr<backing_file> file, std::uint64_t blocks, std::uint32_t block_bytes,
                engine::reactor& control, engine::file_io_provider& files,
                bool write_through = false);
    /// Missing until it has been opened.  Called on: control reactor.
    file_device(const file_options& options, const file_environment& environment);
    ~file_device() override;

    const char* type() const noexcept override { return "file"; }
    backend::geometry geometry() const noexcept override;
    const device_identity& identity() const noexcept override { return identity_; }
    device_state state() const noexcept override {
        return lost() ? device_state::lost : device_state::ready;
    }
    std::string_view condition() const override { return to_string(now().state); }
    std::string trouble() const override { return lost() ? trouble_ : std::string(); }
    void prepare() override;
    result<void> open(opening why) override;
    result<std::unique_ptr<io_channel>> open_channel(engine::reactor& r) override;
    result<void> resize(std::uint64_t new_block_count, shrinking smaller) override;
    result<void> reopen() override;
    result<void> accept() override;
    bool has_unflushed_writes() const noexcept override { return ledger_.owes(); }
    bool lost_data() const noexcept override;
    bool full() const noexcept override { return told_full_; }
    std::string note() const override;
    bool note_is_news() const noexcept override { return true; }
    void set_listener(device_listener* listener) noexcept override { listener_ = listener; }

    // For its channels. Called on: any thread.

    /// Not before it has been ready.
    [[nodiscard]] backing_file& file() const noexcept {
        return *file_.load(std::memory_order_acquire);
    }
    /// Counts reopen()s and the files that came.
    [[nodiscard]] std::uint32_t incarnation() const noexcept {
        return incarnation_.load(std::memory_order_acquire);
    }
    [[nodiscard]] unsigned shift() const noexcept { return shift_; }
    /// See backing_file.
    [[nodiscard]] std::uint32_t storage_block() const noexcept;
    [[nodiscard]] std::uint64_t blocks() const noexcept {
        return blocks_.load(std::memory_order_acquire);
    }
    [[nodiscard]] bool lost() const noexcept { return now().state != file_state::ready; }
    void lose(file_loss_cause cause) noexcept;
    [[nodiscard]] write_ledger& ledger() noexcept { return ledger_; }
    [[nodiscard]] bool write_through() const noexcept { return write_through_; }
    /// lose(), when the file is not what it was. Never waits.
    void glance() noexcept;
    [[nodiscard]] zero_method zeroing() const noexcept {
        return zeroing_.load(std::memory_order_relaxed);
    }
    /// False once the storage has refused to deallocate: then Deallocate is the hint that NVMe says
    /// it is, and nothing more.
    [[nodiscard]] bool deallocates() const noexcept {
        return deallocates_.load(std::memory_order_relaxed);
    }
    void deallocation_failed() noexcept { deallocates_.store(false, std::memory_order_relaxed); }
    /// `method` is not supported here: from now on the next one is used.
    void zeroing_failed(zero_method method) noexcept;

    /// A write found no room. Never waits.
    void found_full() noexcept;

    // For its seeker. Called on: control reactor.

    /// `room`: as far as somebody knows.
    void look_for_room(std::optional<bool> room) noexcept;

    void arrived(opened_file found);
    void still_away(const open_failure& failure);

  private:
    struct loss_notice;
    /// One word, so that both change together; of `lost`, the cause. Aligned, or clang calls a
    /// library for it.
    struct alignas(2) condition_word {
        file_state state;
        file_loss_cause cause;
    };
    static_assert(std::atomic<condition_word>::is_always_lock_free);

    [[nodiscard]] condition_word now() const noexcept {
        return condition_.load(std::memory_order_acquire);
    }
    void advance(file_event on, file_loss_cause cause = file_loss_cause::none) noexcept;
    result<void> seek(bool accept);
    void tell_full(bool is) noexcept;
    void await_first_look();
    result<void> settle(open_outcome found);
    result<void> stand_on(opened_file found);
    result<void> resize_lost(std::uint64_t new_block_count, shrinking smaller);
    [[nodiscard]] std::uint64_t bytes() const noexcept { return blocks() << shift_; }

    std::vector<std::unique_ptr<backing_file>> files_kept_;  // the last one is file_
    std::atomic<backing_file*> file_{nullptr};
    std::atomic<std::uint64_t> blocks_;
    unsigned shift_;
    std::atomic<std::uint32_t> incarnation_{0};
    std::atomic<condition_word> condition_;
    std::atomic<bool> deallocates_{true};
    const bool write_through_;
    write_ledger ledger_;
    std::atomic<bool> found_full_{false};  // since it was asked last
    bool told_full_ = false;
    instant full_since_{};  // when a write met that last
    std::atomic<zero_method> zeroing_{zero_method::range};
    engine::reactor& control_;
    engine::file_io_provider& files_;
    storage_watch* watch_ = nullptr;
    storage_memory* memory_ = nullptr;
    std::shared_ptr<file_seeker> seeker_;  // null: nothing is looked for
    std::weak_ptr<const void> seeking_;    // what was given up, while it has not ended
    std::string name_, path_;
    storage_record record_;
    std::string trouble_;  // while it is not ready
    device_identity identity_;
    device_listener* listener_ = nullptr;
    std::unique_ptr<loss_notice>
        notice_;  // it may be in a mailbox when we die, and outlives us then
};

}  // namespace fulmar::backend
