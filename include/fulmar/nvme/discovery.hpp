// The discovery log page (LID 70h): header, entries and the constants of their fields.
// NVMe Base 2.0, section 5.16.1.23; TCP and RDMA transport specifications for TSAS. Any thread.
// Must never: hold an address that the listener does not have (core fills the entries).
#pragma once

#include <fulmar/nvme/endian.hpp>
#include <fulmar/nvme/nqn.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fulmar::nvme {

enum class trtype : std::uint8_t { rdma = 1, fibre_channel = 2, tcp = 3, loop = 0xfe };

/// As configuration, REST and tools write it.
[[nodiscard]] constexpr std::string_view to_word(trtype type) noexcept {
    switch (type) {
        case trtype::rdma: return "rdma";
        case trtype::fibre_channel: return "fc";
        case trtype::tcp: return "tcp";
        case trtype::loop: return "loop";
    }
    return {};
}

[[nodiscard]] constexpr std::optional<trtype> trtype_of_word(std::string_view word) noexcept {
    for (const trtype one : {trtype::rdma, trtype::fibre_channel, trtype::tcp, trtype::loop})
        if (to_word(one) == word) return one;
    return std::nullopt;
}

enum class adrfam : std::uint8_t {
    ipv4 = 1,
    ipv6 = 2,
    infiniband = 3,
    fibre_channel = 4,
    intra_host = 0xfe,
};

enum class subsystem_type : std::uint8_t { referral = 1, nvm = 2, current_discovery = 3 };

[[nodiscard]] constexpr std::optional<trtype> parse_trtype(std::uint8_t raw) noexcept {
    if ((raw >= 1 && raw <= 3) || raw == 0xfe) return static_cast<trtype>(raw);
    return std::nullopt;
}

[[nodiscard]] constexpr std::optional<adrfam> parse_adrfam(std::uint8_t raw) noexcept {
    if ((raw >= 1 && raw <= 4) || raw == 0xfe) return static_cast<adrfam>(raw);
    return std::nullopt;
}

[[nodiscard]] constexpr std::optional<subsystem_type> parse_subsystem_type(
    std::uint8_t raw) noexcept {
    if (raw < 1 || raw > 3) return std::nullopt;
    return static_cast<subsystem_type>(raw);
}

namespace treq {
inline constexpr std::uint8_t secure_channel_unspecified = 0;
inline constexpr std::uint8_t secure_channel_required = 1;
inline constexpr std::uint8_t secure_channel_not_required = 2;
inline constexpr std::uint8_t sq_flow_control_can_be_off = 1u << 2;
}  // namespace treq

namespace eflags {
inline constexpr std::uint16_t duplicate_returned_information = 1u << 0;
inline constexpr std::uint16_t explicit_persistent_connection = 1u << 1;
inline constexpr std::uint16_t no_cdc_connectivity = 1u << 2;
}  // namespace eflags

enum class tcp_sectype : std::uint8_t { none = 0, tls_1_2 = 1, tls_1_3 = 2 };

namespace rdma_qptype {
inline constexpr std::uint8_t reliable_connected = 1;
inline constexpr std::uint8_t reliable_datagram = 2;
}  // namespace rdma_qptype

namespace rdma_prtype {
inline constexpr std::uint8_t none = 1;
inline constexpr std::uint8_t infiniband = 2;
inline constexpr std::uint8_t roce = 3;
inline constexpr std::uint8_t roce_v2 = 4;
inline constexpr std::uint8_t iwarp = 5;
}  // namespace rdma_prtype

namespace rdma_cms {
inline constexpr std::uint8_t rdma_cm = 1;
}  // namespace rdma_cms

/// LSP bits of a discovery log request.
namespace discovery_lsp {
inline constexpr std::uint8_t extended_entries = 1u << 0;  // EXTDLPE
inline constexpr std::uint8_t port_local_only = 1u << 1;   // PLEO
inline constexpr std::uint8_t all_subsystems = 1u << 2;    // ALLSUBE
}  // namespace discovery_lsp

/// ASQSZ that a discovery entry names; hosts use 32.
inline constexpr std::uint16_t admin_queue_entries_min = 32;

struct tcp_tsas {
    std::uint8_t sectype;
    reserved<255> reserved_1;
};
static_assert(sizeof(tcp_tsas) == 256 && wire_type<tcp_tsas>);

struct rdma_tsas {
    std::uint8_t qptype;
    std::uint8_t prtype;
    std::uint8_t cms;
    reserved<5> reserved_3;
    le16 pkey;
    reserved<246> reserved_10;
};
static_assert(sizeof(rdma_tsas) == 256 && wire_type<rdma_tsas>);
static_assert(offsetof(rdma_tsas, pkey) == 8);

/// `numrec` entries follow.
struct discovery_log_header {
    le64 genctr;
    le64 numrec;
    le16 recfmt;
    reserved<1006> reserved_18;
};
static_assert(sizeof(discovery_log_header) == 1024 && wire_type<discovery_log_header>);
static_assert(offsetof(discovery_log_header, recfmt) == 16);

struct discovery_log_entry {
    std::uint8_t trtype;
    std::uint8_t adrfam;
    std::uint8_t subtype;
    std::uint8_t treq;
    le16 portid;
    le16 cntlid;  // FFFFh: dynamic controllers
    le16 asqsz;
    le16 eflags;
    reserved<20> reserved_12;
    std::array<char, 32> trsvcid;  // ASCII decimal, padded with spaces
    reserved<192> reserved_64;
    nqn_field subnqn;              // NUL padded
    std::array<char, 256> traddr;  // ASCII, padded with spaces
    std::array<std::uint8_t, 256> tsas;

    void set_tsas(const tcp_tsas& t) noexcept {
        tsas = std::bit_cast<std::array<std::uint8_t, 256>>(t);
    }
    void set_tsas(const rdma_tsas& t) noexcept {
        tsas = std::bit_cast<std::array<std::uint8_t, 256>>(t);
    }
    [[nodiscard]] tcp_tsas as_tcp() const noexcept { return std::bit_cast<tcp_tsas>(tsas); }
    [[nodiscard]] rdma_tsas as_rdma() const noexcept { return std::bit_cast<rdma_tsas>(tsas); }
};
static_assert(sizeof(discovery_log_entry) == 1024 && wire_type<discovery_log_entry>);
static_assert(offsetof(discovery_log_entry, eflags) == 10);
static_assert(offsetof(discovery_log_entry, trsvcid) == 32);
static_assert(offsetof(discovery_log_entry, subnqn) == 256);
static_assert(offsetof(discovery_log_entry, traddr) == 512);
static_assert(offsetof(discovery_log_entry, tsas) == 768);

}  // namespace fulmar::nvme
