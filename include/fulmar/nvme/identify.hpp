// Identify: the CNS values, the data structures and the bits of their fields.
// NVMe Base 2.0, section 5.17; NVM Command Set 1.0, section 4.1.5. Any thread.
// Must never: hold policy (which capabilities Fulmar claims is core's choice).
#pragma once

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/endian.hpp>
#include <fulmar/nvme/nqn.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace fulmar::nvme {

inline constexpr std::size_t identify_bytes = 4096;

enum class cns : std::uint8_t {
    namespace_data = 0x00,
    controller = 0x01,
    active_namespaces = 0x02,
    namespace_descriptors = 0x03,
    nvm_set_list = 0x04,
    command_set_namespace = 0x05,
    command_set_controller = 0x06,
    command_set_active_namespaces = 0x07,
    independent_namespace = 0x08,
    user_data_format_namespace = 0x09,
    command_set_user_data_format = 0x0a,
    allocated_namespaces = 0x10,
    allocated_namespace = 0x11,
    namespace_controllers = 0x12,
    controllers = 0x13,
    primary_controller = 0x14,
    secondary_controllers = 0x15,
    namespace_granularity = 0x16,
    uuid_list = 0x17,
    domain_list = 0x18,
    endurance_group_list = 0x19,
    command_set_allocated_namespaces = 0x1a,
    command_set_allocated_namespace = 0x1b,
    command_set_combinations = 0x1c,
};

[[nodiscard]] constexpr std::optional<cns> parse_cns(std::uint8_t raw) noexcept {
    if (raw <= 0x0a || (raw >= 0x10 && raw <= 0x1c)) return static_cast<cns>(raw);
    return std::nullopt;
}

enum class csi : std::uint8_t { nvm = 0, key_value = 1, zoned = 2 };

struct identify_command {
    std::uint8_t cns = 0;
    std::uint16_t cntid = 0;
    std::uint16_t cns_specific = 0;
    std::uint8_t csi = 0;
    std::uint8_t uuid_index = 0;

    [[nodiscard]] constexpr bool operator==(const identify_command&) const noexcept = default;
};

[[nodiscard]] inline identify_command decode_identify(const sqe& cmd) noexcept {
    const std::uint32_t dw10 = cmd.cdw10.value();
    const std::uint32_t dw11 = cmd.cdw11.value();
    return {.cns = static_cast<std::uint8_t>(dw10 & 0xffu),
            .cntid = static_cast<std::uint16_t>(dw10 >> 16),
            .cns_specific = static_cast<std::uint16_t>(dw11 & 0xffffu),
            .csi = static_cast<std::uint8_t>(dw11 >> 24),
            .uuid_index = static_cast<std::uint8_t>(cmd.cdw14.value() & 0x7fu)};
}

inline void encode_identify(sqe& cmd, const identify_command& i) noexcept {
    cmd.cdw10 = std::uint32_t{i.cntid} << 16 | i.cns;
    cmd.cdw11 = std::uint32_t{i.csi} << 24 | i.cns_specific;
    cmd.cdw14 = i.uuid_index & 0x7fu;
}

// --- Controller (CNS 01h) ----------------------------------------------------------------------

enum class controller_type : std::uint8_t {
    not_reported = 0,
    io = 1,
    discovery = 2,
    administrative = 3,
};

enum class discovery_controller_type : std::uint8_t { not_reported = 0, direct = 1, central = 2 };

namespace cmic {
inline constexpr std::uint8_t multi_port = 1u << 0;
inline constexpr std::uint8_t multi_controller = 1u << 1;
inline constexpr std::uint8_t sr_iov = 1u << 2;
inline constexpr std::uint8_t ana_reporting = 1u << 3;
}  // namespace cmic

/// The same bits enable the events in feature 0Bh.
namespace oaes {
inline constexpr std::uint32_t namespace_attribute = 1u << 8;
inline constexpr std::uint32_t firmware_activation = 1u << 9;
inline constexpr std::uint32_t ana_change = 1u << 11;
inline constexpr std::uint32_t predictable_latency = 1u << 12;
inline constexpr std::uint32_t lba_status = 1u << 13;
inline constexpr std::uint32_t endurance_group = 1u << 14;
inline constexpr std::uint32_t normal_shutdown = 1u << 15;
inline constexpr std::uint32_t zone_descriptor_changed = 1u << 27;
inline constexpr std::uint32_t discovery_log_change = 1u << 31;
}  // namespace oaes

