// Compares the status codes and the layout of the status field with those of libnvme.
// Test only: only the oracle tests may include libnvme.
#include <fulmar/nvme/status.hpp>

#include <gtest/gtest.h>
#include <libnvme.h>

#define FULMAR_SAME_STATUS(ours, type, code)                                \
    static_assert(static_cast<unsigned>(sc::ours.sct) == NVME_SCT_##type && \
                  unsigned{sc::ours.sc} == NVME_SC_##code)

namespace fulmar::nvme {
namespace {

FULMAR_SAME_STATUS(success, GENERIC, SUCCESS);
FULMAR_SAME_STATUS(invalid_opcode, GENERIC, INVALID_OPCODE);
FULMAR_SAME_STATUS(invalid_field, GENERIC, INVALID_FIELD);
FULMAR_SAME_STATUS(command_id_conflict, GENERIC, CMDID_CONFLICT);
FULMAR_SAME_STATUS(data_transfer_error, GENERIC, DATA_XFER_ERROR);
FULMAR_SAME_STATUS(aborted_power_loss, GENERIC, POWER_LOSS);
FULMAR_SAME_STATUS(internal_error, GENERIC, INTERNAL);
FULMAR_SAME_STATUS(aborted_by_request, GENERIC, ABORT_REQ);
FULMAR_SAME_STATUS(aborted_sq_deletion, GENERIC, ABORT_QUEUE);
FULMAR_SAME_STATUS(aborted_failed_fused, GENERIC, FUSED_FAIL);
FULMAR_SAME_STATUS(aborted_missing_fused, GENERIC, FUSED_MISSING);
FULMAR_SAME_STATUS(invalid_namespace_or_format, GENERIC, INVALID_NS);
FULMAR_SAME_STATUS(command_sequence_error, GENERIC, CMD_SEQ_ERROR);
FULMAR_SAME_STATUS(invalid_sgl_segment, GENERIC, SGL_INVALID_LAST);
FULMAR_SAME_STATUS(invalid_sgl_count, GENERIC, SGL_INVALID_COUNT);
FULMAR_SAME_STATUS(data_sgl_length_invalid, GENERIC, SGL_INVALID_DATA);
FULMAR_SAME_STATUS(metadata_sgl_length_invalid, GENERIC, SGL_INVALID_METADATA);
FULMAR_SAME_STATUS(sgl_type_invalid, GENERIC, SGL_INVALID_TYPE);
FULMAR_SAME_STATUS(invalid_use_of_cmb, GENERIC, CMB_INVALID_USE);
FULMAR_SAME_STATUS(prp_offset_invalid, GENERIC, PRP_INVALID_OFFSET);
FULMAR_SAME_STATUS(atomic_write_unit_exceeded, GENERIC, AWU_EXCEEDED);
FULMAR_SAME_STATUS(operation_denied, GENERIC, OP_DENIED);
FULMAR_SAME_STATUS(sgl_offset_invalid, GENERIC, SGL_INVALID_OFFSET);
FULMAR_SAME_STATUS(host_id_inconsistent, GENERIC, HOSTID_FORMAT);
FULMAR_SAME_STATUS(keep_alive_expired, GENERIC, KAT_EXPIRED);
FULMAR_SAME_STATUS(keep_alive_invalid, GENERIC, KAT_INVALID);
FULMAR_SAME_STATUS(aborted_preempted, GENERIC, CMD_ABORTED_PREMEPT);
FULMAR_SAME_STATUS(sanitize_failed, GENERIC, SANITIZE_FAILED);
FULMAR_SAME_STATUS(sanitize_in_progress, GENERIC, SANITIZE_IN_PROGRESS);
FULMAR_SAME_STATUS(sgl_granularity_invalid, GENERIC, SGL_INVALID_GRANULARITY);
FULMAR_SAME_STATUS(namespace_write_protected, GENERIC, NS_WRITE_PROTECTED);
FULMAR_SAME_STATUS(command_interrupted, GENERIC, CMD_INTERRUPTED);
FULMAR_SAME_STATUS(transient_transport_error, GENERIC, TRAN_TPORT_ERROR);
FULMAR_SAME_STATUS(prohibited_by_lockdown, GENERIC, PROHIBITED_BY_CMD_AND_FEAT);
FULMAR_SAME_STATUS(admin_media_not_ready, GENERIC, ADMIN_CMD_MEDIA_NOT_READY);
FULMAR_SAME_STATUS(lba_out_of_range, GENERIC, LBA_RANGE);
FULMAR_SAME_STATUS(capacity_exceeded, GENERIC, CAP_EXCEEDED);
FULMAR_SAME_STATUS(namespace_not_ready, GENERIC, NS_NOT_READY);
FULMAR_SAME_STATUS(reservation_conflict, GENERIC, RESERVATION_CONFLICT);
FULMAR_SAME_STATUS(format_in_progress, GENERIC, FORMAT_IN_PROGRESS);
FULMAR_SAME_STATUS(cq_invalid, CMD_SPECIFIC, CQ_INVALID);
FULMAR_SAME_STATUS(queue_id_invalid, CMD_SPECIFIC, QID_INVALID);
FULMAR_SAME_STATUS(queue_size_invalid, CMD_SPECIFIC, QUEUE_SIZE);
FULMAR_SAME_STATUS(abort_limit_exceeded, CMD_SPECIFIC, ABORT_LIMIT);
FULMAR_SAME_STATUS(async_event_limit_exceeded, CMD_SPECIFIC, ASYNC_LIMIT);
FULMAR_SAME_STATUS(invalid_firmware_slot, CMD_SPECIFIC, FIRMWARE_SLOT);
FULMAR_SAME_STATUS(invalid_firmware_image, CMD_SPECIFIC, FIRMWARE_IMAGE);
FULMAR_SAME_STATUS(invalid_interrupt_vector, CMD_SPECIFIC, INVALID_VECTOR);
FULMAR_SAME_STATUS(invalid_log_page, CMD_SPECIFIC, INVALID_LOG_PAGE);
FULMAR_SAME_STATUS(invalid_format, CMD_SPECIFIC, INVALID_FORMAT);
FULMAR_SAME_STATUS(firmware_needs_conventional_reset, CMD_SPECIFIC, FW_NEEDS_CONV_RESET);
FULMAR_SAME_STATUS(invalid_queue_deletion, CMD_SPECIFIC, INVALID_QUEUE);
FULMAR_SAME_STATUS(feature_not_saveable, CMD_SPECIFIC, FEATURE_NOT_SAVEABLE);
FULMAR_SAME_STATUS(feature_not_changeable, CMD_SPECIFIC, FEATURE_NOT_CHANGEABLE);
FULMAR_SAME_STATUS(feature_not_namespace_specific, CMD_SPECIFIC, FEATURE_NOT_PER_NS);
FULMAR_SAME_STATUS(firmware_needs_subsystem_reset, CMD_SPECIFIC, FW_NEEDS_SUBSYS_RESET);
FULMAR_SAME_STATUS(firmware_needs_controller_reset, CMD_SPECIFIC, FW_NEEDS_RESET);
FULMAR_SAME_STATUS(overlapping_range, CMD_SPECIFIC, OVERLAPPING_RANGE);
FULMAR_SAME_STATUS(namespace_insufficient_capacity, CMD_SPECIFIC, NS_INSUFFICIENT_CAP);
FULMAR_SAME_STATUS(namespace_id_unavailable, CMD_SPECIFIC, NS_ID_UNAVAILABLE);
FULMAR_SAME_STATUS(namespace_already_attached, CMD_SPECIFIC, NS_ALREADY_ATTACHED);
FULMAR_SAME_STATUS(namespace_is_private, CMD_SPECIFIC, NS_IS_PRIVATE);
FULMAR_SAME_STATUS(namespace_not_attached, CMD_SPECIFIC, NS_NOT_ATTACHED);
FULMAR_SAME_STATUS(thin_provisioning_not_supported, CMD_SPECIFIC, THIN_PROV_NOT_SUPP);
FULMAR_SAME_STATUS(controller_list_invalid, CMD_SPECIFIC, CTRL_LIST_INVALID);
FULMAR_SAME_STATUS(self_test_in_progress, CMD_SPECIFIC, SELF_TEST_IN_PROGRESS);
FULMAR_SAME_STATUS(invalid_controller_id, CMD_SPECIFIC, INVALID_CTRL_ID);
FULMAR_SAME_STATUS(ana_group_id_invalid, CMD_SPECIFIC, ANA_GROUP_ID_INVALID);
FULMAR_SAME_STATUS(ana_attach_failed, CMD_SPECIFIC, ANA_ATTACH_FAILED);
FULMAR_SAME_STATUS(command_set_not_supported, CMD_SPECIFIC, IOCS_NOT_SUPPORTED);
FULMAR_SAME_STATUS(command_set_not_enabled, CMD_SPECIFIC, IOCS_NOT_ENABLED);
FULMAR_SAME_STATUS(command_set_combination_rejected, CMD_SPECIFIC, IOCS_COMBINATION_REJECTED);
FULMAR_SAME_STATUS(invalid_command_set, CMD_SPECIFIC, INVALID_IOCS);
FULMAR_SAME_STATUS(identifier_unavailable, CMD_SPECIFIC, ID_UNAVAILABLE);
FULMAR_SAME_STATUS(conflicting_attributes, CMD_SPECIFIC, BAD_ATTRIBUTES);
FULMAR_SAME_STATUS(invalid_protection_information, CMD_SPECIFIC, INVALID_PI);
FULMAR_SAME_STATUS(write_to_read_only_range, CMD_SPECIFIC, READ_ONLY);
FULMAR_SAME_STATUS(command_size_limit_exceeded, CMD_SPECIFIC, CMD_SIZE_LIMIT_EXCEEDED);
FULMAR_SAME_STATUS(connect_incompatible_format, CMD_SPECIFIC, CONNECT_FORMAT);
FULMAR_SAME_STATUS(connect_controller_busy, CMD_SPECIFIC, CONNECT_CTRL_BUSY);
FULMAR_SAME_STATUS(connect_invalid_parameters, CMD_SPECIFIC, CONNECT_INVALID_PARAM);
FULMAR_SAME_STATUS(connect_restart_discovery, CMD_SPECIFIC, CONNECT_RESTART_DISC);
FULMAR_SAME_STATUS(connect_invalid_host, CMD_SPECIFIC, CONNECT_INVALID_HOST);
FULMAR_SAME_STATUS(disconnect_invalid_queue_type, CMD_SPECIFIC, DISCONNECT_INVALID_QTYPE);
FULMAR_SAME_STATUS(discover_restart, CMD_SPECIFIC, DISCOVERY_RESTART);
FULMAR_SAME_STATUS(authentication_required, CMD_SPECIFIC, AUTH_REQUIRED);
FULMAR_SAME_STATUS(zone_invalid_operation, CMD_SPECIFIC, ZNS_INVALID_OP_REQUEST);
FULMAR_SAME_STATUS(zone_boundary_error, CMD_SPECIFIC, ZNS_BOUNDARY_ERROR);
FULMAR_SAME_STATUS(zone_full, CMD_SPECIFIC, ZNS_FULL);
FULMAR_SAME_STATUS(zone_read_only, CMD_SPECIFIC, ZNS_READ_ONLY);
FULMAR_SAME_STATUS(zone_offline, CMD_SPECIFIC, ZNS_OFFLINE);
FULMAR_SAME_STATUS(zone_invalid_write, CMD_SPECIFIC, ZNS_INVALID_WRITE);
FULMAR_SAME_STATUS(zone_too_many_active, CMD_SPECIFIC, ZNS_TOO_MANY_ACTIVE);
FULMAR_SAME_STATUS(zone_too_many_open, CMD_SPECIFIC, ZNS_TOO_MANY_OPENS);
FULMAR_SAME_STATUS(zone_invalid_transition, CMD_SPECIFIC, ZNS_INVAL_TRANSITION);
FULMAR_SAME_STATUS(write_fault, MEDIA, WRITE_FAULT);
FULMAR_SAME_STATUS(unrecovered_read_error, MEDIA, READ_ERROR);
FULMAR_SAME_STATUS(guard_check_error, MEDIA, GUARD_CHECK);
FULMAR_SAME_STATUS(application_tag_check_error, MEDIA, APPTAG_CHECK);
FULMAR_SAME_STATUS(reference_tag_check_error, MEDIA, REFTAG_CHECK);
FULMAR_SAME_STATUS(compare_failure, MEDIA, COMPARE_FAILED);
FULMAR_SAME_STATUS(access_denied, MEDIA, ACCESS_DENIED);
FULMAR_SAME_STATUS(deallocated_or_unwritten_block, MEDIA, UNWRITTEN_BLOCK);
FULMAR_SAME_STATUS(storage_tag_check_error, MEDIA, STORAGE_TAG_CHECK);
FULMAR_SAME_STATUS(internal_path_error, PATH, ANA_INTERNAL_PATH_ERROR);
FULMAR_SAME_STATUS(ana_persistent_loss, PATH, ANA_PERSISTENT_LOSS);
FULMAR_SAME_STATUS(ana_inaccessible, PATH, ANA_INACCESSIBLE);
FULMAR_SAME_STATUS(ana_transition, PATH, ANA_TRANSITION);
FULMAR_SAME_STATUS(controller_pathing_error, PATH, CTRL_PATH_ERROR);
FULMAR_SAME_STATUS(host_pathing_error, PATH, HOST_PATH_ERROR);
FULMAR_SAME_STATUS(command_aborted_by_host, PATH, CMD_ABORTED_BY_HOST);

TEST(oracle_libnvme_status, status_fields_are_alike) {
    EXPECT_EQ(status{.dnr = true}.pack(), NVME_SC_DNR);
    EXPECT_EQ(status{.more = true}.pack(), NVME_SC_MORE);
    EXPECT_EQ(status{.crd = 3}.pack(), NVME_SC_CRD);
    for (const named_status& known : known_statuses()) {
        EXPECT_EQ(nvme_status_code(known.code.pack()), known.code.sc);
        EXPECT_EQ(nvme_status_code_type(known.code.pack()), static_cast<unsigned>(known.code.sct));
    }
}

}  // namespace
}  // namespace fulmar::nvme
