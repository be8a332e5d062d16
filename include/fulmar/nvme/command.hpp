// The 64-byte submission entry, the 16-byte completion entry, SGL descriptors and opcodes.
// NVMe Base 2.0, sections 3.3.3 and 4.1; NVM command set 1.0 for the I/O opcodes. Any thread.
// Must never: reject a value (it only names and unpacks; core decides what is legal).
#pragma once

#include <fulmar/nvme/endian.hpp>
#include <fulmar/nvme/status.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace fulmar::nvme {

inline constexpr std::uint32_t nsid_none = 0;
inline constexpr std::uint32_t nsid_broadcast = 0xffff'ffff;

enum class admin_opcode : std::uint8_t {
    delete_io_sq = 0x00,
    create_io_sq = 0x01,
    get_log_page = 0x02,
    delete_io_cq = 0x04,
    create_io_cq = 0x05,
    identify = 0x06,
    abort = 0x08,
    set_features = 0x09,
    get_features = 0x0a,
    async_event_request = 0x0c,
    namespace_management = 0x0d,
    firmware_commit = 0x10,
    firmware_download = 0x11,
    device_self_test = 0x14,
    namespace_attachment = 0x15,
    keep_alive = 0x18,
    directive_send = 0x19,
    directive_receive = 0x1a,
    virtualization_management = 0x1c,
    nvme_mi_send = 0x1d,
    nvme_mi_receive = 0x1e,
    capacity_management = 0x20,
    discovery_information_management = 0x21,
    fabric_zoning_receive = 0x22,
    lockdown = 0x24,
    fabric_zoning_lookup = 0x25,
    fabric_zoning_send = 0x29,
    cross_controller_reset = 0x38,
    doorbell_buffer_config = 0x7c,
    fabrics = 0x7f,
    format_nvm = 0x80,
    security_send = 0x81,
    security_receive = 0x82,
    sanitize = 0x84,
    get_lba_status = 0x86,
};

/// The NVM and zoned command sets (the key-value set reuses numbers of these).
enum class io_opcode : std::uint8_t {
    flush = 0x00,
    write = 0x01,
    read = 0x02,
    write_uncorrectable = 0x04,
    compare = 0x05,
    write_zeroes = 0x08,
    dataset_management = 0x09,
    verify = 0x0c,
    reservation_register = 0x0d,
    reservation_report = 0x0e,
    reservation_acquire = 0x11,
    io_management_receive = 0x12,
    reservation_release = 0x15,
    cancel = 0x18,
    copy = 0x19,
    io_management_send = 0x1d,
    zone_management_send = 0x79,
    zone_management_receive = 0x7a,
    zone_append = 0x7d,
    fabrics = 0x7f,
};

[[nodiscard]] constexpr std::optional<admin_opcode> parse_admin_opcode(std::uint8_t raw) noexcept {
    const auto opcode = static_cast<admin_opcode>(raw);
    switch (opcode) {
        case admin_opcode::delete_io_sq:
        case admin_opcode::create_io_sq:
        case admin_opcode::get_log_page:
        case admin_opcode::delete_io_cq:
        case admin_opcode::create_io_cq:
        case admin_opcode::identify:
        case admin_opcode::abort:
        case admin_opcode::set_features:
        case admin_opcode::get_features:
        case admin_opcode::async_event_request:
        case admin_opcode::namespace_management:
        case admin_opcode::firmware_commit:
        case admin_opcode::firmware_download:
        case admin_opcode::device_self_test:
        case admin_opcode::namespace_attachment:
        case admin_opcode::keep_alive:
        case admin_opcode::directive_send:
        case admin_opcode::directive_receive:
        case admin_opcode::virtualization_management:
        case admin_opcode::nvme_mi_send:
        case admin_opcode::nvme_mi_receive:
        case admin_opcode::capacity_management:
        case admin_opcode::discovery_information_management:
        case admin_opcode::fabric_zoning_receive:
        case admin_opcode::lockdown:
        case admin_opcode::fabric_zoning_lookup:
        case admin_opcode::fabric_zoning_send:
        case admin_opcode::cross_controller_reset:
        case admin_opcode::doorbell_buffer_config:
        case admin_opcode::fabrics:
        case admin_opcode::format_nvm:
        case admin_opcode::security_send:
        case admin_opcode::security_receive:
        case admin_opcode::sanitize:
        case admin_opcode::get_lba_status: return opcode;
    }
    return std::nullopt;
}

