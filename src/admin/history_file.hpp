// The file beside the journal that keeps the history of the configuration file. A fold's job shares
// it with the journal, which may be gone before the job ends.
#pragma once

#include "config_history.hpp"

#include <fulmar/admin/disk.hpp>

#include <mutex>
#include <string>
#include <utility>

namespace fulmar::admin {

class history_file {
  public:
    history_file(disk& files, std::string path) : files_(files), path_(std::move(path)) {}
    history_file(const history_file&) = delete;
    history_file& operator=(const history_file&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// What cannot be written is logged: losing the history loses nothing.  Called on: any thread.
    void save(const config_history& what);

  private:
    disk& files_;
    std::string path_;
    std::mutex saving_;
};

}  // namespace fulmar::admin
