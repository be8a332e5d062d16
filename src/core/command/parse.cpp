// Reads what Dataset Management, Copy, reservations and the commands without data ask for; see
// parsed_io.hpp. Any thread; pure. Must never: look at the state of a namespace.
#include "reservation/reservation_report.hpp"
#include "reservation/reservation_rules.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/core/parsed_io.hpp>

namespace fulmar::core {

using backend::io_kind;
using nvme::data_direction;
using nvme::io_opcode;
namespace sc = nvme::sc;

namespace {

// Linux always sends room for all 256 ranges, however few it fills in. Attributes other than
// Deallocate are hints, and a hint needs no device; its data is fetched all the same, since the
// host has been promised nothing less.
nvme::status manages_dataset(const nvme::sqe& command, const io_form& form,
                             parsed_io& out) noexcept {
    const nvme::dataset_management wanted = nvme::decode_dataset_management(command);
    const std::uint32_t bytes = wanted.ranges * static_cast<std::uint32_t>(sizeof(nvme::dsm_range));
    out = {.length = bytes,
           .kind = io_kind::deallocate,
           .direction = data_direction::host_to_controller,
           .changes_blocks = (wanted.attributes & nvme::dsm_attribute::deallocate) != 0,
           .brings_ranges = true,
           .hint_only = (wanted.attributes & nvme::dsm_attribute::deallocate) == 0 ||
                        !form.device.deallocate};
    return check_data_pointer(form, bytes, limits::max_dsm_ranges * sizeof(nvme::dsm_range));
}

nvme::status copies(const nvme::sqe& command, const io_form& form, parsed_io& out) noexcept {
    if (form.device.copy.ranges == 0) return sc::invalid_opcode.no_retry();
    const nvme::copy_command wanted = nvme::decode_copy(command);
    if (wanted.descriptor_format != 0) return sc::invalid_field.no_retry();
    if (wanted.ranges > form.device.copy.ranges) return sc::command_size_limit_exceeded.no_retry();
    const std::uint32_t bytes =
        wanted.ranges * static_cast<std::uint32_t>(sizeof(nvme::copy_range));
    out = {.length = bytes,
           .kind = io_kind::copy,
           .direction = data_direction::host_to_controller,
           .fua = wanted.fua,
           .changes_blocks = true,
           .brings_ranges = true};
    return check_data_pointer(form, bytes, bytes);
}

// Register, Acquire and Release bring their keys, and Linux two of them where one is wanted. The
// form of Report is checked before room is made for it, and the host gets what fits.
nvme::status reserves(const nvme::sqe& command, const io_form& form, parsed_io& out) noexcept {
    const std::size_t keys = reservation_data_bytes(command.opcode);
    if (keys != 0) {
        out = {.length = form.sgl_bytes,
               .direction = data_direction::host_to_controller,
               .reserves = true};
        return check_data_pointer(form, keys, sizeof(nvme::reservation_register_data));
    }
    if (const nvme::status wrong = check_reservation_report(command); !nvme::is_success(wrong))
        return wrong;
    const std::uint64_t bytes = nvme::decode_reservation_report(command).length_bytes;
    if (bytes > form.max_transfer_bytes) return sc::invalid_field.no_retry();
    out = {.length = static_cast<std::uint32_t>(bytes),
           .direction = data_direction::controller_to_host,
           .reserves = true};
    return check_data_pointer(form, bytes, bytes);
}

nvme::status moves_nothing(bool supported, io_kind kind, const nvme::sqe& command,
                           parsed_io& out) noexcept {
    if (!supported) return sc::invalid_opcode.no_retry();
    const nvme::block_range range = nvme::decode_block_range(command);
    out = {.first_block = range.slba,
           .block_count = range.blocks,
           .kind = kind,
           .fua = range.fua && kind != io_kind::write_uncorrectable,  // reserved there
           .changes_blocks = kind != io_kind::verify};
    return sc::success;
}

}  // namespace

nvme::status check_opcode(const nvme::sqe& command) noexcept {
    return nvme::parse_io_opcode(command.opcode) ? sc::success : sc::invalid_opcode.no_retry();
}

nvme::status parse_other_io(const nvme::sqe& command, const io_form& form,
                            parsed_io& out) noexcept {
    switch (static_cast<io_opcode>(command.opcode)) {
        case io_opcode::compare:
            if (!form.device.compare) return sc::invalid_opcode.no_retry();
            return parse_transfer(command, form, io_kind::compare, out);
        case io_opcode::flush: out = {.kind = io_kind::flush}; return sc::success;
        case io_opcode::write_zeroes:
            return moves_nothing(form.device.write_zeroes, io_kind::write_zeroes, command, out);
        case io_opcode::write_uncorrectable:
            return moves_nothing(form.device.write_uncorrectable, io_kind::write_uncorrectable,
                                 command, out);
        case io_opcode::verify:
            return moves_nothing(form.device.verify, io_kind::verify, command, out);
        case io_opcode::dataset_management: return manages_dataset(command, form, out);
        case io_opcode::copy: return copies(command, form, out);
        case io_opcode::reservation_register:
        case io_opcode::reservation_acquire:
        case io_opcode::reservation_release:
        case io_opcode::reservation_report: return reserves(command, form, out);
        default: return sc::invalid_opcode.no_retry();
    }
}

}  // namespace fulmar::core
