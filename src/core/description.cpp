#include <fulmar/core/description.hpp>

#include <algorithm>

namespace fulmar::core {

const namespace_description* subsystem_description::find(nsid number) const noexcept {
    const auto at = std::lower_bound(
        namespaces.begin(), namespaces.end(), number,
        [](const namespace_description& n, nsid wanted) { return n.number() < wanted; });
    return at != namespaces.end() && at->number() == number ? &*at : nullptr;
}

bool subsystem_description::allows(std::string_view host_nqn) const noexcept {
    return allow_any_host || std::binary_search(hosts.begin(), hosts.end(), host_nqn);
}

bool subsystem_description::offered_at(std::string_view listener) const noexcept {
    return listeners.empty() || std::binary_search(listeners.begin(), listeners.end(), listener);
}

}  // namespace fulmar::core
