// Compares opcodes, identifiers and bits with those of libnvme.
// Test only: only the oracle tests may include libnvme.
#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/discovery.hpp>
#include <fulmar/nvme/fabrics.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/logs.hpp>
#include <fulmar/nvme/namespace_ids.hpp>
#include <fulmar/nvme/reservation.hpp>
#include <fulmar/nvme/tcp_pdu.hpp>

#include <gtest/gtest.h>
#include <libnvme.h>

#include <cstdint>

// libnvme has a bit 31 in an int, hence the 32 bits.
#define FULMAR_SAME_VALUE(ours, theirs) \
    static_assert(static_cast<std::uint32_t>(ours) == static_cast<std::uint32_t>(theirs))

namespace fulmar::nvme {
namespace {

// --- Numbers -----------------------------------------------------------------------------------
// Left out: FCATT, where libnvme calls the bit that says "static controllers" dynamic.

FULMAR_SAME_VALUE(admin_opcode::delete_io_sq, nvme_admin_delete_sq);
FULMAR_SAME_VALUE(admin_opcode::create_io_sq, nvme_admin_create_sq);
FULMAR_SAME_VALUE(admin_opcode::get_log_page, nvme_admin_get_log_page);
FULMAR_SAME_VALUE(admin_opcode::delete_io_cq, nvme_admin_delete_cq);
FULMAR_SAME_VALUE(admin_opcode::create_io_cq, nvme_admin_create_cq);
FULMAR_SAME_VALUE(admin_opcode::identify, nvme_admin_identify);
FULMAR_SAME_VALUE(admin_opcode::abort, nvme_admin_abort_cmd);
FULMAR_SAME_VALUE(admin_opcode::set_features, nvme_admin_set_features);
FULMAR_SAME_VALUE(admin_opcode::get_features, nvme_admin_get_features);
FULMAR_SAME_VALUE(admin_opcode::async_event_request, nvme_admin_async_event);
FULMAR_SAME_VALUE(admin_opcode::namespace_management, nvme_admin_ns_mgmt);
FULMAR_SAME_VALUE(admin_opcode::firmware_commit, nvme_admin_fw_commit);
FULMAR_SAME_VALUE(admin_opcode::firmware_download, nvme_admin_fw_download);
FULMAR_SAME_VALUE(admin_opcode::device_self_test, nvme_admin_dev_self_test);
FULMAR_SAME_VALUE(admin_opcode::namespace_attachment, nvme_admin_ns_attach);
FULMAR_SAME_VALUE(admin_opcode::keep_alive, nvme_admin_keep_alive);
FULMAR_SAME_VALUE(admin_opcode::directive_send, nvme_admin_directive_send);
FULMAR_SAME_VALUE(admin_opcode::directive_receive, nvme_admin_directive_recv);
FULMAR_SAME_VALUE(admin_opcode::virtualization_management, nvme_admin_virtual_mgmt);
FULMAR_SAME_VALUE(admin_opcode::nvme_mi_send, nvme_admin_nvme_mi_send);
FULMAR_SAME_VALUE(admin_opcode::nvme_mi_receive, nvme_admin_nvme_mi_recv);
FULMAR_SAME_VALUE(admin_opcode::capacity_management, nvme_admin_capacity_mgmt);
FULMAR_SAME_VALUE(admin_opcode::discovery_information_management, nvme_admin_discovery_info_mgmt);
FULMAR_SAME_VALUE(admin_opcode::fabric_zoning_receive, nvme_admin_fabric_zoning_recv);
FULMAR_SAME_VALUE(admin_opcode::lockdown, nvme_admin_lockdown);
FULMAR_SAME_VALUE(admin_opcode::fabric_zoning_lookup, nvme_admin_fabric_zoning_lookup);
FULMAR_SAME_VALUE(admin_opcode::fabric_zoning_send, nvme_admin_fabric_zoning_send);
FULMAR_SAME_VALUE(admin_opcode::doorbell_buffer_config, nvme_admin_dbbuf);
FULMAR_SAME_VALUE(admin_opcode::fabrics, nvme_admin_fabrics);
FULMAR_SAME_VALUE(admin_opcode::format_nvm, nvme_admin_format_nvm);
FULMAR_SAME_VALUE(admin_opcode::security_send, nvme_admin_security_send);
FULMAR_SAME_VALUE(admin_opcode::security_receive, nvme_admin_security_recv);
FULMAR_SAME_VALUE(admin_opcode::sanitize, nvme_admin_sanitize_nvm);
FULMAR_SAME_VALUE(admin_opcode::get_lba_status, nvme_admin_get_lba_status);

FULMAR_SAME_VALUE(io_opcode::flush, nvme_cmd_flush);
FULMAR_SAME_VALUE(io_opcode::write, nvme_cmd_write);
FULMAR_SAME_VALUE(io_opcode::read, nvme_cmd_read);
FULMAR_SAME_VALUE(io_opcode::write_uncorrectable, nvme_cmd_write_uncor);
FULMAR_SAME_VALUE(io_opcode::compare, nvme_cmd_compare);
FULMAR_SAME_VALUE(io_opcode::write_zeroes, nvme_cmd_write_zeroes);
FULMAR_SAME_VALUE(io_opcode::dataset_management, nvme_cmd_dsm);
FULMAR_SAME_VALUE(io_opcode::verify, nvme_cmd_verify);
FULMAR_SAME_VALUE(io_opcode::reservation_register, nvme_cmd_resv_register);
FULMAR_SAME_VALUE(io_opcode::reservation_report, nvme_cmd_resv_report);
FULMAR_SAME_VALUE(io_opcode::reservation_acquire, nvme_cmd_resv_acquire);
FULMAR_SAME_VALUE(io_opcode::io_management_receive, nvme_cmd_io_mgmt_recv);
FULMAR_SAME_VALUE(io_opcode::reservation_release, nvme_cmd_resv_release);
FULMAR_SAME_VALUE(io_opcode::copy, nvme_cmd_copy);
FULMAR_SAME_VALUE(io_opcode::io_management_send, nvme_cmd_io_mgmt_send);
FULMAR_SAME_VALUE(io_opcode::zone_management_send, nvme_zns_cmd_mgmt_send);
FULMAR_SAME_VALUE(io_opcode::zone_management_receive, nvme_zns_cmd_mgmt_recv);
FULMAR_SAME_VALUE(io_opcode::zone_append, nvme_zns_cmd_append);

FULMAR_SAME_VALUE(data_direction::none, NVME_DATA_TFR_NO_DATA_TFR);
FULMAR_SAME_VALUE(data_direction::host_to_controller, NVME_DATA_TFR_HOST_TO_CTRL);
FULMAR_SAME_VALUE(data_direction::controller_to_host, NVME_DATA_TFR_CTRL_TO_HOST);
FULMAR_SAME_VALUE(data_direction::bidirectional, NVME_DATA_TFR_BIDIRECTIONAL);

FULMAR_SAME_VALUE(fctype::property_set, nvme_fabrics_type_property_set);
FULMAR_SAME_VALUE(fctype::connect, nvme_fabrics_type_connect);
FULMAR_SAME_VALUE(fctype::property_get, nvme_fabrics_type_property_get);
FULMAR_SAME_VALUE(fctype::authentication_send, nvme_fabrics_type_auth_send);
FULMAR_SAME_VALUE(fctype::authentication_receive, nvme_fabrics_type_auth_receive);
FULMAR_SAME_VALUE(fctype::disconnect, nvme_fabrics_type_disconnect);

FULMAR_SAME_VALUE(cns::namespace_data, NVME_IDENTIFY_CNS_NS);
FULMAR_SAME_VALUE(cns::controller, NVME_IDENTIFY_CNS_CTRL);
FULMAR_SAME_VALUE(cns::active_namespaces, NVME_IDENTIFY_CNS_NS_ACTIVE_LIST);
FULMAR_SAME_VALUE(cns::namespace_descriptors, NVME_IDENTIFY_CNS_NS_DESC_LIST);
FULMAR_SAME_VALUE(cns::nvm_set_list, NVME_IDENTIFY_CNS_NVMSET_LIST);
FULMAR_SAME_VALUE(cns::command_set_namespace, NVME_IDENTIFY_CNS_CSI_NS);
FULMAR_SAME_VALUE(cns::command_set_controller, NVME_IDENTIFY_CNS_CSI_CTRL);
FULMAR_SAME_VALUE(cns::command_set_active_namespaces, NVME_IDENTIFY_CNS_CSI_NS_ACTIVE_LIST);
FULMAR_SAME_VALUE(cns::independent_namespace, NVME_IDENTIFY_CNS_CSI_INDEPENDENT_ID_NS);
FULMAR_SAME_VALUE(cns::user_data_format_namespace, NVME_IDENTIFY_CNS_NS_USER_DATA_FORMAT);
FULMAR_SAME_VALUE(cns::command_set_user_data_format, NVME_IDENTIFY_CNS_CSI_NS_USER_DATA_FORMAT);
FULMAR_SAME_VALUE(cns::allocated_namespaces, NVME_IDENTIFY_CNS_ALLOCATED_NS_LIST);
FULMAR_SAME_VALUE(cns::allocated_namespace, NVME_IDENTIFY_CNS_ALLOCATED_NS);
FULMAR_SAME_VALUE(cns::namespace_controllers, NVME_IDENTIFY_CNS_NS_CTRL_LIST);
FULMAR_SAME_VALUE(cns::controllers, NVME_IDENTIFY_CNS_CTRL_LIST);
FULMAR_SAME_VALUE(cns::primary_controller, NVME_IDENTIFY_CNS_PRIMARY_CTRL_CAP);
FULMAR_SAME_VALUE(cns::secondary_controllers, NVME_IDENTIFY_CNS_SECONDARY_CTRL_LIST);
FULMAR_SAME_VALUE(cns::namespace_granularity, NVME_IDENTIFY_CNS_NS_GRANULARITY);
FULMAR_SAME_VALUE(cns::uuid_list, NVME_IDENTIFY_CNS_UUID_LIST);
FULMAR_SAME_VALUE(cns::domain_list, NVME_IDENTIFY_CNS_DOMAIN_LIST);
FULMAR_SAME_VALUE(cns::endurance_group_list, NVME_IDENTIFY_CNS_ENDURANCE_GROUP_ID);
FULMAR_SAME_VALUE(cns::command_set_allocated_namespaces, NVME_IDENTIFY_CNS_CSI_ALLOCATED_NS_LIST);
FULMAR_SAME_VALUE(cns::command_set_allocated_namespace, NVME_IDENTIFY_CNS_CSI_ID_NS_DATA_STRUCTURE);
FULMAR_SAME_VALUE(cns::command_set_combinations, NVME_IDENTIFY_CNS_COMMAND_SET_STRUCTURE);

FULMAR_SAME_VALUE(csi::nvm, NVME_CSI_NVM);
FULMAR_SAME_VALUE(csi::zoned, NVME_CSI_ZNS);
FULMAR_SAME_VALUE(controller_type::io, NVME_CTRL_CNTRLTYPE_IO);
FULMAR_SAME_VALUE(controller_type::discovery, NVME_CTRL_CNTRLTYPE_DISCOVERY);
FULMAR_SAME_VALUE(controller_type::administrative, NVME_CTRL_CNTRLTYPE_ADMIN);
FULMAR_SAME_VALUE(discovery_controller_type::direct, NVME_CTRL_DCTYPE_DDC);
FULMAR_SAME_VALUE(discovery_controller_type::central, NVME_CTRL_DCTYPE_CDC);
FULMAR_SAME_VALUE(cmic::multi_port, NVME_CTRL_CMIC_MULTI_PORT);
FULMAR_SAME_VALUE(cmic::multi_controller, NVME_CTRL_CMIC_MULTI_CTRL);
FULMAR_SAME_VALUE(cmic::sr_iov, NVME_CTRL_CMIC_MULTI_SRIOV);
FULMAR_SAME_VALUE(cmic::ana_reporting, NVME_CTRL_CMIC_MULTI_ANA_REPORTING);
FULMAR_SAME_VALUE(oaes::namespace_attribute, NVME_CTRL_OAES_NA);
FULMAR_SAME_VALUE(oaes::firmware_activation, NVME_CTRL_OAES_FA);
FULMAR_SAME_VALUE(oaes::ana_change, NVME_CTRL_OAES_ANA);
FULMAR_SAME_VALUE(oaes::predictable_latency, NVME_CTRL_OAES_PLEA);
FULMAR_SAME_VALUE(oaes::lba_status, NVME_CTRL_OAES_LBAS);
FULMAR_SAME_VALUE(oaes::endurance_group, NVME_CTRL_OAES_EGE);
FULMAR_SAME_VALUE(oaes::normal_shutdown, NVME_CTRL_OAES_NS);
FULMAR_SAME_VALUE(oaes::zone_descriptor_changed, NVME_CTRL_OAES_ZD);
FULMAR_SAME_VALUE(oaes::discovery_log_change, NVME_CTRL_OAES_DL);
FULMAR_SAME_VALUE(ctratt::host_id_128, NVME_CTRL_CTRATT_128_ID);
FULMAR_SAME_VALUE(ctratt::non_operational_power, NVME_CTRL_CTRATT_NON_OP_PSP);
FULMAR_SAME_VALUE(ctratt::nvm_sets, NVME_CTRL_CTRATT_NVM_SETS);
FULMAR_SAME_VALUE(ctratt::read_recovery_levels, NVME_CTRL_CTRATT_READ_RECV_LVLS);
FULMAR_SAME_VALUE(ctratt::endurance_groups, NVME_CTRL_CTRATT_ENDURANCE_GROUPS);
FULMAR_SAME_VALUE(ctratt::predictable_latency, NVME_CTRL_CTRATT_PREDICTABLE_LAT);
FULMAR_SAME_VALUE(ctratt::traffic_based_keep_alive, NVME_CTRL_CTRATT_TBKAS);
FULMAR_SAME_VALUE(ctratt::namespace_granularity, NVME_CTRL_CTRATT_NAMESPACE_GRANULARITY);
FULMAR_SAME_VALUE(ctratt::sq_associations, NVME_CTRL_CTRATT_SQ_ASSOCIATIONS);
FULMAR_SAME_VALUE(ctratt::uuid_list, NVME_CTRL_CTRATT_UUID_LIST);
FULMAR_SAME_VALUE(ctratt::multi_domain, NVME_CTRL_CTRATT_MDS);
FULMAR_SAME_VALUE(ctratt::extended_lba_formats, NVME_CTRL_CTRATT_ELBAS);
FULMAR_SAME_VALUE(ctratt::flexible_data_placement, NVME_CTRL_CTRATT_FDPS);
FULMAR_SAME_VALUE(oacs::security, NVME_CTRL_OACS_SECURITY);
FULMAR_SAME_VALUE(oacs::format, NVME_CTRL_OACS_FORMAT);
FULMAR_SAME_VALUE(oacs::firmware, NVME_CTRL_OACS_FW);
FULMAR_SAME_VALUE(oacs::namespace_management, NVME_CTRL_OACS_NS_MGMT);
FULMAR_SAME_VALUE(oacs::self_test, NVME_CTRL_OACS_SELF_TEST);
FULMAR_SAME_VALUE(oacs::directives, NVME_CTRL_OACS_DIRECTIVES);
FULMAR_SAME_VALUE(oacs::nvme_mi, NVME_CTRL_OACS_NVME_MI);
FULMAR_SAME_VALUE(oacs::virtualization, NVME_CTRL_OACS_VIRT_MGMT);
FULMAR_SAME_VALUE(oacs::doorbell_buffer, NVME_CTRL_OACS_DBBUF_CFG);
FULMAR_SAME_VALUE(oacs::get_lba_status, NVME_CTRL_OACS_LBA_STATUS);
FULMAR_SAME_VALUE(oacs::lockdown, NVME_CTRL_OACS_CMD_FEAT_LD);
FULMAR_SAME_VALUE(frmw::first_slot_read_only, NVME_CTRL_FRMW_1ST_RO);
FULMAR_SAME_VALUE(frmw::activate_without_reset, NVME_CTRL_FRMW_FW_ACT_NO_RESET);
FULMAR_SAME_VALUE(lpa::smart_per_namespace, NVME_CTRL_LPA_SMART_PER_NS);
FULMAR_SAME_VALUE(lpa::command_effects, NVME_CTRL_LPA_CMD_EFFECTS);
FULMAR_SAME_VALUE(lpa::extended_data, NVME_CTRL_LPA_EXTENDED);
FULMAR_SAME_VALUE(lpa::telemetry, NVME_CTRL_LPA_TELEMETRY);
FULMAR_SAME_VALUE(lpa::persistent_event, NVME_CTRL_LPA_PERSETENT_EVENT);
FULMAR_SAME_VALUE(lpa::supported_pages, NVME_CTRL_LPA_LI0_LI5_LI12_LI13);
FULMAR_SAME_VALUE(lpa::telemetry_area_4, NVME_CTRL_LPA_DA4_TELEMETRY);
FULMAR_SAME_VALUE(oncs::compare, NVME_CTRL_ONCS_COMPARE);
FULMAR_SAME_VALUE(oncs::write_uncorrectable, NVME_CTRL_ONCS_WRITE_UNCORRECTABLE);
FULMAR_SAME_VALUE(oncs::dataset_management, NVME_CTRL_ONCS_DSM);
FULMAR_SAME_VALUE(oncs::write_zeroes, NVME_CTRL_ONCS_WRITE_ZEROES);
FULMAR_SAME_VALUE(oncs::save_and_select, NVME_CTRL_ONCS_SAVE_FEATURES);
FULMAR_SAME_VALUE(oncs::reservations, NVME_CTRL_ONCS_RESERVATIONS);
FULMAR_SAME_VALUE(oncs::timestamp, NVME_CTRL_ONCS_TIMESTAMP);
FULMAR_SAME_VALUE(oncs::verify, NVME_CTRL_ONCS_VERIFY);
FULMAR_SAME_VALUE(oncs::copy, NVME_CTRL_ONCS_COPY);
FULMAR_SAME_VALUE(fuses::compare_and_write, NVME_CTRL_FUSES_COMPARE_AND_WRITE);
FULMAR_SAME_VALUE(fna::format_all, NVME_CTRL_FNA_FMT_ALL_NAMESPACES);
FULMAR_SAME_VALUE(fna::erase_all, NVME_CTRL_FNA_SEC_ALL_NAMESPACES);
FULMAR_SAME_VALUE(fna::crypto_erase, NVME_CTRL_FNA_CRYPTO_ERASE);
FULMAR_SAME_VALUE(fna::no_broadcast, NVME_CTRL_FNA_NSID_FFFFFFFF);
FULMAR_SAME_VALUE(vwc::present, NVME_CTRL_VWC_PRESENT);
FULMAR_SAME_VALUE(vwc::flush_broadcast_supported, NVME_CTRL_VWC_FLUSH);
FULMAR_SAME_VALUE(nwpc::write_protect, NVME_CTRL_NWPC_WRITE_PROTECT);
FULMAR_SAME_VALUE(nwpc::until_power_cycle, NVME_CTRL_NWPC_WRITE_PROTECT_POWER_CYCLE);
FULMAR_SAME_VALUE(nwpc::permanent, NVME_CTRL_NWPC_WRITE_PROTECT_PERMANENT);
FULMAR_SAME_VALUE(sgls::keyed, NVME_CTRL_SGLS_KEYED);
FULMAR_SAME_VALUE(sgls::bit_bucket, NVME_CTRL_SGLS_BIT_BUCKET);
FULMAR_SAME_VALUE(sgls::metadata_byte_aligned, NVME_CTRL_SGLS_MPTR_BYTE_ALIGNED);
FULMAR_SAME_VALUE(sgls::oversize, NVME_CTRL_SGLS_OVERSIZE);
FULMAR_SAME_VALUE(sgls::metadata_sgl, NVME_CTRL_SGLS_MPTR_SGL);
FULMAR_SAME_VALUE(sgls::offset_in_address, NVME_CTRL_SGLS_OFFSET);
FULMAR_SAME_VALUE(sgls::transport, NVME_CTRL_SGLS_TPORT);
FULMAR_SAME_VALUE(anacap::optimized, NVME_CTRL_ANACAP_OPT);
FULMAR_SAME_VALUE(anacap::non_optimized, NVME_CTRL_ANACAP_NON_OPT);
FULMAR_SAME_VALUE(anacap::inaccessible, NVME_CTRL_ANACAP_INACCESSIBLE);
FULMAR_SAME_VALUE(anacap::persistent_loss, NVME_CTRL_ANACAP_PERSISTENT_LOSS);
FULMAR_SAME_VALUE(anacap::change, NVME_CTRL_ANACAP_CHANGE);
FULMAR_SAME_VALUE(anacap::group_id_constant, NVME_CTRL_ANACAP_GRPID_NO_CHG);
FULMAR_SAME_VALUE(anacap::group_id_managed, NVME_CTRL_ANACAP_GRPID_MGMT);
FULMAR_SAME_VALUE(ofcs::disconnect, NVME_CTRL_OFCS_DISCONNECT);
FULMAR_SAME_VALUE(nsfeat::thin, NVME_NS_FEAT_THIN);
FULMAR_SAME_VALUE(nsfeat::atomic_fields, NVME_NS_FEAT_NATOMIC);
FULMAR_SAME_VALUE(nsfeat::deallocated_error, NVME_NS_FEAT_DULBE);
FULMAR_SAME_VALUE(nsfeat::ids_never_reused, NVME_NS_FEAT_ID_REUSE);
FULMAR_SAME_VALUE(nsfeat::optimal_io, NVME_NS_FEAT_IO_OPT);
FULMAR_SAME_VALUE(nmic::shared, NVME_NS_NMIC_SHARED);
FULMAR_SAME_VALUE(rescap::persist_through_power_loss, NVME_NS_RESCAP_PTPL);
FULMAR_SAME_VALUE(rescap::write_exclusive, NVME_NS_RESCAP_WE);
FULMAR_SAME_VALUE(rescap::exclusive_access, NVME_NS_RESCAP_EA);
FULMAR_SAME_VALUE(rescap::write_exclusive_registrants, NVME_NS_RESCAP_WERO);
FULMAR_SAME_VALUE(rescap::exclusive_access_registrants, NVME_NS_RESCAP_EARO);
FULMAR_SAME_VALUE(rescap::write_exclusive_all, NVME_NS_RESCAP_WEAR);
FULMAR_SAME_VALUE(rescap::exclusive_access_all, NVME_NS_RESCAP_EAAR);
FULMAR_SAME_VALUE(rescap::ignore_existing_key_1_3, NVME_NS_RESCAP_IEK_13);
FULMAR_SAME_VALUE(dlfeat::reads_unreported, NVME_NS_DLFEAT_RB_NR);
FULMAR_SAME_VALUE(dlfeat::reads_zero, NVME_NS_DLFEAT_RB_ALL_0S);
FULMAR_SAME_VALUE(dlfeat::reads_ones, NVME_NS_DLFEAT_RB_ALL_FS);
FULMAR_SAME_VALUE(dlfeat::write_zeroes_deallocates, NVME_NS_DLFEAT_WRITE_ZEROES);
FULMAR_SAME_VALUE(dlfeat::guard_is_crc, NVME_NS_DLFEAT_CRC_GUARD);
FULMAR_SAME_VALUE(flbas::metadata_extended, NVME_NS_FLBAS_META_EXT);
FULMAR_SAME_VALUE(flbas::format_high_mask, NVME_NS_FLBAS_HIGHER_MASK);
FULMAR_SAME_VALUE(metadata_capability::extended, NVME_NS_MC_EXTENDED);
FULMAR_SAME_VALUE(metadata_capability::separate, NVME_NS_MC_SEPARATE);
FULMAR_SAME_VALUE(dpc::type_1, NVME_NS_DPC_PI_TYPE1);
FULMAR_SAME_VALUE(dpc::type_2, NVME_NS_DPC_PI_TYPE2);
FULMAR_SAME_VALUE(dpc::type_3, NVME_NS_DPC_PI_TYPE3);
FULMAR_SAME_VALUE(dpc::first_bytes, NVME_NS_DPC_PI_FIRST);
FULMAR_SAME_VALUE(dpc::last_bytes, NVME_NS_DPC_PI_LAST);
FULMAR_SAME_VALUE(nsattr::write_protected, NVME_NS_NSATTR_WRITE_PROTECTED);
FULMAR_SAME_VALUE(namespace_id_type::id_eui64, NVME_NIDT_EUI64);
FULMAR_SAME_VALUE(namespace_id_type::id_nguid, NVME_NIDT_NGUID);
FULMAR_SAME_VALUE(namespace_id_type::id_uuid, NVME_NIDT_UUID);
FULMAR_SAME_VALUE(namespace_id_type::id_csi, NVME_NIDT_CSI);

FULMAR_SAME_VALUE(lid::supported_pages, NVME_LOG_LID_SUPPORTED_LOG_PAGES);
FULMAR_SAME_VALUE(lid::error_information, NVME_LOG_LID_ERROR);
FULMAR_SAME_VALUE(lid::smart, NVME_LOG_LID_SMART);
FULMAR_SAME_VALUE(lid::firmware_slot, NVME_LOG_LID_FW_SLOT);
FULMAR_SAME_VALUE(lid::changed_namespaces, NVME_LOG_LID_CHANGED_NS);
FULMAR_SAME_VALUE(lid::command_effects, NVME_LOG_LID_CMD_EFFECTS);
FULMAR_SAME_VALUE(lid::self_test, NVME_LOG_LID_DEVICE_SELF_TEST);
FULMAR_SAME_VALUE(lid::telemetry_host, NVME_LOG_LID_TELEMETRY_HOST);
FULMAR_SAME_VALUE(lid::telemetry_controller, NVME_LOG_LID_TELEMETRY_CTRL);
FULMAR_SAME_VALUE(lid::endurance_group, NVME_LOG_LID_ENDURANCE_GROUP);
FULMAR_SAME_VALUE(lid::predictable_latency, NVME_LOG_LID_PREDICTABLE_LAT_NVMSET);
FULMAR_SAME_VALUE(lid::predictable_latency_events, NVME_LOG_LID_PREDICTABLE_LAT_AGG);
FULMAR_SAME_VALUE(lid::ana, NVME_LOG_LID_ANA);
FULMAR_SAME_VALUE(lid::persistent_event, NVME_LOG_LID_PERSISTENT_EVENT);
FULMAR_SAME_VALUE(lid::lba_status, NVME_LOG_LID_LBA_STATUS);
FULMAR_SAME_VALUE(lid::endurance_group_events, NVME_LOG_LID_ENDURANCE_GRP_EVT);
FULMAR_SAME_VALUE(lid::media_unit_status, NVME_LOG_LID_MEDIA_UNIT_STATUS);
FULMAR_SAME_VALUE(lid::capacity_configurations, NVME_LOG_LID_SUPPORTED_CAP_CONFIG_LIST);
FULMAR_SAME_VALUE(lid::feature_effects, NVME_LOG_LID_FID_SUPPORTED_EFFECTS);
FULMAR_SAME_VALUE(lid::mi_command_effects, NVME_LOG_LID_MI_CMD_SUPPORTED_EFFECTS);
FULMAR_SAME_VALUE(lid::boot_partition, NVME_LOG_LID_BOOT_PARTITION);
FULMAR_SAME_VALUE(lid::fdp_configurations, NVME_LOG_LID_FDP_CONFIGS);
FULMAR_SAME_VALUE(lid::fdp_handle_usage, NVME_LOG_LID_FDP_RUH_USAGE);
FULMAR_SAME_VALUE(lid::fdp_statistics, NVME_LOG_LID_FDP_STATS);
FULMAR_SAME_VALUE(lid::fdp_events, NVME_LOG_LID_FDP_EVENTS);
FULMAR_SAME_VALUE(lid::discovery, NVME_LOG_LID_DISCOVER);
FULMAR_SAME_VALUE(lid::reservation_notification, NVME_LOG_LID_RESERVATION);
FULMAR_SAME_VALUE(lid::sanitize_status, NVME_LOG_LID_SANITIZE);
FULMAR_SAME_VALUE(lid::changed_zones, NVME_LOG_LID_ZNS_CHANGED_ZONES);
FULMAR_SAME_VALUE(command_effect::supported, NVME_CMD_EFFECTS_CSUPP);
FULMAR_SAME_VALUE(command_effect::content_change, NVME_CMD_EFFECTS_LBCC);
FULMAR_SAME_VALUE(command_effect::namespace_change, NVME_CMD_EFFECTS_NCC);
FULMAR_SAME_VALUE(command_effect::inventory_change, NVME_CMD_EFFECTS_NIC);
FULMAR_SAME_VALUE(command_effect::controller_change, NVME_CMD_EFFECTS_CCC);
FULMAR_SAME_VALUE(command_effect::uuid_selection, NVME_CMD_EFFECTS_UUID_SEL);
FULMAR_SAME_VALUE(feature_effect::supported, NVME_FID_SUPPORTED_EFFECTS_FSUPP);
FULMAR_SAME_VALUE(feature_effect::user_data_change, NVME_FID_SUPPORTED_EFFECTS_UDCC);
FULMAR_SAME_VALUE(feature_effect::namespace_change, NVME_FID_SUPPORTED_EFFECTS_NCC);
FULMAR_SAME_VALUE(feature_effect::inventory_change, NVME_FID_SUPPORTED_EFFECTS_NIC);
FULMAR_SAME_VALUE(feature_effect::controller_change, NVME_FID_SUPPORTED_EFFECTS_CCC);
FULMAR_SAME_VALUE(feature_effect::uuid_selection, NVME_FID_SUPPORTED_EFFECTS_UUID_SEL);
FULMAR_SAME_VALUE(feature_effect::scope_namespace >> 20, NVME_FID_SUPPORTED_EFFECTS_SCOPE_NS);
FULMAR_SAME_VALUE(feature_effect::scope_controller >> 20, NVME_FID_SUPPORTED_EFFECTS_SCOPE_CTRL);
FULMAR_SAME_VALUE(feature_effect::scope_nvm_set >> 20, NVME_FID_SUPPORTED_EFFECTS_SCOPE_NVM_SET);
FULMAR_SAME_VALUE(feature_effect::scope_endurance_group >> 20,
                  NVME_FID_SUPPORTED_EFFECTS_SCOPE_ENDGRP);
FULMAR_SAME_VALUE(feature_effect::scope_domain >> 20, NVME_FID_SUPPORTED_EFFECTS_SCOPE_DOMAIN);
FULMAR_SAME_VALUE(feature_effect::scope_subsystem >> 20, NVME_FID_SUPPORTED_EFFECTS_SCOPE_NSS);
FULMAR_SAME_VALUE(critical_warning::spare, NVME_SMART_CRIT_SPARE);
FULMAR_SAME_VALUE(critical_warning::temperature, NVME_SMART_CRIT_TEMPERATURE);
FULMAR_SAME_VALUE(critical_warning::reliability, NVME_SMART_CRIT_DEGRADED);
FULMAR_SAME_VALUE(critical_warning::read_only, NVME_SMART_CRIT_MEDIA);
FULMAR_SAME_VALUE(critical_warning::volatile_backup, NVME_SMART_CRIT_VOLATILE_MEMORY);
FULMAR_SAME_VALUE(critical_warning::persistent_memory, NVME_SMART_CRIT_PMR_RO);
FULMAR_SAME_VALUE(ana_state::optimized, NVME_ANA_STATE_OPTIMIZED);
FULMAR_SAME_VALUE(ana_state::non_optimized, NVME_ANA_STATE_NONOPTIMIZED);
FULMAR_SAME_VALUE(ana_state::inaccessible, NVME_ANA_STATE_INACCESSIBLE);
FULMAR_SAME_VALUE(ana_state::persistent_loss, NVME_ANA_STATE_PERSISTENT_LOSS);
FULMAR_SAME_VALUE(ana_state::change, NVME_ANA_STATE_CHANGE);
FULMAR_SAME_VALUE(reservation_notice::empty, NVME_RESV_NOTIFY_RNLPT_EMPTY);
FULMAR_SAME_VALUE(reservation_notice::registration_preempted,
                  NVME_RESV_NOTIFY_RNLPT_REGISTRATION_PREEMPTED);
FULMAR_SAME_VALUE(reservation_notice::reservation_released,
                  NVME_RESV_NOTIFY_RNLPT_RESERVATION_RELEASED);
FULMAR_SAME_VALUE(reservation_notice::reservation_preempted,
                  NVME_RESV_NOTIFY_RNLPT_RESERVATION_PREEMPTED);

FULMAR_SAME_VALUE(trtype::rdma, NVMF_TRTYPE_RDMA);
FULMAR_SAME_VALUE(trtype::fibre_channel, NVMF_TRTYPE_FC);
FULMAR_SAME_VALUE(trtype::tcp, NVMF_TRTYPE_TCP);
FULMAR_SAME_VALUE(trtype::loop, NVMF_TRTYPE_LOOP);
FULMAR_SAME_VALUE(adrfam::ipv4, NVMF_ADDR_FAMILY_IP4);
FULMAR_SAME_VALUE(adrfam::ipv6, NVMF_ADDR_FAMILY_IP6);
FULMAR_SAME_VALUE(adrfam::infiniband, NVMF_ADDR_FAMILY_IB);
FULMAR_SAME_VALUE(adrfam::fibre_channel, NVMF_ADDR_FAMILY_FC);
FULMAR_SAME_VALUE(adrfam::intra_host, NVMF_ADDR_FAMILY_LOOP);
FULMAR_SAME_VALUE(subsystem_type::referral, NVME_NQN_DISC);
FULMAR_SAME_VALUE(subsystem_type::nvm, NVME_NQN_NVME);
FULMAR_SAME_VALUE(subsystem_type::current_discovery, NVME_NQN_CURR);
FULMAR_SAME_VALUE(treq::secure_channel_unspecified, NVMF_TREQ_NOT_SPECIFIED);
FULMAR_SAME_VALUE(treq::secure_channel_required, NVMF_TREQ_REQUIRED);
FULMAR_SAME_VALUE(treq::secure_channel_not_required, NVMF_TREQ_NOT_REQUIRED);
FULMAR_SAME_VALUE(treq::sq_flow_control_can_be_off, NVMF_TREQ_DISABLE_SQFLOW);
FULMAR_SAME_VALUE(eflags::duplicate_returned_information, NVMF_DISC_EFLAGS_DUPRETINFO);
FULMAR_SAME_VALUE(eflags::explicit_persistent_connection, NVMF_DISC_EFLAGS_EPCSD);
FULMAR_SAME_VALUE(eflags::no_cdc_connectivity, NVMF_DISC_EFLAGS_NCC);
FULMAR_SAME_VALUE(tcp_sectype::none, NVMF_TCP_SECTYPE_NONE);
FULMAR_SAME_VALUE(tcp_sectype::tls_1_2, NVMF_TCP_SECTYPE_TLS);
FULMAR_SAME_VALUE(tcp_sectype::tls_1_3, NVMF_TCP_SECTYPE_TLS13);
FULMAR_SAME_VALUE(rdma_qptype::reliable_connected, NVMF_RDMA_QPTYPE_CONNECTED);
FULMAR_SAME_VALUE(rdma_qptype::reliable_datagram, NVMF_RDMA_QPTYPE_DATAGRAM);
FULMAR_SAME_VALUE(rdma_prtype::none, NVMF_RDMA_PRTYPE_NOT_SPECIFIED);
FULMAR_SAME_VALUE(rdma_prtype::infiniband, NVMF_RDMA_PRTYPE_IB);
FULMAR_SAME_VALUE(rdma_prtype::roce, NVMF_RDMA_PRTYPE_ROCE);
FULMAR_SAME_VALUE(rdma_prtype::roce_v2, NVMF_RDMA_PRTYPE_ROCEV2);
FULMAR_SAME_VALUE(rdma_prtype::iwarp, NVMF_RDMA_PRTYPE_IWARP);
FULMAR_SAME_VALUE(rdma_cms::rdma_cm, NVMF_RDMA_CMS_RDMA_CM);
FULMAR_SAME_VALUE(discovery_lsp::extended_entries, NVMF_LOG_DISC_LSP_EXTDLPE);
FULMAR_SAME_VALUE(discovery_lsp::port_local_only, NVMF_LOG_DISC_LSP_PLEO);
FULMAR_SAME_VALUE(discovery_lsp::all_subsystems, NVMF_LOG_DISC_LSP_ALLSUBE);
FULMAR_SAME_VALUE(nqn_bytes_max, NVMF_NQN_SIZE);
FULMAR_SAME_VALUE(nqn_field_bytes, NVME_NQN_LENGTH);
FULMAR_SAME_VALUE(tcp::port_nvme, NVME_RDMA_IP_PORT);
FULMAR_SAME_VALUE(tcp::port_discovery, NVME_DISC_IP_PORT);

FULMAR_SAME_VALUE(fid::arbitration, NVME_FEAT_FID_ARBITRATION);
FULMAR_SAME_VALUE(fid::power_management, NVME_FEAT_FID_POWER_MGMT);
FULMAR_SAME_VALUE(fid::lba_range_type, NVME_FEAT_FID_LBA_RANGE);
FULMAR_SAME_VALUE(fid::temperature_threshold, NVME_FEAT_FID_TEMP_THRESH);
FULMAR_SAME_VALUE(fid::error_recovery, NVME_FEAT_FID_ERR_RECOVERY);
FULMAR_SAME_VALUE(fid::volatile_write_cache, NVME_FEAT_FID_VOLATILE_WC);
FULMAR_SAME_VALUE(fid::number_of_queues, NVME_FEAT_FID_NUM_QUEUES);
FULMAR_SAME_VALUE(fid::interrupt_coalescing, NVME_FEAT_FID_IRQ_COALESCE);
FULMAR_SAME_VALUE(fid::interrupt_vector, NVME_FEAT_FID_IRQ_CONFIG);
FULMAR_SAME_VALUE(fid::write_atomicity, NVME_FEAT_FID_WRITE_ATOMIC);
FULMAR_SAME_VALUE(fid::async_event_configuration, NVME_FEAT_FID_ASYNC_EVENT);
FULMAR_SAME_VALUE(fid::autonomous_power_state, NVME_FEAT_FID_AUTO_PST);
FULMAR_SAME_VALUE(fid::host_memory_buffer, NVME_FEAT_FID_HOST_MEM_BUF);
FULMAR_SAME_VALUE(fid::timestamp, NVME_FEAT_FID_TIMESTAMP);
FULMAR_SAME_VALUE(fid::keep_alive_timer, NVME_FEAT_FID_KATO);
FULMAR_SAME_VALUE(fid::host_thermal_management, NVME_FEAT_FID_HCTM);
FULMAR_SAME_VALUE(fid::non_operational_power_state, NVME_FEAT_FID_NOPSC);
FULMAR_SAME_VALUE(fid::read_recovery_level, NVME_FEAT_FID_RRL);
FULMAR_SAME_VALUE(fid::predictable_latency_configuration, NVME_FEAT_FID_PLM_CONFIG);
FULMAR_SAME_VALUE(fid::predictable_latency_window, NVME_FEAT_FID_PLM_WINDOW);
FULMAR_SAME_VALUE(fid::lba_status_interval, NVME_FEAT_FID_LBA_STS_INTERVAL);
FULMAR_SAME_VALUE(fid::host_behavior, NVME_FEAT_FID_HOST_BEHAVIOR);
FULMAR_SAME_VALUE(fid::sanitize_configuration, NVME_FEAT_FID_SANITIZE);
FULMAR_SAME_VALUE(fid::endurance_group_events, NVME_FEAT_FID_ENDURANCE_EVT_CFG);
FULMAR_SAME_VALUE(fid::command_set_profile, NVME_FEAT_FID_IOCS_PROFILE);
FULMAR_SAME_VALUE(fid::spinup_control, NVME_FEAT_FID_SPINUP_CONTROL);
FULMAR_SAME_VALUE(fid::flexible_data_placement, NVME_FEAT_FID_FDP);
FULMAR_SAME_VALUE(fid::flexible_data_placement_events, NVME_FEAT_FID_FDP_EVENTS);
FULMAR_SAME_VALUE(fid::enhanced_controller_metadata, NVME_FEAT_FID_ENH_CTRL_METADATA);
FULMAR_SAME_VALUE(fid::controller_metadata, NVME_FEAT_FID_CTRL_METADATA);
FULMAR_SAME_VALUE(fid::namespace_metadata, NVME_FEAT_FID_NS_METADATA);
FULMAR_SAME_VALUE(fid::software_progress, NVME_FEAT_FID_SW_PROGRESS);
FULMAR_SAME_VALUE(fid::host_identifier, NVME_FEAT_FID_HOST_ID);
FULMAR_SAME_VALUE(fid::reservation_notification_mask, NVME_FEAT_FID_RESV_MASK);
FULMAR_SAME_VALUE(fid::reservation_persistence, NVME_FEAT_FID_RESV_PERSIST);
FULMAR_SAME_VALUE(fid::namespace_write_protection, NVME_FEAT_FID_WRITE_PROTECT);
FULMAR_SAME_VALUE(feature_select::current, NVME_GET_FEATURES_SEL_CURRENT);
FULMAR_SAME_VALUE(feature_select::default_value, NVME_GET_FEATURES_SEL_DEFAULT);
FULMAR_SAME_VALUE(feature_select::saved, NVME_GET_FEATURES_SEL_SAVED);
FULMAR_SAME_VALUE(feature_select::capabilities, NVME_GET_FEATURES_SEL_SUPPORTED);
FULMAR_SAME_VALUE(async_event_config::smart_spare, NVME_FEATURE_AENCFG_SMART_CRIT_SPARE);
FULMAR_SAME_VALUE(async_event_config::smart_temperature,
                  NVME_FEATURE_AENCFG_SMART_CRIT_TEMPERATURE);
FULMAR_SAME_VALUE(async_event_config::smart_reliability, NVME_FEATURE_AENCFG_SMART_CRIT_DEGRADED);
FULMAR_SAME_VALUE(async_event_config::smart_read_only, NVME_FEATURE_AENCFG_SMART_CRIT_READ_ONLY);
FULMAR_SAME_VALUE(async_event_config::smart_volatile_backup,
                  NVME_FEATURE_AENCFG_SMART_CRIT_VOLATILE_BACKUP);
FULMAR_SAME_VALUE(async_event_config::smart_persistent_memory,
                  NVME_FEATURE_AENCFG_SMART_CRIT_READ_ONLY_PMR);
FULMAR_SAME_VALUE(async_event_config::namespace_attribute,
                  NVME_FEATURE_AENCFG_NOTICE_NAMESPACE_ATTRIBUTES);
FULMAR_SAME_VALUE(async_event_config::firmware_activation,
                  NVME_FEATURE_AENCFG_NOTICE_FIRMWARE_ACTIVATION);
FULMAR_SAME_VALUE(async_event_config::telemetry, NVME_FEATURE_AENCFG_NOTICE_TELEMETRY_LOG);
FULMAR_SAME_VALUE(async_event_config::ana_change, NVME_FEATURE_AENCFG_NOTICE_ANA_CHANGE);
FULMAR_SAME_VALUE(async_event_config::predictable_latency, NVME_FEATURE_AENCFG_NOTICE_PL_EVENT);
FULMAR_SAME_VALUE(async_event_config::lba_status, NVME_FEATURE_AENCFG_NOTICE_LBA_STATUS);
FULMAR_SAME_VALUE(async_event_config::endurance_group, NVME_FEATURE_AENCFG_NOTICE_EG_EVENT);
FULMAR_SAME_VALUE(async_event_config::discovery_log_change,
                  NVME_FEATURE_AENCFG_NOTICE_DISCOVERY_CHANGE);
FULMAR_SAME_VALUE(reservation_mask::registration_preempted, NVME_FEAT_RESV_NOTIFY_REGPRE);
FULMAR_SAME_VALUE(reservation_mask::reservation_released, NVME_FEAT_RESV_NOTIFY_RESREL);
FULMAR_SAME_VALUE(reservation_mask::reservation_preempted, NVME_FEAT_RESV_NOTIFY_RESPRE);
FULMAR_SAME_VALUE(write_protection::none, NVME_FEAT_NS_NO_WRITE_PROTECT);
FULMAR_SAME_VALUE(write_protection::write_protect, NVME_FEAT_NS_WRITE_PROTECT);
FULMAR_SAME_VALUE(write_protection::until_power_cycle, NVME_FEAT_NS_WRITE_PROTECT_PWR_CYCLE);
FULMAR_SAME_VALUE(write_protection::permanent, NVME_FEAT_NS_WRITE_PROTECT_PERMANENT);
FULMAR_SAME_VALUE(dsm_attribute::integral_read, NVME_DSMGMT_IDR);
FULMAR_SAME_VALUE(dsm_attribute::integral_write, NVME_DSMGMT_IDW);
FULMAR_SAME_VALUE(dsm_attribute::deallocate, NVME_DSMGMT_AD);

FULMAR_SAME_VALUE(async_event_type::error, NVME_AER_ERROR);
FULMAR_SAME_VALUE(async_event_type::smart, NVME_AER_SMART);
FULMAR_SAME_VALUE(async_event_type::notice, NVME_AER_NOTICE);
FULMAR_SAME_VALUE(async_event_type::io_command_set, NVME_AER_CSS);
FULMAR_SAME_VALUE(async_event_type::vendor, NVME_AER_VS);
FULMAR_SAME_VALUE(event::invalid_doorbell.info, NVME_AER_ERROR_INVALID_DB_REG);
FULMAR_SAME_VALUE(event::invalid_doorbell_value.info, NVME_AER_ERROR_INVALID_DB_VAL);
FULMAR_SAME_VALUE(event::diagnostic_failure.info, NVME_AER_ERROR_DIAG_FAILURE);
FULMAR_SAME_VALUE(event::persistent_internal_error.info, NVME_AER_ERROR_PERSISTENT_INTERNAL_ERROR);
FULMAR_SAME_VALUE(event::transient_internal_error.info, NVME_AER_ERROR_TRANSIENT_INTERNAL_ERROR);
FULMAR_SAME_VALUE(event::firmware_load_error.info, NVME_AER_ERROR_FW_IMAGE_LOAD_ERROR);
FULMAR_SAME_VALUE(event::reliability.info, NVME_AER_SMART_SUBSYSTEM_RELIABILITY);
FULMAR_SAME_VALUE(event::temperature.info, NVME_AER_SMART_TEMPERATURE_THRESHOLD);
FULMAR_SAME_VALUE(event::spare.info, NVME_AER_SMART_SPARE_THRESHOLD);
FULMAR_SAME_VALUE(event::namespace_attribute_changed.info, NVME_AER_NOTICE_NS_CHANGED);
FULMAR_SAME_VALUE(event::firmware_activation_starting.info, NVME_AER_NOTICE_FW_ACT_STARTING);
FULMAR_SAME_VALUE(event::telemetry_changed.info, NVME_AER_NOTICE_TELEMETRY);
FULMAR_SAME_VALUE(event::ana_changed.info, NVME_AER_NOTICE_ANA);
FULMAR_SAME_VALUE(event::predictable_latency_changed.info, NVME_AER_NOTICE_PL_EVENT);
FULMAR_SAME_VALUE(event::lba_status_alert.info, NVME_AER_NOTICE_LBA_STATUS_ALERT);
FULMAR_SAME_VALUE(event::endurance_group_changed.info, NVME_AER_NOTICE_EG_EVENT);
FULMAR_SAME_VALUE(event::discovery_log_changed.info, NVME_AER_NOTICE_DISC_CHANGED);
FULMAR_SAME_VALUE(event::reservation_log_available.info, NVME_AER_CSS_NVM_RESERVATION);
FULMAR_SAME_VALUE(event::sanitize_completed.info, NVME_AER_CSS_NVM_SANITIZE_COMPLETED);

FULMAR_SAME_VALUE(reservation_type::write_exclusive, NVME_RESERVATION_RTYPE_WE);
FULMAR_SAME_VALUE(reservation_type::exclusive_access, NVME_RESERVATION_RTYPE_EA);
FULMAR_SAME_VALUE(reservation_type::write_exclusive_registrants, NVME_RESERVATION_RTYPE_WERO);
FULMAR_SAME_VALUE(reservation_type::exclusive_access_registrants, NVME_RESERVATION_RTYPE_EARO);
FULMAR_SAME_VALUE(reservation_type::write_exclusive_all, NVME_RESERVATION_RTYPE_WEAR);
FULMAR_SAME_VALUE(reservation_type::exclusive_access_all, NVME_RESERVATION_RTYPE_EAAR);
FULMAR_SAME_VALUE(acquire_action::acquire, NVME_RESERVATION_RACQA_ACQUIRE);
FULMAR_SAME_VALUE(acquire_action::preempt, NVME_RESERVATION_RACQA_PREEMPT);
FULMAR_SAME_VALUE(acquire_action::preempt_and_abort, NVME_RESERVATION_RACQA_PREEMPT_AND_ABORT);
FULMAR_SAME_VALUE(register_action::add, NVME_RESERVATION_RREGA_REGISTER_KEY);
FULMAR_SAME_VALUE(register_action::remove, NVME_RESERVATION_RREGA_UNREGISTER_KEY);
FULMAR_SAME_VALUE(register_action::replace, NVME_RESERVATION_RREGA_REPLACE_KEY);
FULMAR_SAME_VALUE(persist_change::keep, NVME_RESERVATION_CPTPL_NO_CHANGE);
FULMAR_SAME_VALUE(persist_change::off, NVME_RESERVATION_CPTPL_CLEAR);
FULMAR_SAME_VALUE(persist_change::on, NVME_RESERVATION_CPTPL_PERSIST);
FULMAR_SAME_VALUE(release_action::release, NVME_RESERVATION_RRELA_RELEASE);
FULMAR_SAME_VALUE(release_action::clear, NVME_RESERVATION_RRELA_CLEAR);

FULMAR_SAME_VALUE(register_offset::cap, NVME_REG_CAP);
FULMAR_SAME_VALUE(register_offset::vs, NVME_REG_VS);
FULMAR_SAME_VALUE(register_offset::intms, NVME_REG_INTMS);
FULMAR_SAME_VALUE(register_offset::intmc, NVME_REG_INTMC);
FULMAR_SAME_VALUE(register_offset::cc, NVME_REG_CC);
FULMAR_SAME_VALUE(register_offset::csts, NVME_REG_CSTS);
FULMAR_SAME_VALUE(register_offset::nssr, NVME_REG_NSSR);
FULMAR_SAME_VALUE(register_offset::aqa, NVME_REG_AQA);
FULMAR_SAME_VALUE(register_offset::asq, NVME_REG_ASQ);
FULMAR_SAME_VALUE(register_offset::acq, NVME_REG_ACQ);
FULMAR_SAME_VALUE(register_offset::cmbloc, NVME_REG_CMBLOC);
FULMAR_SAME_VALUE(register_offset::cmbsz, NVME_REG_CMBSZ);
FULMAR_SAME_VALUE(register_offset::bpinfo, NVME_REG_BPINFO);
FULMAR_SAME_VALUE(register_offset::bprsel, NVME_REG_BPRSEL);
FULMAR_SAME_VALUE(register_offset::bpmbl, NVME_REG_BPMBL);
FULMAR_SAME_VALUE(register_offset::cmbmsc, NVME_REG_CMBMSC);
FULMAR_SAME_VALUE(register_offset::cmbsts, NVME_REG_CMBSTS);
FULMAR_SAME_VALUE(register_offset::crto, NVME_REG_CRTO);
FULMAR_SAME_VALUE(register_offset::pmrcap, NVME_REG_PMRCAP);
FULMAR_SAME_VALUE(cap_css::nvm, NVME_CAP_CSS_NVM);
FULMAR_SAME_VALUE(cap_css::io_command_sets, NVME_CAP_CSS_CSI);
FULMAR_SAME_VALUE(cap_css::admin_only, NVME_CAP_CSS_ADMIN);
FULMAR_SAME_VALUE(cc_css::nvm, NVME_CC_CSS_NVM);
FULMAR_SAME_VALUE(cc_css::all_supported, NVME_CC_CSS_CSI);
FULMAR_SAME_VALUE(cc_css::admin_only, NVME_CC_CSS_ADMIN);
FULMAR_SAME_VALUE(shutdown_notification::normal, NVME_CC_SHN_NORMAL);
FULMAR_SAME_VALUE(shutdown_notification::abrupt, NVME_CC_SHN_ABRUPT);
FULMAR_SAME_VALUE(shutdown_status::normal, NVME_CSTS_SHST_NORMAL);
FULMAR_SAME_VALUE(shutdown_status::occurring, NVME_CSTS_SHST_OCCUR);
FULMAR_SAME_VALUE(shutdown_status::complete, NVME_CSTS_SHST_CMPLT);

}  // namespace
}  // namespace fulmar::nvme
