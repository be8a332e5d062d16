// What an I/O command asks for, read once out of its 64 bytes; everything after that uses this.
// NVM Command Set 1.0, section 3.2. Called on: any thread; a value.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/backend/io_op.hpp>
#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/status.hpp>

#include <cstdint>

namespace fulmar::core {

struct parsed_io {
    std::uint64_t first_block = 0;  ///< of the range that the command names
    std::uint32_t block_count = 0;  ///< of that range, 1-based; 0: it names none
    std::uint32_t length = 0;       ///< bytes of data that move
    backend::io_kind kind = backend::io_kind::flush;
    nvme::data_direction direction = nvme::data_direction::none;
    bool fua = false;
    bool changes_blocks = false;  ///< not on a write-protected namespace
    bool brings_ranges = false;   ///< its data names ranges of blocks
    bool hint_only = false;       ///< nothing for the device to do, once its data is here
    bool fused = false;           ///< it carries out a Compare before itself
    bool reserves = false;        ///< a reservation command: nothing of it reaches the device
};
static_assert(sizeof(parsed_io) <= 24);

/// What a command is held against. Its data pointer as the transport has read it.
struct io_form {
    const backend::geometry& device;
    unsigned block_shift = 9;
    std::uint64_t max_transfer_bytes = 0;
    std::uint32_t sgl_bytes = 0;  ///< what the data pointer describes
    nvme::status sgl_status{};    ///< success, or what is wrong with the data pointer
};

/// What is wrong with a command before its namespace is looked at: an unknown opcode.
[[nodiscard]] nvme::status check_opcode(const nvme::sqe& command) noexcept;

/// parse_io() of everything but Read and Write.
[[nodiscard]] nvme::status parse_other_io(const nvme::sqe& command, const io_form& form,
                                          parsed_io& out) noexcept;

/// Whether its data pointer describes what a command moves: between `least` and `most` bytes.
[[nodiscard]] inline nvme::status check_data_pointer(const io_form& form, std::uint64_t least,
                                                     std::uint64_t most) noexcept {
    if (!nvme::is_success(form.sgl_status)) return form.sgl_status.no_retry();
    if (form.sgl_bytes < least || form.sgl_bytes > most)
        return nvme::sc::data_sgl_length_invalid.no_retry();
    return nvme::sc::success;
}

/// Read, Write and Compare.
[[nodiscard]] inline nvme::status parse_transfer(const nvme::sqe& command, const io_form& form,
                                                 backend::io_kind kind, parsed_io& out) noexcept {
    const nvme::block_range range = nvme::decode_block_range(command);
    const std::uint64_t bytes = std::uint64_t{range.blocks} << form.block_shift;
    out = {.first_block = range.slba,
           .block_count = range.blocks,
           .length = static_cast<std::uint32_t>(bytes),
           .kind = kind,
           .direction = kind == backend::io_kind::read ? nvme::data_direction::controller_to_host
                                                       : nvme::data_direction::host_to_controller,
           .fua = range.fua,
           .changes_blocks = kind == backend::io_kind::write};
    if (bytes > form.max_transfer_bytes) return nvme::sc::invalid_field.no_retry();
    return check_data_pointer(form, bytes, bytes);
}

/// The form of the command: whether it can be carried out on such a namespace at all. Fills in
/// `out` on success. Says nothing about the namespace's size or state, nor about fusing.
[[nodiscard]] inline nvme::status parse_io(const nvme::sqe& command, const io_form& form,
                                           parsed_io& out) noexcept {
    if (command.opcode == static_cast<std::uint8_t>(nvme::io_opcode::read))
        return parse_transfer(command, form, backend::io_kind::read, out);
    if (command.opcode == static_cast<std::uint8_t>(nvme::io_opcode::write))
        return parse_transfer(command, form, backend::io_kind::write, out);
    return parse_other_io(command, form, out);
}

}  // namespace fulmar::core
