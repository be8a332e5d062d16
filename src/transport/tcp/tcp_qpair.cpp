// The life of an NVMe/TCP connection: its requests, its deadlines, its end.
#include "tcp_qpair.hpp"

#include "tcp_group.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/core/poll_group.hpp>

#include <sys/epoll.h>

#include <new>

namespace fulmar::transport::tcp {

namespace sc = nvme::sc;

namespace {
// What every admin queue takes, and every Connect, whatever IOCCSZ says (NVMe/TCP 1.0,
// section 3.3).
constexpr std::uint32_t admin_in_capsule_bytes = 8192;
static_assert(admin_in_capsule_bytes <= limits::max_in_capsule_bytes);
}  // namespace

tcp_qpair::tcp_qpair(tcp_group& group, connection_origin origin)
    : qpair(group.group(), origin.ticket), tcp_(group), origin_(std::move(origin)) {
    const core::target_options& options = group.group().options();
    rules_.in_capsule_bytes = admin_in_capsule_bytes;
    rules_.h2c_data_bytes = static_cast<std::uint32_t>(options.max_transfer_bytes);
    for (std::uint16_t i = 0; i < first_count; ++i) {
        first_requests_[i].tag = i;
        first_requests_[i].owner = this;
        free_.push_back(first_requests_[i]);
    }
    if (ticket() != nullptr) ticket()->attach(*this);
    opened_ = last_received_ = last_sent_ = group.reactor().now();
}

tcp_qpair::~tcp_qpair() {
    FULMAR_ASSERT(output_.empty());
    free_.clear();
}

fulmar::result<void> tcp_qpair::begin() {
    return tcp_.reactor().watch(watch_, origin_.stream->descriptor(),
                                EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

// --- requests ------------------------------------------------------------------------------------

// The old table stays until there is a new one, since what is free in it is in the list; and for
// good when the Connect that asks for more room is in it.
bool tcp_qpair::grow(std::uint32_t depth) noexcept {
    if (requests_ != nullptr) {  // a Connect that failed later on has made room before
        if (depth <= request_count_) return true;
        for (std::uint16_t i = 0; i < request_count_; ++i)
            if (requests_[i].in_use) return false;
    }
    std::unique_ptr<tcp_request[]> larger(new (std::nothrow) tcp_request[depth]);
    if (larger == nullptr) return false;
    for (std::uint16_t i = 0; i < request_count_; ++i) free_.erase(free_.iterator_to(requests_[i]));
    requests_ = std::move(larger);
    request_count_ = static_cast<std::uint16_t>(depth);
    for (std::uint16_t i = 0; i < request_count_; ++i) {
        requests_[i].tag = static_cast<std::uint16_t>(first_count + i);
        requests_[i].owner = this;
        free_.push_front(requests_[i]);
    }
    return true;
}

void tcp_qpair::connected() noexcept {
    renew_in_capsule_wait();
    if (is_io())
        rules_.in_capsule_bytes = static_cast<std::uint32_t>(group().options().in_capsule_bytes);
    handshake_counted_ = false;
    origin_.account->handshakes.fetch_sub(1, std::memory_order_relaxed);
}

// Out of the pool that this connection uses from now on.
void tcp_qpair::renew_in_capsule_wait() noexcept {
    spare_.release();
    if (!blocked_) return;
    chunk_wait_.cancel();
    wait_in_capsule(chunk_wait_);
}

tcp_request* tcp_qpair::find(std::uint16_t tag) noexcept {
    if (tag < first_count) return &first_requests_[tag];
    const unsigned index = tag - first_count;
    return index < request_count_ ? &requests_[index] : nullptr;
}

tcp_request* tcp_qpair::allocate() noexcept {
    if (free_.empty()) return nullptr;
    tcp_request& r = free_.front();
    free_.pop_front();
    r.in_use = true;
    return &r;
}

void tcp_qpair::give_back(tcp_request& r) noexcept {
    r.output = output_kind::none;
    r.in_use = false;
    free_.push_front(r);  // the warmest first
    on_answered(r);       // last: it may end this connection
}

void tcp_qpair::for_each_request(void (*visit)(core::request&, void*), void* context) noexcept {
    for (tcp_request& r : first_requests_)
        if (r.in_use) visit(r, context);
    for (std::uint16_t i = 0; i < request_count_; ++i)
        if (requests_[i].in_use) visit(requests_[i], context);
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
    for_each_request(
        [](core::request& r, void* self) {
            if (r.state() != core::request_state::awaiting_data) return;
            static_cast<tcp_qpair*>(self)->on_data(r, sc::aborted_sq_deletion);
        },
        this);
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

void tcp_qpair::release_account() noexcept {
    if (ticket() != nullptr) ticket()->end();
    origin_.account->connections.fetch_sub(1, std::memory_order_relaxed);
    if (handshake_counted_) origin_.account->handshakes.fetch_sub(1, std::memory_order_relaxed);
}

void tcp_qpair::describe(core::connection_status& into) const {
    into.transport = "tcp";
    into.peer = origin_.peer;
    into.local = origin_.local;
    into.header_digest = rules_.header_digest;
    into.data_digest = rules_.data_digest;
}

// --- deadlines -----------------------------------------------------------------------------------

// No byte for a while, or the oldest answer not taken in the time that its size allows.
bool tcp_qpair::reads_too_slowly(instant now) const noexcept {
    if (!has_output()) return false;
    if (now - last_sent_ >= send_patience()) return true;
    if (output_.empty()) return false;
    const instant due = output_.front().answer_due;
    return due != instant{} && now >= due;
}

// The same for data that was asked for. Times in which we did not read are not the host's.
bool tcp_qpair::owes_overdue_data(instant now) noexcept {
    if (data_owed_ == 0 || blocked_) return false;
    if (now - last_data_ >= std::chrono::seconds(group().options().data_stall_s)) return true;
    struct context {
        instant now;
        bool overdue = false;
    } c{.now = now - excused_};
    for_each_request(
        [](core::request& r, void* in) {
            context& about = *static_cast<context*>(in);
            const instant due = static_cast<tcp_request&>(r).data_due;
            about.overdue = about.overdue || (r.state() == core::request_state::awaiting_data &&
                                              due != instant{} && about.now >= due);
        },
        &c);
    return c.overdue;
}

bool tcp_qpair::check_deadlines(instant now) noexcept {
    if (stopped_) return false;
    const core::target_options& options = group().options();
    const bool connected = state() == core::qpair_state::live;
    if (!connected && state() != core::qpair_state::connecting &&
        now - opened_ >= std::chrono::milliseconds(options.first_pdu_timeout_ms)) {
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
    return !connected || has_output() || awaiting_data_ != 0;
}

}  // namespace fulmar::transport::tcp
