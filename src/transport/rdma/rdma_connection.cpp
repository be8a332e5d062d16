#include "rdma_connection.hpp"

#include "rdma_control.hpp"
#include "rdma_group.hpp"

#include <algorithm>
#include <array>
#include <atomic>

namespace fulmar::transport::rdma {

namespace {
std::uint32_t next_incarnation() noexcept {
    static std::atomic<std::uint32_t> last{0};
    return ++last;
}
}  // namespace

rdma_connection::rdma_connection(const identifier& from, open_device& on, const queue_shape& asked,
                                 std::shared_ptr<common::listener_counters> counted)
    : identifier_owner(kind::connection),
      shape(asked),
      counters(std::move(counted)),
      peer(from.peer()),
      local(from.local()),
      incarnation(next_incarnation()),
      control(on.control),
      where(&on) {}

// Where it came to nothing, the poll group has not given the place back.
rdma_connection::~rdma_connection() {
    if (ticket != nullptr && ticket->now() != core::connection_ticket::stage::ended) ticket->end();
}

bool rdma_connection::has_notes() const noexcept {
    const std::array<const engine::message*, 9> all{&arrive,    &peer_gone, &last_receive,
                                                    &give_up,   &released,  &answered,
                                                    &wants_end, &reaped,    &let_go};
    return std::any_of(all.begin(), all.end(), [](const auto* m) { return m->queued(); });
}

void rdma_connection::on_flush_deadline() noexcept { control.on_flush_deadline(*this); }

// The data reactor's end may be gone, or never have been, when a note comes; the connection is
// there. `released` is the last that the data reactor hears, `let_go` the last that the control
// reactor hears: only then nothing refers to it.
void rdma_connection::on_arrive() noexcept { group->adopt(*this); }
void rdma_connection::on_peer_gone() noexcept {
    if (queue != nullptr) queue->on_peer_gone(core::close_reason::peer_closed);
}
void rdma_connection::on_last_receive() noexcept {
    if (queue != nullptr) queue->on_last_receive();
}
void rdma_connection::on_give_up() noexcept {
    if (queue != nullptr) queue->on_give_up();
}
void rdma_connection::on_released() noexcept {
    if (queue != nullptr) return queue->on_released();
    control.reactor().post(let_go);
}

void rdma_connection::on_answered() noexcept { control.on_answered(*this); }
void rdma_connection::on_wants_end() noexcept { control.on_stopped(*this); }
void rdma_connection::on_reaped() noexcept { control.on_reaped(*this); }
void rdma_connection::on_let_go() noexcept { control.on_let_go(*this); }

}  // namespace fulmar::transport::rdma
