// What a Connect takes along on its way between reactors. Must never: be sent while it is away.
#include "command/connect.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/core/connect_op.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/qpair.hpp>

namespace fulmar::core {

namespace sc = nvme::sc;

// What an operator may bring (back) in a moment is refused without "do not retry": a Linux host
// that meets that stops reconnecting for good.
void connect_op::refuse_for_now(connect_refusal reason,
                                const nvme::invalid_parameter& which) noexcept {
    why = reason;
    status = sc::connect_invalid_parameters;
    dw0 = which.pack();
}

void connect_op::refuse_host(bool list_is_broken) noexcept {
    why = list_is_broken ? connect_refusal::list_broken : connect_refusal::host_not_allowed;
    status = list_is_broken ? sc::connect_invalid_host : sc::connect_invalid_host.no_retry();
    dw0 = 0;
}

// A Linux host that is refused for good never comes back: a key file that cannot be read now must
// not do that.
void connect_op::refuse_for_keys(connect_refusal reason) noexcept {
    why = reason;
    status = reason == connect_refusal::no_key ? sc::connect_invalid_host.no_retry()
                                               : sc::connect_invalid_host;
    dw0 = 0;
}

void connect_op::refuse_for_channel(connect_refusal reason) noexcept {
    why = reason;
    status = reason == connect_refusal::not_encrypted ? sc::connect_invalid_host
                                                      : sc::connect_invalid_host.no_retry();
    dw0 = 0;
}

connect_op::connect_op(qpair& q) noexcept
    : message(&command::connect::at_control), owner(&q), group(&q.group()) {}

void connect_op::on_wait_over() noexcept { command::connect::wait_is_over(*this); }

std::string_view connect_op::host_nqn() const noexcept {
    return data ? nvme::read_nqn(data->hostnqn).value_or("") : "";
}
std::string_view connect_op::subsystem_nqn() const noexcept {
    return data ? nvme::read_nqn(data->subnqn).value_or("") : "";
}

void connect_op::depart(engine::reactor& to, handler step) noexcept {
    in_flight = true;
    hop(to, step);
}

void connect_op::hop(engine::reactor& to, handler step) noexcept {
    set_handler(step);
    FULMAR_ASSERT(to.post(*this) == engine::post_result::posted);
}

}  // namespace fulmar::core
