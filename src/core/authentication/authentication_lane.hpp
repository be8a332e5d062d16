// Which exchange of a poll group gets the helper thread next: one at a time, so that peers who ask
// for Diffie-Hellman cannot have more than one core per reactor; of four turns three are proven
// queues', while any wait, and among either kind addresses come in turn.
#pragma once

#include "queue_authentication.hpp"

#include <fulmar/base/intrusive.hpp>

#include <cstdint>

namespace fulmar::core {

/// Called on: owning reactor.
class authentication_lane {
  public:
    /// One more of that queue may wait.
    [[nodiscard]] bool has_room_for(const qpair& q) const noexcept;
    /// It has work; its work_is_over() is called, perhaps before this returns.
    void enter(queue_authentication& one) noexcept;
    /// It waits for its turn, and does not want it any more.
    void leave(queue_authentication& one) noexcept { waiting_.erase(waiting_.iterator_to(one)); }
    /// Its thread is done.
    void finished(queue_authentication& one) noexcept;
    [[nodiscard]] bool idle() const noexcept { return running_ == nullptr && waiting_.empty(); }

  private:
    using list = intrusive_list<queue_authentication, &queue_authentication::lane_hook>;
    [[nodiscard]] queue_authentication& choose() noexcept;
    void run_next() noexcept;

    list waiting_;
    queue_authentication* running_ = nullptr;
    // What has been served counts for each address: start-time fair queueing, all of one cost.
    std::uint64_t served_ = 0;
    std::uint32_t proven_in_a_row_ = 0;
};

}  // namespace fulmar::core