namespace ctratt {
inline constexpr std::uint32_t host_id_128 = 1u << 0;
inline constexpr std::uint32_t non_operational_power = 1u << 1;
inline constexpr std::uint32_t nvm_sets = 1u << 2;
inline constexpr std::uint32_t read_recovery_levels = 1u << 3;
inline constexpr std::uint32_t endurance_groups = 1u << 4;
inline constexpr std::uint32_t predictable_latency = 1u << 5;
inline constexpr std::uint32_t traffic_based_keep_alive = 1u << 6;
inline constexpr std::uint32_t namespace_granularity = 1u << 7;
inline constexpr std::uint32_t sq_associations = 1u << 8;
inline constexpr std::uint32_t uuid_list = 1u << 9;
inline constexpr std::uint32_t multi_domain = 1u << 10;
inline constexpr std::uint32_t extended_lba_formats = 1u << 15;
inline constexpr std::uint32_t flexible_data_placement = 1u << 19;
}  // namespace ctratt

namespace oacs {
inline constexpr std::uint16_t security = 1u << 0;
inline constexpr std::uint16_t format = 1u << 1;
inline constexpr std::uint16_t firmware = 1u << 2;
inline constexpr std::uint16_t namespace_management = 1u << 3;
inline constexpr std::uint16_t self_test = 1u << 4;
inline constexpr std::uint16_t directives = 1u << 5;
inline constexpr std::uint16_t nvme_mi = 1u << 6;
inline constexpr std::uint16_t virtualization = 1u << 7;
inline constexpr std::uint16_t doorbell_buffer = 1u << 8;
inline constexpr std::uint16_t get_lba_status = 1u << 9;
inline constexpr std::uint16_t lockdown = 1u << 10;
}  // namespace oacs

namespace frmw {
inline constexpr std::uint8_t first_slot_read_only = 1u << 0;
inline constexpr std::uint8_t one_slot = 1u << 1;  // bits 3:1 count the slots
inline constexpr std::uint8_t activate_without_reset = 1u << 4;
}  // namespace frmw

namespace lpa {
inline constexpr std::uint8_t smart_per_namespace = 1u << 0;
inline constexpr std::uint8_t command_effects = 1u << 1;
inline constexpr std::uint8_t extended_data = 1u << 2;  // NUMDU, LPOL and LPOU count
inline constexpr std::uint8_t telemetry = 1u << 3;
inline constexpr std::uint8_t persistent_event = 1u << 4;
inline constexpr std::uint8_t supported_pages = 1u << 5;  // LIDs 00h, 05h per CSI, 12h and 13h
inline constexpr std::uint8_t telemetry_area_4 = 1u << 6;
}  // namespace lpa

namespace oncs {
inline constexpr std::uint16_t compare = 1u << 0;
inline constexpr std::uint16_t write_uncorrectable = 1u << 1;
inline constexpr std::uint16_t dataset_management = 1u << 2;
inline constexpr std::uint16_t write_zeroes = 1u << 3;
inline constexpr std::uint16_t save_and_select = 1u << 4;  // Set Features SV, Get Features SEL
inline constexpr std::uint16_t reservations = 1u << 5;
inline constexpr std::uint16_t timestamp = 1u << 6;
inline constexpr std::uint16_t verify = 1u << 7;
inline constexpr std::uint16_t copy = 1u << 8;
}  // namespace oncs

namespace fuses {
inline constexpr std::uint16_t compare_and_write = 1u << 0;
}  // namespace fuses

namespace fna {
inline constexpr std::uint8_t format_all = 1u << 0;
inline constexpr std::uint8_t erase_all = 1u << 1;
inline constexpr std::uint8_t crypto_erase = 1u << 2;
inline constexpr std::uint8_t no_broadcast = 1u << 3;
}  // namespace fna

