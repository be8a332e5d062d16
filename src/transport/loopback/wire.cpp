#include "wire.hpp"

#include "loopback_qpair.hpp"

#include <fulmar/transport/loopback.hpp>

namespace fulmar::transport::loopback {

frame::frame(frame_kind what, std::shared_ptr<wire> on) noexcept
    : message(nullptr), kind(what), way(std::move(on)) {}

void frame::to_target(std::unique_ptr<frame> f) noexcept {
    f->set_handler(&frame::at_target);
    engine::reactor& to = *f->way->data;
    to.post(*f.release());
}

void frame::to_host(std::unique_ptr<frame> f) noexcept {
    f->set_handler(&frame::at_host);
    engine::reactor& to = *f->way->hosts;
    to.post(*f.release());
}

void frame::at_target(engine::message& m) noexcept {
    std::unique_ptr<frame> f(static_cast<frame*>(&m));
    if (loopback_qpair* q = f->way->target_end) q->arrive(std::move(f));
}

void frame::at_host(engine::message& m) noexcept {
    std::unique_ptr<frame> f(static_cast<frame*>(&m));
    if (loopback_connection* c = f->way->host_end) c->arrive(std::move(f));
}

}  // namespace fulmar::transport::loopback
