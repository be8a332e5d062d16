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

// Who a note goes to may be gone when it comes: the data reactor's end dies after `released`, which
// is the last that it hears.
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
      released(*this,
               [](engine::message& m) noexcept {
                   if (rdma_qpair* q = of(m).queue) q->on_released();
               }),
      answered(*this, [](engine::message& m) noexcept { of(m).control.on_answered(of(m)); }),
      wants_end(*this, [](engine::message& m) noexcept { of(m).control.on_stopped(of(m)); }),
      reaped(*this, [](engine::message& m) noexcept { of(m).control.on_reaped(of(m)); }),
      let_go(*this, [](engine::message& m) noexcept { of(m).control.on_let_go(of(m)); }) {}

rdma_connection::~rdma_connection() = default;

}  // namespace fulmar::transport::rdma