namespace vwc {
inline constexpr std::uint8_t present = 1u << 0;
inline constexpr std::uint8_t flush_broadcast_not_supported = 2u << 1;
inline constexpr std::uint8_t flush_broadcast_supported = 3u << 1;
}  // namespace vwc

namespace nwpc {
inline constexpr std::uint8_t write_protect = 1u << 0;
inline constexpr std::uint8_t until_power_cycle = 1u << 1;
inline constexpr std::uint8_t permanent = 1u << 2;
}  // namespace nwpc

namespace ocfs {
inline constexpr std::uint16_t format_0 = 1u << 0;
inline constexpr std::uint16_t format_1 = 1u << 1;
inline constexpr std::uint16_t format_2 = 1u << 2;  // source in another namespace
inline constexpr std::uint16_t format_3 = 1u << 3;
}  // namespace ocfs

namespace sgls {
inline constexpr std::uint32_t supported = 1u << 0;      // no alignment requirement
inline constexpr std::uint32_t dword_aligned = 2u << 0;  // instead of `supported`
inline constexpr std::uint32_t keyed = 1u << 2;
inline constexpr std::uint32_t bit_bucket = 1u << 16;
inline constexpr std::uint32_t metadata_byte_aligned = 1u << 17;
inline constexpr std::uint32_t oversize = 1u << 18;
inline constexpr std::uint32_t metadata_sgl = 1u << 19;
inline constexpr std::uint32_t offset_in_address = 1u << 20;  // in-capsule data
inline constexpr std::uint32_t transport = 1u << 21;          // type 5h, subtype Ah
}  // namespace sgls

namespace anacap {
inline constexpr std::uint8_t optimized = 1u << 0;
inline constexpr std::uint8_t non_optimized = 1u << 1;
inline constexpr std::uint8_t inaccessible = 1u << 2;
inline constexpr std::uint8_t persistent_loss = 1u << 3;
inline constexpr std::uint8_t change = 1u << 4;
inline constexpr std::uint8_t group_id_constant = 1u << 6;  // does not change while attached
inline constexpr std::uint8_t group_id_managed = 1u << 7;   // NS management takes a group ID
}  // namespace anacap

namespace fcatt {
inline constexpr std::uint8_t dynamic_controllers = 0;
inline constexpr std::uint8_t static_controllers = 1u << 0;
}  // namespace fcatt

namespace ofcs {
inline constexpr std::uint16_t disconnect = 1u << 0;
}  // namespace ofcs

/// SQES and CQES: minimum in bits 3:0, maximum in bits 7:4, as powers of two.
inline constexpr std::uint8_t sqes_64 = 0x66;
inline constexpr std::uint8_t cqes_16 = 0x44;

struct power_state_descriptor {
    le16 mp;
    std::uint8_t reserved_2;
    std::uint8_t flags;  // bit 0: MP in 0.0001 W, else 0.01 W; bit 1: non-operational
    le32 enlat_us;
    le32 exlat_us;
    std::uint8_t rrt;
    std::uint8_t rrl;
    std::uint8_t rwt;
    std::uint8_t rwl;
    le16 idlp;
    std::uint8_t ips;
    std::uint8_t reserved_19;
    le16 actp;
    std::uint8_t apws;
    reserved<9> reserved_23;
};
static_assert(sizeof(power_state_descriptor) == 32 && wire_type<power_state_descriptor>);

