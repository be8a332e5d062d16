// Connections: from the request of a host, over the poll group that gets it, to its end.
#include "rdma_control.hpp"

#include "rdma_listener.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/memory_reserve.hpp>
#include <fulmar/transport/rdma.hpp>

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <new>

namespace fulmar::transport::rdma {

using nvme::rdma::reject_reason;

rdma_control::rdma_control(core::target& target, std::unique_ptr<manager_source> source)
    : target_(target), source_(std::move(source)) {
    reactor().add(*this, engine::stage::receive);
}

rdma_control::~rdma_control() {
    // No reactor runs. Queue pairs go before what they use, everything before the devices.
    while (!connections_.empty()) destroy(connections_.front());
    for (const auto& d : devices_) reactor().unwatch(d->watch);
    devices_.clear();
    reactor().timers().cancel(presence_);
    reactor().unwatch(manager_watch_);
    manager_.reset();
    reactor().remove(*this, engine::stage::receive);
}

fulmar::result<std::unique_ptr<core::listener>> rdma_control::listen(
    const core::listener_spec& spec, core::listen_mode /*mode*/) {
    return rdma_listener::open(spec, *this);
}

fulmar::result<std::unique_ptr<core::transport_group>> rdma_control::create_group(
    core::poll_group& group) {
    auto made = std::make_unique<rdma_group>(group);
    groups_.push_back(made.get());
    return made;
}

std::size_t rdma_control::connection_count() const noexcept {
    return static_cast<std::size_t>(std::distance(connections_.begin(), connections_.end()));
}

// --- the event channel ---------------------------------------------------------------------------

fulmar::result<std::unique_ptr<identifier>> rdma_control::open_identifier(
    const core::listener_spec& spec, std::uint16_t& port) {
    if (manager_ == nullptr) {
        FULMAR_TRY(auto opened, source_->open());
        const int fd = opened->descriptor();
        if (fd >= 0) FULMAR_CHECK(reactor().watch(manager_watch_, fd, EPOLLIN));
        manager_ = std::move(opened);
    }
    port = spec.port;
    FULMAR_TRY(auto id, manager_->listen(spec.address, port));
    if (const device* d = id->where(); d != nullptr) FULMAR_CHECK(check_kind(*d));
    // Known from now on, so that its removal finds whoever has to let go of it.
    if (device* d = id->where(); d != nullptr && open(*d).going)
        return fail(errc::unavailable, "its RDMA device is being removed");
    return id;
}

// Such a device would be taken and every READ would fail, or every host could write into the data
// of all others.
fulmar::result<void> rdma_control::check_kind(const device& d) {
    if (!d.facts().reads_by_remote_write) return {};
    return fail(errc::not_supported,
                fmt::format("RDMA device {} speaks iWARP, which is not supported", d.facts().name),
                "/address", "use a device with RoCE or InfiniBand, or a tcp listener");
}

// What has no descriptor is asked every turn: a fake in tests.
bool rdma_control::poll() noexcept {
    if (manager_ == nullptr || manager_->descriptor() >= 0) return false;
    on_manager_events();
    for (std::size_t i = 0; i < devices_.size(); ++i) on_device_events(*devices_[i]);
    return false;
}

void rdma_control::on_manager_events() noexcept {
    manager_event e;
    while (manager_->next(e)) {
        on_event(e);
        e = {};
    }
}

void rdma_control::on_event(manager_event& e) noexcept {
    identifier_owner* owner = e.id != nullptr ? e.id->owner : nullptr;
    if (owner == nullptr) {  // its listener has gone meanwhile
        if (e.fresh != nullptr)
            e.fresh->reject(nvme::wire_bytes(make_reject(reject_reason::no_resources)));
        return;
    }
    if (e.what == manager_event::kind::device_removed) {
        device* gone = e.id->where();
        for (const auto& d : devices_)
            if (d->what == gone) return remove_device(*d, "the connection manager says so");
        if (owner->what == identifier_owner::kind::listener)
            static_cast<rdma_listener*>(owner)->lose("its RDMA device was removed");
        return;
    }
    if (owner->what == identifier_owner::kind::listener) {
        if (e.what != manager_event::kind::requested) return;
        auto& l = *static_cast<rdma_listener*>(owner);
        try {
            on_request(l, e);
        } catch (const std::bad_alloc&) {
            if (e.fresh != nullptr) reject(l, *e.fresh, reject_reason::no_resources);
        }
        return;
    }
    auto& c = *static_cast<rdma_connection*>(owner);
    switch (e.what) {
        case manager_event::kind::established:
            if (c.state >= connection_state::accepting) advance(c, connection_event::confirmed);
            return;
        case manager_event::kind::ended: return end(c);
        case manager_event::kind::requested:
        case manager_event::kind::device_removed:
        case manager_event::kind::other: return;
    }
}

// --- a request -----------------------------------------------------------------------------------

queue_limits rdma_control::limits_of(const device_facts& facts) const noexcept {
    const core::target_options& o = target_.options();
    return {.max_io_queues = o.max_io_queues,
            .max_admin_entries = bounds::admin_entries,
            .max_io_entries = o.max_queue_depth,
            .max_read_depth = std::min(bounds::read_depth, facts.max_read_depth),
            .max_read_accepted = facts.max_read_served};
}

void rdma_control::reject(rdma_listener& l, identifier& id, reject_reason why) noexcept {
    l.counters->count_rejected();
    id.reject(nvme::wire_bytes(make_reject(why)));
    if (complaints_.allow(reactor().now()))
        log::warn("{}: rejected {}: {}", l.name(), id.peer(), to_string(why));
}

void rdma_control::on_request(rdma_listener& l, manager_event& e) {
    device* d = e.fresh->where();
    if (d == nullptr) return;  // the identifier ends here, and with it the request
    if (auto known = check_kind(*d); !known) {
        if (complaints_.allow(reactor().now())) log::warn("{}: {}", l.name(), known.error().text());
        return reject(l, *e.fresh, reject_reason::no_resources);
    }
    if (!memory_reserve::whole()) return reject(l, *e.fresh, reject_reason::no_resources);
    const private_data_verdict verdict = check_private_data(
        std::span(e.private_data).first(e.private_bytes), e.resources, limits_of(d->facts()));
    if (const auto* why = std::get_if<reject_reason>(&verdict)) return reject(l, *e.fresh, *why);
    if (auto offered = offer(l, e, std::get<queue_shape>(verdict)); !offered) {
        if (complaints_.allow(reactor().now()))
            log::warn("{}: {}", l.name(), offered.error().text());
        reject(l, *e.fresh, reject_reason::no_resources);
    }
}

// Everything that can fail happens before the connection is made known to anybody; on an error the
// identifier is still the event's.
fulmar::result<void> rdma_control::offer(rdma_listener& l, manager_event& e,
                                         const queue_shape& shape) {
    open_device& on = open(*e.fresh->where());
    if (on.going) return fail(errc::unavailable, "the device is being removed");
    FULMAR_TRY(device_part * part, part_for(on));
    rdma_group& g = *part->group;
    group_device* resources = part->resources.get();
    const device_facts& facts = on.what->facts();
    const std::uint32_t send_work =
        std::min(facts.max_work, 2 * shape.entries + bounds::spare_send_work);
    const bool shared = resources->shares_receives();
    const std::uint32_t receive_work = shared ? 0 : shape.entries;
    if (receive_work > facts.max_work)
        return fail(errc::limit_reached, "the device's receive queues are too short");
    registered_slots receives;
    if (!shared) {
        FULMAR_TRY(receives,
                   registered_slots::create(*on.what, receive_work, resources->capsule_bytes()));
    }
    auto made = std::make_unique<rdma_connection>(*e.fresh, on, shape, l.counters);
    made->ticket = l.places->arrive(g.group(), e.fresh->peer_key(), reactor().now());
    if (made->ticket == nullptr)
        return fail(errc::limit_reached, "too many connections have not sent a Connect yet");
    if (!resources->reserve(send_work + receive_work))
        return fail(errc::limit_reached, "the completion queue has no room for more connections");
    const std::uint32_t write_pieces = std::min(facts.max_pieces, bounds::work_pieces);
    auto wire = e.fresh->create_queue_pair(
        {.completions = &resources->completions(),
         .shared_receives = resources->receives_of(shape.qid).queue.get(),
         .send_work = send_work,
         .receive_work = receive_work,
         .pieces = write_pieces,
         .inline_bytes = sizeof(nvme::cqe),
         .owner = made.get()});
    if (!wire) {
        resources->unreserve(send_work + receive_work);
        return tl::unexpected(std::move(wire).error());
    }
    rdma_connection& c = *made.release();  // destroy() takes it back
    const std::uint32_t bytes = std::min(facts.max_message_bytes, bounds::message_bytes);
    c.send_work = send_work;
    c.receive_work = receive_work;
    c.read_limits = {.pieces = std::min(write_pieces, facts.max_read_pieces), .bytes = bytes};
    c.write_limits = {.pieces = write_pieces, .bytes = bytes};
    c.resources = resources;
    c.part = part;
    c.group = &g;
    c.receives = std::move(receives);
    c.wire = std::move(*wire);
    c.id = std::move(e.fresh);
    c.id->owner = &c;
    connections_.push_back(c);
    ++on.users;
    ++part->users;
    g.group().load.fetch_add(1, std::memory_order_relaxed);
    c.counters->count_in();
    g.reactor().post(c.arrive);
    return {};
}

// --- the life of a connection --------------------------------------------------------------------

void rdma_control::advance(rdma_connection& c, connection_event on) noexcept {
    const auto to = next_state(connection_edges, c.state, on);
    FULMAR_ASSERT(to.has_value());
    c.state = *to;
}

void rdma_control::on_answered(rdma_connection& c) noexcept {
    if (c.refused) return on_refused(c);
    const bool wanted = c.state == connection_state::offered;
    advance(c, connection_event::prepared);
    if (wanted) accept(c);
}

// The data reactor may just be being told that the host has left.
void rdma_control::on_refused(rdma_connection& c) noexcept {
    if (c.state == connection_state::offered)
        c.id->reject(nvme::wire_bytes(make_reject(reject_reason::no_resources)));
    c.counters->count_out(true);
    c.counters->count_rejected();
    c.group->group().load.fetch_sub(1, std::memory_order_relaxed);
    release(c, connection_event::refused);
}

void rdma_control::accept(rdma_connection& c) noexcept {
    nvme::rdma::cm_accept answer{};
    answer.recfmt = nvme::rdma::record_format;
    answer.crqsize = static_cast<std::uint16_t>(c.shape.entries);
    if (auto done = c.id->accept(c.shape, nvme::wire_bytes(answer)); !done) {
        if (complaints_.allow(reactor().now()))
            log::warn("{}: cannot accept {}: {}", c.counters->name, c.peer, done.error().text());
        end(c);
    }
}

// From here on nothing of it is at rest until its queue pair is destroyed.
void rdma_control::end(rdma_connection& c) noexcept {
    const connection_state before = c.state;
    if (before >= connection_state::released) return;
    advance(c, connection_event::end);
    if (before >= connection_state::ending) return;
    if (before == connection_state::offered)
        c.id->reject(nvme::wire_bytes(make_reject(reject_reason::no_resources)));
    else
        c.id->disconnect();
    c.wire->fail();
    const bool silent = c.where->going || !c.part->serves();
    const auto limit = silent ? bounds::removal_limit : bounds::flush_limit;
    reactor().timers().arm(c.flush_deadline, reactor().fresh_now() + limit);
    if (c.stopped || c.peer_told) return;
    c.peer_told = true;
    c.group->reactor().post(c.peer_gone);
}

void rdma_control::end_until(rdma_connection& c, instant until) noexcept {
    end(c);
    if (c.state == connection_state::ending && c.flush_deadline.deadline() > until)
        reactor().timers().arm(c.flush_deadline, until);
}

void rdma_control::on_stopped(rdma_connection& c) noexcept {
    c.stopped = true;
    end(c);
    if (c.state == connection_state::overdue) c.group->reactor().post(c.give_up);
}

void rdma_control::on_reaped(rdma_connection& c) noexcept { release(c, connection_event::reaped); }

// A queue pair that a data reactor may still post to is not destroyed, however late it is. Nor is
// one with completions in the queue: hardware takes them away with it, and receive slots with them.
void rdma_control::on_flush_deadline(rdma_connection& c) noexcept {
    advance(c, connection_event::deadline);
    if (complaints_.allow(reactor().now()))
        log::warn("{}: not everything that was posted for {} came back in time",
                  c.where->what->facts().name, c.peer);
    if (c.stopped) c.group->reactor().post(c.give_up);
}

void rdma_control::count_out(rdma_connection& c) noexcept {
    reactor().timers().cancel(c.flush_deadline);
    c.wire.reset();
    c.receives = {};
    c.id.reset();
    c.resources->unreserve(c.send_work + c.receive_work);
    --c.where->users;
    --c.part->users;
}

void rdma_control::release(rdma_connection& c, connection_event why) noexcept {
    advance(c, why);
    open_device& on = *c.where;
    device_part& part = *c.part;
    count_out(c);
    c.group->reactor().post(c.released);
    settle(part);
    finish_removal(on);
}

void rdma_control::on_let_go(rdma_connection& c) noexcept {
    advance(c, connection_event::let_go);
    FULMAR_ASSERT(!c.has_notes());
    destroy(c);
}

void rdma_control::destroy(rdma_connection& c) noexcept {
    reactor().timers().cancel(c.flush_deadline);
    connections_.erase(connections_.iterator_to(c));
    const std::unique_ptr<rdma_connection> gone(&c);
}

}  // namespace fulmar::transport::rdma

namespace fulmar::transport {

std::unique_ptr<core::transport> make_rdma_transport(core::target& target) {
    return std::make_unique<rdma::rdma_control>(target, rdma::kernel_manager_source());
}

}  // namespace fulmar::transport
