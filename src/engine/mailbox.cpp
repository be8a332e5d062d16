// Writers push on a stack; the reader takes the whole stack at once and turns it round. A stack
// that is only ever taken whole has no ABA problem.
#include <fulmar/engine/mailbox.hpp>

namespace fulmar::engine {

post_result mailbox::push(message& m) noexcept {
    if (m.queued_.exchange(true, std::memory_order_acq_rel)) return post_result::already;
    message* head = incoming_.load(std::memory_order_relaxed);
    do {
        m.next_ = head;
    } while (!incoming_.compare_exchange_weak(head, &m, std::memory_order_seq_cst,
                                              std::memory_order_relaxed));
    return post_result::posted;
}

std::uint32_t mailbox::drain(std::uint32_t limit) noexcept {
    std::uint32_t handled = 0;
    while (handled < limit) {
        if (ready_ == nullptr) {
            if (incoming_.load(std::memory_order_relaxed) == nullptr) break;
            message* newest_first = incoming_.exchange(nullptr, std::memory_order_seq_cst);
            while (newest_first != nullptr) {
                message* next = newest_first->next_;
                newest_first->next_ = ready_;
                ready_ = newest_first;
                newest_first = next;
            }
        }
        message* m = ready_;
        ready_ = m->next_;
        const message::handler run = m->on_arrival_;
        // Whoever has been told "already" until here wrote before that, and the handler sees it: an
        // exchange reads what that poster's exchange wrote. A store would let the handler's reads
        // go before it.
        m->queued_.exchange(false, std::memory_order_acq_rel);
        run(*m);
        ++handled;
    }
    return handled;
}

}  // namespace fulmar::engine
