// Admin commands: the way of their data, and who executes which (NVMe Base 2.0, section 5).
#include "admin_steps.hpp"

#include <fulmar/base/mutation.hpp>
#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>

#include <algorithm>

namespace fulmar::core {

using nvme::admin_opcode;
using nvme::data_direction;
namespace sc = nvme::sc;

void admin_steps::start(request& r) noexcept {
    qpair& q = *r.owner;
    if (r.sqe.fused() != nvme::fuse::none) return q.finish(r, sc::invalid_field.no_retry());
    r.direction = nvme::direction_of(r.sqe.opcode);
    if (r.direction == data_direction::bidirectional)
        return q.finish(r, sc::invalid_opcode.no_retry());
    if (r.direction == data_direction::none ||
        (r.sgl_bytes == 0 && nvme::is_success(r.sgl_status))) {
        r.advance(request_event::execute);
        return q.controller_->on_admin_command(r);
    }
    if (!nvme::is_success(r.sgl_status)) return q.finish(r, r.sgl_status.no_retry());
    if (r.sgl_bytes > q.group().options().max_transfer_bytes)
        return q.finish(r, sc::invalid_field.no_retry());
    r.length = r.sgl_bytes;
    if (!r.in_capsule.empty()) {
        r.chain = std::move(r.in_capsule_chunk);
        r.chain.copy_in(0, r.in_capsule);
        r.in_capsule = {};
        return data_arrived(r);
    }
    const std::uint32_t chunks = mem::buffer_pool::chunks_for(r.length);
    r.chain = q.group().pool().take(q.credit(), chunks);
    if (r.chain) return have_buffer(r);
    r.advance(request_event::want_buffer);
    q.group().pool().wait(r.waiter, q.credit(), chunks);
}

void admin_steps::buffer_granted(request& r) noexcept { have_buffer(r); }

void admin_steps::have_buffer(request& r) noexcept {
    if (r.direction == data_direction::host_to_controller) {
        r.advance(request_event::want_data);
        return r.owner->fetch_data(r);
    }
    data_arrived(r);
}

void admin_steps::data_arrived(request& r) noexcept {
    r.advance(request_event::execute);
    r.owner->controller_->on_admin_command(r);
}

void controller::on_admin_command(request& r) noexcept {
    touch_keep_alive();
    if (state_ != controller_state::enabled)
        return finish(r, sc::command_sequence_error.no_retry());
    execute_admin(r);
}

void controller::execute_admin(request& r) noexcept {
    const auto opcode = nvme::parse_admin_opcode(r.sqe.opcode);
    if (!opcode) return finish(r, sc::invalid_opcode.no_retry());
    if (mutated(mutation::fences_stop_admin_commands) && subsystem_->state == view_state::fenced)
        return finish(r, sc::namespace_not_ready);
    switch (*opcode) {
        case admin_opcode::identify: return identify(r);
        case admin_opcode::get_log_page: return get_log_page(r);
        case admin_opcode::keep_alive: return keep_alive(r);
        case admin_opcode::set_features: return set_features(r);
        case admin_opcode::get_features: return get_features(r);
        case admin_opcode::async_event_request: return async_event_request(r);
        case admin_opcode::abort:
            if (is_discovery()) return finish(r, sc::invalid_opcode.no_retry());
            return abort_command(r);
        default: return finish(r, sc::invalid_opcode.no_retry());
    }
}

void controller::answer_with(request& r, std::span<const std::byte> data,
                             std::uint64_t offset) noexcept {
    std::size_t copied = 0;
    if (offset < data.size()) {
        copied = std::min<std::size_t>(r.length, data.size() - static_cast<std::size_t>(offset));
        r.chain.copy_in(0, data.subspan(static_cast<std::size_t>(offset), copied));
    }
    if (copied < r.length) r.chain.zero(copied, r.length - copied);
    finish(r, sc::success);
}

// Between two of them, hosts learn how the devices are.
void controller::keep_alive(request& r) noexcept {
    if (!is_discovery()) look_at_health();
    finish(r, sc::success);
}

}  // namespace fulmar::core
