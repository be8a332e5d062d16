// The events of late, for whoever asks for what came after the last one that he saw. Bounded: a
// reader who is slower than the ring is told that there is a gap. Called on: admin thread.
#pragma once

#include <fulmar/admin/event.hpp>
#include <fulmar/base/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace fulmar::admin {

class event_ring {
  public:
    explicit event_ring(std::size_t kept = limits::kept_events) : kept_(kept) {}

    struct page {
        std::vector<event> events;
        std::uint64_t next = 0;  ///< what to ask with the next time
        bool gap = false;        ///< events between `after` and the first of these are lost
    };

    void add(event one);
    /// Everything after sequence number `after`, as far as it is kept.
    [[nodiscard]] page after(std::uint64_t sequence) const;
    [[nodiscard]] std::uint64_t newest() const noexcept { return newest_; }
    [[nodiscard]] bool has_after(std::uint64_t sequence) const noexcept {
        return sequence != newest_;
    }

  private:
    std::size_t kept_;
    std::deque<event> events_;
    std::uint64_t newest_ = 0;
};

}  // namespace fulmar::admin
