// How far the journal has been acknowledged, in a file of its own beside it: two slots that are
// written in turn, each with a checksum, and synced before a change is answered. Without it nobody
// could tell an acknowledged change that was cut off from one that was still being written. Pure.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fulmar::admin {

struct journal_ack {
    std::uint64_t counter = 0;   ///< of the slots written; the higher one counts
    std::uint64_t sequence = 0;  ///< of the last record that was acknowledged; 0: none is expected
    std::uint64_t bytes = 0;     ///< of the segment that was being written: its length by then
};

/// Apart from each other, so that no write touches the sector of the other slot.
inline constexpr std::size_t ack_slot_distance = 4096;
inline constexpr std::size_t ack_slot_bytes = 128;
inline constexpr std::size_t ack_file_bytes = 2 * ack_slot_distance;

/// The file that belongs to the journal at `path`.
std::string ack_path(const std::string& path);
/// Where in the file the slot of `counter` is.
std::uint64_t ack_offset(std::uint64_t counter) noexcept;
/// A slot: ack_slot_bytes of text.
std::string encode_ack(const journal_ack& ack);
/// The whole file, with `ack` in it.
std::string encode_ack_file(const journal_ack& ack);
/// The slot that counts; nothing when the file is empty, as a crash at its making leaves it.
/// Errors: io_error when neither slot is whole.
result<std::optional<journal_ack>> decode_ack_file(std::string_view text, const std::string& name);

}  // namespace fulmar::admin
