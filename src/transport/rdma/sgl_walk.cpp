#include "sgl_walk.hpp"

namespace fulmar::transport::rdma {

namespace sc = nvme::sc;
using nvme::sgl_descriptor;
using nvme::sgl_subtype;
using nvme::sgl_type;

namespace {

bool is_to_host(const nvme::sqe& command) noexcept {
    const bool fabrics = command.opcode == static_cast<std::uint8_t>(nvme::admin_opcode::fabrics);
    const std::uint8_t says =
        fabrics ? static_cast<std::uint8_t>(command.nsid.value() & 0xffu) : command.opcode;
    return nvme::direction_of(says) == nvme::data_direction::controller_to_host;
}

// One keyed descriptor more; its length has 24 bits, so the sum of all cannot overflow.
nvme::status add_keyed(const sgl_descriptor& d, sgl_view& into) noexcept {
    if (d.subtype() != sgl_subtype::address && d.subtype() != sgl_subtype::invalidate_key)
        return sc::sgl_type_invalid;
    const nvme::keyed_sgl_descriptor k = d.keyed();
    if (d.subtype() == sgl_subtype::invalidate_key && !into.invalidate)
        into.invalidate = k.key.value();
    const std::uint32_t length = k.length.value();
    if (length == 0) return sc::success;  // describes nothing
    if (k.address.value() + length < k.address.value()) return sc::data_sgl_length_invalid;
    into.segments[into.segment_count++] = {
        .address = k.address.value(), .key = k.key.value(), .length = length};
    into.bytes += length;
    return sc::success;
}

nvme::status walk_in_capsule(const nvme::sqe& command, std::span<const std::byte> extra,
                             sgl_view& into) noexcept {
    const sgl_descriptor& d = command.sgl1;
    const std::uint64_t offset = d.address.value();
    const std::uint32_t length = d.length.value();
    into.bytes = length;
    if (length == 0) return sc::success;
    // A capsule carries data to the controller; no answer fits into it.
    if (is_to_host(command)) return sc::sgl_type_invalid;
    if (offset > extra.size()) return sc::sgl_offset_invalid;
    if (length > extra.size() - offset) return sc::data_sgl_length_invalid;
    into.in_capsule = extra.subspan(static_cast<std::size_t>(offset), length);
    return sc::success;
}

// A last segment: the descriptors themselves are in the capsule.
nvme::status walk_segment(const sgl_descriptor& d, std::span<const std::byte> extra,
                          sgl_view& into) noexcept {
    if (d.subtype() != sgl_subtype::offset) return sc::sgl_type_invalid;
    const std::uint64_t offset = d.address.value();
    const std::uint32_t length = d.length.value();
    if (offset > extra.size()) return sc::sgl_offset_invalid;
    if (length == 0 || length % sizeof(sgl_descriptor) != 0 || length > extra.size() - offset)
        return sc::invalid_sgl_segment;
    const std::size_t count = length / sizeof(sgl_descriptor);
    if (count > max_segments) return sc::invalid_sgl_count;
    for (std::size_t i = 0; i < count; ++i) {
        const auto each = nvme::read_wire<sgl_descriptor>(
            extra.subspan(static_cast<std::size_t>(offset) + i * sizeof(sgl_descriptor)));
        if (!each || each->type() != sgl_type::keyed_data_block) return sc::sgl_type_invalid;
        if (const nvme::status wrong = add_keyed(*each, into); !nvme::is_success(wrong))
            return wrong;
    }
    return sc::success;
}

}  // namespace

void walk_sgl(const nvme::sqe& command, std::span<const std::byte> extra, sgl_view& into) noexcept {
    into.bytes = 0;
    into.segment_count = 0;
    into.in_capsule = {};
    into.invalidate.reset();
    const sgl_descriptor& d = command.sgl1;
    switch (d.type()) {
        case sgl_type::keyed_data_block: into.status = add_keyed(d, into); break;
        case sgl_type::data_block:
            into.status = d.subtype() == sgl_subtype::offset
                              ? walk_in_capsule(command, extra, into)
                              : (d.length.value() == 0 ? sc::success : sc::sgl_type_invalid);
            break;
        case sgl_type::last_segment: into.status = walk_segment(d, extra, into); break;
        case sgl_type::segment:  // a chain of segments does not fit into a capsule
        case sgl_type::bit_bucket:
        case sgl_type::transport_data_block:
        case sgl_type::vendor:
        default: into.status = sc::sgl_type_invalid; break;
    }
    if (nvme::is_success(into.status)) return;
    into.segment_count = 0;
    into.in_capsule = {};
}

}  // namespace fulmar::transport::rdma
