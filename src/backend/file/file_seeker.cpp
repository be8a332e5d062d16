#include "file_seeker.hpp"

#include "file_device.hpp"

#include <fulmar/base/limits.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace fulmar::backend {

void file_seeker::turn::lock() {
    std::unique_lock guard(lock_);
    free_.wait(guard, [this] { return !taken_; });
    taken_ = true;
}

void file_seeker::turn::unlock() {
    const std::lock_guard guard(lock_);
    taken_ = false;
    free_.notify_one();
}

bool file_seeker::turn::try_lock_for(duration limit) {
    std::unique_lock guard(lock_);
    if (!free_.wait_for(guard, limit, [this] { return !taken_; })) return false;
    taken_ = true;
    return true;
}

// Whoever opens the file next must not find it in our hands.
void file_seeker::leave() {
    owner_ = nullptr;
    {
        const std::lock_guard guard(lock_);
        task_ = task::none;
        file_.reset();
        outcome_.reset();
    }
    if (asking_.try_lock_for(limits::storage_look / 20)) asking_.unlock();
}

void file_seeker::watch(std::shared_ptr<backing_file> file, std::uint64_t bytes) {
    const std::lock_guard guard(lock_);
    task_ = file == nullptr ? task::find : task::watch;
    file_ = std::move(file);
    bytes_ = bytes;
}

void file_seeker::rest() {
    const std::lock_guard guard(lock_);
    task_ = task::none;
}

void file_seeker::watch_again(std::uint64_t bytes) {
    const std::lock_guard guard(lock_);
    task_ = task::watch;
    bytes_ = bytes;
}

bool file_seeker::rests() {
    const std::lock_guard guard(lock_);
    return task_ == task::none;
}

std::optional<open_outcome> file_seeker::await(duration limit) {
    std::unique_lock guard(lock_);
    found_.wait_for(guard, limit, [this] { return outcome_.has_value(); });
    return std::exchange(outcome_, std::nullopt);
}

void file_seeker::want_size(std::uint64_t bytes) {
    const std::lock_guard guard(lock_);
    bytes_ = std::min(bytes_, bytes);
    if (options_.size_bytes != 0) options_.size_bytes = bytes;
}

void file_seeker::resized(std::uint64_t bytes) {
    const std::lock_guard guard(lock_);
    bytes_ = bytes;
    if (options_.size_bytes != 0) options_.size_bytes = bytes;
}

// What another thread has opened meanwhile would be in our way, and is what we want.
open_outcome file_seeker::open(bool accept) {
    const std::lock_guard one_at_a_time(asking_);
    {
        const std::lock_guard guard(lock_);
        if (outcome_ && *outcome_) {
            open_outcome found = std::move(*outcome_);
            outcome_.reset();
            return found;
        }
    }
    return open_locked(accept);
}

open_outcome file_seeker::open_locked(bool accept) {
    file_options options;
    std::optional<storage_record> known;
    {
        const std::lock_guard guard(lock_);
        options = options_;
        known = known_;
    }
    open_outcome found = path_file::open(options, known ? &*known : nullptr, accept);
    if (found) {
        const std::lock_guard guard(lock_);
        known_ = found->what;
        options_.create = false;
    }
    return found;
}

void file_seeker::look() noexcept {
    const std::lock_guard one_at_a_time(asking_);
    task what = task::none;
    std::shared_ptr<backing_file> file;
    std::uint64_t bytes = 0;
    {
        const std::lock_guard guard(lock_);
        what = task_;
        file = file_;
        bytes = bytes_;
    }
    try {
        if (what == task::watch && file != nullptr) {
            const file_loss_cause seen = file->look(bytes);
            std::optional<bool> room;
            if (asks_for_room_.load(std::memory_order_relaxed)) room = file->has_room();
            const std::lock_guard guard(lock_);
            room_ = room;
            seen_ = seen;
            seen_of_ = file.get();
        } else if (what == task::find) {
            open_outcome found = open_locked(false);
            const std::lock_guard guard(lock_);
            if (task_ != task::find) return;
            outcome_.emplace(std::move(found));
            found_.notify_one();
        }
    } catch (const std::exception&) {  // of memory: at the next look
    }
}

void file_seeker::looked() noexcept {
    std::optional<open_outcome> outcome;
    file_loss_cause seen = file_loss_cause::none;
    std::optional<bool> room;
    {
        const std::lock_guard guard(lock_);
        outcome.swap(outcome_);
        if (seen_of_ == file_.get()) seen = seen_;
        seen_ = file_loss_cause::none;
        room.swap(room_);
    }
    if (owner_ == nullptr) return;
    if (seen == file_loss_cause::smaller)
        owner_->glance();  // it may have been resized meanwhile
    else if (seen != file_loss_cause::none)
        owner_->lose(seen);
    owner_->look_for_room(room);
    if (!outcome) return;
    if (*outcome)
        owner_->arrived(std::move(**outcome));
    else
        owner_->still_away(outcome->error());
}

}  // namespace fulmar::backend
