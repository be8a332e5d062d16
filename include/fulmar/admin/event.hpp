// What operators are told that happened: to a drive, or to a namespace by its hosts.
#pragma once

#include <cstdint>
#include <string>

namespace fulmar::admin {

struct event {
    std::uint64_t sequence = 0;  ///< from 1, without gaps, since the daemon started
    std::int64_t unix_ms = 0;    ///< when, by the wall clock
    std::string what;            ///< of a drive: "arrived" "ready" "returned" "lost" "refused"
                                 ///< "detached" "attached" "released" "bound" "unbound"; of a
                                 ///< namespace: as core::namespace_occurrence tells
    // A drive's.
    std::string address{};  ///< "0000:0b:00.0"; empty: it is a namespace's
    std::string device{};   ///< Fulmar's name for it; may be empty
    std::string cause{};    ///< why it was lost or released: "removal-requested", …
    // A namespace's.
    std::string subsystem{};  ///< its NQN; empty: it is a drive's
    std::uint32_t nsid = 0;   ///< 0: it is about an ANA group
    std::string host{};       ///< Host NQN of who asked for it; empty: an operator

    std::string detail{};  ///< for people; may be empty
};

}  // namespace fulmar::admin