struct identify_controller {
    le16 vid;
    le16 ssvid;
    std::array<char, 20> sn;  // sn, mn and fr are padded with spaces
    std::array<char, 40> mn;
    std::array<char, 8> fr;
    std::uint8_t rab;
    reserved<3> ieee;
    std::uint8_t cmic;
    std::uint8_t mdts;  // power of two, in units of CAP.MPSMIN; 0 = no limit
    le16 cntlid;
    le32 ver;
    le32 rtd3r_us;
    le32 rtd3e_us;
    le32 oaes;
    le32 ctratt;
    le16 rrls;
    reserved<9> reserved_102;
    std::uint8_t cntrltype;
    reserved<16> fguid;
    le16 crdt1;  // crdt1 to crdt3 count 100 ms
    le16 crdt2;
    le16 crdt3;
    std::uint8_t crcap;
    std::uint8_t ciu;  // ciu and cirn: which instance of this CNTLID (cross_reset.hpp)
    le64 cirn;
    reserved<109> reserved_144;
    std::uint8_t nvmsr;
    std::uint8_t vwci;
    std::uint8_t mec;
    le16 oacs;
    std::uint8_t acl;   // 0-based
    std::uint8_t aerl;  // 0-based
    std::uint8_t frmw;
    std::uint8_t lpa;
    std::uint8_t elpe;  // 0-based
    std::uint8_t npss;  // 0-based
    std::uint8_t avscc;
    std::uint8_t apsta;
    le16 wctemp_kelvin;
    le16 cctemp_kelvin;
    le16 mtfa;
    le32 hmpre;
    le32 hmmin;
    le128 tnvmcap;
    le128 unvmcap;
    le32 rpmbs;
    le16 edstt;
    std::uint8_t dsto;
    std::uint8_t fwug;
    le16 kas;  // keep alive granularity in 100 ms; not 0 over fabrics
    le16 hctma;
    le16 mntmt;
    le16 mxtmt;
    le32 sanicap;
    le32 hmminds;
    le16 hmmaxd;
    le16 nsetidmax;
    le16 endgidmax;
    std::uint8_t anatt;  // seconds
    std::uint8_t anacap;
    le32 anagrpmax;
    le32 nanagrpid;
    le32 pels;
    le16 domainid;
    reserved<10> reserved_358;
    le128 megcap;
    std::uint8_t tmpthha;
    std::uint8_t reserved_385;
    le16 cqt_ms;
    reserved<124> reserved_388;
    std::uint8_t sqes;
    std::uint8_t cqes;
    le16 maxcmd;
    le32 nn;
    le16 oncs;
    le16 fuses;
    std::uint8_t fna;
    std::uint8_t vwc;
    le16 awun;   // 0-based
    le16 awupf;  // 0-based
    std::uint8_t icsvscc;
    std::uint8_t nwpc;
    le16 acwu;  // 0-based
    le16 ocfs;
    le32 sgls;
    le32 mnan;
    le128 maxdna;
    le32 maxcna;
    reserved<204> reserved_564;
    nqn_field subnqn;
    reserved<768> reserved_1024;
    le32 ioccsz;  // units of 16 bytes; at least 4
    le32 iorcsz;  // units of 16 bytes
    le16 icdoff;  // units of 16 bytes; 0 for TCP
    std::uint8_t fcatt;
    std::uint8_t msdbd;
    le16 ofcs;
    std::uint8_t dctype;
    std::uint8_t ccrl;
    reserved<240> reserved_1808;
    std::array<power_state_descriptor, 32> psd;
    reserved<1024> vendor;
};
static_assert(sizeof(identify_controller) == identify_bytes && wire_type<identify_controller>);
static_assert(offsetof(identify_controller, sn) == 4 && offsetof(identify_controller, mn) == 24);
static_assert(offsetof(identify_controller, cmic) == 76);
static_assert(offsetof(identify_controller, cntlid) == 78);
static_assert(offsetof(identify_controller, oaes) == 92);
static_assert(offsetof(identify_controller, cntrltype) == 111);
static_assert(offsetof(identify_controller, crdt1) == 128);
static_assert(offsetof(identify_controller, ciu) == 135);
static_assert(offsetof(identify_controller, cirn) == 136);
static_assert(offsetof(identify_controller, nvmsr) == 253);
static_assert(offsetof(identify_controller, oacs) == 256);
static_assert(offsetof(identify_controller, kas) == 320);
static_assert(offsetof(identify_controller, anacap) == 343);
static_assert(offsetof(identify_controller, cqt_ms) == 386);
static_assert(offsetof(identify_controller, sqes) == 512);
static_assert(offsetof(identify_controller, oncs) == 520);
static_assert(offsetof(identify_controller, sgls) == 536);
static_assert(offsetof(identify_controller, subnqn) == 768);
static_assert(offsetof(identify_controller, ioccsz) == 1792);
static_assert(offsetof(identify_controller, ofcs) == 1804);
static_assert(offsetof(identify_controller, ccrl) == 1807);
static_assert(offsetof(identify_controller, psd) == 2048);

