// What happens to namespaces that an operator did not ask for, or that hosts feel: who has reserved
// one, who was preempted, who may see it, which path is good. Implemented by app, called by core.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fulmar::core {

struct namespace_occurrence {
    std::string_view what;  ///< "registered" "key-replaced" "unregistered" "reserved" "preempted"
                            ///< "released" "cleared" "reservation-persistence"
                            ///< "write-protected" "protection-lifted" "visibility" "path-state"
    std::string_view subsystem;  ///< its NQN
    std::uint32_t nsid = 0;      ///< 0: it is about an ANA group
    std::string_view host;       ///< whose command it was, by its Host NQN; empty: an operator's
    std::string detail = {};     ///< for people; may be empty
};

/// Called on: control reactor.
class namespace_observer {
  public:
    /// It has happened, and hosts are told or will be.
    virtual void on_namespace_occurrence(const namespace_occurrence& one) noexcept = 0;

  protected:
    ~namespace_observer() = default;
};

}  // namespace fulmar::core
