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
    : qpair(group.group()),
      tcp_(group),
      origin_(std::move(origin)),
      watch_(*this),
      chunk_wait_(*this) {
    const core::target_options& options = group.group().options();
    rules_.in_capsule_bytes = admin_in_capsule_bytes;
    rules_.h2c_data_bytes = static_cast<std::uint32_t>(options.max_transfer_bytes);
    for (std::uint16_t i = 0; i < first_count; ++i) {
        first_requests_[i].tag = i;
        first_requests_[i].owner = this;
        free_.push_back(first_requests_[i]);
    }
    opened_ = last_received_ = last_sent_ = group.reactor().now();
    group.group().pool().open(credit(), mem::buffer_pool::chunks_for(options.max_transfer_bytes),
                              true);
}

tcp_qpair::~tcp_qpair() {
    FULMAR_ASSERT(output_.empty());
    free_.clear();
    group().pool().close(credit());
}

fulmar::result<void> tcp_qpair::begin() {
    return tcp_.reactor().watch(watch_, origin_.stream->descriptor(),
                                EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

// --- requests ------------------------------------------------------------------------------------

bool tcp_qpair::grow(std::uint32_t depth) noexcept {
    if (requests_ != nullptr) {  // a Connect that failed later on has made room before
        if (depth <= request_count_) return true;
        if (outstanding() > 1) return false;
        for (std::uint16_t i = 0; i < request_count_; ++i)
            if (!requests_[i].in_use) free_.erase(free_.iterator_to(requests_[i]));
    }
    requests_.reset(new (std::nothrow) tcp_request[depth]);
    if (requests_ == nullptr) return false;
    request_count_ = static_cast<std::uint16_t>(depth);
    for (std::uint16_t i = 0; i < request_count_; ++i) {
        requests_[i].tag = static_cast<std::uint16_t>(first_count + i);
        requests_[i].owner = this;
        free_.push_front(requests_[i]);
    }
    return true;
}

void tcp_qpair::connected() noexcept {
    if (is_io())
        rules_.in_capsule_bytes = static_cast<std::uint32_t>(group().options().in_capsule_bytes);
    handshake_counted_ = false;
    origin_.account->handshakes.fetch_sub(1, std::memory_order_relaxed);
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
    group().pool().cancel(chunk_wait_);
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
    awaiting_data_ = 0;
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

bool tcp_qpair::check_deadlines(instant now) noexcept {
    if (stopped_) return false;
    const core::target_options& options = group().options();
    const bool connected = state() == core::qpair_state::live;
    if (!connected && state() != core::qpair_state::connecting &&
        now - opened_ >= std::chrono::milliseconds(options.first_pdu_timeout_ms)) {
        close(core::close_reason::stalled);
        return false;
    }
    if (has_output() && now - last_sent_ >= std::chrono::seconds(options.send_stall_s)) {
        hang_up(core::close_reason::stalled);
        return false;
    }
    if (awaiting_data_ != 0 && !blocked_ &&
        now - last_received_ >= std::chrono::seconds(options.data_stall_s)) {
        close(core::close_reason::stalled);
        return false;
    }
    return !connected || has_output() || awaiting_data_ != 0;
}

}  // namespace fulmar::transport::tcp
