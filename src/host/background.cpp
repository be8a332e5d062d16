#include "background.hpp"

namespace fulmar::host {

controller::background::background(std::uint32_t keep_alive_ms, std::uint32_t async_events)
    : interval_ns(std::uint64_t{keep_alive_ms} * 1'000'000 / 2) {
    keep_alive.command.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::keep_alive);
    for (std::uint32_t i = 0; i < async_events; ++i) {
        auto& made = *event_requests.emplace_back(std::make_unique<event_request>());
        made.owner = this;
        made.command.opcode = static_cast<std::uint8_t>(nvme::admin_opcode::async_event_request);
    }
    events.reserve(64);
}

controller::background::beat::beat() noexcept
    : request([](request& r) noexcept { static_cast<beat&>(r).outstanding = false; }) {}

controller::background::event_request::event_request() noexcept
    : request([](request& r) noexcept {
          auto& self = static_cast<event_request&>(r);
          self.outstanding = false;
          if (!r.answered) return;
          if (r.succeeded())
              self.owner->events.push_back(nvme::async_event::unpack(r.answer.dw0.value()));
          else
              self.refused = true;
      }) {}

void controller::background::turn(queue& q, std::uint64_t now_ns) noexcept {
    for (const auto& each : event_requests)
        if (!each->outstanding && !each->refused)
            each->outstanding = q.submit(*each) == submit_result::queued;
    if (interval_ns == 0) return;
    if (next_ns == 0) next_ns = now_ns + interval_ns;
    if (now_ns < next_ns) return;
    if (keep_alive.outstanding) {
        if (now_ns > next_ns + 2 * interval_ns) q.close();  // the controller does not answer
        return;
    }
    keep_alive.outstanding = q.submit(keep_alive) == submit_result::queued;
    next_ns = now_ns + interval_ns;
}

}  // namespace fulmar::host
