// A backing_file that a path names: a regular file or a block device.
#pragma once

#include "backing_file.hpp"
#include "file_states.hpp"

#include <fulmar/backend/file_device.hpp>
#include <fulmar/backend/storage_memory.hpp>
#include <fulmar/base/unique_fd.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <memory>

namespace fulmar::backend {

/// What opening gave.
struct opened_file {
    std::shared_ptr<backing_file> file;
    storage_record what;  ///< to be remembered
};
struct open_failure {
    file_event on = file_event::absent;  ///< or refuse
    error why;
};
using open_outcome = tl::expected<opened_file, open_failure>;

class path_file final : public backing_file {
  public:
    /// `known`: what it was, if anything is remembered; a file that is known to have been there is
    /// not created, and another one in its place is refused unless an operator accepts it.
    static open_outcome open(const file_options& options, const storage_record* known = nullptr,
                             bool accept = false);
    ~path_file() override;
    path_file(const path_file&) = delete;
    path_file& operator=(const path_file&) = delete;

    [[nodiscard]] int fd() const noexcept override {
        return direct_ ? direct_.get() : buffered_.get();
    }
    [[nodiscard]] int unaligned_fd() const noexcept override { return buffered_.get(); }
    [[nodiscard]] std::uint32_t memory_alignment() const noexcept override {
        return memory_alignment_;
    }
    [[nodiscard]] int open_for_sync() noexcept override;
    void close_for_sync(int fd) noexcept override { ::close(fd); }
    [[nodiscard]] bool can_deallocate() const noexcept override { return can_deallocate_; }
    [[nodiscard]] std::uint32_t storage_block() const noexcept override { return storage_block_; }
    [[nodiscard]] const std::string& claim() const noexcept override { return claim_; }
    [[nodiscard]] const std::string& note() const noexcept override { return note_; }

    [[nodiscard]] file_loss_cause glance(std::uint64_t bytes) const noexcept override;
    [[nodiscard]] file_loss_cause look(std::uint64_t bytes) const noexcept override;

    [[nodiscard]] std::optional<bool> has_room() const noexcept override;

    result<std::uint64_t> size() override;
    result<void> set_size(std::uint64_t old_bytes, std::uint64_t new_bytes) override;
    result<void> reopen() override;

  private:
    [[nodiscard]] tl::unexpected<error> size_refused(int why, std::uint64_t bytes) const;
    explicit path_file(file_options options) : options_(std::move(options)) {}
    result<void> prepare(const storage_record* known, bool accept);
    result<void> compare(const storage_record& known, bool accept);
    [[nodiscard]] file_loss_cause judge(std::uint64_t bytes, unsigned how) const noexcept;
    [[nodiscard]] bool may_grow(const storage_record& known) const;
    result<void> open_or_create();
    result<void> create();
    result<void> create_in_place(int folder);
    [[nodiscard]] int open_place(int flags) const noexcept;
    [[nodiscard]] int open_folder() const noexcept;
    [[nodiscard]] tl::unexpected<error> creation_failed() const;
    result<void> make_size(std::uint64_t bytes);
    result<void> take_claim();
    result<void> lock();
    result<void> open_exclusive();
    [[nodiscard]] unique_fd same_open_disk() const noexcept;
    [[nodiscard]] bool is_same(int fd) const noexcept;
    [[nodiscard]] bool is_same(const struct ::stat& now) const noexcept;
    void warn_of_torn_blocks();
    void open_direct();
    void ask_deallocate();
    void add_note(const std::string& text);

    file_options options_;
    struct ::stat stat_ {};
    bool is_block_ = false;
    bool claimed_ = false;  // entered in the table of this process
    unique_fd lock_;        // holds the flock or the exclusive open; does no I/O
    unique_fd buffered_;
    unique_fd direct_;  // O_DIRECT; empty where that is impossible
    std::uint32_t memory_alignment_ = 1;
    std::uint32_t storage_block_ = 1;
    bool can_deallocate_ = false;
    std::string claim_;
    std::string note_;
    std::string place_;  // what is opened: the path, with its links followed where it is confined
    bool confined_ = false;
    storage_record what_;
    file_event failure_ = file_event::absent;  // what a failure of prepare() means
};

}  // namespace fulmar::backend
