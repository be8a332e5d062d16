// A Ceph cluster of our own on loopback, in a temporary folder: a monitor and two OSDs with cephx,
// whose data are in memory and on both OSDs. Processes end by pid with it, whatever they do.
#pragma once

#include "e2e/daemon.hpp"
#include "support/temp_dir.hpp"

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace fulmar::cluster {

class ceph_cluster {
  public:
    static constexpr int osds = 2;

    /// What is not installed; empty: nothing is missing.
    [[nodiscard]] static std::string missing();

    ceph_cluster() = default;
    ~ceph_cluster();
    ceph_cluster(const ceph_cluster&) = delete;
    ceph_cluster& operator=(const ceph_cluster&) = delete;

    /// Empty: it serves, and has the pool "rbd". Else what went wrong.
    [[nodiscard]] std::string boot();
    [[nodiscard]] bool booted() const { return booted_; }

    [[nodiscard]] const std::string& folder() const { return folder_; }
    [[nodiscard]] std::string conf() const { return folder_ + "/ceph.conf"; }
    /// Of client.admin, of client.fulmar (profile rbd), of client.reader (may read), and of the
    /// processes.
    [[nodiscard]] std::string keyring() const { return folder_ + "/keyring"; }

    e2e::finished rbd(std::vector<std::string> arguments) const;
    e2e::finished ceph(std::vector<std::string> arguments) const;

    void signal_osd(int which, int number) const;
    void signal_monitor(int number) const;
    void kill_osd(int which);
    void kill_monitor();
    [[nodiscard]] bool start_osd(int which);
    [[nodiscard]] bool start_monitor();
    /// Both OSDs are in the map as up.
    [[nodiscard]] bool all_up() const;

  private:
    [[nodiscard]] std::string write_files();
    [[nodiscard]] pid_t spawn(std::vector<std::string> arguments, const std::string& log) const;
    static void end(pid_t& which);

    test::temp_dir directory_;
    std::string folder_ = directory_.path().string();
    std::uint16_t port_ = 0;
    pid_t monitor_ = -1;
    std::array<pid_t, osds> osd_{-1, -1};
    bool booted_ = false;
};

}  // namespace fulmar::cluster
