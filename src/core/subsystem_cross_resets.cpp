// What a subsystem knows of the instances of its controllers, so that a host can have one of its
// own ended by another. Called on: control reactor.
#include "cross_reset_operation.hpp"
#include "nqn_key.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/subsystem.hpp>
#include <fulmar/core/target.hpp>

#include <algorithm>

namespace fulmar::core {

namespace sc = nvme::sc;

// Numbers of controllers are given in turn, so that each is given once at most before the turn
// begins again.
controller_instance subsystem::new_instance() noexcept {
    return {.uniquifier = uniquifier_, .number = target_.draw_number()};
}

void subsystem::begin_turn_of_numbers() noexcept {
    uniquifier_ =
        uniquifier_ == 0xff ? std::uint8_t{1} : static_cast<std::uint8_t>(uniquifier_ + 1);
}

bool subsystem::has_controller(const controller_instance& which) const noexcept {
    return std::any_of(controllers_.begin(), controllers_.end(),
                       [&](const auto& each) { return each.second.instance == which; });
}

// Its commands may be at a device still, given up by its connections; its host may ask whether they
// are.
void subsystem::remember_controller(cntlid number, const controller_place& gone) noexcept {
    if (discovery_) return;
    try {
        if (departed_.size() == limits::remembered_controllers) departed_.pop_front();
        departed_.push_back({.id = number,
                             .instance = gone.instance,
                             .host = gone.whose.host,
                             .identifier = gone.identifier});
    } catch (const std::bad_alloc&) {  // then a host that asks is refused
        return;
    }
}

// Who is not its host learns nothing, not even that there is such a controller.
bool subsystem::owns(const reservation_errand& asker,
                     const cross_reset_request& what) const noexcept {
    const std::uint64_t host = nqn_key(asker.host_nqn);
    const auto fits = [&](cntlid id, const controller_instance& instance, std::uint64_t of,
                          const nvme::host_id& identifier) {
        const bool same_host = of == host && identifier == asker.who;
        return id == what.id && instance == what.instance &&
               (same_host || mutated(mutation::any_host_ends_controllers));
    };
    const auto* place = find_controller(what.id);
    if (place != nullptr && fits(what.id, place->instance, place->whose.host, place->identifier))
        return true;
    return std::any_of(departed_.begin(), departed_.end(), [&](const departed_controller& d) {
        return fits(d.id, d.instance, d.host, d.identifier);
    });
}

bool subsystem::is_being_ended(const controller_instance& which) const noexcept {
    const auto ends = [&](const std::unique_ptr<operation>& op) {
        const auto* const it = dynamic_cast<const cross_reset_operation*>(op.get());
        return it != nullptr && it->ends(which);
    };
    return ends(current_) || std::any_of(waiting_.begin(), waiting_.end(), ends);
}

nvme::status subsystem::may_end(const reservation_errand& asker) const noexcept {
    const auto& what = std::get<cross_reset_request>(asker.what);
    if (!owns(asker, what)) return sc::invalid_field.no_retry();
    return is_being_ended(what.instance) ? sc::cross_reset_in_progress : sc::success;
}

void subsystem::drop_commands_of(const controller_instance& which) noexcept {
    std::erase_if(waiting_, [&](const std::unique_ptr<operation>& op) {
        return op->of_controller() == which.number;
    });
}

}  // namespace fulmar::core
