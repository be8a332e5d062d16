// A file descriptor that a reactor waits on.
#pragma once

#include <cstdint>

namespace fulmar::engine {

/// Embedded in its owner, and handed to reactor::watch(). `ready` runs on that reactor with the
/// EPOLL* bits seen. Called on: owning reactor.
class descriptor_watch {
  public:
    using handler = void (*)(descriptor_watch&, std::uint32_t events) noexcept;
    explicit descriptor_watch(handler ready) noexcept : ready_(ready) {}
    descriptor_watch(const descriptor_watch&) = delete;
    descriptor_watch& operator=(const descriptor_watch&) = delete;

    [[nodiscard]] bool watched() const noexcept { return fd_ >= 0; }

  private:
    friend class reactor;
    handler ready_;
    int fd_ = -1;
};

}  // namespace fulmar::engine
