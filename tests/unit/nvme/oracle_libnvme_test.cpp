// Compares the wire structures with those of libnvme, which were written by others.
// Test only: only the oracle tests may include libnvme. It knows no queue entries and no TCP PDUs;
// those rest on the asserts beside them.
#include <fulmar/nvme/discovery.hpp>
#include <fulmar/nvme/fabrics.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/logs.hpp>
#include <fulmar/nvme/namespace_ids.hpp>
#include <fulmar/nvme/reservation.hpp>

#include <gtest/gtest.h>
#include <libnvme.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#define FULMAR_SAME_SIZE(ours, theirs) static_assert(sizeof(ours) == sizeof(theirs))

#define FULMAR_SAME_FIELD(ours, our_field, theirs, their_field)                 \
    static_assert(offsetof(ours, our_field) == offsetof(theirs, their_field) && \
                  sizeof(ours::our_field) == sizeof(theirs::their_field))

namespace fulmar::nvme {
namespace {

using libnvme_rdma_tsas = decltype(nvmf_tsas::rdma);

// --- Structures --------------------------------------------------------------------------------
// Left out: copy_range elbat and elbatm, which libnvme 1.3 has the wrong way round (Linux and QEMU
// agree with ours), and the host behavior fields that are younger than it.

FULMAR_SAME_SIZE(identify_controller, nvme_id_ctrl);
FULMAR_SAME_FIELD(identify_controller, vid, nvme_id_ctrl, vid);
FULMAR_SAME_FIELD(identify_controller, ssvid, nvme_id_ctrl, ssvid);
FULMAR_SAME_FIELD(identify_controller, sn, nvme_id_ctrl, sn);
FULMAR_SAME_FIELD(identify_controller, mn, nvme_id_ctrl, mn);
FULMAR_SAME_FIELD(identify_controller, fr, nvme_id_ctrl, fr);
FULMAR_SAME_FIELD(identify_controller, rab, nvme_id_ctrl, rab);
FULMAR_SAME_FIELD(identify_controller, ieee, nvme_id_ctrl, ieee);
FULMAR_SAME_FIELD(identify_controller, cmic, nvme_id_ctrl, cmic);
FULMAR_SAME_FIELD(identify_controller, mdts, nvme_id_ctrl, mdts);
FULMAR_SAME_FIELD(identify_controller, cntlid, nvme_id_ctrl, cntlid);
FULMAR_SAME_FIELD(identify_controller, ver, nvme_id_ctrl, ver);
FULMAR_SAME_FIELD(identify_controller, rtd3r_us, nvme_id_ctrl, rtd3r);
FULMAR_SAME_FIELD(identify_controller, rtd3e_us, nvme_id_ctrl, rtd3e);
FULMAR_SAME_FIELD(identify_controller, oaes, nvme_id_ctrl, oaes);
FULMAR_SAME_FIELD(identify_controller, ctratt, nvme_id_ctrl, ctratt);
FULMAR_SAME_FIELD(identify_controller, rrls, nvme_id_ctrl, rrls);
FULMAR_SAME_FIELD(identify_controller, cntrltype, nvme_id_ctrl, cntrltype);
FULMAR_SAME_FIELD(identify_controller, fguid, nvme_id_ctrl, fguid);
FULMAR_SAME_FIELD(identify_controller, crdt1, nvme_id_ctrl, crdt1);
FULMAR_SAME_FIELD(identify_controller, crdt2, nvme_id_ctrl, crdt2);
FULMAR_SAME_FIELD(identify_controller, crdt3, nvme_id_ctrl, crdt3);
FULMAR_SAME_FIELD(identify_controller, nvmsr, nvme_id_ctrl, nvmsr);
FULMAR_SAME_FIELD(identify_controller, vwci, nvme_id_ctrl, vwci);
FULMAR_SAME_FIELD(identify_controller, mec, nvme_id_ctrl, mec);
FULMAR_SAME_FIELD(identify_controller, oacs, nvme_id_ctrl, oacs);
FULMAR_SAME_FIELD(identify_controller, acl, nvme_id_ctrl, acl);
FULMAR_SAME_FIELD(identify_controller, aerl, nvme_id_ctrl, aerl);
FULMAR_SAME_FIELD(identify_controller, frmw, nvme_id_ctrl, frmw);
FULMAR_SAME_FIELD(identify_controller, lpa, nvme_id_ctrl, lpa);
FULMAR_SAME_FIELD(identify_controller, elpe, nvme_id_ctrl, elpe);
FULMAR_SAME_FIELD(identify_controller, npss, nvme_id_ctrl, npss);
FULMAR_SAME_FIELD(identify_controller, avscc, nvme_id_ctrl, avscc);
FULMAR_SAME_FIELD(identify_controller, apsta, nvme_id_ctrl, apsta);
FULMAR_SAME_FIELD(identify_controller, wctemp_kelvin, nvme_id_ctrl, wctemp);
FULMAR_SAME_FIELD(identify_controller, cctemp_kelvin, nvme_id_ctrl, cctemp);
FULMAR_SAME_FIELD(identify_controller, mtfa, nvme_id_ctrl, mtfa);
FULMAR_SAME_FIELD(identify_controller, hmpre, nvme_id_ctrl, hmpre);
FULMAR_SAME_FIELD(identify_controller, hmmin, nvme_id_ctrl, hmmin);
FULMAR_SAME_FIELD(identify_controller, tnvmcap, nvme_id_ctrl, tnvmcap);
FULMAR_SAME_FIELD(identify_controller, unvmcap, nvme_id_ctrl, unvmcap);
FULMAR_SAME_FIELD(identify_controller, rpmbs, nvme_id_ctrl, rpmbs);
FULMAR_SAME_FIELD(identify_controller, edstt, nvme_id_ctrl, edstt);
FULMAR_SAME_FIELD(identify_controller, dsto, nvme_id_ctrl, dsto);
FULMAR_SAME_FIELD(identify_controller, fwug, nvme_id_ctrl, fwug);
FULMAR_SAME_FIELD(identify_controller, kas, nvme_id_ctrl, kas);
FULMAR_SAME_FIELD(identify_controller, hctma, nvme_id_ctrl, hctma);
FULMAR_SAME_FIELD(identify_controller, mntmt, nvme_id_ctrl, mntmt);
FULMAR_SAME_FIELD(identify_controller, mxtmt, nvme_id_ctrl, mxtmt);
FULMAR_SAME_FIELD(identify_controller, sanicap, nvme_id_ctrl, sanicap);
FULMAR_SAME_FIELD(identify_controller, hmminds, nvme_id_ctrl, hmminds);
FULMAR_SAME_FIELD(identify_controller, hmmaxd, nvme_id_ctrl, hmmaxd);
FULMAR_SAME_FIELD(identify_controller, nsetidmax, nvme_id_ctrl, nsetidmax);
FULMAR_SAME_FIELD(identify_controller, endgidmax, nvme_id_ctrl, endgidmax);
FULMAR_SAME_FIELD(identify_controller, anatt, nvme_id_ctrl, anatt);
FULMAR_SAME_FIELD(identify_controller, anacap, nvme_id_ctrl, anacap);
FULMAR_SAME_FIELD(identify_controller, anagrpmax, nvme_id_ctrl, anagrpmax);
FULMAR_SAME_FIELD(identify_controller, nanagrpid, nvme_id_ctrl, nanagrpid);
FULMAR_SAME_FIELD(identify_controller, pels, nvme_id_ctrl, pels);
FULMAR_SAME_FIELD(identify_controller, domainid, nvme_id_ctrl, domainid);
FULMAR_SAME_FIELD(identify_controller, megcap, nvme_id_ctrl, megcap);
FULMAR_SAME_FIELD(identify_controller, sqes, nvme_id_ctrl, sqes);
FULMAR_SAME_FIELD(identify_controller, cqes, nvme_id_ctrl, cqes);
FULMAR_SAME_FIELD(identify_controller, maxcmd, nvme_id_ctrl, maxcmd);
FULMAR_SAME_FIELD(identify_controller, nn, nvme_id_ctrl, nn);
FULMAR_SAME_FIELD(identify_controller, oncs, nvme_id_ctrl, oncs);
FULMAR_SAME_FIELD(identify_controller, fuses, nvme_id_ctrl, fuses);
FULMAR_SAME_FIELD(identify_controller, fna, nvme_id_ctrl, fna);
FULMAR_SAME_FIELD(identify_controller, vwc, nvme_id_ctrl, vwc);
FULMAR_SAME_FIELD(identify_controller, awun, nvme_id_ctrl, awun);
FULMAR_SAME_FIELD(identify_controller, awupf, nvme_id_ctrl, awupf);
FULMAR_SAME_FIELD(identify_controller, icsvscc, nvme_id_ctrl, icsvscc);
FULMAR_SAME_FIELD(identify_controller, nwpc, nvme_id_ctrl, nwpc);
FULMAR_SAME_FIELD(identify_controller, acwu, nvme_id_ctrl, acwu);
FULMAR_SAME_FIELD(identify_controller, ocfs, nvme_id_ctrl, ocfs);
FULMAR_SAME_FIELD(identify_controller, sgls, nvme_id_ctrl, sgls);
FULMAR_SAME_FIELD(identify_controller, mnan, nvme_id_ctrl, mnan);
FULMAR_SAME_FIELD(identify_controller, maxdna, nvme_id_ctrl, maxdna);
FULMAR_SAME_FIELD(identify_controller, maxcna, nvme_id_ctrl, maxcna);
FULMAR_SAME_FIELD(identify_controller, subnqn, nvme_id_ctrl, subnqn);
FULMAR_SAME_FIELD(identify_controller, ioccsz, nvme_id_ctrl, ioccsz);
FULMAR_SAME_FIELD(identify_controller, iorcsz, nvme_id_ctrl, iorcsz);
FULMAR_SAME_FIELD(identify_controller, icdoff, nvme_id_ctrl, icdoff);
FULMAR_SAME_FIELD(identify_controller, fcatt, nvme_id_ctrl, fcatt);
FULMAR_SAME_FIELD(identify_controller, msdbd, nvme_id_ctrl, msdbd);
FULMAR_SAME_FIELD(identify_controller, ofcs, nvme_id_ctrl, ofcs);
FULMAR_SAME_FIELD(identify_controller, dctype, nvme_id_ctrl, dctype);
FULMAR_SAME_FIELD(identify_controller, psd, nvme_id_ctrl, psd);
FULMAR_SAME_FIELD(identify_controller, vendor, nvme_id_ctrl, vs);

FULMAR_SAME_SIZE(power_state_descriptor, nvme_id_psd);
FULMAR_SAME_FIELD(power_state_descriptor, mp, nvme_id_psd, mp);
FULMAR_SAME_FIELD(power_state_descriptor, flags, nvme_id_psd, flags);
FULMAR_SAME_FIELD(power_state_descriptor, enlat_us, nvme_id_psd, enlat);
FULMAR_SAME_FIELD(power_state_descriptor, exlat_us, nvme_id_psd, exlat);
FULMAR_SAME_FIELD(power_state_descriptor, rrt, nvme_id_psd, rrt);
FULMAR_SAME_FIELD(power_state_descriptor, rrl, nvme_id_psd, rrl);
FULMAR_SAME_FIELD(power_state_descriptor, rwt, nvme_id_psd, rwt);
FULMAR_SAME_FIELD(power_state_descriptor, rwl, nvme_id_psd, rwl);
FULMAR_SAME_FIELD(power_state_descriptor, idlp, nvme_id_psd, idlp);
FULMAR_SAME_FIELD(power_state_descriptor, ips, nvme_id_psd, ips);
FULMAR_SAME_FIELD(power_state_descriptor, actp, nvme_id_psd, actp);
FULMAR_SAME_FIELD(power_state_descriptor, apws, nvme_id_psd, apws);

FULMAR_SAME_SIZE(identify_namespace, nvme_id_ns);
FULMAR_SAME_FIELD(identify_namespace, nsze, nvme_id_ns, nsze);
FULMAR_SAME_FIELD(identify_namespace, ncap, nvme_id_ns, ncap);
FULMAR_SAME_FIELD(identify_namespace, nuse, nvme_id_ns, nuse);
FULMAR_SAME_FIELD(identify_namespace, nsfeat, nvme_id_ns, nsfeat);
FULMAR_SAME_FIELD(identify_namespace, nlbaf, nvme_id_ns, nlbaf);
FULMAR_SAME_FIELD(identify_namespace, flbas, nvme_id_ns, flbas);
FULMAR_SAME_FIELD(identify_namespace, mc, nvme_id_ns, mc);
FULMAR_SAME_FIELD(identify_namespace, dpc, nvme_id_ns, dpc);
FULMAR_SAME_FIELD(identify_namespace, dps, nvme_id_ns, dps);
FULMAR_SAME_FIELD(identify_namespace, nmic, nvme_id_ns, nmic);
FULMAR_SAME_FIELD(identify_namespace, rescap, nvme_id_ns, rescap);
FULMAR_SAME_FIELD(identify_namespace, fpi, nvme_id_ns, fpi);
FULMAR_SAME_FIELD(identify_namespace, dlfeat, nvme_id_ns, dlfeat);
FULMAR_SAME_FIELD(identify_namespace, nawun, nvme_id_ns, nawun);
FULMAR_SAME_FIELD(identify_namespace, nawupf, nvme_id_ns, nawupf);
FULMAR_SAME_FIELD(identify_namespace, nacwu, nvme_id_ns, nacwu);
FULMAR_SAME_FIELD(identify_namespace, nabsn, nvme_id_ns, nabsn);
FULMAR_SAME_FIELD(identify_namespace, nabo, nvme_id_ns, nabo);
FULMAR_SAME_FIELD(identify_namespace, nabspf, nvme_id_ns, nabspf);
FULMAR_SAME_FIELD(identify_namespace, noiob, nvme_id_ns, noiob);
FULMAR_SAME_FIELD(identify_namespace, nvmcap, nvme_id_ns, nvmcap);
FULMAR_SAME_FIELD(identify_namespace, npwg, nvme_id_ns, npwg);
FULMAR_SAME_FIELD(identify_namespace, npwa, nvme_id_ns, npwa);
FULMAR_SAME_FIELD(identify_namespace, npdg, nvme_id_ns, npdg);
FULMAR_SAME_FIELD(identify_namespace, npda, nvme_id_ns, npda);
FULMAR_SAME_FIELD(identify_namespace, nows, nvme_id_ns, nows);
FULMAR_SAME_FIELD(identify_namespace, mssrl, nvme_id_ns, mssrl);
FULMAR_SAME_FIELD(identify_namespace, mcl, nvme_id_ns, mcl);
FULMAR_SAME_FIELD(identify_namespace, msrc, nvme_id_ns, msrc);
FULMAR_SAME_FIELD(identify_namespace, nulbaf, nvme_id_ns, nulbaf);
FULMAR_SAME_FIELD(identify_namespace, anagrpid, nvme_id_ns, anagrpid);
FULMAR_SAME_FIELD(identify_namespace, nsattr, nvme_id_ns, nsattr);
FULMAR_SAME_FIELD(identify_namespace, nvmsetid, nvme_id_ns, nvmsetid);
FULMAR_SAME_FIELD(identify_namespace, endgid, nvme_id_ns, endgid);
FULMAR_SAME_FIELD(identify_namespace, nguid, nvme_id_ns, nguid);
FULMAR_SAME_FIELD(identify_namespace, eui64, nvme_id_ns, eui64);
FULMAR_SAME_FIELD(identify_namespace, lbaf, nvme_id_ns, lbaf);

FULMAR_SAME_SIZE(lba_format, nvme_lbaf);
FULMAR_SAME_FIELD(lba_format, ms, nvme_lbaf, ms);
FULMAR_SAME_FIELD(lba_format, lbads, nvme_lbaf, ds);
FULMAR_SAME_FIELD(lba_format, rp, nvme_lbaf, rp);

FULMAR_SAME_SIZE(identify_nvm_namespace, nvme_nvm_id_ns);
FULMAR_SAME_FIELD(identify_nvm_namespace, lbstm, nvme_nvm_id_ns, lbstm);
FULMAR_SAME_FIELD(identify_nvm_namespace, pic, nvme_nvm_id_ns, pic);
FULMAR_SAME_FIELD(identify_nvm_namespace, elbaf, nvme_nvm_id_ns, elbaf);

FULMAR_SAME_SIZE(identify_nvm_controller, nvme_id_ctrl_nvm);
FULMAR_SAME_FIELD(identify_nvm_controller, vsl, nvme_id_ctrl_nvm, vsl);
FULMAR_SAME_FIELD(identify_nvm_controller, wzsl, nvme_id_ctrl_nvm, wzsl);
FULMAR_SAME_FIELD(identify_nvm_controller, wusl, nvme_id_ctrl_nvm, wusl);
FULMAR_SAME_FIELD(identify_nvm_controller, dmrl, nvme_id_ctrl_nvm, dmrl);
FULMAR_SAME_FIELD(identify_nvm_controller, dmrsl, nvme_id_ctrl_nvm, dmrsl);
FULMAR_SAME_FIELD(identify_nvm_controller, dmsl, nvme_id_ctrl_nvm, dmsl);

FULMAR_SAME_SIZE(identify_independent_namespace, nvme_id_independent_id_ns);
FULMAR_SAME_FIELD(identify_independent_namespace, nsfeat, nvme_id_independent_id_ns, nsfeat);
FULMAR_SAME_FIELD(identify_independent_namespace, nmic, nvme_id_independent_id_ns, nmic);
FULMAR_SAME_FIELD(identify_independent_namespace, rescap, nvme_id_independent_id_ns, rescap);
FULMAR_SAME_FIELD(identify_independent_namespace, fpi, nvme_id_independent_id_ns, fpi);
FULMAR_SAME_FIELD(identify_independent_namespace, anagrpid, nvme_id_independent_id_ns, anagrpid);
FULMAR_SAME_FIELD(identify_independent_namespace, nsattr, nvme_id_independent_id_ns, nsattr);
FULMAR_SAME_FIELD(identify_independent_namespace, nvmsetid, nvme_id_independent_id_ns, nvmsetid);
FULMAR_SAME_FIELD(identify_independent_namespace, endgid, nvme_id_independent_id_ns, endgid);
FULMAR_SAME_FIELD(identify_independent_namespace, nstat, nvme_id_independent_id_ns, nstat);

FULMAR_SAME_FIELD(namespace_id_descriptor, nidt, nvme_ns_id_desc, nidt);
FULMAR_SAME_FIELD(namespace_id_descriptor, nidl, nvme_ns_id_desc, nidl);

FULMAR_SAME_SIZE(controller_list, nvme_ctrl_list);
FULMAR_SAME_FIELD(controller_list, count, nvme_ctrl_list, num);
FULMAR_SAME_FIELD(controller_list, cntlid, nvme_ctrl_list, identifier);

FULMAR_SAME_SIZE(namespace_list, nvme_ns_list);
FULMAR_SAME_FIELD(namespace_list, nsid, nvme_ns_list, ns);

FULMAR_SAME_SIZE(command_set_combination_list, nvme_id_iocs);
FULMAR_SAME_FIELD(command_set_combination_list, combination, nvme_id_iocs, iocsc);

FULMAR_SAME_SIZE(supported_log_pages, nvme_supported_log_pages);
FULMAR_SAME_FIELD(supported_log_pages, lid, nvme_supported_log_pages, lid_support);

FULMAR_SAME_SIZE(error_log_entry, nvme_error_log_page);
FULMAR_SAME_FIELD(error_log_entry, error_count, nvme_error_log_page, error_count);
FULMAR_SAME_FIELD(error_log_entry, sqid, nvme_error_log_page, sqid);
FULMAR_SAME_FIELD(error_log_entry, cid, nvme_error_log_page, cmdid);
FULMAR_SAME_FIELD(error_log_entry, status_field, nvme_error_log_page, status_field);
FULMAR_SAME_FIELD(error_log_entry, parameter_error_location, nvme_error_log_page,
                  parm_error_location);
FULMAR_SAME_FIELD(error_log_entry, lba, nvme_error_log_page, lba);
FULMAR_SAME_FIELD(error_log_entry, nsid, nvme_error_log_page, nsid);
FULMAR_SAME_FIELD(error_log_entry, vendor_page, nvme_error_log_page, vs);
FULMAR_SAME_FIELD(error_log_entry, trtype, nvme_error_log_page, trtype);
FULMAR_SAME_FIELD(error_log_entry, command_specific, nvme_error_log_page, cs);
FULMAR_SAME_FIELD(error_log_entry, transport_specific, nvme_error_log_page, trtype_spec_info);

FULMAR_SAME_SIZE(smart_log, nvme_smart_log);
FULMAR_SAME_FIELD(smart_log, critical_warning, nvme_smart_log, critical_warning);
FULMAR_SAME_FIELD(smart_log, temperature_kelvin, nvme_smart_log, temperature);
FULMAR_SAME_FIELD(smart_log, available_spare_percent, nvme_smart_log, avail_spare);
FULMAR_SAME_FIELD(smart_log, spare_threshold_percent, nvme_smart_log, spare_thresh);
FULMAR_SAME_FIELD(smart_log, used_percent, nvme_smart_log, percent_used);
FULMAR_SAME_FIELD(smart_log, endurance_group_warning, nvme_smart_log, endu_grp_crit_warn_sumry);
FULMAR_SAME_FIELD(smart_log, data_units_read, nvme_smart_log, data_units_read);
FULMAR_SAME_FIELD(smart_log, data_units_written, nvme_smart_log, data_units_written);
FULMAR_SAME_FIELD(smart_log, host_reads, nvme_smart_log, host_reads);
FULMAR_SAME_FIELD(smart_log, host_writes, nvme_smart_log, host_writes);
FULMAR_SAME_FIELD(smart_log, busy_minutes, nvme_smart_log, ctrl_busy_time);
FULMAR_SAME_FIELD(smart_log, power_cycles, nvme_smart_log, power_cycles);
FULMAR_SAME_FIELD(smart_log, power_on_hours, nvme_smart_log, power_on_hours);
FULMAR_SAME_FIELD(smart_log, unsafe_shutdowns, nvme_smart_log, unsafe_shutdowns);
FULMAR_SAME_FIELD(smart_log, media_errors, nvme_smart_log, media_errors);
FULMAR_SAME_FIELD(smart_log, error_log_entries, nvme_smart_log, num_err_log_entries);
FULMAR_SAME_FIELD(smart_log, warning_temperature_minutes, nvme_smart_log, warning_temp_time);
FULMAR_SAME_FIELD(smart_log, critical_temperature_minutes, nvme_smart_log, critical_comp_time);
FULMAR_SAME_FIELD(smart_log, temperature_sensor_kelvin, nvme_smart_log, temp_sensor);
FULMAR_SAME_FIELD(smart_log, thermal_1_transitions, nvme_smart_log, thm_temp1_trans_count);
FULMAR_SAME_FIELD(smart_log, thermal_2_transitions, nvme_smart_log, thm_temp2_trans_count);
FULMAR_SAME_FIELD(smart_log, thermal_1_seconds, nvme_smart_log, thm_temp1_total_time);
FULMAR_SAME_FIELD(smart_log, thermal_2_seconds, nvme_smart_log, thm_temp2_total_time);

FULMAR_SAME_SIZE(firmware_slot_log, nvme_firmware_slot);
FULMAR_SAME_FIELD(firmware_slot_log, afi, nvme_firmware_slot, afi);
FULMAR_SAME_FIELD(firmware_slot_log, frs, nvme_firmware_slot, frs);

FULMAR_SAME_SIZE(command_effects_log, nvme_cmd_effects_log);
FULMAR_SAME_FIELD(command_effects_log, admin, nvme_cmd_effects_log, acs);
FULMAR_SAME_FIELD(command_effects_log, io, nvme_cmd_effects_log, iocs);

FULMAR_SAME_FIELD(ana_log_header, change_count, nvme_ana_log, chgcnt);
FULMAR_SAME_FIELD(ana_log_header, groups, nvme_ana_log, ngrps);

FULMAR_SAME_FIELD(ana_group_descriptor, group_id, nvme_ana_group_desc, grpid);
FULMAR_SAME_FIELD(ana_group_descriptor, nsids, nvme_ana_group_desc, nnsids);
FULMAR_SAME_FIELD(ana_group_descriptor, change_count, nvme_ana_group_desc, chgcnt);
FULMAR_SAME_FIELD(ana_group_descriptor, state, nvme_ana_group_desc, state);

FULMAR_SAME_SIZE(feature_effects_log, nvme_fid_supported_effects_log);
FULMAR_SAME_FIELD(feature_effects_log, fid, nvme_fid_supported_effects_log, fid_support);

FULMAR_SAME_SIZE(mi_command_effects_log, nvme_mi_cmd_supported_effects_log);
FULMAR_SAME_FIELD(mi_command_effects_log, command, nvme_mi_cmd_supported_effects_log,
                  mi_cmd_support);

FULMAR_SAME_SIZE(reservation_notification_log, nvme_resv_notification_log);
FULMAR_SAME_FIELD(reservation_notification_log, log_page_count, nvme_resv_notification_log, lpc);
FULMAR_SAME_FIELD(reservation_notification_log, type, nvme_resv_notification_log, rnlpt);
FULMAR_SAME_FIELD(reservation_notification_log, available_pages, nvme_resv_notification_log, nalp);
FULMAR_SAME_FIELD(reservation_notification_log, nsid, nvme_resv_notification_log, nsid);

FULMAR_SAME_FIELD(discovery_log_header, genctr, nvmf_discovery_log, genctr);
FULMAR_SAME_FIELD(discovery_log_header, numrec, nvmf_discovery_log, numrec);
FULMAR_SAME_FIELD(discovery_log_header, recfmt, nvmf_discovery_log, recfmt);

FULMAR_SAME_SIZE(discovery_log_entry, nvmf_disc_log_entry);
FULMAR_SAME_FIELD(discovery_log_entry, trtype, nvmf_disc_log_entry, trtype);
FULMAR_SAME_FIELD(discovery_log_entry, adrfam, nvmf_disc_log_entry, adrfam);
FULMAR_SAME_FIELD(discovery_log_entry, subtype, nvmf_disc_log_entry, subtype);
FULMAR_SAME_FIELD(discovery_log_entry, treq, nvmf_disc_log_entry, treq);
FULMAR_SAME_FIELD(discovery_log_entry, portid, nvmf_disc_log_entry, portid);
FULMAR_SAME_FIELD(discovery_log_entry, cntlid, nvmf_disc_log_entry, cntlid);
FULMAR_SAME_FIELD(discovery_log_entry, asqsz, nvmf_disc_log_entry, asqsz);
FULMAR_SAME_FIELD(discovery_log_entry, eflags, nvmf_disc_log_entry, eflags);
FULMAR_SAME_FIELD(discovery_log_entry, trsvcid, nvmf_disc_log_entry, trsvcid);
FULMAR_SAME_FIELD(discovery_log_entry, subnqn, nvmf_disc_log_entry, subnqn);
FULMAR_SAME_FIELD(discovery_log_entry, traddr, nvmf_disc_log_entry, traddr);
FULMAR_SAME_FIELD(discovery_log_entry, tsas, nvmf_disc_log_entry, tsas);

FULMAR_SAME_SIZE(rdma_tsas, libnvme_rdma_tsas);
FULMAR_SAME_FIELD(rdma_tsas, qptype, libnvme_rdma_tsas, qptype);
FULMAR_SAME_FIELD(rdma_tsas, prtype, libnvme_rdma_tsas, prtype);
FULMAR_SAME_FIELD(rdma_tsas, cms, libnvme_rdma_tsas, cms);
FULMAR_SAME_FIELD(rdma_tsas, pkey, libnvme_rdma_tsas, pkey);

FULMAR_SAME_SIZE(connect_data, nvmf_connect_data);
FULMAR_SAME_FIELD(connect_data, hostid, nvmf_connect_data, hostid);
FULMAR_SAME_FIELD(connect_data, cntlid, nvmf_connect_data, cntlid);
FULMAR_SAME_FIELD(connect_data, subnqn, nvmf_connect_data, subsysnqn);
FULMAR_SAME_FIELD(connect_data, hostnqn, nvmf_connect_data, hostnqn);

FULMAR_SAME_SIZE(timestamp_data, nvme_timestamp);
FULMAR_SAME_FIELD(timestamp_data, milliseconds, nvme_timestamp, timestamp);
FULMAR_SAME_FIELD(timestamp_data, attributes, nvme_timestamp, attr);

FULMAR_SAME_SIZE(host_behavior_support, nvme_feat_host_behavior);
FULMAR_SAME_FIELD(host_behavior_support, acre, nvme_feat_host_behavior, acre);

FULMAR_SAME_SIZE(dsm_range, nvme_dsm_range);
FULMAR_SAME_FIELD(dsm_range, cattr, nvme_dsm_range, cattr);
FULMAR_SAME_FIELD(dsm_range, blocks, nvme_dsm_range, nlb);
FULMAR_SAME_FIELD(dsm_range, slba, nvme_dsm_range, slba);

FULMAR_SAME_SIZE(copy_range, nvme_copy_range);
FULMAR_SAME_FIELD(copy_range, slba, nvme_copy_range, slba);
FULMAR_SAME_FIELD(copy_range, nlb, nvme_copy_range, nlb);
FULMAR_SAME_FIELD(copy_range, eilbrt, nvme_copy_range, eilbrt);

FULMAR_SAME_FIELD(reservation_status, generation, nvme_resv_status, gen);
FULMAR_SAME_FIELD(reservation_status, type, nvme_resv_status, rtype);
FULMAR_SAME_FIELD(reservation_status, registrants, nvme_resv_status, regctl);
FULMAR_SAME_FIELD(reservation_status, ptpls, nvme_resv_status, ptpls);

FULMAR_SAME_SIZE(registered_controller, nvme_registered_ctrl);
FULMAR_SAME_FIELD(registered_controller, cntlid, nvme_registered_ctrl, cntlid);
FULMAR_SAME_FIELD(registered_controller, rcsts, nvme_registered_ctrl, rcsts);
FULMAR_SAME_FIELD(registered_controller, hostid, nvme_registered_ctrl, hostid);
FULMAR_SAME_FIELD(registered_controller, rkey, nvme_registered_ctrl, rkey);

FULMAR_SAME_SIZE(registered_controller_extended, nvme_registered_ctrl_ext);
FULMAR_SAME_FIELD(registered_controller_extended, cntlid, nvme_registered_ctrl_ext, cntlid);
FULMAR_SAME_FIELD(registered_controller_extended, rcsts, nvme_registered_ctrl_ext, rcsts);
FULMAR_SAME_FIELD(registered_controller_extended, rkey, nvme_registered_ctrl_ext, rkey);
FULMAR_SAME_FIELD(registered_controller_extended, hostid, nvme_registered_ctrl_ext, hostid);

TEST(oracle_libnvme, well_known_name) {
    EXPECT_EQ(discovery_nqn, std::string_view{NVME_DISC_SUBSYS_NAME});
}

TEST(oracle_libnvme, capabilities_unpack_alike) {
    for (const std::uint64_t raw : {0x0ull, ~0x0ull, 0x0123'4567'89ab'cdefull,
                                    0xfedc'ba98'7654'3210ull, 0x1800'0020'0f01'00ffull}) {
        const auto cap = capabilities::unpack(raw);
        EXPECT_EQ(cap.mqes, NVME_CAP_MQES(raw));
        EXPECT_EQ(cap.cqr, NVME_CAP_CQR(raw) != 0);
        EXPECT_EQ(cap.ams, NVME_CAP_AMS(raw));
        EXPECT_EQ(cap.to, NVME_CAP_TO(raw));
        EXPECT_EQ(cap.dstrd, NVME_CAP_DSTRD(raw));
        EXPECT_EQ(cap.nssrs, NVME_CAP_NSSRC(raw) != 0);
        EXPECT_EQ(cap.css, NVME_CAP_CSS(raw));
        EXPECT_EQ(cap.bps, NVME_CAP_BPS(raw) != 0);
        EXPECT_EQ(cap.mpsmin, NVME_CAP_MPSMIN(raw));
        EXPECT_EQ(cap.mpsmax, NVME_CAP_MPSMAX(raw));
        EXPECT_EQ(cap.pmrs, NVME_CAP_PMRS(raw) != 0);
        EXPECT_EQ(cap.cmbs, NVME_CAP_CMBS(raw) != 0);
        EXPECT_EQ(cap.crwms, (NVME_CAP_CRMS(raw) & NVME_CAP_CRWMS) != 0);
        EXPECT_EQ(cap.crims, (NVME_CAP_CRMS(raw) & NVME_CAP_CRIMS) != 0);
    }
}

TEST(oracle_libnvme, configuration_and_status_unpack_alike) {
    for (const std::uint32_t raw : {0x0u, 0xffff'ffffu, 0x0046'0001u, 0x0146'4061u, 0x89ab'cdefu}) {
        const auto cc = controller_configuration::unpack(raw);
        EXPECT_EQ(cc.en, NVME_CC_EN(raw) != 0);
        EXPECT_EQ(cc.css, NVME_CC_CSS(raw));
        EXPECT_EQ(cc.mps, NVME_CC_MPS(raw));
        EXPECT_EQ(cc.ams, NVME_CC_AMS(raw));
        EXPECT_EQ(static_cast<unsigned>(cc.shn), NVME_CC_SHN(raw));
        EXPECT_EQ(cc.iosqes, NVME_CC_IOSQES(raw));
        EXPECT_EQ(cc.iocqes, NVME_CC_IOCQES(raw));
        EXPECT_EQ(cc.crime, NVME_CC_CRIME(raw) != 0);
        const auto csts = controller_status::unpack(raw);
        EXPECT_EQ(csts.rdy, NVME_CSTS_RDY(raw) != 0);
        EXPECT_EQ(csts.cfs, NVME_CSTS_CFS(raw) != 0);
        EXPECT_EQ(static_cast<unsigned>(csts.shst), NVME_CSTS_SHST(raw));
        EXPECT_EQ(csts.nssro, NVME_CSTS_NSSRO(raw) != 0);
        EXPECT_EQ(csts.pp, NVME_CSTS_PP(raw) != 0);
    }
}

TEST(oracle_libnvme, block_range_flags_are_alike) {
    sqe cmd{};
    const auto control = [&](const block_range& r) {
        encode_block_range(cmd, r);
        return cmd.cdw12.value() >> 16;
    };
    EXPECT_EQ(control({.fua = true}), std::uint32_t{NVME_IO_FUA});
    EXPECT_EQ(control({.lr = true}), std::uint32_t{NVME_IO_LR});
    EXPECT_EQ(control({.deac = true}), std::uint32_t{NVME_IO_DEAC});
    EXPECT_EQ(control({.stc = true}), std::uint32_t{NVME_IO_STC});
    EXPECT_EQ(control({.prinfo = prinfo::action}), std::uint32_t{NVME_IO_PRINFO_PRACT});
    EXPECT_EQ(control({.prinfo = prinfo::check_guard}), std::uint32_t{NVME_IO_PRINFO_PRCHK_GUARD});
    EXPECT_EQ(control({.prinfo = prinfo::check_application_tag}),
              std::uint32_t{NVME_IO_PRINFO_PRCHK_APP});
    EXPECT_EQ(control({.prinfo = prinfo::check_reference_tag}),
              std::uint32_t{NVME_IO_PRINFO_PRCHK_REF});
    EXPECT_EQ(control({.dtype = 1}), std::uint32_t{NVME_IO_DTYPE_STREAMS});
}

}  // namespace
}  // namespace fulmar::nvme
