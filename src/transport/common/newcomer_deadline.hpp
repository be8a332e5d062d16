// A peer that connects has to send something that counts before long.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/qpair.hpp>

namespace fulmar::transport::common {

/// `q`, open since `opened`, has sent no Connect in the time that it has for that.
/// Called on: owning reactor.
[[nodiscard]] inline bool newcomer_is_late(const core::qpair& q, instant opened,
                                           instant now) noexcept {
    if (q.state() == core::qpair_state::live || q.state() == core::qpair_state::connecting)
        return false;
    const std::chrono::milliseconds patience(q.group().options().first_pdu_timeout_ms);
    return now - opened >= patience;
}

}  // namespace fulmar::transport::common
