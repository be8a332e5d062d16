// The spelling of every state and event, in one place; docs/states.md and REST use it.
#include <fulmar/core/controller_states.hpp>
#include <fulmar/core/gate.hpp>
#include <fulmar/core/namespace_states.hpp>
#include <fulmar/core/qpair_states.hpp>
#include <fulmar/core/request_states.hpp>
#include <fulmar/core/subsystem_states.hpp>

#define FULMAR_NAME(type, name) \
    case type::name: return #name

namespace fulmar::core {

std::string_view to_string(subsystem_state state) noexcept {
    switch (state) {
        FULMAR_NAME(subsystem_state, inactive);
        FULMAR_NAME(subsystem_state, activating);
        FULMAR_NAME(subsystem_state, active);
        FULMAR_NAME(subsystem_state, pausing);
        FULMAR_NAME(subsystem_state, paused);
        FULMAR_NAME(subsystem_state, resuming);
        FULMAR_NAME(subsystem_state, deactivating);
    }
    return "?";
}

std::string_view to_string(subsystem_event event) noexcept {
    switch (event) {
        FULMAR_NAME(subsystem_event, start);
        FULMAR_NAME(subsystem_event, pause);
        FULMAR_NAME(subsystem_event, resume);
        FULMAR_NAME(subsystem_event, stop);
        FULMAR_NAME(subsystem_event, done);
        FULMAR_NAME(subsystem_event, failed);
    }
    return "?";
}

std::string_view to_string(namespace_state state) noexcept {
    switch (state) {
        FULMAR_NAME(namespace_state, absent);
        FULMAR_NAME(namespace_state, attaching);
        FULMAR_NAME(namespace_state, ready);
        FULMAR_NAME(namespace_state, quiescing);
        FULMAR_NAME(namespace_state, quiesced);
        FULMAR_NAME(namespace_state, lost);
        FULMAR_NAME(namespace_state, detaching);
    }
    return "?";
}

std::string_view to_string(namespace_event event) noexcept {
    switch (event) {
        FULMAR_NAME(namespace_event, attach);
        FULMAR_NAME(namespace_event, quiesce);
        FULMAR_NAME(namespace_event, open);
        FULMAR_NAME(namespace_event, lose);
        FULMAR_NAME(namespace_event, detach);
        FULMAR_NAME(namespace_event, done);
        FULMAR_NAME(namespace_event, failed);
    }
    return "?";
}

std::string_view to_string(qpair_state state) noexcept {
    switch (state) {
        FULMAR_NAME(qpair_state, fresh);
        FULMAR_NAME(qpair_state, connecting);
        FULMAR_NAME(qpair_state, live);
        FULMAR_NAME(qpair_state, closing);
        FULMAR_NAME(qpair_state, detaching);
        FULMAR_NAME(qpair_state, closed);
    }
    return "?";
}

std::string_view to_string(qpair_event event) noexcept {
    switch (event) {
        FULMAR_NAME(qpair_event, connect);
        FULMAR_NAME(qpair_event, accepted);
        FULMAR_NAME(qpair_event, refused);
        FULMAR_NAME(qpair_event, close);
        FULMAR_NAME(qpair_event, drained);
        FULMAR_NAME(qpair_event, detached);
    }
    return "?";
}

std::string_view to_string(controller_state state) noexcept {
    switch (state) {
        FULMAR_NAME(controller_state, disabled);
        FULMAR_NAME(controller_state, enabled);
        FULMAR_NAME(controller_state, resetting);
        FULMAR_NAME(controller_state, shutting_down);
        FULMAR_NAME(controller_state, shut_down);
        FULMAR_NAME(controller_state, disconnecting);
        FULMAR_NAME(controller_state, gone);
    }
    return "?";
}

std::string_view to_string(controller_event event) noexcept {
    switch (event) {
        FULMAR_NAME(controller_event, enable);
        FULMAR_NAME(controller_event, disable);
        FULMAR_NAME(controller_event, shutdown);
        FULMAR_NAME(controller_event, io_queues_gone);
        FULMAR_NAME(controller_event, disconnect);
        FULMAR_NAME(controller_event, queues_gone);
    }
    return "?";
}

std::string_view to_string(request_state state) noexcept {
    switch (state) {
        FULMAR_NAME(request_state, idle);
        FULMAR_NAME(request_state, received);
        FULMAR_NAME(request_state, paired);
        FULMAR_NAME(request_state, parked);
        FULMAR_NAME(request_state, awaiting_buffer);
        FULMAR_NAME(request_state, awaiting_data);
        FULMAR_NAME(request_state, awaiting_range);
        FULMAR_NAME(request_state, executing);
        FULMAR_NAME(request_state, answering);
    }
    return "?";
}

std::string_view to_string(request_event event) noexcept {
    switch (event) {
        FULMAR_NAME(request_event, arrive);
        FULMAR_NAME(request_event, pair);
        FULMAR_NAME(request_event, park);
        FULMAR_NAME(request_event, replay);
        FULMAR_NAME(request_event, want_buffer);
        FULMAR_NAME(request_event, want_data);
        FULMAR_NAME(request_event, want_range);
        FULMAR_NAME(request_event, execute);
        FULMAR_NAME(request_event, answer);
        FULMAR_NAME(request_event, sent);
    }
    return "?";
}

std::string_view to_string(gate_position position) noexcept {
    switch (position) {
        FULMAR_NAME(gate_position, closed);
        FULMAR_NAME(gate_position, open);
        FULMAR_NAME(gate_position, quiesced);
        FULMAR_NAME(gate_position, waiting_for_device);
    }
    return "?";
}

std::string_view to_string(gate_event event) noexcept {
    switch (event) {
        FULMAR_NAME(gate_event, open);
        FULMAR_NAME(gate_event, quiesce);
        FULMAR_NAME(gate_event, restore);
        FULMAR_NAME(gate_event, hold);
        FULMAR_NAME(gate_event, close);
    }
    return "?";
}

}  // namespace fulmar::core
