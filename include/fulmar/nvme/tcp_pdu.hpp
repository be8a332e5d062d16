// NVMe/TCP protocol data units, their flags, limits and the arithmetic of their headers.
// NVMe/TCP Transport 1.0, section 3.6. Any thread; pure.
// Must never: trust HLEN, PDO or PLEN (the PDU reader checks them against what is here).
#pragma once

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/endian.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace fulmar::nvme::tcp {

enum class pdu_type : std::uint8_t {
    ic_req = 0x00,
    ic_resp = 0x01,
    h2c_term_req = 0x02,
    c2h_term_req = 0x03,
    capsule_cmd = 0x04,
    capsule_resp = 0x05,
    h2c_data = 0x06,
    c2h_data = 0x07,
    r2t = 0x09,
};

[[nodiscard]] constexpr std::optional<pdu_type> parse_pdu_type(std::uint8_t raw) noexcept {
    const auto type = static_cast<pdu_type>(raw);
    switch (type) {
        case pdu_type::ic_req:
        case pdu_type::ic_resp:
        case pdu_type::h2c_term_req:
        case pdu_type::c2h_term_req:
        case pdu_type::capsule_cmd:
        case pdu_type::capsule_resp:
        case pdu_type::h2c_data:
        case pdu_type::c2h_data:
        case pdu_type::r2t: return type;
    }
    return std::nullopt;
}

namespace pdu_flags {
inline constexpr std::uint8_t hdgstf = 1u << 0;    // a header digest follows the header
inline constexpr std::uint8_t ddgstf = 1u << 1;    // a data digest follows the data
inline constexpr std::uint8_t last_pdu = 1u << 2;  // last data PDU of a command or of an R2T
inline constexpr std::uint8_t success = 1u << 3;   // C2HData: no CapsuleResp will follow
}  // namespace pdu_flags

/// DGST byte of ICReq and ICResp.
namespace digest_flags {
inline constexpr std::uint8_t header = 1u << 0;
inline constexpr std::uint8_t data = 1u << 1;
}  // namespace digest_flags

inline constexpr std::uint16_t pdu_format_version = 0;
inline constexpr std::uint32_t digest_bytes = 4;
inline constexpr std::uint32_t maxh2cdata_bytes_min = 4096;
inline constexpr std::uint8_t pda_max = 31;  // HPDA and CPDA: 0-based count of dwords
inline constexpr std::uint32_t term_req_data_bytes_max = 128;
inline constexpr std::uint16_t port_nvme = 4420;
inline constexpr std::uint16_t port_discovery = 8009;

/// Fatal error status of a term request.
enum class fatal_error : std::uint16_t {
    invalid_header_field = 1,
    pdu_sequence_error = 2,
    header_digest_error = 3,
    data_transfer_out_of_range = 4,
    r2t_limit_exceeded = 5,            // sent by a host
    data_transfer_limit_exceeded = 5,  // sent by a controller
    unsupported_parameter = 6,
};

struct common_header {
    std::uint8_t type;
    std::uint8_t flags;
    std::uint8_t hlen;
    std::uint8_t pdo;
    le32 plen;
};
static_assert(sizeof(common_header) == 8 && wire_type<common_header>);
static_assert(offsetof(common_header, plen) == 4);

struct ic_req {
    common_header ch;
    le16 pfv;
    std::uint8_t hpda;
    std::uint8_t dgst;
    le32 maxr2t;  // 0-based
    reserved<112> reserved_16;
};
static_assert(sizeof(ic_req) == 128 && wire_type<ic_req>);
static_assert(offsetof(ic_req, hpda) == 10 && offsetof(ic_req, maxr2t) == 12);

struct ic_resp {
    common_header ch;
    le16 pfv;
    std::uint8_t cpda;
    std::uint8_t dgst;
    le32 maxh2cdata;  // bytes, a multiple of 4
    reserved<112> reserved_16;
};
static_assert(sizeof(ic_resp) == 128 && wire_type<ic_resp>);
static_assert(offsetof(ic_resp, cpda) == 10 && offsetof(ic_resp, maxh2cdata) == 12);

struct capsule_cmd {
    common_header ch;
    sqe ccsqe;
};
static_assert(sizeof(capsule_cmd) == 72 && wire_type<capsule_cmd>);

struct capsule_resp {
    common_header ch;
    cqe rccqe;
};
static_assert(sizeof(capsule_resp) == 24 && wire_type<capsule_resp>);

struct h2c_data {
    common_header ch;
    le16 cccid;
    le16 ttag;
    le32 datao;
    le32 datal;
    reserved<4> reserved_20;
};
static_assert(sizeof(h2c_data) == 24 && wire_type<h2c_data>);
static_assert(offsetof(h2c_data, ttag) == 10 && offsetof(h2c_data, datao) == 12);
static_assert(offsetof(h2c_data, datal) == 16);

struct c2h_data {
    common_header ch;
    le16 cccid;
    reserved<2> reserved_10;
    le32 datao;
    le32 datal;
    reserved<4> reserved_20;
};
static_assert(sizeof(c2h_data) == 24 && wire_type<c2h_data>);
static_assert(offsetof(c2h_data, datao) == 12 && offsetof(c2h_data, datal) == 16);

struct r2t {
    common_header ch;
    le16 cccid;
    le16 ttag;
    le32 r2to;
    le32 r2tl;
    reserved<4> reserved_20;
};
static_assert(sizeof(r2t) == 24 && wire_type<r2t>);
static_assert(offsetof(r2t, ttag) == 10 && offsetof(r2t, r2to) == 12 && offsetof(r2t, r2tl) == 16);

/// H2CTermReq and C2HTermReq; up to 128 bytes of the offending header follow.
struct term_req {
    common_header ch;
    le16 fes;
    le32 fei;  // byte offset of the field for invalid_header_field; the digests for a digest error
    reserved<10> reserved_14;
};
static_assert(sizeof(term_req) == 24 && wire_type<term_req>);
static_assert(offsetof(term_req, fes) == 8 && offsetof(term_req, fei) == 10);

/// The only HLEN that a PDU of this type may carry.
[[nodiscard]] constexpr std::uint8_t header_bytes(pdu_type type) noexcept {
    switch (type) {
        case pdu_type::ic_req: return sizeof(ic_req);
        case pdu_type::ic_resp: return sizeof(ic_resp);
        case pdu_type::h2c_term_req:
        case pdu_type::c2h_term_req: return sizeof(term_req);
        case pdu_type::capsule_cmd: return sizeof(capsule_cmd);
        case pdu_type::capsule_resp: return sizeof(capsule_resp);
        case pdu_type::h2c_data: return sizeof(h2c_data);
        case pdu_type::c2h_data: return sizeof(c2h_data);
        case pdu_type::r2t: return sizeof(r2t);
    }
    return 0;
}

inline constexpr std::uint8_t header_bytes_max = 128;

/// The flags that a PDU of this type may carry; any other is a reserved bit.
[[nodiscard]] constexpr std::uint8_t allowed_flags(pdu_type type) noexcept {
    switch (type) {
        case pdu_type::ic_req:
        case pdu_type::ic_resp:
        case pdu_type::h2c_term_req:
        case pdu_type::c2h_term_req: return 0;
        case pdu_type::capsule_cmd: return pdu_flags::hdgstf | pdu_flags::ddgstf;
        case pdu_type::capsule_resp:
        case pdu_type::r2t: return pdu_flags::hdgstf;
        case pdu_type::h2c_data: return pdu_flags::hdgstf | pdu_flags::ddgstf | pdu_flags::last_pdu;
        case pdu_type::c2h_data:
            return pdu_flags::hdgstf | pdu_flags::ddgstf | pdu_flags::last_pdu | pdu_flags::success;
    }
    return 0;
}

/// HPDA or CPDA to bytes: 0 is 4, 31 is 128.
[[nodiscard]] constexpr std::uint32_t alignment_bytes(std::uint8_t pda) noexcept {
    return (std::uint32_t{pda} + 1) * 4;
}

/// Where the data starts: behind header and header digest, rounded up to the receiver's wish.
/// `pda` is at most `pda_max`; the result is then at most 144, so that it fits PDO.
[[nodiscard]] constexpr std::uint8_t data_offset(pdu_type type, bool header_digest,
                                                 std::uint8_t pda) noexcept {
    const std::uint32_t end = header_bytes(type) + (header_digest ? digest_bytes : 0);
    const std::uint32_t align = alignment_bytes(pda);
    return static_cast<std::uint8_t>((end + align - 1) / align * align);
}

/// PLEN of a PDU with `data_bytes` of data; without data there is neither padding nor data digest.
[[nodiscard]] constexpr std::uint32_t pdu_length(pdu_type type, std::uint32_t data_bytes,
                                                 bool header_digest, bool data_digest,
                                                 std::uint8_t pda) noexcept {
    if (data_bytes == 0) return header_bytes(type) + (header_digest ? digest_bytes : 0);
    return data_offset(type, header_digest, pda) + data_bytes + (data_digest ? digest_bytes : 0);
}

/// The 8 common bytes of an outgoing PDU; `extra_flags` for last_pdu and success.
[[nodiscard]] inline common_header make_header(pdu_type type, std::uint32_t data_bytes,
                                               bool header_digest, bool data_digest,
                                               std::uint8_t pda,
                                               std::uint8_t extra_flags = 0) noexcept {
    common_header ch{};
    ch.type = static_cast<std::uint8_t>(type);
    const bool has_data = data_bytes != 0;
    ch.flags = static_cast<std::uint8_t>(extra_flags | (header_digest ? pdu_flags::hdgstf : 0u) |
                                         (data_digest && has_data ? pdu_flags::ddgstf : 0u));
    ch.hlen = header_bytes(type);
    ch.pdo = has_data ? data_offset(type, header_digest, pda) : std::uint8_t{0};
    ch.plen = pdu_length(type, data_bytes, header_digest, data_digest, pda);
    return ch;
}

}  // namespace fulmar::nvme::tcp
