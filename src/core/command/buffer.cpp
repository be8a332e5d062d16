// Must never allocate, log or block.
#include "buffer.hpp"

#include "admin.hpp"
#include "authentication.hpp"
#include "io.hpp"

#include <fulmar/core/poll_group.hpp>

#include <algorithm>

namespace fulmar::core::command::buffer {

using nvme::data_direction;

static host_buffers* payer_of(const request& r) noexcept;
static bool device_allows(const request& r) noexcept;
static bool host_allows(const request& r) noexcept;
static void await_device(request& r) noexcept;
static void want_of_host(request& r) noexcept;
static void go_on(request& r) noexcept;
static void take(request& r) noexcept;
static void take(request& r, std::uint32_t chunks) noexcept;
static void note_waiting(request& r) noexcept;
static void have(request& r) noexcept;

namespace {
// The usual case, with few loads: then device_allows() and the first of host_may_take() hold.
bool nothing_is_scarce(const request& r, std::uint32_t chunks) noexcept {
    if (r.entry == nullptr || !r.entry->buffer_waiters.empty()) return false;
    const qpair& q = *r.owner;
    if (!q.is_io() || !q.memory_waiters.empty()) return false;
    const mem::buffer_pool& pool = q.group().pool();
    const std::uint32_t free = pool.free_chunks();
    return free >= chunks + pool.total_chunks() / 2 && r.entry->share.held + chunks <= free;
}
}  // namespace

void want(request& r) noexcept {
    const std::uint32_t chunks = mem::buffer_pool::chunks_for(r.length);
    if (nothing_is_scarce(r, chunks)) return take(r, chunks);
    if (r.entry != nullptr && (!r.entry->buffer_waiters.empty() || !device_allows(r)))
        return await_device(r);
    want_of_host(r);
}

static void want_of_host(request& r) noexcept {
    qpair& q = *r.owner;
    host_buffers* host = q.buffers();
    if (host == nullptr || (q.memory_waiters.empty() && host_allows(r))) return take(r);
    note_waiting(r);
    q.memory_waiters.push_back(r);
    if (!q.memory_hook.is_linked()) host->waiting.push_back(q);
    q.group().starves(*host);
}

static void await_device(request& r) noexcept {
    note_waiting(r);
    r.entry->buffer_waiters.push_back(r);
    r.entry->group->starves(*r.entry);
}

static void note_waiting(request& r) noexcept {
    if (r.state() == request_state::awaiting_buffer) return;
    r.advance(request_event::want_buffer);
    r.owner->group().count(&group_counters::buffer_waits);
}

static bool device_allows(const request& r) noexcept {
    return r.entry->share.allows(mem::buffer_pool::chunks_for(r.length),
                                 r.entry->group->pool().free_chunks());
}

static bool host_allows(const request& r) noexcept {
    qpair& q = *r.owner;
    const mem::buffer_pool& pool = *q.credit().pool();
    const std::uint32_t chunks = mem::buffer_pool::chunks_for(r.length);
    const mem::host_take wanted{
        .chunks = chunks,
        .used = q.buffers()->used(),
        .free = pool.free_chunks(),
        .total = pool.total_chunks(),
        .hosts = std::max(q.group().hosts().with_io(), 1u),
        .within_connection = q.credit().held() + chunks <= q.credit().guarantee()};
    return q.is_io() ? mem::host_may_take(wanted) : mem::host_may_take_admin(wanted);
}

// A read goes on to its device; a write to its host first, for the data.
static void take(request& r) noexcept { take(r, mem::buffer_pool::chunks_for(r.length)); }

static void take(request& r, std::uint32_t chunks) noexcept {
    qpair& q = *r.owner;
    mem::buffer_pool& pool = *q.credit().pool();
    if (r.entry != nullptr && r.direction == data_direction::controller_to_host) {
        r.charged = chunks;
        r.entry->share.held += chunks;
    }
    r.chain = pool.take(q.credit(), chunks);
    if (r.chain) return have(r);
    note_waiting(r);
    if (host_buffers* host = q.buffers()) host->pending += chunks;
    pool.wait(r.waiter, q.credit(), chunks);
}

// What authenticates is no host's yet when it begins to wait, and may be when that ends.
static host_buffers* payer_of(const request& r) noexcept {
    return authentication::is_one(r) ? nullptr : r.owner->buffers();
}

void granted(request& r, mem::buffer_chain&& chain) noexcept {
    if (host_buffers* host = payer_of(r)) host->pending -= chain.chunks();
    r.chain = std::move(chain);
    have(r);
}

static void have(request& r) noexcept {
    if (r.entry != nullptr) return io::have_buffer(r);
    if (r.owner->is_io() && !authentication::is_one(r))
        return io::have_buffer(r);  // no namespace's
    admin::have_buffer(r);
}

void charge_device(request& r) noexcept {
    r.charged = r.chain.chunks();
    r.entry->share.held += r.charged;
}

// Out of whichever list holds it; one that has become empty leaves its own list in the next turn.
void cancel_wait(request& r) noexcept {
    if (r.waiter.waiting()) {
        if (host_buffers* host = payer_of(r)) host->pending -= r.waiter.chunks();
        return r.waiter.cancel();
    }
    using list = decltype(qpair::memory_waiters);
    if (!r.list.is_linked()) return;
    list holder;  // has no size: any list lets a node of another go
    holder.erase(list::s_iterator_to(r));
}

bool can_go_on(namespace_entry& entry) noexcept {
    return entry.buffer_waiters.empty() || device_allows(entry.buffer_waiters.front());
}

bool can_go_on(host_buffers& host) noexcept {
    return host.waiting.empty() ||
           std::any_of(host.waiting.begin(), host.waiting.end(), [](qpair& q) {
               return q.memory_waiters.empty() || host_allows(q.memory_waiters.front());
           });
}

bool go_on(namespace_entry& entry) noexcept {
    request& r = entry.buffer_waiters.front();
    if (!device_allows(r)) return false;
    entry.buffer_waiters.pop_front();
    want_of_host(r);
    return true;
}

// Queues take turns: one whose commands are stuck does not hold up another within its guarantee.
bool go_on(host_buffers& host) noexcept {
    for (auto at = host.waiting.begin(); at != host.waiting.end();) {
        qpair& q = *at;
        if (q.memory_waiters.empty()) {
            at = host.waiting.erase(at);
            continue;
        }
        request& r = q.memory_waiters.front();
        if (!host_allows(r)) {
            ++at;
            continue;
        }
        q.memory_waiters.pop_front();
        host.waiting.splice(host.waiting.end(), host.waiting, at);
        go_on(r);
        return true;
    }
    return false;
}

static void go_on(request& r) noexcept {
    if (r.entry != nullptr && !device_allows(r))
        await_device(r);
    else
        take(r);
}

void charge_slow_tasks(namespace_entry& entry) noexcept {
    for (io_task& task : entry.tasks) {
        if (task.owner == nullptr) continue;  // in quarantine
        if (task.age == io_task::seen::not_yet) {
            task.age = io_task::seen::once;
        } else if (task.age == io_task::seen::once) {
            task.age = io_task::seen::slow;
            task.chain.recharge(entry.group->slow_devices());
        }
    }
}

}  // namespace fulmar::core::command::buffer
