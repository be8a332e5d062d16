// See the header.
#include "ana_layout.hpp"

#include <algorithm>
#include <numeric>

namespace fulmar::core {

namespace {

const ana_group_spec* laid_out_group(const std::vector<ana_group_spec>& groups, std::uint32_t id) {
    const auto at =
        std::find_if(groups.begin(), groups.end(), [id](const auto& one) { return one.id == id; });
    return at != groups.end() ? &*at : nullptr;
}

std::vector<std::string> listeners_with_ana(const std::vector<ana_group_spec>& groups) {
    std::vector<std::string> out;
    for (const ana_group_spec& one : groups)
        for (const auto& [listener, state] : one.listeners) out.push_back(listener);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

// Null where it is the same by every listener.
ana_states_view ana_states_of(const ana_group_spec& group,
                              const std::vector<std::string>& listeners) {
    std::vector<ana_state> out{group.state};
    for (const std::string& one : listeners) out.push_back(group.at(one));
    if (std::all_of(out.begin(), out.end(), [&](ana_state s) { return s == group.state; }))
        return nullptr;
    return std::make_shared<const std::vector<ana_state>>(std::move(out));
}

bool same_ana_states(const ana_states_view& one, const ana_states_view& other) noexcept {
    if (one == nullptr || other == nullptr) return one == other;
    return *one == *other;
}

}  // namespace

void lay_out_ana(const std::vector<ana_group_spec>& groups, subsystem_description& view) {
    if (groups.empty()) return;
    view.ana_listeners = listeners_with_ana(groups);
    std::map<std::uint32_t, ana_states_view> states;
    for (const ana_group_spec& one : groups)
        states.emplace(one.id, ana_states_of(one, view.ana_listeners));
    for (namespace_description& n : view.namespaces) {
        if (const ana_group_spec* const own = laid_out_group(groups, n.configured.group)) {
            n.configured.ana = own->state;
            n.configured.paths = states.at(own->id);
        }
        const ana_group_spec* const group = laid_out_group(groups, n.group);
        if (group == nullptr) {  // the first group gives these another number: as of a move
            n.group = limits::max_ana_groups + n.number().value();
            continue;
        }
        n.ana = group->state;
        n.ana_paths = states.at(group->id);
    }
    view.by_ana_group.resize(view.namespaces.size());
    std::iota(view.by_ana_group.begin(), view.by_ana_group.end(), 0u);
    std::stable_sort(view.by_ana_group.begin(), view.by_ana_group.end(),
                     [&](std::uint32_t a, std::uint32_t b) {
                         return view.namespaces[a].group < view.namespaces[b].group;
                     });
}

bool same_ana(const subsystem_description& one, const subsystem_description& other) noexcept {
    return one.ana_listeners == other.ana_listeners &&
           std::equal(one.namespaces.begin(), one.namespaces.end(), other.namespaces.begin(),
                      other.namespaces.end(),
                      [](const namespace_description& a, const namespace_description& b) {
                          return a.id == b.id && a.ana_group() == b.ana_group() && a.ana == b.ana &&
                                 same_ana_states(a.ana_paths, b.ana_paths);
                      });
}

}  // namespace fulmar::core
