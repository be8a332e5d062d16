// A cluster of the test's own, that keeps requests for as long as it is told to, refuses them, and
// lets images be opened late, locked, fenced and resized.
#pragma once

#include <backend/rbd/image.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace fulmar::test {

/// Called on: any thread.
class fake_cluster final : public backend::rbd::cluster {
  public:
    using job = backend::rbd::job;

    explicit fake_cluster(std::size_t bytes) : content(bytes) {}

    // What it does, and what there is.
    std::atomic<bool> keeps{false};       ///< requests, until release()
    std::atomic<bool> opens_late{false};  ///< not before this is false
    std::atomic<int> error{0};            ///< of each request from now on, errno
    std::atomic<backend::rbd::image_look> look{backend::rbd::image_look::ours};
    backend::rbd::image_facts facts{.object_bytes = 4 << 20, .cluster = "c", .id = "1"};
    std::string locked_by{};  ///< somebody else; empty: nobody
    std::vector<std::byte> content;

    // What happened.
    std::atomic<int> opened{0}, closed{0}, flushes{0};
    std::atomic<int> closed_too_early{0};  ///< with requests under way
    std::atomic<int> kept{0};
    std::string former_lock{};

    result<backend::rbd::opened_image> open(const backend::rbd_options& options,
                                            const std::string& former,
                                            backend::rbd::image_watcher& watcher) override;

    void release() {
        std::vector<std::function<void()>> all;
        {
            const std::lock_guard guard(lock_);
            all.swap(waiting_);
        }
        keeps = false;
        for (const auto& one : all) {
            --kept;
            one();
        }
    }
    void resize(std::size_t bytes) {
        const std::lock_guard guard(lock_);
        content.resize(bytes);
        if (watcher_ != nullptr) watcher_->on_image_changed();
    }

  private:
    class open_image;
    void take(job& j, std::function<std::int64_t()> action);

    std::mutex lock_;
    std::vector<std::function<void()>> waiting_;
    backend::rbd::image_watcher* watcher_ = nullptr;
};

class fake_cluster::open_image final : public backend::rbd::image {
  public:
    explicit open_image(fake_cluster& of) : of_(of) {}
    ~open_image() override {
        if (of_.kept != 0) ++of_.closed_too_early;
        ++of_.closed;
        const std::lock_guard guard(of_.lock_);
        of_.watcher_ = nullptr;
    }
    void read(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept override {
        of_.take(j, [this, &j, offset, bytes] {
            std::memcpy(j.memory.data(), of_.content.data() + offset, bytes);
            return static_cast<std::int64_t>(bytes);
        });
    }
    void write(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept override {
        of_.take(j, [this, &j, offset, bytes] {
            std::memcpy(of_.content.data() + offset, j.memory.data(), bytes);
            return std::int64_t{0};
        });
    }
    void zero(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept override {
        of_.take(j, [this, offset, bytes] {
            std::memset(of_.content.data() + offset, 0, bytes);
            return std::int64_t{0};
        });
    }
    void discard(job& j, std::uint64_t offset, std::uint64_t bytes) noexcept override {
        zero(j, offset, bytes);
    }
    void flush(job& j) noexcept override {
        of_.take(j, [this] {
            ++of_.flushes;
            return std::int64_t{0};
        });
    }
    backend::rbd::image_look look(std::uint64_t& bytes) noexcept override {
        const std::lock_guard guard(of_.lock_);
        bytes = of_.content.size();
        return of_.look;
    }

  private:
    fake_cluster& of_;
};

inline void fake_cluster::take(job& j, std::function<std::int64_t()> action) {
    const auto end = [this, &j, action = std::move(action)] {
        const int failed = error;
        std::int64_t result = -failed;
        if (failed == 0) {
            const std::lock_guard guard(lock_);
            result = action();
        }
        j.request_ended(result);
    };
    if (!keeps) return end();
    const std::lock_guard guard(lock_);
    ++kept;
    waiting_.push_back(end);
}

inline result<backend::rbd::opened_image> fake_cluster::open(const backend::rbd_options& options,
                                                             const std::string& former,
                                                             backend::rbd::image_watcher& watcher) {
    while (opens_late) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::lock_guard guard(lock_);
    former_lock = former;
    if (!locked_by.empty()) return fail(errc::conflict, "it is locked by " + locked_by);
    ++opened;
    watcher_ = &watcher;
    backend::rbd::opened_image out{.image = std::make_unique<open_image>(*this), .facts = facts};
    out.facts.size_bytes = content.size();
    out.facts.read_only = !options.snapshot.empty();
    out.facts.lock = "us" + std::to_string(opened);
    return out;
}

}  // namespace fulmar::test
