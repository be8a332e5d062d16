// Fabrics commands: Connect goes its own way; the rest concerns the controller's registers or the
// queue itself.
#include "fabrics.hpp"

#include "authentication.hpp"
#include "connect.hpp"

#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/nvme/fabrics.hpp>

namespace fulmar::core {

namespace sc = nvme::sc;
namespace reg = nvme::register_offset;

namespace command::fabrics {

namespace {

// Deletes one I/O queue and leaves the association alone (OFCS bit 0). The answer goes out first.
void disconnect(request& r) noexcept {
    qpair& q = *r.owner;
    if (!q.is_io()) return q.finish(r, sc::disconnect_invalid_queue_type.no_retry());
    const auto command = nvme::view_as<nvme::disconnect_command>(r.sqe);
    if (command.recfmt.value() != 0) return q.finish(r, sc::connect_incompatible_format.no_retry());
    q.finish(r, sc::success);
    q.close_when_idle();
}

}  // namespace

void start(request& r) noexcept {
    qpair& q = *r.owner;
    const auto type = nvme::parse_fctype(nvme::fctype_of(r.sqe));
    if (!type) return q.finish(r, sc::invalid_field.no_retry());
    const bool authenticates =
        *type == nvme::fctype::authentication_send || *type == nvme::fctype::authentication_receive;
    if (q.unproven() && !authenticates) return q.finish(r, sc::authentication_required.no_retry());
    if (*type == nvme::fctype::connect) return connect::start(r);
    if (q.state() != qpair_state::live) return q.finish(r, sc::command_sequence_error.no_retry());
    switch (*type) {
        case nvme::fctype::property_get:
        case nvme::fctype::property_set:
            if (q.is_io()) return q.finish(r, sc::invalid_field.no_retry());
            return q.attached_controller()->on_fabrics_command(r);
        case nvme::fctype::disconnect: return disconnect(r);
        case nvme::fctype::authentication_send:
        case nvme::fctype::authentication_receive: return authentication::start(r);
        case nvme::fctype::connect: return;
    }
}

}  // namespace command::fabrics

void controller::on_fabrics_command(request& r) noexcept {
    touch_keep_alive();
    if (nvme::fctype_of(r.sqe) == static_cast<std::uint8_t>(nvme::fctype::property_get))
        property_get(r);
    else
        property_set(r);
}

void controller::property_get(request& r) noexcept {
    const auto command = nvme::view_as<nvme::property_get_command>(r.sqe);
    const auto size = nvme::parse_property_size(command.attrib);
    const auto actual = nvme::size_of_property(command.ofst.value());
    if (!size || !actual || *size != *actual) return finish(r, sc::invalid_field.no_retry());
    std::uint64_t value = 0;
    switch (command.ofst.value()) {
        case reg::cap:
            value =
                nvme::capabilities{
                    .mqes = static_cast<std::uint16_t>((is_discovery()
                                                            ? limits::admin_queue_depth * 4
                                                            : home_.options().max_queue_depth) -
                                                       1),
                    .to = 30,  // 15 s: disabling waits for the I/O queues to leave
                    .crwms = true,
                }
                    .pack();
            break;
        case reg::vs: value = nvme::version_2_0; break;
        case reg::cc: value = configuration_; break;
        case reg::csts:
            value =
                nvme::controller_status{
                    .rdy = state_ == controller_state::enabled ||
                           state_ == controller_state::resetting ||
                           ((state_ == controller_state::shutting_down ||
                             state_ == controller_state::shut_down) &&
                            nvme::controller_configuration::unpack(configuration_).en),
                    .cfs = fatal_,
                    .shst = state_ == controller_state::shut_down ? nvme::shutdown_status::complete
                            : state_ == controller_state::shutting_down
                                ? nvme::shutdown_status::occurring
                                : nvme::shutdown_status::normal,
                }
                    .pack();
            break;
        case reg::crto: value = nvme::ready_timeouts{.crwmt = 30}.pack(); break;
        case reg::nssr:
        case reg::nssd: value = 0; break;
        default: return finish(r, sc::invalid_field.no_retry());
    }
    r.dw0 = static_cast<std::uint32_t>(value);
    r.dw1 = static_cast<std::uint32_t>(value >> 32);
    finish(r, sc::success);
}

void controller::property_set(request& r) noexcept {
    const auto command = nvme::view_as<nvme::property_set_command>(r.sqe);
    const auto size = nvme::parse_property_size(command.attrib);
    if (!size || *size != nvme::property_size::bytes_4)
        return finish(r, sc::invalid_field.no_retry());
    switch (command.ofst.value()) {
        case reg::cc: break;
        case reg::csts:
            return finish(r, sc::success);  // NSSRO, the only writable bit, is never set
        default: return finish(r, sc::invalid_field.no_retry());
    }
    const auto value = static_cast<std::uint32_t>(command.value.value());
    const auto wanted = nvme::controller_configuration::unpack(value);
    const bool enabling = wanted.en && state_ == controller_state::disabled;
    const bool io_sizes_wrong = !is_discovery() && (wanted.iosqes != nvme::io_sq_entry_size_log2 ||
                                                    wanted.iocqes != nvme::io_cq_entry_size_log2);
    if (enabling &&
        (io_sizes_wrong || wanted.mps != 0 || wanted.ams != 0 || wanted.css != nvme::cc_css::nvm)) {
        fatal_ = true;  // Base 2.0, section 3.5.3: the host sees CSTS.CFS, and a reset clears it
        configuration_ = value;
        return finish(r, sc::success);
    }
    set_configuration(value);
    finish(r, sc::success);
}

void controller::set_configuration(std::uint32_t value) noexcept {
    const auto before = nvme::controller_configuration::unpack(configuration_);
    const auto wanted = nvme::controller_configuration::unpack(value);
    configuration_ = value;
    if (!wanted.en && before.en) {
        fatal_ = false;
        if (has_edge(controller_edges, state_, controller_event::disable)) {
            advance(controller_event::disable);
            features_.reset();
            drop_async_events(sc::aborted_sq_deletion);
            disconnect_io_queues(close_reason::host_disconnected);
        }
    } else if (wanted.en && state_ == controller_state::disabled) {
        advance(controller_event::enable);
    }
    if (wanted.shn != nvme::shutdown_notification::none &&
        has_edge(controller_edges, state_, controller_event::shutdown)) {
        advance(controller_event::shutdown);
        disconnect_io_queues(close_reason::host_disconnected);
    }
    check_queues_gone();
}

}  // namespace fulmar::core
