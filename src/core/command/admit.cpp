// From the arrival of an I/O command to its buffer. The policies come before buffers, so that what
// waits at a gate holds no memory but its in-capsule data. Must never allocate, log or block.
#include "buffer.hpp"
#include "fused.hpp"
#include "io.hpp"
#include "policy/policies.hpp"
#include "reservation.hpp"

#include <fulmar/nvme/io_command.hpp>

#include <utility>

namespace fulmar::core::command::io {

namespace sc = nvme::sc;

namespace {

void park(request& r, std::uint64_t kept) noexcept {
    qpair& q = *r.owner;
    namespace_entry& entry = *r.entry;
    r.advance(request_event::park);
    if (!r.in_capsule.empty()) keep_in_capsule(r);
    r.parked_bytes = kept;
    r.parked_at = q.group().reactor().now();
    entry.parked.push_back(r);
    entry.show();
    if (entry.held()) entry.subsystem->watch_parked(entry);
    note(r, "parked");
    q.group().count(&group_counters::parked);
}

// Inside the gate: from here on every way out goes through complete().
void enter(request& r) noexcept {
    namespace_entry& entry = *r.entry;
    r.cut = cut_off::no;
    entry.show();
    if (r.io.block_count != 0 &&
        !nvme::lba_range_fits(r.io.first_block, r.io.block_count, entry.block_count))
        return complete(r, sc::lba_out_of_range.no_retry());
    if (r.io.fused) [[unlikely]]
        return fused::entered(r);
    if (r.length == 0) return execute(r);
    if (!r.chain) {
        if (r.in_capsule.empty()) return buffer::want(r);
        if (entry.channel->completes_inline()) return execute(r);
        keep_in_capsule(r);
    }
    buffer::charge_device(r);
    execute(r);
}

void refuse(request& r, const policy::verdict& v) noexcept {
    if (r.entered) return complete(r, v.status);
    if (v.note != nullptr) note(r, v.note);
    qpair& q = *r.owner;
    q.finish(r, v.later ? retry_later(q, v.status) : v.status);
}

std::uint64_t kept_bytes(const request& r) noexcept {
    if (r.io.fused) [[unlikely]]
        return fused::kept_bytes(r);
    return r.in_capsule.empty() ? 0 : limits::chunk_bytes;
}

void admit(request& r) noexcept {
    const std::uint64_t kept = kept_bytes(r);
    const policy::verdict v = policy::ask(r, kept);
    switch (v.says) {
        case policy::word::pass: return enter(r);
        case policy::word::wait: return park(r, kept);
        case policy::word::answer: return refuse(r, v);
    }
}

}  // namespace

void note(const request& r, const char* what) noexcept {
    const namespace_entry& entry = *r.entry;
    entry.group->reactor().note({.what = what,
                                 .subsystem = entry.owner,
                                 .ns = entry.id,
                                 .object = r.owner->connection_number(),
                                 .value = r.cid()});
}

void keep_in_capsule(request& r) noexcept {
    r.chain = std::move(r.in_capsule_chunk);
    r.chain.copy_in(0, r.in_capsule);
    r.in_capsule = {};
}

nvme::status read(request& r) noexcept {
    qpair& q = *r.owner;
    r.entry = q.subsystem()->find(r.sqe.nsid.value());
    if (const policy::verdict v = policy::ask_visibility(r); v.says != policy::word::pass) {
        const nvme::status wrong = check_opcode(r.sqe);
        return nvme::is_success(wrong) ? v.status : wrong;
    }
    const namespace_entry& entry = *r.entry;
    r.generation = entry.id.generation;
    const nvme::status wrong =
        parse_io(r.sqe,
                 {.device = entry.geometry,
                  .block_shift = entry.block_shift,
                  .max_transfer_bytes = q.group().options().max_transfer_bytes,
                  .sgl_bytes = r.sgl_bytes,
                  .sgl_status = r.sgl_status},
                 r.io);
    r.direction = r.io.direction;
    r.length = r.io.length;
    return wrong;
}

void start(request& r) noexcept {
    if (const nvme::status wrong = read(r); !nvme::is_success(wrong)) {
        r.direction = nvme::data_direction::none;
        return r.owner->finish(r, wrong);
    }
    if (r.io.reserves) [[unlikely]]
        return reservation::start(r);
    admit(r);
}

void replay(request& r) noexcept {
    r.advance(request_event::replay);
    r.in_capsule = {};
    admit(r);
}

void have_buffer(request& r) noexcept {
    if (r.io.fused) [[unlikely]]
        return fused::have_buffer(r);
    if (r.direction == nvme::data_direction::host_to_controller) return r.owner->fetch(r);
    if (r.io.reserves) [[unlikely]]
        return reservation::go_on(r);
    execute(r);
}

void data_arrived(request& r) noexcept {
    if (r.io.reserves) [[unlikely]]
        return reservation::go_on(r);
    buffer::charge_device(r);
    execute(r);
}

}  // namespace fulmar::core::command::io
