// Objects of a configuration that cannot be served as they are described. One of them never keeps
// the others from being served: it is set aside, told, and its text stays in the file. A subsystem
// with a broken allow-list is served closed: no host may connect. A broken namespace stays in the
// active list, not ready, or hosts would delete their disk.
#pragma once

#include <fulmar/admin/problem.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/spec_rules.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::admin {

struct json_node;

struct broken_object {
    enum class kind : std::uint8_t { listener, device, subsystem, ns, allow_list, referral };
    kind what = kind::device;
    std::string pointer;  ///< of the object in the file; empty: only the journal has it
    std::string name;     ///< "namespace 7 of nqn.…"; as far as it can be read
    problem why;          ///< the first of its problems
    std::string nqn;      ///< ns, allow_list: of the subsystem
    std::vector<core::spec_claim> claims = {};  ///< what nobody else may have meanwhile
    /// ns: what hosts see of it; none when it has no NSID of its own.
    struct placeholder {
        core::namespace_spec ns;
        core::device_spec device;
    };
    std::optional<placeholder> stand_in = std::nullopt;

    /// "namespace 7 of nqn.… is broken: line 12: /subsystems/…: …".
    [[nodiscard]] std::string text() const;
};

/// Type of the devices that stand in.
inline constexpr const char* absent_type = "absent";

/// Takes the objects that `problems` speak of out of `spec`, which was read from `root`. False when
/// a problem concerns no object, but the document or an option: then nothing can be served.
/// Called on: any thread.
bool set_aside(core::target_spec& spec, const json_node& root, const std::vector<problem>& problems,
               const std::string& folder, std::vector<broken_object>& out);

/// Takes out of `spec` what breaks a rule between objects.
/// Called on: any thread.
void set_aside_conflicts(core::target_spec& spec, const std::string& folder,
                         std::vector<broken_object>& out);

/// `spec` with what stands in for broken namespaces, and closed where a list of hosts is broken.
/// Called on: any thread.
core::target_spec with_stand_ins(core::target_spec spec, const std::vector<broken_object>& broken);

}  // namespace fulmar::admin
