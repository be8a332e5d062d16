// Who may change the configuration when: ordinary changes side by side, a reload or a change that
// is conditional on a revision alone. First come, first served. Called on: admin thread.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace fulmar::admin {

class change_lock {
  public:
    /// Holding it is being inside; the last copy to go lets the next ones in.
    using guard = std::shared_ptr<void>;
    using entered = std::function<void(guard)>;

    change_lock() = default;
    change_lock(const change_lock&) = delete;
    change_lock& operator=(const change_lock&) = delete;
    ~change_lock() { *alive_ = false; }

    void enter(bool alone, entered next) {
        waiting_.push_back({alone, std::move(next)});
        admit();
    }

  private:
    struct waiter {
        bool alone;
        entered next;
    };

    void admit() {
        while (!waiting_.empty() && !alone_inside_ && (inside_ == 0 || !waiting_.front().alone)) {
            waiter first = std::move(waiting_.front());
            waiting_.pop_front();
            ++inside_;
            alone_inside_ = first.alone;
            first.next(guard(this, [alive = alive_](change_lock* gate) {
                if (*alive) gate->leave();
            }));
        }
    }

    void leave() {
        --inside_;
        alone_inside_ = false;
        admit();
    }

    std::size_t inside_ = 0;
    bool alone_inside_ = false;
    std::deque<waiter> waiting_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace fulmar::admin
