// A disk in memory that forgets at a power cut what was not synced: unsynced sectors survive at
// random, unsynced folder changes up to a random point. It can also refuse to write. Any thread.
#pragma once

#include <fulmar/admin/disk.hpp>
#include <fulmar/engine/file_io.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace fulmar::test {

class forgetful_disk : public admin::disk, public engine::file_io {
  public:
    explicit forgetful_disk(std::uint64_t seed) : random_(seed) {}

    // admin::disk
    result<std::string> read(const std::string& path) override;
    result<std::vector<std::string>> list(const std::string& folder,
                                          const std::string& prefix) override;
    result<int> open_locked(const std::string& path) override;
    result<void> truncate(int fd, std::uint64_t bytes) override;
    result<void> write_synced(int fd, std::uint64_t offset, std::string_view text) override;
    void close(int fd) noexcept override;
    result<void> make_synced(const std::string& path, std::string_view text,
                             const std::string& like) override;
    result<void> rename(const std::string& from, const std::string& to) override;
    result<void> remove(const std::string& path) override;
    result<void> sync_folder(const std::string& folder) override;

    // engine::file_io
    void submit(engine::file_op& op) noexcept override;
    void cancel(engine::file_op&) noexcept override {}
    [[nodiscard]] std::uint32_t outstanding() const noexcept override {
        return static_cast<std::uint32_t>(queue_.size());
    }
    /// Answers the oldest operation; false when there is none.
    bool complete_one();
    /// The process that asked has ended: nothing that is still queued is done.
    void refuse_queued();

    /// The power fails after `operations` more that change something; then all of them fail.
    void cut_after(std::uint32_t operations);
    [[nodiscard]] bool off() const;
    /// What the platters hold is all there is now.
    void power_on();

    /// Writing (fail_writes) or everything in one folder (refuse) gives `code` (an errno); 0 ends
    /// it.
    void fail_writes(int code);
    void refuse(const std::string& path_prefix, int code);

    void put(const std::string& path, std::string_view text);  ///< as if somebody had edited it
    [[nodiscard]] std::string text(const std::string& path);
    [[nodiscard]] std::vector<std::string> names();

  private:
    static constexpr std::size_t sector = 512;
    struct inode {
        std::string cached;
        std::string durable;
        void sync() { durable = cached; }
    };
    using folder_map = std::map<std::string, std::shared_ptr<inode>>;

    bool spend();  // one operation that changes something; false when the power is off
    result<void> check(const std::string& path) const;
    void change_folder(std::function<void(folder_map&)> how);
    void overwrite(inode& file, std::uint64_t offset, std::string_view text);
    std::int64_t perform(engine::file_op& op);

    mutable std::mutex lock_;
    std::mt19937_64 random_;
    folder_map cached_;
    folder_map durable_;
    std::vector<std::function<void(folder_map&)>> unsynced_changes_;
    std::map<int, std::shared_ptr<inode>> open_;
    std::deque<engine::file_op*> queue_;
    int next_fd_ = 1000;
    bool off_ = false;
    std::uint32_t budget_ = UINT32_MAX;
    int write_error_ = 0;
    std::string refused_prefix_;
    int refused_error_ = 0;
};

}  // namespace fulmar::test
