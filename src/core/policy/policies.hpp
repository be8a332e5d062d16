// The one place where the policies are asked about an I/O command, in this order: is the namespace
// visible to this host, what does the ANA state of its path say, is its gate open, may its blocks
// be changed, does a reservation let this host do it. What comes later (rate limits) is asked
// behind these. Called on: the qpair's reactor. Must never: allocate, log or block.
#pragma once

#include "ana.hpp"
#include "reservation.hpp"
#include "reservation/reservation_access.hpp"
#include "verdict.hpp"
#include "visibility.hpp"
#include "write_protection.hpp"

#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/core/request.hpp>
#include <fulmar/core/subsystem_group.hpp>

namespace fulmar::core::policy {

/// Before the command is read any further: the form of a command depends on its namespace.
[[nodiscard]] inline verdict ask_visibility(const request& r) noexcept {
    const bool exists = r.entry != nullptr;
    const bool chosen = exists && r.entry->visible_to != nullptr;  // seldom
    return visibility(exists, chosen && r.owner->hides(*r.entry));
}

/// What the path by which `q` came lets through; of a namespace that is restricted.
[[nodiscard]] inline verdict ask_path(const qpair& q, const namespace_entry& entry) noexcept {
    return ana(entry.ana_at(q.ana_column()), entry.held(), q.follows_ana());
}

/// Of a command whose path was closed while it was on its way. It may have been opened again since.
[[nodiscard]] inline nvme::status status_of_path(const qpair& q,
                                                 const namespace_entry& entry) noexcept {
    const verdict v = ask_path(q, entry);
    return v.says != word::pass ? v.status : nvme::sc::ana_transition;
}

/// Nothing of `q` may reach the device: its host does not see the namespace, or its path is closed.
[[nodiscard]] inline bool shuts_out(const qpair& q, const namespace_entry& entry) noexcept {
    return q.hides(entry) || ask_path(q, entry).says != word::pass;
}

/// Behind the gate, where a namespace is restricted at all. A command that waited at the gate while
/// a reservation was made is asked when it goes on.
[[nodiscard]] inline verdict ask_restricted(const request& r) noexcept {
    const namespace_entry& entry = *r.entry;
    if (const verdict v = write_protection(entry.write_protected, r.io.changes_blocks);
        v.says != word::pass)
        return v;
    if (entry.reservation == nullptr) return pass;
    return reservation(denied_to(*entry.reservation, r.owner->host_identifier()),
                       access_needed(r.sqe.opcode));
}

/// What needs no locks to be refused costs its namespace no drain: a fused pair, before its
/// namespace has locks of ranges.
[[nodiscard]] inline verdict ask_before_locks(const request& r) noexcept {
    const namespace_entry& entry = *r.entry;
    if (entry.gate.position == gate_position::closed) return answer(entry.closed_status);
    if (!entry.restricted) return pass;
    if (const verdict v = ask_path(*r.owner, entry); v.says != word::pass) return v;
    return ask_restricted(r);
}

/// The rest. pass: it is inside its gate, and leaves it through complete(). wait: the gate counts
/// it as parked, with `kept` bytes of memory. answer: `r.entered` says whether it is inside.
[[nodiscard]] inline verdict ask(request& r, std::uint64_t kept) noexcept {
    namespace_entry& entry = *r.entry;
    const bool restricted = entry.restricted;  // seldom
    if (restricted) [[unlikely]]
        if (const verdict v = ask_path(*r.owner, entry); v.says != word::pass) return v;
    switch (entry.gate.admit(r.generation, kept)) {
        case admission::enter: break;
        case admission::park: return wait;
        case admission::refuse: return answer(entry.closed_status);
        case admission::overflow:
            return {.says = word::answer,
                    .later = true,
                    .status = nvme::sc::namespace_not_ready,
                    .note = "overflow"};
        case admission::stale:
            entry.group->count(&group_counters::stale);
            return {.says = word::answer,
                    .status = nvme::sc::invalid_namespace_or_format.no_retry(),
                    .note = "stale-request"};
    }
    r.entered = true;
    if (restricted) [[unlikely]]
        return ask_restricted(r);
    return pass;
}

}  // namespace fulmar::core::policy
