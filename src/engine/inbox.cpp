// Posters push on a stack, and whoever finds it empty knocks; the reactor takes the whole stack at
// once and turns it round, as mailbox does.
#include <fulmar/engine/inbox.hpp>

namespace fulmar::engine {

inbox::~inbox() {
    for (entry* left : {waiting_, take_all()})
        while (left != nullptr) {
            const std::unique_ptr<entry> gone(std::exchange(left, left->below));
        }
}

void inbox::push(std::unique_ptr<entry> what) noexcept {
    entry* const fresh = what.release();
    entry* newest = newest_.load(std::memory_order_relaxed);
    do {
        fresh->below = newest;
    } while (!newest_.compare_exchange_weak(newest, fresh, std::memory_order_release,
                                            std::memory_order_relaxed));
    if (newest == nullptr) home_.post(knock_);
}

inbox::entry* inbox::take_all() noexcept {
    entry* newest_first = newest_.exchange(nullptr, std::memory_order_acquire);
    entry* in_order = nullptr;
    while (newest_first != nullptr) {
        entry* const top = std::exchange(newest_first, newest_first->below);
        top->below = std::exchange(in_order, top);
    }
    return in_order;
}

void inbox::run_all() noexcept {
    waiting_ = take_all();
    while (waiting_ != nullptr) {
        const std::unique_ptr<entry> next(std::exchange(waiting_, waiting_->below));
        next->run();
    }
}

}  // namespace fulmar::engine
