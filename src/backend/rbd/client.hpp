// A client of a Ceph cluster: who we are there, and some threads of librados. Devices of one user
// of one cluster share one; a client that was fenced gets no new users. Helper threads only.
#pragma once

#include <fulmar/backend/rbd_device.hpp>
#include <fulmar/base/result.hpp>

#include <rados/librados.h>
#include <sched.h>

#include <atomic>
#include <memory>
#include <string>

namespace fulmar::backend::rbd {

class client {
  public:
    /// One that is there, or a new one.  Errors: unavailable; timed_out; permission_denied;
    /// invalid_argument. Blocks, about limits::rbd_mounting at most for each that waits.
    static result<std::shared_ptr<client>> of(const rbd_options& options);

    client() = default;
    ~client();
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    [[nodiscard]] rados_t rados() const noexcept { return rados_; }
    /// As locks and watchers call it.
    [[nodiscard]] std::string address() const;
    /// The cluster's identifier.
    [[nodiscard]] std::string cluster() const;
    /// The cluster takes nothing from it any more.  Called on: any thread.
    void set_fenced() noexcept { fenced_.store(true, std::memory_order_release); }
    [[nodiscard]] bool fenced() const noexcept { return fenced_.load(std::memory_order_acquire); }

  private:
    result<void> connect(const rbd_options& options);

    rados_t rados_ = nullptr;
    std::atomic<bool> fenced_{false};
};

/// While it lives, threads that the calling thread makes begin on the CPUs of the device.
class on_cpus {
  public:
    explicit on_cpus(const std::string& text) noexcept;
    ~on_cpus();
    on_cpus(const on_cpus&) = delete;
    on_cpus& operator=(const on_cpus&) = delete;

  private:
    cpu_set_t before_{};
    bool changed_ = false;
};

/// An error of the cluster, for people. `error` is an errno value, positive.
tl::unexpected<error> cluster_failed(int error, const std::string& what, const rbd_options& o);

}  // namespace fulmar::backend::rbd
