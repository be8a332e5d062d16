// What a connection does about TLS: whom its key belongs to, why a handshake failed, and that no
// key encrypts too much.
#include "tcp_group.hpp"
#include "tcp_qpair.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/core/poll_group.hpp>

#include <new>

namespace fulmar::transport::tcp {

// Before the first bytes are looked at, and never again. False: it has ended.
bool tcp_qpair::take_channel() noexcept {
    if (channel_ != nullptr) return true;
    const core::secure_channel* const has = origin_.stream->channel();
    if (has == nullptr) return true;
    try {
        channel_ = std::make_unique<const core::secure_channel>(*has);
    } catch (const std::bad_alloc&) {
        hang_up(core::close_reason::transport_error);
        return false;
    }
    group().count(&core::group_counters::tls_handshakes);
    return true;
}

void tcp_qpair::stream_is_broken() noexcept {
    const std::string_view why = origin_.stream->why_broken();
    if (!why.empty() && channel_ == nullptr) {
        group().count(&core::group_counters::failed_tls_handshakes);
        if (group().may_log_peer_error())
            log::warn("{} at {}: the TLS handshake failed: {}", origin_.peer, origin_.local, why);
    }
    hang_up(core::close_reason::transport_error);
}

// In good order: no more commands are read once no data is owed, and what is under way is answered.
// The host connects anew, with another key.
void tcp_qpair::check_wear() noexcept {
    if (stopped_) return;
    const byte_stream::wear worn = origin_.stream->worn();
    if (worn == byte_stream::wear::none) return;
    if (!wears_out_) {
        wears_out_ = true;
        log::warn(
            "{}: its TLS key has encrypted nearly as much as it may: the connection ends in "
            "good order, and its host connects anew",
            origin_.peer);
    }
    if (worn == byte_stream::wear::now) return close(core::close_reason::key_used_up);
    if (closes_after_control_ || awaiting_data_ != 0 || data_left_ != 0 || digest_due_) return;
    closes_after_control_ = true;
    close_when_idle(core::close_reason::key_used_up);
    if (outstanding() == 0) close(core::close_reason::key_used_up);
}

}  // namespace fulmar::transport::tcp
