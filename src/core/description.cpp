#include <fulmar/core/description.hpp>
#include <fulmar/core/hidden_namespaces.hpp>

#include <algorithm>
#include <utility>

namespace fulmar::core {

host_list in_order(const host_choice& of) {
    if (of.all) return nullptr;
    auto names = of.named;
    std::sort(names.begin(), names.end());
    return std::make_shared<const std::vector<std::string>>(std::move(names));
}

bool has(const host_list& hosts, std::string_view nqn) noexcept {
    return hosts == nullptr || std::binary_search(hosts->begin(), hosts->end(), nqn);
}

const namespace_description* subsystem_description::find(nsid number) const noexcept {
    const auto at = std::lower_bound(
        namespaces.begin(), namespaces.end(), number,
        [](const namespace_description& n, nsid wanted) { return n.number() < wanted; });
    return at != namespaces.end() && at->number() == number ? &*at : nullptr;
}

bool subsystem_description::allows(std::string_view host_nqn) const noexcept {
    return allow_any_host || std::binary_search(hosts.begin(), hosts.end(), host_nqn);
}

bool subsystem_description::asks_for_proof(std::string_view host_nqn) const noexcept {
    const host_keys_spec* const keys = keys_of(host_nqn);
    return keys != nullptr && !keys->dhchap_key.empty();
}

const host_keys_spec* subsystem_description::keys_of(std::string_view host_nqn) const noexcept {
    const auto at = std::lower_bound(
        host_keys.begin(), host_keys.end(), host_nqn,
        [](const host_keys_spec& one, std::string_view wanted) { return one.nqn < wanted; });
    return at != host_keys.end() && at->nqn == host_nqn ? &*at : nullptr;
}

void subsystem_description::hide_from(std::string_view host_nqn,
                                      hidden_namespaces& out) const noexcept {
    for (const namespace_description& n : namespaces)
        if (n.visible_to != nullptr) out.set(n.number().value(), !n.visible(host_nqn));
}

std::uint16_t subsystem_description::ana_column(std::string_view listener) const noexcept {
    const auto at = std::lower_bound(ana_listeners.begin(), ana_listeners.end(), listener);
    if (at == ana_listeners.end() || *at != listener) return 0;
    return static_cast<std::uint16_t>(at - ana_listeners.begin() + 1);
}

bool subsystem_description::offered_at(std::string_view listener) const noexcept {
    return listeners.empty() || std::binary_search(listeners.begin(), listeners.end(), listener);
}

}  // namespace fulmar::core