// --- Namespace (CNS 00h) -----------------------------------------------------------------------

namespace nsfeat {
inline constexpr std::uint8_t thin = 1u << 0;
inline constexpr std::uint8_t atomic_fields = 1u << 1;  // NAWUN, NAWUPF and NACWU count
inline constexpr std::uint8_t deallocated_error = 1u << 2;
inline constexpr std::uint8_t ids_never_reused = 1u << 3;
inline constexpr std::uint8_t optimal_io = 1u << 4;  // NPWG, NPWA, NPDG, NPDA and NOWS count
}  // namespace nsfeat

/// NSFEAT of the command set independent structure: bit 3 is the same, others differ.
namespace independent_nsfeat {
inline constexpr std::uint8_t ids_never_reused = 1u << 3;
inline constexpr std::uint8_t rotational = 1u << 4;
inline constexpr std::uint8_t volatile_write_cache_absent = 1u << 5;
}  // namespace independent_nsfeat

namespace nmic {
inline constexpr std::uint8_t shared = 1u << 0;
}  // namespace nmic

namespace rescap {
inline constexpr std::uint8_t persist_through_power_loss = 1u << 0;
inline constexpr std::uint8_t write_exclusive = 1u << 1;
inline constexpr std::uint8_t exclusive_access = 1u << 2;
inline constexpr std::uint8_t write_exclusive_registrants = 1u << 3;
inline constexpr std::uint8_t exclusive_access_registrants = 1u << 4;
inline constexpr std::uint8_t write_exclusive_all = 1u << 5;
inline constexpr std::uint8_t exclusive_access_all = 1u << 6;
inline constexpr std::uint8_t ignore_existing_key_1_3 = 1u << 7;
}  // namespace rescap

namespace dlfeat {
inline constexpr std::uint8_t reads_unreported = 0;
inline constexpr std::uint8_t reads_zero = 1;
inline constexpr std::uint8_t reads_ones = 2;
inline constexpr std::uint8_t write_zeroes_deallocates = 1u << 3;
inline constexpr std::uint8_t guard_is_crc = 1u << 4;
}  // namespace dlfeat

namespace nsattr {
inline constexpr std::uint8_t write_protected = 1u << 0;
}  // namespace nsattr

namespace flbas {
inline constexpr std::uint8_t format_mask = 0xf;
inline constexpr std::uint8_t metadata_extended = 1u << 4;
inline constexpr std::uint8_t format_high_mask = 3u << 5;
}  // namespace flbas

namespace metadata_capability {
inline constexpr std::uint8_t extended = 1u << 0;
inline constexpr std::uint8_t separate = 1u << 1;
}  // namespace metadata_capability

namespace dpc {
inline constexpr std::uint8_t type_1 = 1u << 0;
inline constexpr std::uint8_t type_2 = 1u << 1;
inline constexpr std::uint8_t type_3 = 1u << 2;
inline constexpr std::uint8_t first_bytes = 1u << 3;
inline constexpr std::uint8_t last_bytes = 1u << 4;
}  // namespace dpc

namespace dps {
inline constexpr std::uint8_t type_mask = 7u;
inline constexpr std::uint8_t first_bytes = 1u << 3;
}  // namespace dps

struct lba_format {
    le16 ms;
    std::uint8_t lbads;  // power of two, at least 9
    std::uint8_t rp;     // bits 1:0; 0 is best
};
static_assert(sizeof(lba_format) == 4 && wire_type<lba_format>);

