// The names of the status codes. Any thread; constant data.
// Must never: hold a code that status.hpp does not name.
#include <fulmar/nvme/status.hpp>

#include <algorithm>
#include <array>

namespace fulmar::nvme {
namespace {

constexpr std::array names{
    named_status{sc::success, "success"},
    named_status{sc::invalid_opcode, "invalid command opcode"},
    named_status{sc::invalid_field, "invalid field in command"},
    named_status{sc::command_id_conflict, "command ID conflict"},
    named_status{sc::data_transfer_error, "data transfer error"},
    named_status{sc::aborted_power_loss, "aborted due to power loss notification"},
    named_status{sc::internal_error, "internal error"},
    named_status{sc::aborted_by_request, "aborted by request"},
    named_status{sc::aborted_sq_deletion, "aborted due to queue deletion"},
    named_status{sc::aborted_failed_fused, "aborted due to failed fused command"},
    named_status{sc::aborted_missing_fused, "aborted due to missing fused command"},
    named_status{sc::invalid_namespace_or_format, "invalid namespace or format"},
    named_status{sc::command_sequence_error, "command sequence error"},
    named_status{sc::invalid_sgl_segment, "invalid SGL segment descriptor"},
    named_status{sc::invalid_sgl_count, "invalid number of SGL descriptors"},
    named_status{sc::data_sgl_length_invalid, "data SGL length invalid"},
    named_status{sc::metadata_sgl_length_invalid, "metadata SGL length invalid"},
    named_status{sc::sgl_type_invalid, "SGL descriptor type invalid"},
    named_status{sc::invalid_use_of_cmb, "invalid use of controller memory buffer"},
    named_status{sc::prp_offset_invalid, "PRP offset invalid"},
    named_status{sc::atomic_write_unit_exceeded, "atomic write unit exceeded"},
    named_status{sc::operation_denied, "operation denied"},
    named_status{sc::sgl_offset_invalid, "SGL offset invalid"},
    named_status{sc::host_id_inconsistent, "host identifier inconsistent format"},
    named_status{sc::keep_alive_expired, "keep alive timer expired"},
    named_status{sc::keep_alive_invalid, "keep alive timeout invalid"},
    named_status{sc::aborted_preempted, "aborted due to preempt and abort"},
    named_status{sc::sanitize_failed, "sanitize failed"},
    named_status{sc::sanitize_in_progress, "sanitize in progress"},
    named_status{sc::sgl_granularity_invalid, "SGL data block granularity invalid"},
    named_status{sc::namespace_write_protected, "namespace is write protected"},
    named_status{sc::command_interrupted, "command interrupted"},
    named_status{sc::transient_transport_error, "transient transport error"},
    named_status{sc::prohibited_by_lockdown, "prohibited by command and feature lockdown"},
    named_status{sc::admin_media_not_ready, "admin command media not ready"},
    named_status{sc::lba_out_of_range, "LBA out of range"},
    named_status{sc::capacity_exceeded, "capacity exceeded"},
    named_status{sc::namespace_not_ready, "namespace not ready"},
    named_status{sc::reservation_conflict, "reservation conflict"},
    named_status{sc::format_in_progress, "format in progress"},
    named_status{sc::cq_invalid, "completion queue invalid"},
    named_status{sc::queue_id_invalid, "invalid queue identifier"},
    named_status{sc::queue_size_invalid, "invalid queue size"},
    named_status{sc::abort_limit_exceeded, "abort command limit exceeded"},
    named_status{sc::async_event_limit_exceeded, "asynchronous event request limit exceeded"},
    named_status{sc::invalid_firmware_slot, "invalid firmware slot"},
    named_status{sc::invalid_firmware_image, "invalid firmware image"},
    named_status{sc::invalid_interrupt_vector, "invalid interrupt vector"},
    named_status{sc::invalid_log_page, "invalid log page"},
    named_status{sc::invalid_format, "invalid format"},
    named_status{sc::firmware_needs_conventional_reset, "firmware needs a conventional reset"},
    named_status{sc::invalid_queue_deletion, "invalid queue deletion"},
    named_status{sc::feature_not_saveable, "feature identifier not saveable"},
    named_status{sc::feature_not_changeable, "feature not changeable"},
    named_status{sc::feature_not_namespace_specific, "feature not namespace specific"},
    named_status{sc::firmware_needs_subsystem_reset, "firmware needs a subsystem reset"},
    named_status{sc::firmware_needs_controller_reset, "firmware needs a controller reset"},
    named_status{sc::overlapping_range, "overlapping range"},
    named_status{sc::namespace_insufficient_capacity, "namespace insufficient capacity"},
    named_status{sc::namespace_id_unavailable, "namespace identifier unavailable"},
    named_status{sc::namespace_already_attached, "namespace already attached"},
    named_status{sc::namespace_is_private, "namespace is private"},
    named_status{sc::namespace_not_attached, "namespace not attached"},
    named_status{sc::thin_provisioning_not_supported, "thin provisioning not supported"},
    named_status{sc::controller_list_invalid, "controller list invalid"},
    named_status{sc::self_test_in_progress, "device self-test in progress"},
    named_status{sc::invalid_controller_id, "invalid controller identifier"},
    named_status{sc::ana_group_id_invalid, "ANA group identifier invalid"},
    named_status{sc::ana_attach_failed, "ANA attach failed"},
    named_status{sc::command_set_not_supported, "I/O command set not supported"},
    named_status{sc::command_set_not_enabled, "I/O command set not enabled"},
    named_status{sc::command_set_combination_rejected, "I/O command set combination rejected"},
    named_status{sc::invalid_command_set, "invalid I/O command set"},
    named_status{sc::identifier_unavailable, "identifier unavailable"},
    named_status{sc::cross_reset_in_progress, "cross-controller reset in progress"},
    named_status{sc::cross_reset_log_full, "cross-controller reset log page full"},
    named_status{sc::cross_reset_limit_exceeded, "cross-controller reset limit exceeded"},
    // 1/80h to 1/83h mean one thing to an I/O command and another to Connect.
    named_status{sc::conflicting_attributes, "conflicting attributes or incompatible format"},
    named_status{sc::invalid_protection_information,
                 "invalid protection information or controller busy"},
    named_status{sc::write_to_read_only_range,
                 "write to read only range or connect invalid parameters"},
    named_status{sc::command_size_limit_exceeded,
                 "command size limit exceeded or restart discovery"},
    named_status{sc::connect_invalid_host, "connect invalid host"},
    named_status{sc::disconnect_invalid_queue_type, "disconnect invalid queue type"},
    named_status{sc::overlapping_io_range, "overlapping I/O range"},
    named_status{sc::discover_restart, "discover restart"},
    named_status{sc::authentication_required, "authentication required"},
    named_status{sc::zone_invalid_operation, "invalid zone operation request"},
    named_status{sc::zone_boundary_error, "zone boundary error"},
    named_status{sc::zone_full, "zone is full"},
    named_status{sc::zone_read_only, "zone is read only"},
    named_status{sc::zone_offline, "zone is offline"},
    named_status{sc::zone_invalid_write, "zone invalid write"},
    named_status{sc::zone_too_many_active, "too many active zones"},
    named_status{sc::zone_too_many_open, "too many open zones"},
    named_status{sc::zone_invalid_transition, "invalid zone state transition"},
    named_status{sc::write_fault, "write fault"},
    named_status{sc::unrecovered_read_error, "unrecovered read error"},
    named_status{sc::guard_check_error, "end-to-end guard check error"},
    named_status{sc::application_tag_check_error, "end-to-end application tag check error"},
    named_status{sc::reference_tag_check_error, "end-to-end reference tag check error"},
    named_status{sc::compare_failure, "compare failure"},
    named_status{sc::access_denied, "access denied"},
    named_status{sc::deallocated_or_unwritten_block, "deallocated or unwritten logical block"},
    named_status{sc::storage_tag_check_error, "end-to-end storage tag check error"},
    named_status{sc::internal_path_error, "internal path error"},
    named_status{sc::ana_persistent_loss, "asymmetric access persistent loss"},
    named_status{sc::ana_inaccessible, "asymmetric access inaccessible"},
    named_status{sc::ana_transition, "asymmetric access transition"},
    named_status{sc::controller_pathing_error, "controller pathing error"},
    named_status{sc::host_pathing_error, "host pathing error"},
    named_status{sc::command_aborted_by_host, "command aborted by host"},
};

constexpr std::uint16_t code_of(status s) noexcept { return s.pack() & 0x7ff; }

constexpr bool before(const named_status& a, const named_status& b) noexcept {
    return code_of(a.code) < code_of(b.code);
}

static_assert(std::is_sorted(names.begin(), names.end(), before),
              "describe() searches by code, so the list is in numeric order");

}  // namespace

std::string_view describe(status s) noexcept {
    const auto found = std::lower_bound(names.begin(), names.end(), named_status{s, {}}, before);
    if (found == names.end() || !found->code.is(s)) return "unknown status";
    return found->text;
}

std::span<const named_status> known_statuses() noexcept { return names; }

}  // namespace fulmar::nvme
