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

operation_step attach_or_open(const operation_inputs& inputs,
                              std::optional<N> at_namespace) noexcept {
    if (inputs.spoilt) {
        operation_step step = undo_step;
        step.at_namespace = at_namespace;
        return step;
    }
    if (inputs.more)
        return {.at_namespace = at_namespace,
                .attach_next = true,
                .ask = A::attach_namespace,
                .next = G::attaching};
    return {.at_namespace = at_namespace, .ask = A::open_subsystem, .next = G::opening};
}

operation_step create_step(G stage, const operation_inputs& inputs) noexcept {
    switch (stage) {
        case G::begin:
            return {.at_subsystem = S::start, .ask = A::add_subsystem, .next = G::adding};
        case G::adding:
            if (inputs.failed) return undo_step;
            return attach_or_open(inputs, std::nullopt);
        case G::attaching:
            if (inputs.failed) return undo_step;
            return attach_or_open(inputs, N::done);
        case G::opening:
            if (inputs.failed) return undo_step;
            return {.at_subsystem = S::done, .end = operation_end::done};
        case G::undoing_close: return {.ask = A::remove_subsystem, .next = G::undoing_remove};
        case G::undoing_remove:
            return {.at_subsystem = S::done, .end = operation_end::refused, .drop_subsystem = true};
        default: return refused_step;
    }
}

operation_step remove_step(G stage, const operation_inputs& inputs) noexcept {
    switch (stage) {
        case G::begin:
            if (inputs.deleted) return gone_step;
            return {.at_subsystem = S::stop, .ask = A::close_subsystem, .next = G::closing};
        case G::closing: return {.ask = A::remove_subsystem, .next = G::removing};
        case G::removing:
            return {.at_subsystem = S::done, .end = operation_end::done, .drop_subsystem = true};
        default: return refused_step;
    }
}

operation_step pause_step(G stage, const operation_inputs& inputs) noexcept {
    switch (stage) {
        case G::begin:
            if (inputs.deleted) return gone_step;
            // Whoever asks again wants to know whether the promise is kept by now.
            if (inputs.subsystem == subsystem_state::paused)
                return {.ask = A::quiesce_subsystem, .next = G::still_quiesced};
            return {.at_subsystem = S::pause, .ask = A::quiesce_subsystem, .next = G::quiescing};
        case G::quiescing:
            if (inputs.failed)
                return {
                    .at_subsystem = S::failed, .ask = A::open_subsystem, .next = G::opening_again};
            return {.at_subsystem = S::done, .end = operation_end::done};
        case G::still_quiesced: return inputs.failed ? refused_step : done_step;
        case G::opening_again:
            if (inputs.failed) return {.ask = A::quiesce_subsystem, .next = G::quiescing_again};
            return {.at_subsystem = S::done, .end = operation_end::refused};
        case G::quiescing_again: return {.at_subsystem = S::failed, .end = operation_end::refused};
        default: return refused_step;
    }
}

operation_step resume_step(G stage, const operation_inputs& inputs) noexcept {
    switch (stage) {
        case G::begin:
            if (inputs.deleted) return gone_step;
            if (inputs.subsystem == subsystem_state::active) return done_step;
            return {.at_subsystem = S::resume, .ask = A::open_subsystem, .next = G::opening};
        case G::opening:  // some poll groups may have opened: all quiesce again
            if (inputs.failed) return {.ask = A::quiesce_subsystem, .next = G::quiescing_again};
            return {.at_subsystem = S::done, .end = operation_end::done};
        case G::quiescing_again: return {.at_subsystem = S::failed, .end = operation_end::refused};
        default: return refused_step;
    }
}

operation_step add_namespace_step(G stage, const operation_inputs& inputs) noexcept {
    switch (stage) {
        case G::begin:
            if (inputs.deleted) return gone_step;
            return {.at_namespace = N::attach, .ask = A::attach_namespace, .next = G::attaching};
        case G::attaching:  // some poll groups may have it: it goes everywhere
            if (inputs.failed)
                return {.at_namespace = N::failed,
                        .ask = A::detach_namespace,
                        .next = G::undoing_attach};
            return {.at_namespace = N::done, .end = operation_end::done};
        case G::undoing_attach:
            return {.at_namespace = N::done, .end = operation_end::refused, .drop_namespace = true};
        default: return refused_step;
    }
}

operation_step remove_namespace_step(G stage, const operation_inputs& inputs) noexcept {
    switch (stage) {
        case G::begin:
            if (inputs.deleted || !inputs.present) return gone_step;
            return {.at_namespace = N::detach, .ask = A::detach_namespace, .next = G::detaching};
        case G::detaching:
            return {.at_namespace = N::done, .end = operation_end::done, .drop_namespace = true};
        default: return refused_step;
    }
}

constexpr A ask_for_loss(const operation_inputs& inputs) noexcept {
    return inputs.holds ? A::hold_namespace : A::lose_namespace;
}

