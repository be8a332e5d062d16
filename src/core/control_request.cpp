#include <fulmar/core/control.hpp>

#include <utility>

namespace fulmar::core {

control_request::control_request(std::variant<change, query> command, bool durable_, reply on_reply)
    : engine::message(nullptr), what(std::move(command)), durable(durable_), on_reply_(on_reply) {}

void control_request::finish(result<answer> with) noexcept {
    outcome = std::move(with);
    on_reply_(*this);
}

}  // namespace fulmar::core
