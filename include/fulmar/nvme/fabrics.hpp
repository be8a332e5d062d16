// The fabrics commands (opcode 7Fh) as typed views of a submission entry, their data and results.
// NVMe Base 2.0, sections 3.3.2 and 6. Any thread.
// Must never: decide whether a host may connect (core does).
#pragma once

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/endian.hpp>
#include <fulmar/nvme/nqn.hpp>
#include <fulmar/nvme/registers.hpp>
#include <fulmar/nvme/status.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace fulmar::nvme {

enum class fctype : std::uint8_t {
    property_set = 0x00,
    connect = 0x01,
    property_get = 0x04,
    authentication_send = 0x05,
    authentication_receive = 0x06,
    disconnect = 0x08,
};

[[nodiscard]] constexpr std::optional<fctype> parse_fctype(std::uint8_t raw) noexcept {
    const auto type = static_cast<fctype>(raw);
    switch (type) {
        case fctype::property_set:
        case fctype::connect:
        case fctype::property_get:
        case fctype::authentication_send:
        case fctype::authentication_receive:
        case fctype::disconnect: return type;
    }
    return std::nullopt;
}

/// What every fabrics command has in common; FCTYPE sits where NSID would be.
struct fabrics_command {
    std::uint8_t opcode;
    std::uint8_t flags;
    le16 cid;
    std::uint8_t fctype;
    reserved<19> reserved_5;
    sgl_descriptor sgl1;
    reserved<24> specific;
};
static_assert(sizeof(fabrics_command) == sizeof(sqe) && wire_type<fabrics_command>);
static_assert(offsetof(fabrics_command, fctype) == 4 && offsetof(fabrics_command, sgl1) == 24);

/// Any 64-byte command as a typed view of its fields, and back (a copy both ways).
template <wire_type Command>
    requires(sizeof(Command) == sizeof(sqe))
[[nodiscard]] inline Command view_as(const sqe& cmd) noexcept {
    return std::bit_cast<Command>(cmd);
}

template <wire_type Command>
    requires(sizeof(Command) == sizeof(sqe))
[[nodiscard]] inline sqe to_sqe(const Command& cmd) noexcept { return std::bit_cast<sqe>(cmd); }

[[nodiscard]] inline std::uint8_t fctype_of(const sqe& cmd) noexcept {
    return static_cast<std::uint8_t>(cmd.nsid.value() & 0xffu);
}

/// A zeroed fabrics command with opcode, FCTYPE and the SGL flag filled in.
template <wire_type Command>
    requires(sizeof(Command) == sizeof(sqe))
[[nodiscard]] inline Command make_fabrics_command(fctype type, std::uint16_t cid) noexcept {
    Command cmd{};
    cmd.opcode = static_cast<std::uint8_t>(admin_opcode::fabrics);
    cmd.flags = make_flags(fuse::none, psdt::sgl);
    cmd.cid = cid;
    cmd.fctype = static_cast<std::uint8_t>(type);
    return cmd;
}

// --- Connect -----------------------------------------------------------------------------------

inline constexpr std::uint16_t cntlid_dynamic = 0xffff;
inline constexpr std::uint16_t cntlid_static_any = 0xfffe;
inline constexpr std::uint16_t cntlid_max = 0xffef;

namespace cattr {
inline constexpr std::uint8_t priority_class_mask = 3u;
inline constexpr std::uint8_t disable_sq_flow_control = 1u << 2;
inline constexpr std::uint8_t individual_queue_deletion = 1u << 3;
}  // namespace cattr

struct connect_command {
    std::uint8_t opcode;
    std::uint8_t flags;
    le16 cid;
    std::uint8_t fctype;
    reserved<19> reserved_5;
    sgl_descriptor sgl1;
    le16 recfmt;
    le16 qid;
    le16 sqsize;  // 0-based
    std::uint8_t cattr;
    std::uint8_t reserved_47;
    le32 kato_ms;  // admin queue only
    reserved<12> reserved_52;
};
static_assert(sizeof(connect_command) == 64 && wire_type<connect_command>);
static_assert(offsetof(connect_command, sgl1) == 24 && offsetof(connect_command, recfmt) == 40);
static_assert(offsetof(connect_command, qid) == 42 && offsetof(connect_command, sqsize) == 44);
static_assert(offsetof(connect_command, cattr) == 46 && offsetof(connect_command, kato_ms) == 48);

struct connect_data {
    std::array<std::uint8_t, 16> hostid;
    le16 cntlid;
    reserved<238> reserved_18;
    nqn_field subnqn;
    nqn_field hostnqn;
    reserved<256> reserved_768;
};
static_assert(sizeof(connect_data) == 1024 && wire_type<connect_data>);
static_assert(offsetof(connect_data, cntlid) == 16 && offsetof(connect_data, subnqn) == 256);
static_assert(offsetof(connect_data, hostnqn) == 512);

/// Bits of the successful Connect's dword 0 above the controller ID.
namespace authreq {
inline constexpr std::uint32_t atr = 1u << 17;   // authentication transaction required
inline constexpr std::uint32_t ascr = 1u << 18;  // and a secure channel
}  // namespace authreq

[[nodiscard]] constexpr std::uint32_t connect_result(std::uint16_t cntlid,
                                                     bool authentication_required) noexcept {
    return cntlid | (authentication_required ? authreq::atr : 0u);
}

