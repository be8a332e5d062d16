// Whom a change disturbs: the hosts that are connected, and the namespaces that they would lose.
// Named in what is refused for their sake, and in what a dry run tells. Called on: admin thread.
#pragma once

#include "rest.hpp"

#include <fulmar/base/result.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/status_report.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::admin {

/// The hosts that were connected a moment ago.
class connected_hosts {
  public:
    connected_hosts() = default;
    explicit connected_hosts(const std::vector<core::connection_status>& connections);

    // NQNs of hosts, sorted, each once.
    [[nodiscard]] std::vector<std::string> of(const std::string& subsystem) const;
    [[nodiscard]] std::vector<std::string> through(const std::string& listener) const;

  private:
    std::map<std::string, std::set<std::string>> by_subsystem_;
    std::map<std::string, std::set<std::string>> by_listener_;  // the local end, as it names itself
};

struct disturbance {
    std::vector<std::string> hosts;       ///< NQNs
    std::vector<std::string> namespaces;  ///< "NQN/nsid"

    [[nodiscard]] bool none() const noexcept { return hosts.empty() && namespaces.empty(); }
    /// Both together, each once.
    void add(const disturbance& other);
    /// "namespace x/1, used by 2 hosts (a, b)"; long lists are cut, with a count.
    [[nodiscard]] std::string text() const;
};

/// Who notices `what`, on the way from `running` to `wanted`.
disturbance disturbed_by(const core::change& what, const connected_hosts& connected,
                         const core::target_spec& running, const core::target_spec& wanted);

/// Tells `next` who is connected; an error becomes the answer.
void with_hosts(const call_ptr& call, std::function<void(const connected_hosts&)> next);

/// `why` (409) with everybody concerned named: in its text, and as "hosts", "host_count" and
/// "namespaces".
http_response disturbance_response(std::string_view code, const error& why, const disturbance& who,
                                   std::string_view instance);

}  // namespace fulmar::admin
