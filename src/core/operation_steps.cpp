#include <fulmar/base/mutation.hpp>
#include <fulmar/core/operation_steps.hpp>

#define FULMAR_NAME(type, name) \
    case type::name: return #name

namespace fulmar::core {

namespace {

using A = group_action;
using G = operation_stage;
using N = namespace_event;
using S = subsystem_event;

constexpr operation_step refused_step{.end = operation_end::refused};
constexpr operation_step gone_step{.end = operation_end::gone};
constexpr operation_step done_step{.end = operation_end::done};

// A creation that failed leaves nothing behind.
constexpr operation_step undo_step{
    .at_subsystem = S::failed, .ask = A::close_subsystem, .next = G::undoing_close};

operation_step attach_or_open(const operation_sight& sight,
                              std::optional<N> at_namespace) noexcept {
    if (sight.spoilt) {
        operation_step step = undo_step;
        step.at_namespace = at_namespace;
        return step;
    }
    if (sight.more)
        return {.at_namespace = at_namespace,
                .attach_next = true,
                .ask = A::attach_namespace,
                .next = G::attaching};
    return {.at_namespace = at_namespace, .ask = A::open_subsystem, .next = G::opening};
}

operation_step create_step(G stage, const operation_sight& sight) noexcept {
    switch (stage) {
        case G::begin:
            return {.at_subsystem = S::start, .ask = A::add_subsystem, .next = G::adding};
        case G::adding:
            if (sight.failed) return undo_step;
            return attach_or_open(sight, std::nullopt);
        case G::attaching:
            if (sight.failed) return undo_step;
            return attach_or_open(sight, N::done);
        case G::opening:
            if (sight.failed) return undo_step;
            return {.at_subsystem = S::done, .end = operation_end::done};
        case G::undoing_close: return {.ask = A::remove_subsystem, .next = G::undoing_remove};
        case G::undoing_remove:
            return {.at_subsystem = S::done, .end = operation_end::refused, .drop_subsystem = true};
        default: return refused_step;
    }
}

operation_step remove_step(G stage, const operation_sight& sight) noexcept {
    switch (stage) {
        case G::begin:
            if (sight.deleted) return gone_step;
            return {.at_subsystem = S::stop, .ask = A::close_subsystem, .next = G::closing};
        case G::closing: return {.ask = A::remove_subsystem, .next = G::removing};
        case G::removing:
            return {.at_subsystem = S::done, .end = operation_end::done, .drop_subsystem = true};
        default: return refused_step;
    }
}

operation_step pause_step(G stage, const operation_sight& sight) noexcept {
    switch (stage) {
        case G::begin:
            if (sight.deleted) return gone_step;
            // Whoever asks again wants to know whether the promise is kept by now.
            if (sight.subsystem == subsystem_state::paused)
                return {.ask = A::fence_subsystem, .next = G::still_fenced};
            return {.at_subsystem = S::pause, .ask = A::fence_subsystem, .next = G::fencing};
        case G::fencing:
            if (sight.failed)
                return {
                    .at_subsystem = S::failed, .ask = A::open_subsystem, .next = G::opening_again};
            return {.at_subsystem = S::done, .end = operation_end::done};
        case G::still_fenced: return sight.failed ? refused_step : done_step;
        case G::opening_again:
            if (sight.failed) return {.ask = A::fence_subsystem, .next = G::fencing_again};
            return {.at_subsystem = S::done, .end = operation_end::refused};
        case G::fencing_again: return {.at_subsystem = S::failed, .end = operation_end::refused};
        default: return refused_step;
    }
}

operation_step resume_step(G stage, const operation_sight& sight) noexcept {
    switch (stage) {
        case G::begin:
            if (sight.deleted) return gone_step;
            if (sight.subsystem == subsystem_state::active) return done_step;
            return {.at_subsystem = S::resume, .ask = A::open_subsystem, .next = G::opening};
        case G::opening:  // some poll groups may have opened: all fence again
            if (sight.failed) return {.ask = A::fence_subsystem, .next = G::fencing_again};
            return {.at_subsystem = S::done, .end = operation_end::done};
        case G::fencing_again: return {.at_subsystem = S::failed, .end = operation_end::refused};
        default: return refused_step;
    }
}

operation_step add_namespace_step(G stage, const operation_sight& sight) noexcept {
    switch (stage) {
        case G::begin:
            if (sight.deleted) return gone_step;
            return {.at_namespace = N::attach, .ask = A::attach_namespace, .next = G::attaching};
        case G::attaching:  // some poll groups may have it: it goes everywhere
            if (sight.failed)
                return {.at_namespace = N::failed,
                        .ask = A::detach_namespace,
                        .next = G::undoing_attach};
            return {.at_namespace = N::done, .end = operation_end::done};
        case G::undoing_attach:
            return {.at_namespace = N::done, .end = operation_end::refused, .drop_namespace = true};
        default: return refused_step;
    }
}

operation_step remove_namespace_step(G stage, const operation_sight& sight) noexcept {
    switch (stage) {
        case G::begin:
            if (sight.deleted || !sight.present) return gone_step;
            return {.at_namespace = N::detach, .ask = A::detach_namespace, .next = G::detaching};
        case G::detaching:
            return {.at_namespace = N::done, .end = operation_end::done, .drop_namespace = true};
        default: return refused_step;
    }
}

constexpr A ask_for_loss(const operation_sight& sight) noexcept {
    return sight.holds ? A::hold_namespace : A::lose_namespace;
}

// A device that has come back meanwhile has nothing of this namespace to lose.
operation_step lose_namespace_step(G stage, const operation_sight& sight) noexcept {
    if (stage != G::begin) return done_step;
    if (sight.deleted || !sight.present || !sight.of_this_generation) return gone_step;
    if (sight.device_ready) return done_step;
    const bool can = has_edge(namespace_edges, sight.ns, N::lose);
    if (!can && !mutated(mutation::second_loss_is_asserted)) return done_step;
    return {.at_namespace = N::lose, .ask = ask_for_loss(sight), .next = G::losing};
}

// A device that is back is opened by the operation that waits behind.
operation_step end_hold_step(G stage, const operation_sight& sight) noexcept {
    if (stage != G::begin) return done_step;
    if (sight.deleted || !sight.present || !sight.of_this_generation) return gone_step;
    if (sight.device_ready || sight.ns != namespace_state::lost || !sight.holds) return done_step;
    return {.ask = A::lose_namespace, .next = G::losing};
}

operation_step refresh_namespace_step(G stage, const operation_sight& sight) noexcept {
    const bool was_lost = sight.ns == namespace_state::lost;
    switch (stage) {
        case G::begin:
            if (sight.deleted || !sight.present) return gone_step;
            if (was_lost) return refresh_namespace_step(G::fencing, sight);
            return {.at_namespace = N::fence, .ask = A::fence_namespace, .next = G::fencing};
        case G::fencing:
            if (sight.failed && !was_lost)
                return {.ask = A::open_namespace, .next = G::opening_again};
            if (sight.device_ready)
                return {.at_namespace = was_lost ? N::attach : N::done,
                        .ask = A::open_namespace,
                        .next = G::opening};
            // Its gates must not open again. Its loss may have been told already, or wait behind.
            if (was_lost) return refused_step;
            return {.at_namespace = N::lose, .ask = ask_for_loss(sight), .next = G::losing};
        case G::opening:
            return {.at_namespace = sight.ns == namespace_state::attaching ? N::done : N::open,
                    .end = operation_end::done};
        case G::opening_again: return {.at_namespace = N::failed, .end = operation_end::refused};
        case G::losing: return refused_step;
        default: return refused_step;
    }
}

// The gates of a namespace that does not serve stand already, and stay as they are.
operation_step reserve_step(G stage, const operation_sight& sight) noexcept {
    const bool fenced = sight.ns == namespace_state::fencing || sight.ns == namespace_state::fenced;
    const A opens = fenced ? A::open_namespace : A::update_view;
    const auto on = [](bool concerns, N event) {
        return concerns ? std::optional(event) : std::nullopt;
    };
    switch (stage) {
        case G::begin:
            if (sight.deleted || !sight.present) return gone_step;
            if (!sight.changes) return done_step;
            if (!sight.takes || mutated(mutation::reservations_do_not_drain))
                return {.record = true, .next = G::recording};
            return {.at_namespace = on(sight.ns == namespace_state::ready, N::fence),
                    .ask = A::drain_namespace,
                    .next = G::draining};
        case G::draining:
            if (sight.failed) return {.ask = opens, .next = G::undoing_drain};
            return {.at_namespace = on(fenced, N::done), .record = true, .next = G::recording};
        case G::recording:
            if (sight.failed && !fenced) return refused_step;
            if (sight.failed) return {.ask = opens, .next = G::undoing_drain};
            return {.ask = opens, .adopt = true, .next = G::adopting};
        case G::adopting: return {.at_namespace = on(fenced, N::open), .end = operation_end::done};
        case G::undoing_drain:
            if (sight.ns == namespace_state::fencing)
                return {.at_namespace = N::failed, .end = operation_end::refused};
            return {.at_namespace = on(fenced, N::open), .end = operation_end::refused};
        default: return refused_step;
    }
}

}  // namespace

operation_step next_step(operation_kind kind, operation_stage stage,
                         const operation_sight& sight) noexcept {
    switch (kind) {
        case operation_kind::create: return create_step(stage, sight);
        case operation_kind::remove: return remove_step(stage, sight);
        case operation_kind::pause: return pause_step(stage, sight);
        case operation_kind::resume: return resume_step(stage, sight);
        case operation_kind::add_namespace: return add_namespace_step(stage, sight);
        case operation_kind::remove_namespace: return remove_namespace_step(stage, sight);
        case operation_kind::lose_namespace: return lose_namespace_step(stage, sight);
        case operation_kind::end_hold: return end_hold_step(stage, sight);
        case operation_kind::refresh_namespace: return refresh_namespace_step(stage, sight);
        case operation_kind::reserve: return reserve_step(stage, sight);
    }
    return refused_step;
}

std::string_view to_string(operation_kind kind) noexcept {
    switch (kind) {
        FULMAR_NAME(operation_kind, create);
        FULMAR_NAME(operation_kind, remove);
        FULMAR_NAME(operation_kind, pause);
        FULMAR_NAME(operation_kind, resume);
        FULMAR_NAME(operation_kind, add_namespace);
        FULMAR_NAME(operation_kind, remove_namespace);
        FULMAR_NAME(operation_kind, lose_namespace);
        FULMAR_NAME(operation_kind, end_hold);
        FULMAR_NAME(operation_kind, refresh_namespace);
        FULMAR_NAME(operation_kind, reserve);
    }
    return "?";
}

std::string_view to_string(operation_stage stage) noexcept {
    switch (stage) {
        FULMAR_NAME(operation_stage, begin);
        FULMAR_NAME(operation_stage, adding);
        FULMAR_NAME(operation_stage, attaching);
        FULMAR_NAME(operation_stage, opening);
        FULMAR_NAME(operation_stage, fencing);
        FULMAR_NAME(operation_stage, still_fenced);
        FULMAR_NAME(operation_stage, fencing_again);
        FULMAR_NAME(operation_stage, opening_again);
        FULMAR_NAME(operation_stage, closing);
        FULMAR_NAME(operation_stage, removing);
        FULMAR_NAME(operation_stage, detaching);
        FULMAR_NAME(operation_stage, losing);
        FULMAR_NAME(operation_stage, draining);
        FULMAR_NAME(operation_stage, recording);
        FULMAR_NAME(operation_stage, adopting);
        FULMAR_NAME(operation_stage, undoing_drain);
        FULMAR_NAME(operation_stage, undoing_close);
        FULMAR_NAME(operation_stage, undoing_remove);
        FULMAR_NAME(operation_stage, undoing_attach);
    }
    return "?";
}

}  // namespace fulmar::core