/// Which field a refused Connect names: IATTR says whether IPO is an offset into the data.
struct invalid_parameter {
    std::uint16_t ipo = 0;
    bool in_data = false;

    /// Dword 0 of the completion.
    [[nodiscard]] constexpr std::uint32_t pack() const noexcept {
        return ipo | (in_data ? 1u << 16 : 0u);
    }
    [[nodiscard]] static constexpr invalid_parameter unpack(std::uint32_t dw0) noexcept {
        return {.ipo = static_cast<std::uint16_t>(dw0 & 0xffffu), .in_data = (dw0 >> 16 & 1u) != 0};
    }
    [[nodiscard]] constexpr bool operator==(const invalid_parameter&) const noexcept = default;
};

/// The parameters that a Connect is refused for.
namespace connect_parameter {
inline constexpr invalid_parameter qid{offsetof(connect_command, qid), false};
inline constexpr invalid_parameter sqsize{offsetof(connect_command, sqsize), false};
inline constexpr invalid_parameter cattr{offsetof(connect_command, cattr), false};
inline constexpr invalid_parameter kato{offsetof(connect_command, kato_ms), false};
inline constexpr invalid_parameter hostid{offsetof(connect_data, hostid), true};
inline constexpr invalid_parameter cntlid{offsetof(connect_data, cntlid), true};
inline constexpr invalid_parameter subnqn{offsetof(connect_data, subnqn), true};
inline constexpr invalid_parameter hostnqn{offsetof(connect_data, hostnqn), true};
}  // namespace connect_parameter

[[nodiscard]] inline cqe refuse_connect(std::uint16_t cid, invalid_parameter which) noexcept {
    return make_cqe(cid, sc::connect_invalid_parameters.no_retry(), which.pack());
}

// --- Properties --------------------------------------------------------------------------------

/// ATTRIB bits 2:0 of Property Get and Set.
enum class property_size : std::uint8_t { bytes_4 = 0, bytes_8 = 1 };

struct property_set_command {
    std::uint8_t opcode;
    std::uint8_t flags;
    le16 cid;
    std::uint8_t fctype;
    reserved<35> reserved_5;
    std::uint8_t attrib;
    reserved<3> reserved_41;
    le32 ofst;
    le64 value;
    reserved<8> reserved_56;
};
static_assert(sizeof(property_set_command) == 64 && wire_type<property_set_command>);
static_assert(offsetof(property_set_command, attrib) == 40);
static_assert(offsetof(property_set_command, ofst) == 44);
static_assert(offsetof(property_set_command, value) == 48);

struct property_get_command {
    std::uint8_t opcode;
    std::uint8_t flags;
    le16 cid;
    std::uint8_t fctype;
    reserved<35> reserved_5;
    std::uint8_t attrib;
    reserved<3> reserved_41;
    le32 ofst;
    reserved<16> reserved_48;
};
static_assert(sizeof(property_get_command) == 64 && wire_type<property_get_command>);
static_assert(offsetof(property_get_command, attrib) == 40);
static_assert(offsetof(property_get_command, ofst) == 44);

[[nodiscard]] constexpr std::optional<property_size> parse_property_size(
    std::uint8_t attrib) noexcept {
    const unsigned size = attrib & 7u;
    if (size > 1) return std::nullopt;
    return static_cast<property_size>(size);
}

/// The size of a property that a fabrics controller has; nothing for every other offset.
[[nodiscard]] constexpr std::optional<property_size> size_of_property(
    std::uint32_t offset) noexcept {
    switch (offset) {
        case register_offset::cap: return property_size::bytes_8;
        case register_offset::vs:
        case register_offset::cc:
        case register_offset::csts:
        case register_offset::nssr:
        case register_offset::nssd:
        case register_offset::crto: return property_size::bytes_4;
        default: return std::nullopt;
    }
}

// --- Disconnect --------------------------------------------------------------------------------

struct disconnect_command {
    std::uint8_t opcode;
    std::uint8_t flags;
    le16 cid;
    std::uint8_t fctype;
    reserved<19> reserved_5;
    sgl_descriptor sgl1;
    le16 recfmt;
    reserved<22> reserved_42;
};
static_assert(sizeof(disconnect_command) == 64 && wire_type<disconnect_command>);
static_assert(offsetof(disconnect_command, recfmt) == 40);

// --- Authentication ----------------------------------------------------------------------------

inline constexpr std::uint8_t auth_secp_nvme = 0xe9;
inline constexpr std::uint8_t auth_spsp = 0x01;  // both SPSP0 and SPSP1

/// Authentication Send (TL) and Authentication Receive (AL) differ only in the name of the length.
struct authentication_command {
    std::uint8_t opcode;
    std::uint8_t flags;
    le16 cid;
    std::uint8_t fctype;
    reserved<19> reserved_5;
    sgl_descriptor sgl1;
    std::uint8_t reserved_40;
    std::uint8_t spsp0;
    std::uint8_t spsp1;
    std::uint8_t secp;
    le32 length_bytes;
    reserved<16> reserved_48;
};
static_assert(sizeof(authentication_command) == 64 && wire_type<authentication_command>);
static_assert(offsetof(authentication_command, spsp0) == 41);
static_assert(offsetof(authentication_command, secp) == 43);
static_assert(offsetof(authentication_command, length_bytes) == 44);

}  // namespace fulmar::nvme
