// Who gives way when something that peers share is used up: a pure rule over who holds it.
#pragma once

#include <fulmar/base/clock.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace fulmar::core {

/// One place of those that are used up, and who has it. Keys are numbers for names: 0 is nobody's.
struct seat {
    std::uint64_t host = 0;     ///< 0: not known yet
    std::uint64_t address = 0;  ///< 0: not known
    instant heard{};            ///< when its holder was last heard of
};

struct share_rule {
    /// A holder of no more than this is never asked to give way to another.
    std::uint32_t modest_host = 0;
    std::uint32_t modest_address = 0;
    /// Who gives way holds more than this many times what the newcomer holds already. With 1, hosts
    /// that need the same would take places from each other for ever.
    std::uint32_t factor = 2;
    /// The newcomer may be given a place of its own host or address: places that nobody has made
    /// anything of yet.
    bool own_too = false;
};

/// Which of `taken` is given up so that `newcomer` can have a place; nothing: nobody's is, and the
/// newcomer is refused. The host with most places is asked, or else the address with most (one peer
/// can have many names, and many hosts one address: they are asked later); of its places, the one
/// that has been silent for longest goes.
/// May throw std::bad_alloc.  Called on: any thread.
[[nodiscard]] std::optional<std::size_t> seat_that_gives_way(std::span<const seat> taken,
                                                             const seat& newcomer,
                                                             const share_rule& rule);

}  // namespace fulmar::core