struct identify_namespace {
    le64 nsze;
    le64 ncap;
    le64 nuse;
    std::uint8_t nsfeat;
    std::uint8_t nlbaf;  // 0-based
    std::uint8_t flbas;
    std::uint8_t mc;
    std::uint8_t dpc;
    std::uint8_t dps;
    std::uint8_t nmic;
    std::uint8_t rescap;
    std::uint8_t fpi;
    std::uint8_t dlfeat;
    le16 nawun;
    le16 nawupf;
    le16 nacwu;
    le16 nabsn;
    le16 nabo;
    le16 nabspf;
    le16 noiob;
    le128 nvmcap;
    le16 npwg;
    le16 npwa;
    le16 npdg;
    le16 npda;
    le16 nows;
    le16 mssrl;
    le32 mcl;
    std::uint8_t msrc;
    std::uint8_t reserved_81;
    std::uint8_t nulbaf;
    reserved<9> reserved_83;
    le32 anagrpid;
    reserved<3> reserved_96;
    std::uint8_t nsattr;
    le16 nvmsetid;
    le16 endgid;
    std::array<std::uint8_t, 16> nguid;
    std::array<std::uint8_t, 8> eui64;
    std::array<lba_format, 64> lbaf;
    reserved<3712> vendor;
};
static_assert(sizeof(identify_namespace) == identify_bytes && wire_type<identify_namespace>);
static_assert(offsetof(identify_namespace, nsfeat) == 24);
static_assert(offsetof(identify_namespace, nvmcap) == 48);
static_assert(offsetof(identify_namespace, anagrpid) == 92);
static_assert(offsetof(identify_namespace, nsattr) == 99);
static_assert(offsetof(identify_namespace, nguid) == 104);
static_assert(offsetof(identify_namespace, lbaf) == 128);
static_assert(offsetof(identify_namespace, vendor) == 384);

// --- Command set specific and independent structures (CNS 05h, 06h, 08h) -----------------------

/// CNS 05h for the NVM command set.
struct identify_nvm_namespace {
    le64 lbstm;
    std::uint8_t pic;
    reserved<3> reserved_9;
    std::array<le32, 64> elbaf;
    reserved<3828> reserved_268;
};
static_assert(sizeof(identify_nvm_namespace) == identify_bytes);
static_assert(wire_type<identify_nvm_namespace> && offsetof(identify_nvm_namespace, elbaf) == 12);

/// CNS 06h for the NVM command set. All 0 = no limit, or unreported.
struct identify_nvm_controller {
    std::uint8_t vsl;
    std::uint8_t wzsl;
    std::uint8_t wusl;
    std::uint8_t dmrl;
    le32 dmrsl;
    le64 dmsl;
    reserved<4080> reserved_16;
};
static_assert(sizeof(identify_nvm_controller) == identify_bytes);
static_assert(wire_type<identify_nvm_controller>);
static_assert(offsetof(identify_nvm_controller, dmrsl) == 4);

namespace nstat {
inline constexpr std::uint8_t ready = 1u << 0;
}  // namespace nstat

/// CNS 08h.
struct identify_independent_namespace {
    std::uint8_t nsfeat;
    std::uint8_t nmic;
    std::uint8_t rescap;
    std::uint8_t fpi;
    le32 anagrpid;
    std::uint8_t nsattr;
    std::uint8_t reserved_9;
    le16 nvmsetid;
    le16 endgid;
    std::uint8_t nstat;
    reserved<4081> reserved_15;
};
static_assert(sizeof(identify_independent_namespace) == identify_bytes);
static_assert(wire_type<identify_independent_namespace>);
static_assert(offsetof(identify_independent_namespace, anagrpid) == 4);
static_assert(offsetof(identify_independent_namespace, nstat) == 14);

// --- Lists -------------------------------------------------------------------------------------

/// CNS 02h, 07h, 10h, 1Ah: ascending, the rest 0.
struct namespace_list {
    std::array<le32, 1024> nsid;
};
static_assert(sizeof(namespace_list) == identify_bytes && wire_type<namespace_list>);

/// CNS 12h, 13h: ascending controller IDs.
struct controller_list {
    le16 count;
    std::array<le16, 2047> cntlid;
};
static_assert(sizeof(controller_list) == identify_bytes && wire_type<controller_list>);

/// CNS 1Ch: each vector is a combination that feature 19h can select; bit n = CSI n.
struct command_set_combination_list {
    std::array<le64, 512> combination;
};
static_assert(sizeof(command_set_combination_list) == identify_bytes);
static_assert(wire_type<command_set_combination_list>);

}  // namespace fulmar::nvme
