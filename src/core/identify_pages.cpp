// What Identify says (NVMe Base 2.0, section 5.17; protocol list D6): who answers, and which
// namespaces there are.
#include "admin_pages.hpp"
#include "quiesce_time.hpp"

#include <fulmar/base/version.hpp>
#include <fulmar/nvme/copy_text.hpp>
#include <fulmar/nvme/namespace_ids.hpp>
#include <fulmar/nvme/registers.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace fulmar::core {

namespace sc = nvme::sc;

namespace {

constexpr std::uint32_t page_bytes = 4096;  // CAP.MPSMIN = 0
constexpr std::uint32_t capsule_unit_bytes = 16;
constexpr std::uint8_t keyed_descriptors = 16;  // that a command may have in its capsule

// The largest power of two of pages that fits. 0 would mean "no limit", so one page cannot be said.
std::uint8_t mdts_of(std::uint64_t max_transfer_bytes) noexcept {
    const std::uint64_t pages = std::max<std::uint64_t>(max_transfer_bytes / page_bytes, 2);
    return static_cast<std::uint8_t>(std::bit_width(pages) - 1);
}

std::uint16_t clamp_16(std::uint64_t value) noexcept {
    return static_cast<std::uint16_t>(std::min<std::uint64_t>(value, 0xffff));
}

std::uint8_t clamp_8(std::uint64_t value) noexcept {
    return static_cast<std::uint8_t>(std::min<std::uint64_t>(value, 0xff));
}

// A namespace whose path is closed tells nothing of its use (Base 2.0, section 8.1.3.3).
bool tells_use(ana_state state) noexcept {
    return state != ana_state::inaccessible && state != ana_state::persistent_loss;
}

// What both kinds of controllers say.
void fill_common(nvme::identify_controller& page, const identify_context& about) noexcept {
    nvme::copy_space_padded(page.sn, about.subsystem().serial);
    nvme::copy_space_padded(page.mn, about.subsystem().model);
    nvme::copy_space_padded(page.fr, version);
    nvme::copy_nul_padded(page.subnqn, about.subsystem().nqn);
    page.mdts = mdts_of(
        about.subsystem().discovery
            ? std::min<std::uint64_t>(about.options.max_transfer_bytes, limits::max_discovery_bytes)
            : about.options.max_transfer_bytes);
    page.cntlid = about.controller.value();
    page.ver = nvme::version_2_0;
    page.ctratt = nvme::ctratt::host_id_128;
    page.aerl = limits::max_async_events - 1;
    page.kas = std::uint16_t{1};  // 100 ms, the finest that can be said: the timer is exact
    page.sgls = nvme::sgls::supported |
                (about.keyed_data ? nvme::sgls::keyed : nvme::sgls::transport) |
                (about.options.in_capsule_bytes != 0 ? nvme::sgls::offset_in_address : 0u);
}

void fill_discovery(nvme::identify_controller& page, const identify_context& about) noexcept {
    // One service under two names: its own is the one to remember, whichever the host came by.
    if (!about.options.discovery_nqn.empty())
        nvme::copy_nul_padded(page.subnqn, about.options.discovery_nqn);
    page.cntrltype = static_cast<std::uint8_t>(nvme::controller_type::discovery);
    page.dctype = static_cast<std::uint8_t>(nvme::discovery_controller_type::direct);
    page.oaes = nvme::oaes::discovery_log_change;
    page.lpa = nvme::lpa::extended_data | nvme::lpa::supported_pages;
    page.maxcmd = std::uint16_t{limits::admin_queue_depth * 4};  // CAP.MQES + 1
}

void fill_retry_delays(nvme::identify_controller& page, std::uint32_t delay_ms) noexcept {
    const std::uint64_t units = (std::uint64_t{delay_ms} + 99) / 100;
    page.crdt1 = clamp_16(units);
    page.crdt2 = clamp_16(units * 2);
    page.crdt3 = clamp_16(units * 4);
}

void fill_ana(nvme::identify_controller& page, const identify_context& about) noexcept {
    namespace cap = nvme::anacap;
    page.anatt = std::max<std::uint8_t>(clamp_8(about.options.ana_transition_s), 1);
    page.anacap = cap::optimized | cap::non_optimized | cap::inaccessible | cap::persistent_loss |
                  cap::change;
    // Hosts read this once, and groups may be made later. Those that have namespaces are counted:
    // no more than there are namespaces.
    page.anagrpmax = limits::max_ana_groups + about.subsystem().namespace_limit;
    page.nanagrpid = about.subsystem().namespace_limit;
}

void fill_io(nvme::identify_controller& page, const identify_context& about) noexcept {
    page.cntrltype = static_cast<std::uint8_t>(nvme::controller_type::io);
    page.rab = 6;
    page.cmic = nvme::cmic::multi_port | nvme::cmic::multi_controller | nvme::cmic::ana_reporting;
    page.oaes = nvme::oaes::namespace_attribute | nvme::oaes::ana_change;
    fill_retry_delays(page, about.options.retry_delay_ms);
    page.ciu = about.instance.uniquifier;
    page.cirn = about.instance.number;
    page.ccrl = limits::cross_resets;
    page.cqt_ms = quiesce_time_ms(about.options);
    page.acl = limits::abort_limit - 1;
    page.frmw = nvme::frmw::first_slot_read_only | nvme::frmw::one_slot;
    page.lpa = nvme::lpa::command_effects | nvme::lpa::extended_data | nvme::lpa::supported_pages;
    page.elpe = error_log_slots - 1;
    page.wctemp_kelvin = warning_kelvin;
    page.cctemp_kelvin = critical_kelvin;
    fill_ana(page, about);
    page.sqes = nvme::sqes_64;
    page.cqes = nvme::cqes_16;
    page.maxcmd = clamp_16(about.options.max_queue_depth);
    page.nn = about.subsystem().namespace_limit;
    page.mnan = about.subsystem().namespace_limit;
    page.oncs = nvme::oncs::compare | nvme::oncs::dataset_management | nvme::oncs::write_zeroes |
                nvme::oncs::save_and_select | nvme::oncs::reservations | nvme::oncs::verify |
                nvme::oncs::copy | nvme::oncs::write_uncorrectable;
    page.fuses = nvme::fuses::compare_and_write;
    // In blocks of the largest size that there is; a namespace says more where its own are smaller.
    page.acwu = clamp_16(
        limits::fused_bytes(about.options.max_transfer_bytes) / limits::max_block_bytes - 1);
    if (about.subsystem().keeps_protection)
        page.nwpc = nvme::nwpc::write_protect | nvme::nwpc::until_power_cycle;
    page.ocfs = nvme::ocfs::format_0;
    // Always: hosts read this once, and a namespace with a cache may be added later. CNS 08h tells
    // which namespaces have none.
    page.vwc = nvme::vwc::present | nvme::vwc::flush_broadcast_not_supported;
    page.ioccsz = static_cast<std::uint32_t>((sizeof(nvme::sqe) + about.options.in_capsule_bytes) /
                                             capsule_unit_bytes);
    page.iorcsz = std::uint32_t{sizeof(nvme::cqe) / capsule_unit_bytes};
    page.fcatt = nvme::fcatt::dynamic_controllers;
    page.msdbd = about.keyed_data ? keyed_descriptors : 1;
    page.ofcs = nvme::ofcs::disconnect;
}

void fill_descriptors(std::span<std::byte> page, const namespace_description& about) noexcept {
    nvme::namespace_id_list_writer list{page};
    list.add(about.uuid);
    list.add(about.nguid);
    list.add(nvme::csi::nvm);
}

// Granularity and alignment of writes and of deallocation, 0-based; one size for all where the
// device knows no better. NOIOB is something else: hosts split their I/O at its boundaries.
void fill_granularity(nvme::identify_namespace& page, const backend::geometry& device) noexcept {
    const auto known = [&device](std::uint32_t blocks) noexcept {
        return blocks != 0 ? blocks : std::max(device.optimal_io_blocks, 1u);
    };
    const std::uint32_t write = known(device.write_granularity_blocks);
    const std::uint32_t deallocate = known(device.deallocate_granularity_blocks);
    const std::uint32_t optimal = known(device.optimal_write_blocks);
    if (write == 1 && deallocate == 1 && optimal == 1) return;
    page.nsfeat |= nvme::nsfeat::optimal_io;
    page.npwg = clamp_16(write - 1);
    page.npwa = page.npwg;
    page.npdg = clamp_16(deallocate - 1);
    page.npda = page.npdg;
    page.nows = clamp_16(optimal - 1);
}

// AWUN and AWUPF of the controller are 0, one block: hosts build on them (Linux from 6.11 on tells
// applications of atomic writes, and databases drop what protects them from torn pages). Only a
// namespace whose device promises more says so.
void fill_atomicity(nvme::identify_namespace& page, const backend::geometry& device) noexcept {
    if (device.atomic_blocks <= 1 && device.power_fail_atomic_blocks <= 1) return;
    page.nsfeat |= nvme::nsfeat::atomic_fields;
    page.nawun = clamp_16(device.atomic_blocks - 1);
    page.nawupf = clamp_16(device.power_fail_atomic_blocks - 1);
}

// How much a fused pair may have, in blocks of this namespace: more than ACWU where they are small.
void fill_fused(nvme::identify_namespace& page, std::uint32_t block_bytes,
                std::uint64_t max_transfer_bytes) noexcept {
    page.nsfeat |= nvme::nsfeat::atomic_fields;
    page.nacwu = clamp_16(limits::fused_bytes(max_transfer_bytes) / block_bytes - 1);
}

// Without a place to keep them, reservations end with the daemon.
std::uint8_t reservations_of(const namespace_description& about) noexcept {
    namespace cap = nvme::rescap;
    constexpr std::uint8_t types = cap::write_exclusive | cap::exclusive_access |
                                   cap::write_exclusive_registrants |
                                   cap::exclusive_access_registrants | cap::write_exclusive_all |
                                   cap::exclusive_access_all | cap::ignore_existing_key_1_3;
    return about.keeps_reservations ? std::uint8_t{types | cap::persist_through_power_loss} : types;
}

template <nvme::wire_type Page>
nvme::status put(identify_page& to, const Page& from) noexcept {
    static_assert(sizeof(Page) == sizeof(identify_page));
    std::memcpy(to.data(), &from, sizeof(Page));
    return sc::success;
}

bool is_nvm(std::uint8_t csi) noexcept { return csi == static_cast<std::uint8_t>(nvme::csi::nvm); }

// The CNS values that concern one namespace. One that could be, but is not, gives zeroes.
nvme::status fill_one_namespace(const identify_context& about, nvme::cns which,
                                std::uint32_t number, identify_page& page) noexcept {
    if (number == 0 || number > about.subsystem().namespace_limit)
        return sc::invalid_namespace_or_format.no_retry();  // FFFFFFFFh: no namespace management
    const namespace_description* found = about.seen.find(nsid(number));
    if (found == nullptr) {
        const bool required = which == nvme::cns::namespace_descriptors;
        return required ? sc::invalid_namespace_or_format.no_retry() : sc::success;
    }
    switch (which) {
        case nvme::cns::namespace_data: {
            nvme::identify_namespace told = make_identify_namespace(*found, about.ana_column);
            fill_fused(told, found->geometry.block_bytes, about.options.max_transfer_bytes);
            return put(page, told);
        }
        case nvme::cns::independent_namespace: return put(page, make_independent_namespace(*found));
        case nvme::cns::namespace_descriptors: fill_descriptors(page, *found); return sc::success;
        default: return sc::success;  // 05h: no protection information, so all of it is 0
    }
}

nvme::status fill_list(const identify_context& about, std::uint32_t after,
                       identify_page& page) noexcept {
    if (after >= nvme::nsid_broadcast - 1) return sc::invalid_namespace_or_format.no_retry();
    return put(page, make_namespace_list(about.seen, after));
}

// One combination, the NVM command set alone.
nvme::status fill_combinations(const identify_context& about, std::uint16_t controller,
                               identify_page& page) noexcept {
    constexpr std::uint16_t this_one = 0xffff;
    if (controller != this_one && controller != about.controller.value())
        return sc::invalid_field.no_retry();
    nvme::command_set_combination_list list{};
    list.combination[0] = std::uint64_t{1} << static_cast<unsigned>(nvme::csi::nvm);
    return put(page, list);
}

}  // namespace