[[nodiscard]] constexpr std::optional<io_opcode> parse_io_opcode(std::uint8_t raw) noexcept {
    const auto opcode = static_cast<io_opcode>(raw);
    switch (opcode) {
        case io_opcode::flush:
        case io_opcode::write:
        case io_opcode::read:
        case io_opcode::write_uncorrectable:
        case io_opcode::compare:
        case io_opcode::write_zeroes:
        case io_opcode::dataset_management:
        case io_opcode::verify:
        case io_opcode::reservation_register:
        case io_opcode::reservation_report:
        case io_opcode::reservation_acquire:
        case io_opcode::io_management_receive:
        case io_opcode::reservation_release:
        case io_opcode::cancel:
        case io_opcode::copy:
        case io_opcode::io_management_send:
        case io_opcode::zone_management_send:
        case io_opcode::zone_management_receive:
        case io_opcode::zone_append:
        case io_opcode::fabrics: return opcode;
    }
    return std::nullopt;
}

/// Bits 1:0 of an opcode (of the fabrics command type, for opcode 7Fh).
enum class data_direction : std::uint8_t {
    none = 0,
    host_to_controller = 1,
    controller_to_host = 2,
    bidirectional = 3,
};

[[nodiscard]] constexpr data_direction direction_of(std::uint8_t opcode_or_fctype) noexcept {
    return static_cast<data_direction>(opcode_or_fctype & 3u);
}

// --- SGL descriptors ---------------------------------------------------------------------------

enum class sgl_type : std::uint8_t {
    data_block = 0x0,
    bit_bucket = 0x1,
    segment = 0x2,
    last_segment = 0x3,
    keyed_data_block = 0x4,
    transport_data_block = 0x5,
    vendor = 0xf,
};

enum class sgl_subtype : std::uint8_t {
    address = 0x0,
    offset = 0x1,          // in the capsule: `address` is an offset into its data
    transport = 0xa,       // with transport_data_block: data moves as the transport likes
    invalidate_key = 0xf,  // keyed only: remote invalidate on completion
};

[[nodiscard]] constexpr std::uint8_t sgl_identifier(sgl_type type, sgl_subtype subtype) noexcept {
    return static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 |
                                     static_cast<unsigned>(subtype));
}

inline constexpr std::uint8_t sgl_in_capsule =
    sgl_identifier(sgl_type::data_block, sgl_subtype::offset);
inline constexpr std::uint8_t sgl_transport =
    sgl_identifier(sgl_type::transport_data_block, sgl_subtype::transport);
static_assert(sgl_in_capsule == 0x01 && sgl_transport == 0x5a);

/// The keyed form (RDMA): a 24-bit length and a 32-bit key.
struct keyed_sgl_descriptor {
    le64 address;
    le24 length;
    le32 key;
    std::uint8_t identifier;
};
static_assert(sizeof(keyed_sgl_descriptor) == 16 && wire_type<keyed_sgl_descriptor>);
static_assert(offsetof(keyed_sgl_descriptor, length) == 8);
static_assert(offsetof(keyed_sgl_descriptor, key) == 11);
static_assert(offsetof(keyed_sgl_descriptor, identifier) == 15);

/// The unkeyed form; `keyed()` reads the same 16 bytes the other way.
struct sgl_descriptor {
    le64 address;  // an offset for subtype offset
    le32 length;
    reserved<3> reserved_12;
    std::uint8_t identifier;

    [[nodiscard]] sgl_type type() const noexcept { return static_cast<sgl_type>(identifier >> 4); }
    [[nodiscard]] sgl_subtype subtype() const noexcept {
        return static_cast<sgl_subtype>(identifier & 0xfu);
    }
    [[nodiscard]] keyed_sgl_descriptor keyed() const noexcept {
        return std::bit_cast<keyed_sgl_descriptor>(*this);
    }
    [[nodiscard]] static sgl_descriptor from(const keyed_sgl_descriptor& k) noexcept {
        return std::bit_cast<sgl_descriptor>(k);
    }
    /// The byte count in whichever width the descriptor's type has.
    [[nodiscard]] std::uint32_t byte_count() const noexcept {
        return type() == sgl_type::keyed_data_block ? keyed().length.value() : length.value();
    }
};
static_assert(sizeof(sgl_descriptor) == 16 && wire_type<sgl_descriptor>);
static_assert(offsetof(sgl_descriptor, length) == 8);
static_assert(offsetof(sgl_descriptor, identifier) == 15);

[[nodiscard]] inline sgl_descriptor make_sgl(std::uint8_t identifier, std::uint64_t address,
                                             std::uint32_t length_bytes) noexcept {
    sgl_descriptor d{};
    d.address = address;
    d.length = length_bytes;
    d.identifier = identifier;
    return d;
}

[[nodiscard]] inline sgl_descriptor make_in_capsule_sgl(std::uint64_t offset_bytes,
                                                        std::uint32_t length_bytes) noexcept {
    return make_sgl(sgl_in_capsule, offset_bytes, length_bytes);
}

[[nodiscard]] inline sgl_descriptor make_transport_sgl(std::uint32_t length_bytes) noexcept {
    return make_sgl(sgl_transport, 0, length_bytes);
}

