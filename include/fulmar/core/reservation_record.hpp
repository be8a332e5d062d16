// The state of reservations of one namespace as it is kept on disk: plain fields, in whatever form
// they are written, and the way back. Any thread; pure. Must never: take a record for a state that
// the rules cannot lead to.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace fulmar::core {

struct reservation_state;

struct reservation_record {
    struct entry {
        std::string host;  ///< 32 hexadecimal digits
        std::uint64_t key = 0;

        [[nodiscard]] bool operator==(const entry&) const noexcept = default;
    };

    std::uint32_t generation = 0;
    bool persistent = false;  ///< PTPL: it outlives a power loss, and not only the daemon
    std::uint8_t type = 0;    ///< 0: no reservation
    std::string holder;       ///< 32 hexadecimal digits for types 1 to 4; empty otherwise
    std::vector<entry> registrants;

    [[nodiscard]] bool operator==(const reservation_record&) const noexcept = default;
};

/// May throw std::bad_alloc. Called on: any thread.
[[nodiscard]] reservation_record to_record(const reservation_state& state);

/// What `record` describes. Errors: invalid_argument, with the place of the field as a JSON
/// pointer, for what is no possible state. May throw std::bad_alloc. Called on: any thread.
[[nodiscard]] result<reservation_state> from_record(const reservation_record& record);

}  // namespace fulmar::core
