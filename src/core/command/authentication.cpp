// Must never: give memory before the lengths are known to fit.
#include "authentication.hpp"

#include "authentication/queue_authentication.hpp"

#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/nvme/fabrics.hpp>

#include <array>
#include <span>

namespace fulmar::core::command::authentication {

namespace sc = nvme::sc;

namespace {

bool is_send(const request& r) noexcept {
    return nvme::fctype_of(r.sqe) == static_cast<std::uint8_t>(nvme::fctype::authentication_send);
}

bool lengths_fit(const request& r) noexcept {
    const auto command = nvme::view_as<nvme::authentication_command>(r.sqe);
    const std::uint32_t length = command.length_bytes.value();
    return command.secp == nvme::auth_secp_nvme && command.spsp0 == nvme::auth_spsp &&
           command.spsp1 == nvme::auth_spsp && length != 0 && length <= limits::max_auth_bytes &&
           nvme::is_success(r.sgl_status) && r.sgl_bytes == length &&
           (r.in_capsule.empty() || r.in_capsule.size() == length);
}

void want_authentication_buffer(request& r) noexcept {
    mem::buffer_credit& credit = r.owner->authentication_credit();
    if (r.owner->unproven() && (credit.held() >= limits::unproven_chunks || credit.waiting()))
        return r.owner->finish(r, sc::command_sequence_error.no_retry());
    r.chain = credit.pool()->take(credit, 1);
    if (r.chain) {
        if (r.direction == nvme::data_direction::host_to_controller) return r.owner->fetch(r);
        return data_arrived(r);
    }
    r.advance(request_event::want_buffer);
    credit.pool()->wait(r.waiter, credit, 1);
}

}  // namespace

bool is_one(const request& r) noexcept {
    return r.sqe.opcode == static_cast<std::uint8_t>(nvme::admin_opcode::fabrics);
}

void start(request& r) noexcept {
    qpair& q = *r.owner;
    queue_authentication* const its = q.authentication();
    if (its == nullptr || its->busy())  // nothing asked for it, or one is under way
        return q.finish(r, sc::command_sequence_error.no_retry());
    if (!lengths_fit(r)) return q.finish(r, sc::invalid_field.no_retry());
    r.length = nvme::view_as<nvme::authentication_command>(r.sqe).length_bytes.value();
    r.direction = is_send(r) ? nvme::data_direction::host_to_controller
                             : nvme::data_direction::controller_to_host;
    if (!is_send(r) && !r.in_capsule.empty()) return q.finish(r, sc::invalid_field.no_retry());
    if (!r.in_capsule.empty()) return data_arrived(r);
    want_authentication_buffer(r);
}

void data_arrived(request& r) noexcept {
    qpair& q = *r.owner;
    r.advance(request_event::execute);
    if (q.attached_controller() != nullptr && !q.is_io()) q.attached_controller()->heard();
    queue_authentication& its = *q.authentication();
    if (its.busy())  // two were sent at a time
        return q.finish(r, sc::command_sequence_error.no_retry());
    if (!is_send(r)) return its.receive(r);
    std::array<std::byte, limits::max_auth_bytes> copied;
    std::span<const std::byte> message = r.in_capsule;
    if (message.empty()) {
        r.chain.copy_out(0, std::span(copied).first(r.length));
        message = std::span(copied).first(r.length);
    }
    its.send(r, message);
}

}  // namespace fulmar::core::command::authentication
