#include "rdma_connection.hpp"

#include "rdma_control.hpp"
#include "rdma_group.hpp"

#include <atomic>

namespace fulmar::transport::rdma {

namespace {
std::uint32_t next_incarnation() noexcept {
    static std::atomic<std::uint32_t> last{0};
    return ++last;
}

using note = rdma_connection::note;
rdma_connection& of(engine::message& m) noexcept { return *static_cast<note&>(m).owner; }
}  // namespace

rdma_connection::flush_timer::flush_timer(rdma_connection& c) noexcept
    : timer([](engine::timer& t) noexcept {
          rdma_connection& self = *static_cast<flush_timer&>(t).owner;
          self.control.on_flush_deadline(self);
      }),
      owner(&c) {}

// The data reactor's end may be gone, or never have been, when a note comes; the connection is
// there. `released` is the last that the data reactor hears, `let_go` the last that the control
// reactor hears: only then nothing refers to it.
rdma_connection::rdma_connection(const identifier& from, open_device& on, const queue_shape& asked,
                                 std::shared_ptr<listener_account> counted)
    : identifier_owner(kind::connection),
      shape(asked),
      account(std::move(counted)),
      peer(from.peer()),
      local(from.local()),
      incarnation(next_incarnation()),
      control(on.control),
      where(&on),
      flush_deadline(*this),
      arrive(*this, [](engine::message& m) noexcept { of(m).group->adopt(of(m)); }),
      peer_gone(*this,
                [](engine::message& m) noexcept {
                    if (rdma_qpair* q = of(m).queue)
                        q->on_peer_gone(core::close_reason::peer_closed);
                }),
      last_receive(*this,
                   [](engine::message& m) noexcept {
                       if (rdma_qpair* q = of(m).queue) q->on_last_receive();
                   }),
      give_up(*this,
              [](engine::message& m) noexcept {
                  if (rdma_qpair* q = of(m).queue) q->on_give_up();
              }),
      released(*this,
               [](engine::message& m) noexcept {
                   rdma_connection& c = of(m);
                   if (c.queue != nullptr) return c.queue->on_released();
                   c.control.reactor().post(c.let_go);
               }),
      answered(*this, [](engine::message& m) noexcept { of(m).control.on_answered(of(m)); }),
      wants_end(*this, [](engine::message& m) noexcept { of(m).control.on_stopped(of(m)); }),
      reaped(*this, [](engine::message& m) noexcept { of(m).control.on_reaped(of(m)); }),
      let_go(*this, [](engine::message& m) noexcept { of(m).control.on_let_go(of(m)); }) {}

// Where it came to nothing, the poll group has not given the place back.
rdma_connection::~rdma_connection() {
    if (ticket != nullptr && ticket->now() != core::connection_ticket::stage::ended) ticket->end();
}

bool rdma_connection::has_notes() const noexcept {
    for (const note* n : {&arrive, &peer_gone, &last_receive, &give_up, &released, &answered,
                          &wants_end, &reaped, &let_go})
        if (n->queued()) return true;
    return false;
}

}  // namespace fulmar::transport::rdma
