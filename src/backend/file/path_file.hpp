// A backing_file that a path names: a regular file or a block device.
#pragma once

#include "backing_file.hpp"

#include <fulmar/backend/file_device.hpp>
#include <fulmar/base/unique_fd.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <memory>

namespace fulmar::backend {

class path_file final : public backing_file {
  public:
    static result<std::unique_ptr<path_file>> open(const file_options& options);
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
    [[nodiscard]] const std::string& claim() const noexcept override { return claim_; }
    [[nodiscard]] const std::string& note() const noexcept override { return note_; }

    result<std::uint64_t> size() override;
    result<void> set_size(std::uint64_t old_bytes, std::uint64_t new_bytes) override;
    result<void> reopen() override;

  private:
    [[nodiscard]] tl::unexpected<error> size_refused(int why, std::uint64_t bytes) const;
    explicit path_file(file_options options) : options_(std::move(options)) {}
    result<void> open_or_create();
    result<void> create();
    result<void> take_claim();
    result<void> lock();
    [[nodiscard]] bool is_same(int fd) const noexcept;
    void open_direct();
    void probe_deallocate();
    void add_note(const std::string& text);

    file_options options_;
    struct ::stat stat_ {};
    bool is_block_ = false;
    bool created_ = false;  // by us, in this open(): removed again when that fails
    bool claimed_ = false;  // entered in the table of this process
    unique_fd lock_;        // holds the flock or the exclusive open; does no I/O
    unique_fd buffered_;
    unique_fd direct_;  // O_DIRECT; empty where that is impossible
    std::uint32_t memory_alignment_ = 1;
    bool can_deallocate_ = false;
    std::string claim_;
    std::string note_;
};

}  // namespace fulmar::backend
