// A storage server of others as a child process: nbdkit, qemu-nbd. Its last words are in a file.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace fulmar::cluster {

/// Where `program` is; empty: not installed. Of $PATH, and of what /usr/sbin has.
[[nodiscard]] std::string path_of(const std::string& program);

class storage_server {
  public:
    storage_server() = default;
    ~storage_server() { kill(); }
    storage_server(const storage_server&) = delete;
    storage_server& operator=(const storage_server&) = delete;

    /// Starts it, and waits until somebody listens at the UNIX socket; false when nobody does.
    [[nodiscard]] bool start(const std::vector<std::string>& arguments, const std::string& socket,
                             const std::string& log);
    /// Ends it at once, as a power cut would.
    void kill();
    void signal(int number) const;

  private:
    pid_t child_ = -1;
};

}  // namespace fulmar::cluster
