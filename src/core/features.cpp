// Set Features and Get Features (NVMe Base 2.0, sections 5.15 and 5.27; protocol list D7). Nothing
// is saveable, so the saved value of a feature is its default.
#include "admin_pages.hpp"
#include "feature_table.hpp"
#include "policy/ana.hpp"
#include "policy/write_protection.hpp"
#include "reservation/reservation_errand.hpp"

#include <fulmar/core/controller.hpp>
#include <fulmar/core/poll_group.hpp>

#include <algorithm>
#include <new>

namespace fulmar::core {

using nvme::fid;
namespace sc = nvme::sc;

namespace {

constexpr std::uint32_t arbitration_mask = 0xffff'ff07;  // bits 7:3 are reserved
constexpr std::uint32_t default_temperature_over = warning_kelvin;
constexpr std::uint8_t composite_sensor = 0;
constexpr std::uint8_t all_sensors = 0xf;
constexpr std::uint32_t last_workload_hint = 4;

bool threshold_type_is_reserved(std::uint32_t dw11) noexcept { return (dw11 >> 20 & 3u) > 1; }

}  // namespace

void controller_features::reset() noexcept {
    event_config.store(0, std::memory_order_relaxed);
    arbitration = 0;
    power_management = 0;
    temperature_over = default_temperature_over;
    temperature_under = 0;
    write_atomicity = 0;
    write_through.store(false, std::memory_order_relaxed);
    error_recovery.clear();
    host_behavior = {};
    retry_delay.store(false, std::memory_order_relaxed);
    queues_granted = 0;
}

bool controller_features::temperature_out_of_bounds(std::uint16_t kelvin) const noexcept {
    return kelvin >= temperature_over || kelvin <= temperature_under;
}

// --- Set ---------------------------------------------------------------------------------------

namespace {

// What a path that its ANA state closes does not tell of a namespace (Base 2.0, section 8.1.3, ANA
// effects on commands). Whose device is lost is told of all the same.
nvme::status check_feature_path(const controller& c, const namespace_description& n,
                                fid which) noexcept {
    const bool of_the_path = which == fid::error_recovery ||
                             which == fid::reservation_notification_mask ||
                             which == fid::reservation_persistence;
    if (!of_the_path || !n.ready) return sc::success;
    const policy::verdict v = policy::ana(n.ana_at(c.ana_column()), false, true);
    return v.says == policy::word::pass ? sc::success : v.status;
}

// The namespace that a feature is asked about, as far as that can be wrong.
nvme::status check_namespace(const controller& c, std::uint32_t number, fid which) noexcept {
    if (number == nvme::nsid_none || number > c.description().namespace_limit)
        return sc::invalid_namespace_or_format.no_retry();
    const namespace_description* const n = c.seen().find(nsid(number));
    return n == nullptr ? sc::invalid_field.no_retry() : check_feature_path(c, *n, which);
}

nvme::status check_set(const controller& c, const feature_row& row, const nvme::set_features& what,
                       std::uint32_t number) noexcept {
    if (what.save) return sc::feature_not_saveable.no_retry();
    if (row.per_namespace) {
        if (number != nvme::nsid_broadcast) {
            const nvme::status wrong = check_namespace(c, number, row.id);
            if (!nvme::is_success(wrong)) return wrong;
        }
    } else if (number != nvme::nsid_none && number != nvme::nsid_broadcast) {
        return number > c.description().namespace_limit
                   ? sc::invalid_namespace_or_format.no_retry()
                   : sc::feature_not_namespace_specific.no_retry();
    }
    if (row.changeable) return sc::success;
    return row.id == fid::host_identifier ? sc::command_sequence_error.no_retry()
                                          : sc::feature_not_changeable.no_retry();
}

nvme::status set_temperature(controller& c, std::uint32_t value) noexcept {
    const auto threshold = nvme::temperature_threshold::unpack(value);
    if (threshold_type_is_reserved(value)) return sc::invalid_field.no_retry();
    if (threshold.sensor != composite_sensor && threshold.sensor != all_sensors)
        return sc::invalid_field.no_retry();
    (threshold.under ? c.features().temperature_under : c.features().temperature_over) =
        threshold.kelvin;
    return sc::success;
}

nvme::status set_error_recovery(controller& c, std::uint32_t number, std::uint32_t value) noexcept {
    // No namespace reports reads of deallocated blocks (NSFEAT bit 2).
    if ((value & nvme::error_recovery::deallocated_error) != 0) return sc::invalid_field.no_retry();
    const std::uint32_t limit = value & nvme::error_recovery::tler_mask;
    try {
        if (number != nvme::nsid_broadcast) {
            c.features().error_recovery.insert_or_assign(number, limit);
            return sc::success;
        }
        c.seen().for_each([&](const namespace_description& n) {
            c.features().error_recovery.insert_or_assign(n.number().value(), limit);
            return true;
        });
    } catch (const std::bad_alloc&) {
        return sc::internal_error;
    }
    return sc::success;
}

nvme::status set_queues(controller& c, request& r, std::uint32_t value) noexcept {
    constexpr std::uint32_t unsayable = 0x1'0000;  // FFFFh on the wire
    const auto wanted = nvme::queue_counts::unpack(value);
    if (wanted.submission == unsayable || wanted.completion == unsayable)
        return sc::invalid_field.no_retry();
    if (c.has_io_queues()) return sc::command_sequence_error.no_retry();
    // Queues come in pairs here.
    const std::uint32_t pairs = std::min(
        {wanted.submission, wanted.completion, std::uint32_t{c.home().options().max_io_queues}});
    c.features().queues_granted = static_cast<std::uint16_t>(pairs);
    r.dw0 = nvme::queue_counts{.submission = pairs, .completion = pairs}.pack();
    return sc::success;
}

nvme::status set_host_behavior(controller& c, request& r) noexcept {
    nvme::host_behavior_support wanted{};
    if (r.length != sizeof(wanted)) return sc::data_sgl_length_invalid.no_retry();
    r.chain.copy_out(0, nvme::writable_wire_bytes(wanted));
    if (wanted.acre > 1 || wanted.etdas > 1 || wanted.lbafee > 1 || wanted.hdisns > 1)
        return sc::invalid_field.no_retry();
    c.features().host_behavior = wanted;
    c.features().retry_delay.store(wanted.acre == 1, std::memory_order_relaxed);
    return sc::success;
}

nvme::status set_mask(controller& c, std::uint32_t number, std::uint32_t value) noexcept {
    if ((value & ~nvme::reservation_mask::all) != 0) return sc::invalid_field.no_retry();
    try {
        std::vector<std::uint32_t> concerned;
        c.seen().for_each([&](const namespace_description& n) {
            if (number == nvme::nsid_broadcast || n.number().value() == number)
                concerned.push_back(n.number().value());
            return true;
        });
        if (c.notices().set_mask(concerned, value)) return sc::success;
    } catch (const std::bad_alloc&) {
        return sc::internal_error;
    }
    return sc::internal_error;
}

nvme::status set(controller& c, request& r, const feature_row& row, std::uint32_t value) noexcept {
    switch (row.id) {
        case fid::arbitration:
            c.features().arbitration = value & arbitration_mask;
            return sc::success;
        case fid::power_management:
            // One power state.
            if ((value & 0x1fu) != 0 || (value >> 5 & 7u) > last_workload_hint)
                return sc::invalid_field.no_retry();
            c.features().power_management = value & 0xffu;
            return sc::success;
        case fid::temperature_threshold: return set_temperature(c, value);
        case fid::error_recovery: return set_error_recovery(c, r.sqe.nsid.value(), value);
        case fid::volatile_write_cache:
            c.features().write_through.store((value & nvme::volatile_write_cache_enable) == 0,
                                             std::memory_order_relaxed);
            return sc::success;
        case fid::number_of_queues: return set_queues(c, r, value);
        case fid::write_atomicity:
            c.features().write_atomicity = value & nvme::write_atomicity_disable_normal;
            return sc::success;
        case fid::async_event_configuration:
            if ((value & ~configurable_events(c.is_discovery())) != 0)
                return sc::invalid_field.no_retry();
            c.features().event_config = value;
            return sc::success;
        case fid::keep_alive_timer: c.set_keep_alive(value); return sc::success;
        case fid::host_behavior: return set_host_behavior(c, r);
        case fid::reservation_notification_mask: return set_mask(c, r.sqe.nsid.value(), value);
        default: return sc::invalid_field.no_retry();
    }
}

}  // namespace

// 83h and 84h are the namespace's, not the controller's: the control reactor decides.
void controller::set_of_namespace(request& r, nvme::fid which, std::uint32_t value) noexcept {
    const std::uint32_t number = r.sqe.nsid.value();
    const bool all = number == nvme::nsid_broadcast;
    namespace_wish wanted = persistence_request{.persistent = value != 0, .all = all};
    if (which == fid::namespace_write_protection) {
        const auto state = static_cast<nvme::write_protection>(value);
        const bool known = value <= nvme::write_protection_mask && policy::can_become(state);
        if (!known || !description().keeps_protection)
            return finish(r, sc::invalid_field.no_retry());
        wanted = protection_request{.state = state, .all = all};
    } else if ((value & ~nvme::reservation_persist_through_power_loss) != 0) {
        return finish(r, sc::invalid_field.no_retry());
    }
    const namespace_description* first = all ? nullptr : seen().find(nsid(number));
    if (all)
        seen().for_each([&](const namespace_description& n) {
            first = &n;
            return false;
        });
    if (first == nullptr) return finish(r, sc::success);  // of all, and there is none
    if (!reservation_errand::send(r, *subsystem_, first->id, wanted, nvme::host_id{host_id()}))
        finish(r, sc::internal_error);
}

void controller::set_features(request& r) noexcept {
    const nvme::set_features what = nvme::decode_set_features(r.sqe);
    const feature_row* row = find_feature(what.fid, is_discovery());
    if (row == nullptr) return finish(r, sc::invalid_field.no_retry());
    nvme::status status = check_set(*this, *row, what, r.sqe.nsid.value());
    if (nvme::is_success(status) &&
        (row->id == fid::reservation_persistence || row->id == fid::namespace_write_protection))
        return set_of_namespace(r, row->id, what.cdw11);
    if (nvme::is_success(status)) status = set(*this, r, *row, what.cdw11);
    finish(r, status);
    if (!nvme::is_success(status)) return;
    if (row->id == fid::async_event_configuration) deliver_events();
    const bool looks_at_temperature =
        row->id == fid::async_event_configuration || row->id == fid::temperature_threshold;
    if (!looks_at_temperature || is_discovery()) return;
    warned_ &= static_cast<std::uint8_t>(~nvme::critical_warning::temperature);  // told anew
    look_at_health();
}

// --- Get ---------------------------------------------------------------------------------------

namespace {

nvme::status get_temperature(const controller& c, std::uint32_t& value, bool current) noexcept {
    const auto threshold = nvme::temperature_threshold::unpack(value);
    if (threshold_type_is_reserved(value) || threshold.sensor != composite_sensor)
        return sc::invalid_field.no_retry();
    if (threshold.under)
        value = current ? c.features().temperature_under : 0;
    else
        value = current ? c.features().temperature_over : default_temperature_over;
    return sc::success;
}

// Leaves the value in dw0.
nvme::status get(const controller& c, request& r, const feature_row& row, std::uint32_t argument,
                 bool current) noexcept {
    const std::uint32_t number = r.sqe.nsid.value();
    if (row.per_namespace) {
        const nvme::status wrong = check_namespace(c, number, row.id);
        if (!nvme::is_success(wrong)) return wrong;
    }
    switch (row.id) {
        case fid::arbitration: r.dw0 = current ? c.features().arbitration : 0; return sc::success;
        case fid::power_management:
            r.dw0 = current ? c.features().power_management : 0;
            return sc::success;
        case fid::temperature_threshold:
            r.dw0 = argument;
            return get_temperature(c, r.dw0, current);
        case fid::error_recovery: {
            const auto at = c.features().error_recovery.find(number);
            r.dw0 = current && at != c.features().error_recovery.end() ? at->second : 0;
            return sc::success;
        }
        case fid::volatile_write_cache:
            r.dw0 = current && c.write_through() ? 0 : nvme::volatile_write_cache_enable;
            return sc::success;
        case fid::number_of_queues: {
            const std::uint32_t most = c.home().options().max_io_queues;
            const std::uint32_t pairs =
                current && c.features().queues_granted != 0 ? c.features().queues_granted : most;
            r.dw0 = nvme::queue_counts{.submission = pairs, .completion = pairs}.pack();
            return sc::success;
        }
        case fid::write_atomicity:
            r.dw0 = current ? c.features().write_atomicity : 0;
            return sc::success;
        case fid::async_event_configuration:
            r.dw0 = current ? c.features().event_config.load() : 0;
            return sc::success;
        case fid::keep_alive_timer:
            r.dw0 = current ? c.keep_alive_ms() : c.who().keep_alive_ms;
            return sc::success;
        case fid::host_behavior: return sc::success;
        case fid::reservation_notification_mask:
            r.dw0 = current ? c.notices().mask_of(number) : 0;
            return sc::success;
        case fid::reservation_persistence: {
            const namespace_description* n = c.seen().find(nsid(number));
            r.dw0 = current && n->reservation != nullptr && n->reservation->persistent ? 1 : 0;
            return sc::success;
        }
        case fid::namespace_write_protection:
            r.dw0 =
                current ? static_cast<std::uint32_t>(c.seen().find(nsid(number))->protection) : 0;
            return sc::success;
        case fid::host_identifier:
            // The short form cannot hold what Connect brought.
            return (argument & nvme::host_identifier_extended) != 0 ? sc::success
                                                                    : sc::invalid_field.no_retry();
        default: return sc::invalid_field.no_retry();
    }
}

// Answers with what does not fit a dword.
void get_data(controller& c, request& r, const feature_row& row, bool current) noexcept {
    if (r.length != row.data_bytes) return c.finish(r, sc::data_sgl_length_invalid.no_retry());
    if (row.id == fid::host_identifier)
        return c.answer_with(r, std::as_bytes(std::span(c.host_id())));
    const nvme::host_behavior_support behavior =
        current ? c.features().host_behavior : nvme::host_behavior_support{};
    c.answer_with(r, nvme::wire_bytes(behavior));
}

}  // namespace

void controller::get_features(request& r) noexcept {
    const nvme::get_features what = nvme::decode_get_features(r.sqe);
    const feature_row* row = find_feature(what.fid, is_discovery());
    const auto select = nvme::parse_feature_select(what.sel);
    if (row == nullptr || !select) return finish(r, sc::invalid_field.no_retry());
    const bool current = *select == nvme::feature_select::current;

    nvme::status status = sc::success;
    if (*select == nvme::feature_select::capabilities)
        r.dw0 = capabilities_of(*row);
    else
        status = get(*this, r, *row, what.cdw11, current);
    if (!nvme::is_success(status)) return finish(r, status);
    if (row->data_bytes != 0 && *select != nvme::feature_select::capabilities)
        return get_data(*this, r, *row, current);
    r.length = 0;  // a buffer that the host offered all the same gets nothing
    finish(r, sc::success);
}

}  // namespace fulmar::core