nvme::identify_controller make_identify_controller(const identify_context& about) noexcept {
    nvme::identify_controller page{};
    fill_common(page, about);
    if (about.subsystem().discovery)
        fill_discovery(page, about);
    else
        fill_io(page, about);
    return page;
}

nvme::identify_namespace make_identify_namespace(const namespace_description& about,
                                                 std::uint16_t ana_column) noexcept {
    const backend::geometry& device = about.geometry;
    nvme::identify_namespace page{};
    page.nsze = device.block_count;
    page.ncap = device.block_count;
    page.nuse = tells_use(about.ana_at(ana_column)) ? device.block_count : std::uint64_t{0};
    page.nmic = nvme::nmic::shared;
    page.rescap = reservations_of(about);
    page.dlfeat = device.deallocate && device.deallocated_reads_zero
                      ? nvme::dlfeat::reads_zero
                      : nvme::dlfeat::reads_unreported;
    fill_granularity(page, device);
    fill_atomicity(page, device);
    if (device.copy.ranges != 0) {
        page.mssrl = clamp_16(device.copy.range_blocks);
        page.mcl = device.copy.blocks;
        page.msrc = clamp_8(device.copy.ranges - 1);
    }
    page.anagrpid = about.ana_group();
    page.nsattr = about.write_protected() ? nvme::nsattr::write_protected : std::uint8_t{0};
    page.nguid = about.nguid.bytes;
    page.lbaf[0].lbads = static_cast<std::uint8_t>(std::bit_width(device.block_bytes) - 1);
    return page;
}

