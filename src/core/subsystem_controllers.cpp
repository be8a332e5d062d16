// Which controllers a subsystem has, by what is known of their hosts: who gets a number, and who
// gives way when there are none left. Called on: control reactor.
#include <fulmar/base/limits.hpp>
#include <fulmar/core/controller.hpp>
#include <fulmar/core/subsystem.hpp>
#include <fulmar/core/target.hpp>

#include <algorithm>
#include <new>
#include <vector>

namespace fulmar::core {

namespace {
using controller_place = subsystem::controller_place;

bool is_unproven(const controller_place& one) noexcept {
    return one.standing == host_standing::unproven;
}
}  // namespace

std::uint32_t subsystem::most_controllers() const noexcept {
    return std::min<std::uint32_t>(limits::max_controllers,
                                   spec_.max_cntlid - spec_.min_cntlid + 1u);
}

std::uint32_t subsystem::unproven_share() const noexcept {
    const bool asks = std::any_of(spec_.host_keys.begin(), spec_.host_keys.end(),
                                  [](const auto& one) { return !one.dhchap_key.empty(); });
    if (!asks) return 0;
    return std::min(limits::max_unproven_controllers, most_controllers() / 8);
}

bool subsystem::has_controller_left(host_standing standing) const noexcept {
    if (controllers_.size() >= most_controllers()) return false;
    const auto unproven = static_cast<std::uint32_t>(
        std::count_if(controllers_.begin(), controllers_.end(),
                      [](const auto& c) { return is_unproven(c.second); }));
    if (standing == host_standing::unproven) return unproven < std::max(unproven_share(), 1u);
    return controllers_.size() - unproven < most_controllers() - unproven_share();
}

// In turn, so that a number is not handed out again while somebody may still remember its former
// owner.
cntlid subsystem::assign_controller_id(poll_group& home, const seat& whose,
                                       const nvme::host_id& identifier, host_standing standing,
                                       controller_instance& instance) {
    if (!has_controller_left(standing)) return {};
    const std::uint32_t span = spec_.max_cntlid - spec_.min_cntlid + 1u;
    for (std::uint32_t tried = 0; tried < span; ++tried) {
        const std::uint16_t candidate = next_cntlid_;
        if (candidate == spec_.max_cntlid) begin_turn_of_numbers();
        next_cntlid_ = candidate == spec_.max_cntlid ? spec_.min_cntlid
                                                     : static_cast<std::uint16_t>(candidate + 1);
        if (controllers_.contains(candidate)) continue;
        instance = new_instance();
        try {
            controllers_.emplace(candidate, controller_place{.home = &home,
                                                             .whose = whose,
                                                             .identifier = identifier,
                                                             .instance = instance,
                                                             .standing = standing});
        } catch (const std::bad_alloc&) {
            return {};
        }
        return cntlid(candidate);
    }
    return {};
}

bool subsystem::has_namesake(const seat& whose, const nvme::host_id& identifier) const noexcept {
    bool another = false;
    for (const auto& [number, place] : controllers_) {
        if (place.identifier != identifier || is_unproven(place)) continue;
        if (place.whose.host == whose.host) return false;  // one more path of a host that is here
        another = true;
    }
    return another;
}

bool subsystem::send_away(bool (*among)(const controller_place& one, instant now),
                          const seat& newcomer, const share_rule& rule) noexcept try {
    std::vector<seat> taken;
    std::vector<controller_place*> places;
    const instant now = target_.control_reactor().now();
    for (auto& [number, place] : controllers_) {
        if (place.leaving || place.where == nullptr || !among(place, now)) continue;
        taken.push_back(place.whose);
        // Whoever is unproven is heard of by its own will: it gives way by its age.
        taken.back().heard = is_unproven(place) ? place.where->created() : place.where->last_seen();
        if (is_unproven(place) && place.whose.address == 0) taken.back().address = 1;
        places.push_back(&place);
    }
    const auto one = seat_that_gives_way(taken, newcomer, rule);
    if (!one) return false;
    places[*one]->leaving = true;
    places[*one]->where->give_way();
    note("controller", "gives-way");
    return true;
} catch (const std::bad_alloc&) {
    return false;
}

namespace {
bool is_known(const controller_place& one, instant) noexcept { return !is_unproven(one); }
bool is_unknown(const controller_place& one, instant) noexcept { return is_unproven(one); }
bool is_long_unknown(const controller_place& one, instant now) noexcept {
    return is_unproven(one) && one.where->created() + limits::unproven_grace <= now;
}
}  // namespace

// An unproven host's name is nobody's: only its address counts.
bool subsystem::make_room(const seat& newcomer, host_standing standing) noexcept {
    const seat from{.address = std::max<std::uint64_t>(newcomer.address, 1),
                    .heard = newcomer.heard};
    if (standing == host_standing::unproven)
        return send_away(&is_unknown, from,
                         {.modest_address = limits::modest_unproven_controllers, .factor = 2}) ||
               send_away(&is_long_unknown, from, {.factor = 1, .own_too = true});
    const bool keys_are_gone = unproven_share() == 0;  // and with them the share of the unproven
    if (keys_are_gone && send_away(&is_unknown, from, {.factor = 1, .own_too = true})) return true;
    return send_away(&is_known, newcomer,
                     {.modest_host = std::min(limits::modest_controllers, most_controllers() / 4),
                      .modest_address = most_controllers() / 2,
                      .factor = 2});
}

bool subsystem::prove_controller(cntlid number) noexcept {
    const auto at = controllers_.find(number.value());
    if (at == controllers_.end()) return false;
    controller_place& one = at->second;
    if (!is_unproven(one)) return true;
    const auto known = static_cast<std::uint32_t>(
        std::count_if(controllers_.begin(), controllers_.end(),
                      [](const auto& c) { return !is_unproven(c.second) && !c.second.leaving; }));
    const std::uint32_t most = std::max(most_controllers() - unproven_share(), 1u);
    if (known >= most && !make_room(one.whose, host_standing::proven)) return false;
    one.standing = host_standing::proven;
    return true;
}

}  // namespace fulmar::core
