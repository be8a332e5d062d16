// Must never: enter a gate, or keep a namespace from going.
#include "reservation.hpp"

#include "buffer.hpp"
#include "io.hpp"
#include "policy/policies.hpp"
#include "reservation/reservation_errand.hpp"
#include "reservation/reservation_report.hpp"

#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/core/subsystem_group.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace fulmar::core::command::reservation {

namespace sc = nvme::sc;

namespace {

constexpr std::size_t most_key_bytes = sizeof(nvme::reservation_register_data);

// A piece at a time, so that it needs no more of the stack than that.
void report(request& r, const namespace_description& about) noexcept {
    static const reservation_state nobody{};
    const reservation_state& state = about.reservation ? *about.reservation : nobody;
    std::array<std::byte, 4096> piece;
    for (std::uint32_t done = 0; done < r.length;) {
        const std::size_t size = std::min<std::size_t>(piece.size(), r.length - done);
        const std::size_t told =
            write_reservation_report(state, done, std::span(piece).first(size));
        std::fill(piece.begin() + static_cast<std::ptrdiff_t>(told), piece.end(), std::byte{0});
        r.chain.copy_in(done, std::span(piece).first(size));
        done += static_cast<std::uint32_t>(size);
    }
    r.owner->finish(r, sc::success);
}

void decide(request& r, const namespace_description& about,
            std::span<const std::byte> keys) noexcept {
    qpair& q = *r.owner;
    const auto asked = read_reservation_request(r.sqe, keys);
    if (!asked) return q.finish(r, sc::invalid_field.no_retry());
    if (!reservation_errand::send(r, *q.subsystem(), about.id, *asked, q.host_identifier()))
        q.finish(r, io::retry_later(q, sc::internal_error));
}

}  // namespace

// It is no I/O of its namespace's device: neither its share of the buffers nor its gate counts it.
void start(request& r) noexcept {
    r.entry = nullptr;
    if (r.direction == nvme::data_direction::controller_to_host || r.in_capsule.empty())
        return buffer::want(r);
    go_on(r);
}

void go_on(request& r) noexcept {
    qpair& q = *r.owner;
    r.advance(request_event::execute);
    const namespace_description* about = q.subsystem()->view->find(nsid(r.sqe.nsid.value()));
    const bool there = about != nullptr && about->id.generation == r.generation;
    if (const policy::verdict v =
            policy::visibility(there, there && q.hidden().has(about->number().value()));
        v.says != policy::word::pass)
        return q.finish(r, v.status);
    // While a device is away its reservations are asked about all the same.
    const namespace_entry* const entry = q.subsystem()->find(about->number().value());
    if (entry != nullptr && entry->restricted && !entry->held())
        if (const policy::verdict v = policy::ask_path(q, *entry); v.says != policy::word::pass)
            return q.finish(r, v.status);
    if (r.direction == nvme::data_direction::controller_to_host) return report(r, *about);
    std::array<std::byte, most_key_bytes> keys{};
    const std::span<std::byte> brought = std::span(keys).first(r.length);
    if (r.chain)
        r.chain.copy_out(0, brought);
    else
        std::memcpy(brought.data(), r.in_capsule.data(), brought.size());
    decide(r, *about, brought);
}

}  // namespace fulmar::core::command::reservation
