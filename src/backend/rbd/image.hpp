// An open image of a cluster, and who opens it: the seam between what a device does and librbd.
#pragma once

#include "job.hpp"

#include <fulmar/backend/rbd_device.hpp>
#include <fulmar/base/result.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace fulmar::backend::rbd {

/// What a look at an open image has found.
enum class image_look : std::uint8_t {
    ours,     ///< it is there, and the lock is ours; or it is a snapshot, which has none
    unknown,  ///< the cluster did not say
    lock_lost,
    fenced,
    gone,
};

/// Requests: each calls job::request_ended() once, on any thread, perhaps inside of the call, and
/// touches no memory but the job's, which has room for `bytes`. Called on: any thread.
class image {
  public:
    /// May block.  Called on: a helper thread, when no request is under way.
    virtual ~image() = default;

    virtual void read(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept = 0;
    virtual void write(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept = 0;
    virtual void zero(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept = 0;
    virtual void discard(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept = 0;
    virtual void flush(job& j) noexcept = 0;

    /// May block. `bytes`: its size now, untouched where that is unknown.
    /// Called on: a helper thread, one at a time.
    virtual image_look look(std::uint64_t& bytes) noexcept = 0;
};

/// Who hears of changes of an image's header. Outlives the image.
class image_watcher {
  public:
    /// Called on: any thread.
    virtual void on_image_changed() noexcept = 0;

  protected:
    ~image_watcher() = default;
};

struct image_facts {
    std::uint64_t size_bytes = 0;
    std::uint64_t object_bytes = 0;
    bool read_only = false;
    std::string cluster{};  ///< its fsid
    std::string id{};       ///< of the image, and of the snapshot; never used again
    std::string lock{};     ///< how the cluster calls the owner of the lock: us; empty: none
};

struct opened_image {
    std::unique_ptr<rbd::image> image{};
    image_facts facts{};
};

class cluster {
  public:
    /// `former_lock`: an owner of the lock that was this device before a restart; it is fenced.
    /// May block for as long as the cluster likes.
    /// Errors: unavailable; timed_out; conflict (locked, or not fit); not_found; no_memory.
    /// Called on: any helper thread.
    virtual result<opened_image> open(const rbd_options& options, const std::string& former_lock,
                                      image_watcher& watcher) = 0;

  protected:
    ~cluster() = default;
};

/// Through librbd.  Called on: any thread.
[[nodiscard]] cluster& librbd() noexcept;

/// Errors: invalid_argument (at "/cpus").  Called on: any thread.
result<void> check_cpus(const std::string& text);

}  // namespace fulmar::backend::rbd
