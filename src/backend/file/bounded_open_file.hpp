// A backing_file whose storage may hang: calls that block run on a thread of their own, and are
// waited for no longer than `limits::storage_patience`. The thread that hangs keeps the file, and
// until it comes back nothing else is asked of it. Control reactor only.
#pragma once

#include "backing_file.hpp"

#include <fulmar/base/clock.hpp>

#include <functional>
#include <memory>

namespace fulmar::backend {

class bounded_open_file final : public backing_file {
  public:
    using opener = std::function<result<std::unique_ptr<backing_file>>()>;

    /// Runs `open`.  Errors: timed_out; no_memory; those of `open`.
    static result<std::unique_ptr<bounded_open_file>> open(opener open, duration limit);
    /// Of a file that is open.
    bounded_open_file(std::shared_ptr<backing_file> file, duration limit) noexcept
        : file_(std::move(file)), limit_(limit) {}
    /// Runs what blocks and opens nothing.  Errors: timed_out; no_memory; those of `work`.
    static result<void> run(std::function<result<void>()> work, duration limit);

    [[nodiscard]] int fd() const noexcept override { return file_->fd(); }
    [[nodiscard]] int unaligned_fd() const noexcept override { return file_->unaligned_fd(); }
    [[nodiscard]] std::uint32_t memory_alignment() const noexcept override {
        return file_->memory_alignment();
    }
    [[nodiscard]] int open_for_sync() noexcept override { return file_->open_for_sync(); }
    void close_for_sync(int fd) noexcept override { file_->close_for_sync(fd); }
    [[nodiscard]] bool can_deallocate() const noexcept override { return file_->can_deallocate(); }
    [[nodiscard]] std::uint32_t storage_block() const noexcept override {
        return file_->storage_block();
    }
    [[nodiscard]] const std::string& claim() const noexcept override { return file_->claim(); }
    [[nodiscard]] const std::string& note() const noexcept override { return file_->note(); }

    [[nodiscard]] file_loss_cause glance(std::uint64_t bytes) const noexcept override {
        return file_->glance(bytes);
    }
    [[nodiscard]] file_loss_cause look(std::uint64_t bytes) const noexcept override {
        return file_->look(bytes);
    }

    [[nodiscard]] std::optional<bool> has_room() const noexcept override {
        return file_->has_room();
    }

    /// Errors, all three: timed_out, and unavailable while a call that was given up has not ended;
    /// those of the file.
    result<std::uint64_t> size() override;
    result<void> set_size(std::uint64_t old_bytes, std::uint64_t new_bytes) override;
    result<void> reopen() override;

  private:
    template <typename T>
    result<T> ask(std::function<result<T>(backing_file&)> what);

    std::shared_ptr<backing_file> file_;
    std::weak_ptr<const void> asked_;  // the call that was given up, while it has not ended
    duration limit_;
};

}  // namespace fulmar::backend