/// `length_bytes` must fit 24 bits.
[[nodiscard]] inline sgl_descriptor make_keyed_sgl(std::uint64_t address,
                                                   std::uint32_t length_bytes, std::uint32_t key,
                                                   bool invalidate = false) noexcept {
    keyed_sgl_descriptor k{};
    k.address = address;
    k.length = length_bytes;
    k.key = key;
    k.identifier = sgl_identifier(sgl_type::keyed_data_block,
                                  invalidate ? sgl_subtype::invalidate_key : sgl_subtype::address);
    return sgl_descriptor::from(k);
}

/// The PCIe reading of the data pointer.
struct prp_pair {
    le64 prp1;
    le64 prp2;
};
static_assert(sizeof(prp_pair) == 16 && wire_type<prp_pair>);

// --- Submission entry --------------------------------------------------------------------------

/// Command flags, bits 1:0.
enum class fuse : std::uint8_t { none = 0, first = 1, second = 2, invalid = 3 };

/// Command flags, bits 7:6. Over fabrics only the two SGL values are legal.
enum class psdt : std::uint8_t { prp = 0, sgl = 1, sgl_with_metadata_segment = 2, invalid = 3 };

[[nodiscard]] constexpr std::uint8_t make_flags(fuse f, psdt p) noexcept {
    return static_cast<std::uint8_t>(static_cast<unsigned>(f) | static_cast<unsigned>(p) << 6);
}

/// The generic view of any command.
struct sqe {
    std::uint8_t opcode;
    std::uint8_t flags;
    le16 cid;
    le32 nsid;
    le32 cdw2;
    le32 cdw3;
    le64 mptr;
    sgl_descriptor sgl1;
    le32 cdw10;
    le32 cdw11;
    le32 cdw12;
    le32 cdw13;
    le32 cdw14;
    le32 cdw15;

    [[nodiscard]] fuse fused() const noexcept { return static_cast<fuse>(flags & 3u); }
    [[nodiscard]] psdt data_pointer() const noexcept { return static_cast<psdt>(flags >> 6); }
    [[nodiscard]] prp_pair prps() const noexcept { return std::bit_cast<prp_pair>(sgl1); }
    void set_prps(std::uint64_t prp1, std::uint64_t prp2) noexcept {
        prp_pair p{};
        p.prp1 = prp1;
        p.prp2 = prp2;
        sgl1 = std::bit_cast<sgl_descriptor>(p);
    }
    /// Commands that carry a 64-bit value (an LBA) keep it in dwords 10 and 11.
    [[nodiscard]] std::uint64_t cdw10_11() const noexcept {
        return std::uint64_t{cdw11.value()} << 32 | cdw10.value();
    }
    void set_cdw10_11(std::uint64_t value) noexcept {
        cdw10 = static_cast<std::uint32_t>(value);
        cdw11 = static_cast<std::uint32_t>(value >> 32);
    }
};
static_assert(sizeof(sqe) == 64 && wire_type<sqe>);
static_assert(offsetof(sqe, cid) == 2 && offsetof(sqe, nsid) == 4);
static_assert(offsetof(sqe, mptr) == 16 && offsetof(sqe, sgl1) == 24);
static_assert(offsetof(sqe, cdw10) == 40 && offsetof(sqe, cdw15) == 60);

// --- Completion entry --------------------------------------------------------------------------

/// SQHD where SQ flow control is disabled.
inline constexpr std::uint16_t sqhd_no_flow_control = 0xffff;

struct cqe {
    le32 dw0;
    le32 dw1;
    le16 sqhd;
    le16 sqid;
    le16 cid;
    le16 status_field;

    [[nodiscard]] status get_status() const noexcept {
        return status::from_field(status_field.value());
    }
    void set_status(status s, bool phase = false) noexcept { status_field = s.to_field(phase); }
    [[nodiscard]] bool phase() const noexcept { return (status_field.value() & 1u) != 0; }
    /// The 64-bit result of Property Get.
    [[nodiscard]] std::uint64_t result64() const noexcept {
        return std::uint64_t{dw1.value()} << 32 | dw0.value();
    }
    void set_result64(std::uint64_t value) noexcept {
        dw0 = static_cast<std::uint32_t>(value);
        dw1 = static_cast<std::uint32_t>(value >> 32);
    }
};
static_assert(sizeof(cqe) == 16 && wire_type<cqe>);
static_assert(offsetof(cqe, sqhd) == 8 && offsetof(cqe, sqid) == 10);
static_assert(offsetof(cqe, cid) == 12 && offsetof(cqe, status_field) == 14);

[[nodiscard]] inline cqe make_cqe(std::uint16_t cid, status s, std::uint32_t dw0 = 0) noexcept {
    cqe e{};
    e.dw0 = dw0;
    e.cid = cid;
    e.set_status(s);
    return e;
}

}  // namespace fulmar::nvme
