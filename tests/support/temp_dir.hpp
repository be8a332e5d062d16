// A folder that disappears with its test.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace fulmar::test {

class temp_dir {
  public:
    /// In $TMPDIR or /var/tmp: a file system on a disk, where there is one.
    explicit temp_dir(const char* parent = std::getenv("TMPDIR")) {
        std::string pattern =
            std::string(parent != nullptr ? parent : "/var/tmp") + "/fulmar-test-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp " + pattern);
        path_ = pattern;
    }
    ~temp_dir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    temp_dir(const temp_dir&) = delete;
    temp_dir& operator=(const temp_dir&) = delete;

    [[nodiscard]] std::string operator/(const char* name) const { return (path_ / name).string(); }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace fulmar::test
