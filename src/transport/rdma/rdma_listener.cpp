#include "rdma_listener.hpp"

#include <fulmar/base/log.hpp>

namespace fulmar::transport::rdma {

rdma_listener::rdma_listener(const core::listener_spec& spec, rdma_control& control)
    : identifier_owner(kind::listener),
      counters(std::make_shared<common::listener_counters>()),
      spec_(spec),
      control_(control) {
    control_.add(*this);
}

rdma_listener::~rdma_listener() {
    control_.reactor().timers().cancel(retry_);
    control_.remove(*this);
    if (places != nullptr) places->close();  // they know each other
}

fulmar::result<std::unique_ptr<core::listener>> rdma_listener::open(const core::listener_spec& spec,
                                                                    rdma_control& control) {
    std::unique_ptr<rdma_listener> made(new rdma_listener(spec, control));
    auto id = control.open_identifier(spec, made->spec_.port);
    if (id) {
        made->id_ = std::move(*id);
        made->id_->owner = made.get();
    } else {
        if (id.error().code != errc::unavailable) return tl::unexpected(std::move(id).error());
        if (spec.port == 0)
            return fail(errc::unavailable, id.error().message, "/port",
                        "a listener that waits for its device needs a port");
        log::warn("{}: {}; waiting for it", spec.name(), id.error().message);
        made->lose(id.error().message);
    }
    made->counters->name = made->spec_.name();
    made->places = std::make_shared<core::listener_places>(
        made->counters->name, control.target().options().max_connections_per_listener);
    return made;
}

core::listener_status rdma_listener::status() const {
    core::listener_status s;
    s.spec = spec_;
    s.waits_for = waits_for_.empty() ? control_.trouble_of(where()) : waits_for_;
    counters->report(s);
    return s;
}

void rdma_listener::lose(std::string_view why) noexcept {
    waits_for_ = why;
    id_.reset();
    control_.reactor().timers().arm(retry_,
                                    control_.reactor().fresh_now() + bounds::listen_interval);
}

void rdma_listener::try_again() noexcept {
    auto id = control_.open_identifier(spec_, spec_.port);
    if (!id) {
        if (id.error().message != waits_for_)
            log::warn("{}: {}; trying again", name(), id.error().message);
        return lose(id.error().message);
    }
    id_ = std::move(*id);
    id_->owner = this;
    waits_for_.clear();
    log::info("{}: listening again", name());
}

}  // namespace fulmar::transport::rdma
