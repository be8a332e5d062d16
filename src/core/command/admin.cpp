// Admin commands: the way of their data, and who executes which (NVMe Base 2.0, section 5).
#include "admin.hpp"

#include "admin_data.hpp"
#include "authentication.hpp"
#include "buffer.hpp"

#include <fulmar/base/mutation.hpp>
#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>

#include <algorithm>

namespace fulmar::core {

using nvme::admin_opcode;
using nvme::data_direction;
namespace sc = nvme::sc;

namespace command::admin {

namespace {

// 0: it moves nothing, or is refused when it is carried out: no memory is given, and the host is
// asked for nothing.
std::uint32_t data_length(const request& r) noexcept {
    const controller& c = *r.owner->attached_controller();
    if (c.state() != controller_state::enabled) return 0;
    const std::uint32_t length = admin_data_length(r.sqe, c.data_rules());
    return length == r.sgl_bytes ? length : 0;
}

}  // namespace

void start(request& r) noexcept {
    qpair& q = *r.owner;
    if (r.sqe.fused() != nvme::fuse::none) return q.finish(r, sc::invalid_field.no_retry());
    r.direction = nvme::direction_of(r.sqe.opcode);
    if (r.direction == data_direction::bidirectional)
        return q.finish(r, sc::invalid_opcode.no_retry());
    const bool describes_data = r.sgl_bytes != 0 || !nvme::is_success(r.sgl_status);
    if (r.direction != data_direction::none && describes_data) {
        if (!nvme::is_success(r.sgl_status)) return q.finish(r, r.sgl_status.no_retry());
        if (r.sgl_bytes > q.group().options().max_transfer_bytes)
            return q.finish(r, sc::invalid_field.no_retry());
        r.length = data_length(r);
    }
    if (r.length == 0) {
        r.in_capsule = {};
        r.in_capsule_chunk.release();
        return data_arrived(r);
    }
    if (r.in_capsule.empty()) return buffer::want(r);
    r.chain = std::move(r.in_capsule_chunk);
    r.chain.copy_in(0, r.in_capsule);
    r.in_capsule = {};
    data_arrived(r);
}

void have_buffer(request& r) noexcept {
    if (r.direction == data_direction::host_to_controller) return r.owner->fetch(r);
    if (authentication::is_one(r)) return authentication::data_arrived(r);
    data_arrived(r);
}

void data_arrived(request& r) noexcept {
    r.advance(request_event::execute);
    r.owner->attached_controller()->on_admin_command(r);
}

}  // namespace command::admin

admin_data_rules controller::data_rules() const noexcept {
    return {.discovery = is_discovery(),
            .namespace_limit = description().namespace_limit,
            .max_transfer_bytes = static_cast<std::uint32_t>(home_.options().max_transfer_bytes)};
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
    if (mutated(mutation::quiescing_stops_admin_commands) &&
        subsystem_->state == view_state::quiesced)
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
        case admin_opcode::cross_controller_reset:
            if (is_discovery()) return finish(r, sc::invalid_opcode.no_retry());
            return cross_reset(r);
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
