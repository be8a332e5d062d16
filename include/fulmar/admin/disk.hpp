// Blocking file operations of the journal and the config file. A test puts a disk here that forgets
// what was not synced when its power fails; writes of the running journal go through
// engine::file_io. Must never: report a rename or a new file as safe before its folder is synced.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::admin {

/// Called on: any thread, one call at a time.
class disk {
  public:
    virtual ~disk() = default;

    /// The whole file. Errors: not_found; io_error.
    virtual result<std::string> read(const std::string& path) = 0;
    /// Names of the files in `folder` that begin with `prefix`.
    virtual result<std::vector<std::string>> list(const std::string& folder,
                                                  const std::string& prefix) = 0;
    /// Opens a file for engine::file_io to write, made (mode 0600) when it is absent, and locks it
    /// against other processes. Errors: conflict when another process has it.
    virtual result<int> open_locked(const std::string& path) = 0;
    /// Cuts the file to `bytes`.
    virtual result<void> truncate(int fd, std::uint64_t bytes) = 0;
    /// Writes `text` at `offset` and syncs it.
    virtual result<void> write_synced(int fd, std::uint64_t offset, std::string_view text) = 0;
    virtual void close(int fd) noexcept = 0;
    /// Writes a file, over whatever is there, and syncs it; `like` gives owner and mode when it
    /// exists.
    virtual result<void> make_synced(const std::string& path, std::string_view text,
                                     const std::string& like) = 0;
    virtual result<void> rename(const std::string& from, const std::string& to) = 0;
    /// A file that is not there is no error.
    virtual result<void> remove(const std::string& path) = 0;
    virtual result<void> sync_folder(const std::string& folder) = 0;
    /// The file that `path` leads to when it is a symbolic link, or `path` itself.
    virtual std::string target_of(const std::string& path) { return path; }

    /// Fills `from` to `bytes` with zeroes, synced. What is written there later changes no
    /// metadata, and its sync waits for the disk alone: not for the file system's journal, in which
    /// whatever else is being written here has its share (seen: 5 s beside a compiler).
    result<void> reserve(int fd, std::uint64_t from, std::uint64_t bytes);

    /// Puts `text` in the place of `path`: after a power cut either the old or the new one is
    /// there. A symbolic link stays one: what it leads to is replaced.
    result<void> replace(const std::string& path, std::string_view text);
};

/// The real one.
/// Called on: any thread.
disk& system_disk();

}  // namespace fulmar::admin