nvme::identify_independent_namespace make_independent_namespace(
    const namespace_description& about) noexcept {
    nvme::identify_independent_namespace page{};
    page.nsfeat = about.geometry.volatile_write_cache
                      ? std::uint8_t{0}
                      : nvme::independent_nsfeat::volatile_write_cache_absent;
    page.nmic = nvme::nmic::shared;
    page.rescap = reservations_of(about);
    page.anagrpid = about.ana_group();
    page.nsattr = about.write_protected() ? nvme::nsattr::write_protected : std::uint8_t{0};
    page.nstat = about.ready ? nvme::nstat::ready : std::uint8_t{0};
    return page;
}

nvme::namespace_list make_namespace_list(const seen_namespaces& seen,
                                         std::uint32_t after) noexcept {
    nvme::namespace_list list{};
    std::size_t count = 0;
    seen.for_each([&](const namespace_description& n) {
        if (n.number().value() > after && count < list.nsid.size())
            list.nsid[count++] = n.number().value();
        return true;
    });
    return list;
}

nvme::status fill_identify(const identify_context& about, const nvme::sqe& command,
                           identify_page& page) noexcept {
    const nvme::identify_command wanted = nvme::decode_identify(command);
    const std::uint32_t number = command.nsid.value();
    const auto which = nvme::parse_cns(wanted.cns);
    if (!which || (about.subsystem().discovery && *which != nvme::cns::controller))
        return sc::invalid_field.no_retry();
    switch (*which) {
        case nvme::cns::controller: return put(page, make_identify_controller(about));
        case nvme::cns::active_namespaces: return fill_list(about, number, page);
        case nvme::cns::namespace_data:
        case nvme::cns::namespace_descriptors:
        case nvme::cns::independent_namespace:
            return fill_one_namespace(about, *which, number, page);
        case nvme::cns::command_set_namespace:
            if (!is_nvm(wanted.csi)) return sc::invalid_command_set.no_retry();
            return fill_one_namespace(about, *which, number, page);
        case nvme::cns::command_set_controller:
            if (!is_nvm(wanted.csi)) return sc::invalid_command_set.no_retry();
            return sc::success;  // no limits beyond MDTS: all 0
        case nvme::cns::command_set_active_namespaces:
            if (!is_nvm(wanted.csi)) return sc::invalid_command_set.no_retry();
            return fill_list(about, number, page);
        case nvme::cns::command_set_combinations:
            return fill_combinations(about, wanted.cntid, page);
        default: return sc::invalid_field.no_retry();  // namespace management and other options
    }
}

}  // namespace fulmar::core
