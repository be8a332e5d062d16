#include "loopback_group.hpp"

#include <memory>

namespace fulmar::transport::loopback {

loopback_group::loopback_group(core::poll_group& group)
    : group_(group), connections_(group.reactor()) {
    reactor().add(receiver_, engine::stage::receive);
}

loopback_group::~loopback_group() {
    connections_.flush_all();
    reactor().remove(receiver_, engine::stage::receive);
}

void loopback_group::adopt(accepted_host from) noexcept {
    auto made = std::make_unique<loopback_qpair>(*this, std::move(from));
    loopback_qpair& q = *made.release();  // retire() takes it back
    group_.add(q);
    connections_.add(q);
    q.open();
    needs_deadlines();
}

void loopback_group::retire(loopback_qpair& q) noexcept {
    input_.remove(q);
    connections_.retire(q);
}

}  // namespace fulmar::transport::loopback
