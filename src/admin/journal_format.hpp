// The lines of the journal: one JSON object each, whose first member is a CRC32C of the rest, so
// that a line that a power cut has torn is never taken for a whole one. Pure. Must never: take
// damage in the middle, which loses acknowledged changes, for a torn end, which does not.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/core/model.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fulmar::admin {

/// "The config file with this digest holds every change up to `through`." With a `spec`, that
/// replaces what the file says of the target: a snapshot, written where the file itself cannot be.
struct base_record {
    std::string digest;
    std::uint64_t through = 0;
    std::optional<core::target_spec> spec;
};

struct change_record {
    core::change change;
    std::uint64_t revision = 0;
};

struct journal_record {
    std::uint64_t sequence = 0;
    std::uint64_t batch = 0;  ///< first of those written together; all before it were safe by then
    std::variant<base_record, change_record> what;
};

/// The line, with its end.
std::string encode(const journal_record& record);

/// A line as it is found, whatever it is.
struct segment_line {
    std::size_t number = 0;  ///< 1-based
    std::size_t begin = 0;   ///< bytes of the segment
    std::size_t end = 0;     ///< after its "\n"
    enum class kind : std::uint8_t { whole, damaged, unknown } what = kind::damaged;
    std::optional<journal_record> record = std::nullopt;  ///< of a whole one
};
/// `unknown`: the checksum is right, but this version knows no such record.
std::vector<segment_line> read_lines(std::string_view text);

struct decoded_segment {
    std::vector<journal_record> records;
    std::size_t good_lines = 0;
    std::size_t good_bytes = 0;  ///< what the records occupy
    std::size_t torn_bytes =
        0;  ///< what follows them: a write that was under way, never acknowledged
};

/// A segment without the zeroes at its end, which are room for what is still to come.
std::string_view written_part(std::string_view text) noexcept;

/// What to do about damage.
extern const char* const damage_remedy;

/// Errors: io_error when lines are damaged that had been acknowledged, as far as the lines behind
/// them tell, or when there is no line at all in it.
result<decoded_segment> decode_segment(std::string_view text, const std::string& name);

}  // namespace fulmar::admin
