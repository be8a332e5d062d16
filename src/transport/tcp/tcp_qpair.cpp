// The life of an NVMe/TCP connection: its requests, its deadlines, its end.
#include "tcp_qpair.hpp"

#include "common/newcomer_deadline.hpp"
#include "tcp_group.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/core/poll_group.hpp>

#include <sys/epoll.h>

namespace fulmar::transport::tcp {

namespace sc = nvme::sc;

namespace {
// What every admin queue takes, and every Connect, whatever IOCCSZ says (NVMe/TCP 1.0,
// section 3.3).
constexpr std::uint32_t admin_in_capsule_bytes = 8192;
static_assert(admin_in_capsule_bytes <= limits::max_in_capsule_bytes);
}  // namespace

tcp_qpair::tcp_qpair(tcp_group& group, connection_origin origin)
    : qpair(group.group(), origin.ticket),
      tcp_(group),
      origin_(std::move(origin)),
      may_encrypt_(origin_.stream->may_encrypt()),
      data_(group.reactor().now()),
      answers_(group.reactor().now()) {
    const core::target_options& options = group.group().options();
    rules_.in_capsule_bytes = admin_in_capsule_bytes;
    rules_.h2c_data_bytes = static_cast<std::uint32_t>(options.max_transfer_bytes);
    if (ticket() != nullptr) ticket()->attach(*this);
    opened_ = last_received_ = group.reactor().now();
}

tcp_qpair::~tcp_qpair() { FULMAR_ASSERT(output_.empty()); }

fulmar::result<void> tcp_qpair::begin() {
    return tcp_.reactor().watch(watch_, origin_.stream->descriptor(),
                                EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

// --- requests ------------------------------------------------------------------------------------

bool tcp_qpair::grow(std::uint32_t depth) noexcept { return requests_.grow(depth); }

void tcp_qpair::connected() noexcept {
    renew_in_capsule_wait();
    if (is_io())
        rules_.in_capsule_bytes = static_cast<std::uint32_t>(group().options().in_capsule_bytes);
    handshake_counted_ = false;
    origin_.counters->count_connected();
}

// Out of the pool that this connection uses from now on.
void tcp_qpair::renew_in_capsule_wait() noexcept {
    spare_.release();
    if (!blocked_) return;
    chunk_wait_.cancel();
    wait_in_capsule(chunk_wait_);
}

void tcp_qpair::give_back(tcp_request& r) noexcept {
    r.output = output_kind::none;
    requests_.give_back(r);
    on_answered(r);  // last: it may end this connection
}

void tcp_qpair::for_each_request(void (*visit)(core::request&, void*), void* context) noexcept {
    requests_.each_in_use([&](tcp_request& r) { visit(r, context); });
}

// --- the end -------------------------------------------------------------------------------------

void tcp_qpair::stop() noexcept {
    stopped_ = true;
    tcp_.reactor().unwatch(watch_);
    chunk_wait_.cancel();
    spare_.release();
    kept_.reset();
    kept_bytes_ = kept_capacity_ = 0;
    data_request_ = nullptr;
    data_left_ = 0;
    control_bytes_ = 0;
    while (!output_.empty()) {
        tcp_request& r = output_.front();
        output_.pop_front();
        if (r.output == output_kind::answer) give_back(r);
    }
    requests_.each_in_use([this](tcp_request& r) {
        if (r.state() == core::request_state::awaiting_data) on_data(r, sc::aborted_sq_deletion);
    });
    awaiting_data_ = data_owed_ = 0;
    // The peer learns at once. One that is gone, or reads nothing, is not waited for.
    if (peer_listens_) return tcp_.part(std::move(origin_.stream));
    origin_.stream.reset();
}

void tcp_qpair::hang_up(core::close_reason why) noexcept {
    peer_listens_ = false;
    close(why);
}

void tcp_qpair::retire() noexcept { tcp_.retire(*this); }

void tcp_qpair::destroy(tcp_qpair& q) noexcept {
    if (q.ticket() != nullptr) q.ticket()->end();
    q.origin_.counters->count_out(q.handshake_counted_);
    delete &q;
}

void tcp_qpair::describe(core::connection_status& into) const {
    into.transport = "tcp";
    into.peer = origin_.peer;
    into.local = origin_.local;
    into.header_digest = rules_.header_digest;
    into.data_digest = rules_.data_digest;
    if (channel_ == nullptr) return;
    into.security = "tls";
    into.cipher = security::to_string(channel_->suite);
}

// --- deadlines -----------------------------------------------------------------------------------

// No byte for a while, or the oldest answer not taken in the time that its size allows.
bool tcp_qpair::reads_too_slowly(instant now) const noexcept {
    if (!has_output()) return false;
    return answers_.stalled(now, send_patience()) ||
           (!output_.empty() && answers_.is_due(output_.front().answer_due, now));
}

// The same for data that was asked for.
bool tcp_qpair::owes_overdue_data(instant now) noexcept {
    if (data_owed_ == 0 || blocked_) return false;
    return data_.stalled(now, data_patience()) || requests_.any_in_use([&](const tcp_request& r) {
        return r.state() == core::request_state::awaiting_data && data_.is_due(r.data_due, now);
    });
}

bool tcp_qpair::check_deadlines(instant now) noexcept {
    if (stopped_) return false;
    if (common::newcomer_is_late(*this, opened_, now)) {
        close(core::close_reason::stalled);
        return false;
    }
    if (reads_too_slowly(now)) {
        hang_up(core::close_reason::stalled);
        return false;
    }
    if (owes_overdue_data(now)) {
        close(core::close_reason::stalled);
        return false;
    }
    return state() != core::qpair_state::live || has_output() || awaiting_data_ != 0;
}

}  // namespace fulmar::transport::tcp
