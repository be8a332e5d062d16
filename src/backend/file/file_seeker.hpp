// Opens the file of a device, and looks whether it is still there: from the control reactor with
// patience, and every now and then from helper threads of the storage_watch.
#pragma once

#include "path_file.hpp"

#include <fulmar/backend/storage_watch.hpp>
#include <fulmar/base/clock.hpp>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

namespace fulmar::backend {

class file_device;

class file_seeker final : public watched_storage {
  public:
    file_seeker(file_device& owner, file_options options, std::optional<storage_record> known)
        : options_(std::move(options)), known_(std::move(known)), owner_(&owner) {}

    // Called on: control reactor.

    /// The device goes. Its file is closed with it, unless a look at it hangs.
    void leave();
    /// What it is to look at; null: for the file, until it is there.
    void watch(std::shared_ptr<backing_file> file, std::uint64_t bytes);
    /// It is to look at nothing.
    void rest();
    /// watch() the same file, which is open again.
    void watch_again(std::uint64_t bytes);
    /// What a look has found, when one ends within `limit`: it is the caller's then.
    std::optional<open_outcome> await(duration limit);
    [[nodiscard]] bool rests();
    void want_size(std::uint64_t bytes);
    /// The device has that many bytes now.
    void resized(std::uint64_t bytes);
    /// Whether to ask for room too.
    void ask_for_room(bool ask) { asks_for_room_.store(ask, std::memory_order_relaxed); }
    [[nodiscard]] const file_options& options() const noexcept { return options_; }

    /// May block; one thread at a time opens.  Called on: any thread.
    open_outcome open(bool accept);
    /// An operator asks for it: what is remembered is no reason not to create it.
    /// Called on: control reactor, before the first open().
    void forget() { known_.reset(); }

    void look() noexcept override;
    void looked() noexcept override;

  private:
    enum class task : std::uint8_t { none, find, watch };
    open_outcome open_locked(bool accept);

    /// One thread at a time asks the storage. A std::timed_mutex would do; the thread sanitizer of
    /// GCC 12 does not see its clock's way of locking.
    class turn {
      public:
        void lock();
        void unlock();
        bool try_lock_for(duration limit);

      private:
        std::mutex lock_;
        std::condition_variable free_;
        bool taken_ = false;
    };

    turn asking_;
    std::mutex lock_;  // of what follows, for moments
    std::condition_variable found_;
    file_options options_;
    std::optional<storage_record> known_;
    task task_ = task::none;
    std::shared_ptr<backing_file> file_;
    std::uint64_t bytes_ = 0;
    std::optional<open_outcome> outcome_;
    file_loss_cause seen_ = file_loss_cause::none;
    const backing_file* seen_of_ = nullptr;
    std::optional<bool> room_;
    std::atomic<bool> asks_for_room_{false};

    file_device* owner_;  // the control reactor's
};

}  // namespace fulmar::backend