// A device that has come back meanwhile has nothing of this namespace to lose.
operation_step lose_namespace_step(G stage, const operation_inputs& inputs) noexcept {
    if (stage != G::begin) return done_step;
    if (inputs.deleted || !inputs.present || !inputs.of_this_generation) return gone_step;
    if (inputs.device_ready) return done_step;
    const bool can = has_edge(namespace_edges, inputs.ns, N::lose);
    if (!can && !mutated(mutation::second_loss_is_asserted)) return done_step;
    return {.at_namespace = N::lose, .ask = ask_for_loss(inputs), .next = G::losing};
}

// A device that is back is opened by the operation that waits behind.
operation_step end_hold_step(G stage, const operation_inputs& inputs) noexcept {
    if (stage != G::begin) return done_step;
    if (inputs.deleted || !inputs.present || !inputs.of_this_generation) return gone_step;
    if (inputs.device_ready || inputs.ns != namespace_state::lost || !inputs.holds)
        return done_step;
    return {.ask = A::lose_namespace, .next = G::losing};
}

operation_step refresh_namespace_step(G stage, const operation_inputs& inputs) noexcept {
    const bool was_lost = inputs.ns == namespace_state::lost;
    switch (stage) {
        case G::begin:
            if (inputs.deleted || !inputs.present) return gone_step;
            if (was_lost) return refresh_namespace_step(G::quiescing, inputs);
            return {.at_namespace = N::quiesce, .ask = A::quiesce_namespace, .next = G::quiescing};
        case G::quiescing:
            if (inputs.failed && !was_lost)
                return {.ask = A::open_namespace, .next = G::opening_again};
            if (inputs.device_ready)
                return {.at_namespace = was_lost ? N::attach : N::done,
                        .ask = A::open_namespace,
                        .next = G::opening};
            // Its gates must not open again. Its loss may have been told already, or wait behind.
            if (was_lost) return refused_step;
            return {.at_namespace = N::lose, .ask = ask_for_loss(inputs), .next = G::losing};
        case G::opening:
            return {.at_namespace = inputs.ns == namespace_state::attaching ? N::done : N::open,
                    .end = operation_end::done};
        case G::opening_again: return {.at_namespace = N::failed, .end = operation_end::refused};
        case G::losing: return refused_step;
        default: return refused_step;
    }
}

// The gates of a namespace that does not serve stand already, and stay as they are.
operation_step reserve_step(G stage, const operation_inputs& inputs) noexcept {
    const bool quiesced =
        inputs.ns == namespace_state::quiescing || inputs.ns == namespace_state::quiesced;
    const A opens = quiesced ? A::open_namespace : A::update_view;
    const auto on = [](bool concerns, N event) {
        return concerns ? std::optional(event) : std::nullopt;
    };
    switch (stage) {
        case G::begin:
            if (inputs.deleted || !inputs.present) return gone_step;
            if (!inputs.changes) return done_step;
            if (!inputs.takes || mutated(mutation::reservations_do_not_drain))
                return {.record = true, .next = G::recording};
            return {.at_namespace = on(inputs.ns == namespace_state::ready, N::quiesce),
                    .ask = A::drain_namespace,
                    .next = G::draining};
        case G::draining:
            if (inputs.failed) return {.ask = opens, .next = G::undoing_drain};
            return {.at_namespace = on(quiesced, N::done), .record = true, .next = G::recording};
        case G::recording:
            if (inputs.failed && !quiesced) return refused_step;
            if (inputs.failed) return {.ask = opens, .next = G::undoing_drain};
            return {.ask = opens, .adopt = true, .next = G::adopting};
        case G::adopting:
            return {.at_namespace = on(quiesced, N::open), .end = operation_end::done};
        case G::undoing_drain:
            if (inputs.ns == namespace_state::quiescing)
                return {.at_namespace = N::failed, .end = operation_end::refused};
            return {.at_namespace = on(quiesced, N::open), .end = operation_end::refused};
        default: return refused_step;
    }
}

}  // namespace

operation_step next_step(operation_kind kind, operation_stage stage,
                         const operation_inputs& inputs) noexcept {
    switch (kind) {
        case operation_kind::create: return create_step(stage, inputs);
        case operation_kind::remove: return remove_step(stage, inputs);
        case operation_kind::pause: return pause_step(stage, inputs);
        case operation_kind::resume: return resume_step(stage, inputs);
        case operation_kind::add_namespace: return add_namespace_step(stage, inputs);
        case operation_kind::remove_namespace: return remove_namespace_step(stage, inputs);
        case operation_kind::lose_namespace: return lose_namespace_step(stage, inputs);
        case operation_kind::end_hold: return end_hold_step(stage, inputs);
        case operation_kind::refresh_namespace: return refresh_namespace_step(stage, inputs);
        case operation_kind::reserve: return reserve_step(stage, inputs);
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
        FULMAR_NAME(operation_stage, quiescing);
        FULMAR_NAME(operation_stage, still_quiesced);
        FULMAR_NAME(operation_stage, quiescing_again);
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
