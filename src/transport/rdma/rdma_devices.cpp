// Devices on the control reactor: their resources for each data reactor, and their end. The kernel
// waits for us when a device is removed: everything made of it is given up, in order and in time.
#include "rdma_control.hpp"
#include "rdma_listener.hpp"

#include <fulmar/base/log.hpp>

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>

namespace fulmar::transport::rdma {

open_device::open_device(rdma_control& c, device& d) noexcept : control(c), what(&d) {}

void open_device::on_events() noexcept { control.on_device_events(*this); }

open_device& rdma_control::open(device& d) {
    for (const auto& known : devices_)
        if (known->what == &d) return *known;
    devices_.push_back(std::make_unique<open_device>(*this, d));
    open_device& made = *devices_.back();
    const device_facts& facts = d.facts();
    log::info("RDMA device {}: {} READs at a time, {}", facts.name, facts.max_read_depth,
              facts.max_shared_receives != 0 ? "shared receive queues"
                                             : "a receive queue for each connection");
    if (d.descriptor() >= 0) {
        if (auto watched = reactor().watch(made.watch, d.descriptor(), EPOLLIN); !watched)
            log::warn("{}: its events cannot be waited for: {}", facts.name,
                      watched.error().text());
    }
    if (!presence_.armed())
        reactor().timers().arm(presence_, reactor().fresh_now() + bounds::presence_interval);
    return made;
}

void rdma_control::on_device_events(open_device& d) noexcept {
    device_event e;
    while (d.what->next_event(e)) {
        auto* c = static_cast<rdma_connection*>(e.owner);  // if it is a queue pair's
        switch (e.what) {
            case device_event::kind::completions_broken:
            case device_event::kind::receives_broken:
                on_part_failed(*static_cast<device_part*>(e.owner), e.text);
                break;
            case device_event::kind::queue_pair_broken:
                if (complaints_.allow(reactor().now()))
                    log::warn("{}: {} ({})", d.what->facts().name, e.text, c->peer);
                end(*c);
                break;
            case device_event::kind::last_receive:
                if (std::exchange(c->last_receive_told, true)) break;
                c->group->reactor().post(c->last_receive);
                break;
            case device_event::kind::communication_established: c->id->confirm(); break;
            case device_event::kind::port_changed:
                log::info("{}: {}", d.what->facts().name, e.text);
                break;
            case device_event::kind::device_gone: return remove_device(d, e.text);
            case device_event::kind::other: break;
        }
    }
}

// A kernel that waits for us to let go of a device need not have told us.
void rdma_control::look_for_absent_devices() noexcept {
    for (std::size_t i = 0; i < devices_.size(); ++i)
        if (!devices_[i]->going && !devices_[i]->what->present()) {
            remove_device(*devices_[i], "it is not there any more");
            break;  // which may have changed the list; the others have their turn next time
        }
    if (!devices_.empty())
        reactor().timers().arm(presence_, reactor().fresh_now() + bounds::presence_interval);
}

void rdma_control::remove_device(open_device& d, std::string_view sign) noexcept {
    if (std::exchange(d.going, true)) return;
    log::warn("RDMA device {} is removed ({}): ending {} connections", d.what->facts().name, sign,
              d.users);
    for (rdma_listener* l : listeners_)
        if (l->where() == d.what) l->lose("its RDMA device was removed");
    const instant until = reactor().fresh_now() + bounds::removal_limit;
    for (auto at = connections_.begin(); at != connections_.end();) {
        rdma_connection& c = *at++;
        if (c.where == &d) end_until(c, until);
    }
    finish_removal(d);
}

// Queue pairs first, then what each data reactor has of it, then the device itself.
void rdma_control::finish_removal(open_device& d) noexcept {
    if (!d.going || d.users != 0) return;
    bool left = true;
    for (const auto& part : d.parts) {
        if (part->serves() || part->state == part_state::failed) part->leave();
        left = left && part->state == part_state::absent;
    }
    if (!left) return;
    reactor().unwatch(d.watch);
    log::info("RDMA device {}: nothing of it is in use any more", d.what->facts().name);
    manager_->close(*d.what);
    std::erase_if(devices_, [&](const auto& one) { return one.get() == &d; });
}

}  // namespace fulmar::transport::rdma
