#include "loopback_qpair.hpp"

#include "common/newcomer_deadline.hpp"
#include "loopback_group.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/transport/loopback.hpp>

#include <algorithm>
#include <cstring>

namespace fulmar::transport::loopback {

namespace sc = nvme::sc;

loopback_qpair::loopback_qpair(loopback_group& group, accepted_host from)
    : qpair(group.group()),
      loop_(group),
      from_(std::move(from)),
      window_(from_.window),
      opened_(group.reactor().now()),
      data_(opened_),
      answers_(opened_) {}

loopback_qpair::~loopback_qpair() { FULMAR_ASSERT(output_.empty()); }

void loopback_qpair::open() {
    from_.way->target_end = this;
    frame::to_host(std::make_unique<frame>(frame_kind::opened, from_.way));
}

// --- in
// -------------------------------------------------------------------------------------------

void loopback_qpair::arrive(std::unique_ptr<frame> f) noexcept {
    if (stopped_) return;
    inbox_.push_back(std::move(f));
    loop_.has_input(*this);
}

bool loopback_qpair::receive() noexcept {
    bool worked = false;
    while (!inbox_.empty() && !blocked_ && !stopped_) {
        std::unique_ptr<frame> next = std::move(inbox_.front());
        inbox_.pop_front();
        if (!parse_input(*next)) {  // not now
            inbox_.push_front(std::move(next));
            break;
        }
        worked = true;
    }
    return worked;
}

bool loopback_qpair::parse_input(frame& f) noexcept {
    switch (f.kind) {
        case frame_kind::command: return on_command_frame(f);
        case frame_kind::data: on_data_frame(f); return true;
        case frame_kind::credit:
            window_ += f.length;
            if (!output_.empty()) loop_.needs_flush(*this);
            return true;
        case frame_kind::cut: close(core::close_reason::peer_closed); return true;
        case frame_kind::opened:
        case frame_kind::ask:
        case frame_kind::answer:
        case frame_kind::closed: return true;
    }
    return true;
}

// False: there is no memory for its data; nothing more is taken in until a chunk comes back.
bool loopback_qpair::on_command_frame(frame& f) noexcept {
    if (f.bytes.size() > group().options().in_capsule_bytes) {
        close(core::close_reason::protocol_error);
        return true;
    }
    if (!f.bytes.empty() && !spare_) {
        spare_ = take_in_capsule();
        if (!spare_) {
            blocked_ = true;
            blocked_since_ = loop_.reactor().now();
            wait_in_capsule(chunk_wait_);
            return false;
        }
    }
    loopback_request* const taken = requests_.take();
    if (taken == nullptr) {
        close(core::close_reason::protocol_error);
        return true;
    }
    loopback_request& r = *taken;
    r.received = 0;
    r.data_broken = false;
    r.sqe = f.sqe;
    r.sgl_bytes = f.sqe.sgl1.length.value();
    r.sgl_status = sc::success;
    if (f.sqe.sgl1.identifier == nvme::sgl_in_capsule && r.sgl_bytes != f.bytes.size())
        r.sgl_status = sc::data_sgl_length_invalid;
    if (f.broken) r.transport_status = sc::transient_transport_error;
    r.in_capsule = f.bytes;
    if (!f.bytes.empty()) r.in_capsule_chunk = std::move(spare_);
    if (from_.observer != nullptr) from_.observer->on_arrival(from_.way->number, f.sqe);
    on_command(r);
    return true;
}

void loopback_qpair::on_chunk_granted(mem::buffer_chain&& chain) noexcept {
    spare_ = std::move(chain);
    blocked_ = false;
    data_.excuse(blocked_since_, loop_.reactor().now());
    if (!inbox_.empty()) loop_.has_input(*this);
}

void loopback_qpair::on_data_frame(const frame& f) noexcept {
    loopback_request* const asked = requests_.find(f.tag);
    if (asked == nullptr) return close(core::close_reason::protocol_error);
    loopback_request& r = *asked;
    const bool fits = r.in_use && r.state() == core::request_state::awaiting_data &&
                      f.offset == r.received && f.bytes.size() <= r.length - r.received;
    if (!fits) return close(core::close_reason::protocol_error);
    r.chain.copy_in(f.offset, f.bytes);
    r.received += static_cast<std::uint32_t>(f.bytes.size());
    data_.moved(loop_.reactor().now());
    r.data_broken = r.data_broken || f.broken;
    if (r.received < r.length) return;
    --awaiting_data_;
    on_data(r, r.data_broken ? sc::transient_transport_error : sc::success);
}

// --- out
// ------------------------------------------------------------------------------------------

void loopback_qpair::fetch_data(core::request& asked) noexcept {
    auto& r = static_cast<loopback_request&>(asked);
    r.output = std::make_unique<frame>(frame_kind::ask, from_.way);
    r.output->cid = r.cid();
    r.output->tag = r.tag;
    r.output->length = r.length;
    r.data_due = {};
    queue_output(r);
    loop_.needs_deadlines();
}

void loopback_qpair::answer(core::request& answered) noexcept {
    auto& r = static_cast<loopback_request&>(answered);
    if (stopped_) return give_back(r);
    r.output = std::make_unique<frame>(frame_kind::answer, from_.way);
    nvme::cqe& entry = r.output->cqe;
    entry = nvme::make_cqe(r.cid(), r.status, r.dw0);
    entry.dw1 = r.dw1;
    entry.sqhd = sq_head();
    r.output->cid = r.cid();
    if (r.answers_with_data()) {
        r.output->bytes.resize(r.length);
        if (r.in_place != nullptr)
            std::copy_n(r.in_place, r.length, r.output->bytes.data());
        else
            r.chain.copy_out(0, r.output->bytes);
    }
    queue_output(r);
}

void loopback_qpair::queue_output(loopback_request& r) noexcept {
    if (output_.empty()) answers_.moved(loop_.reactor().now());
    r.answer_due = {};
    output_.push_back(r);
    loop_.needs_flush(*this);
}

bool loopback_qpair::flush() noexcept {
    const instant now = loop_.reactor().now();
    bool worked = false;
    while (!output_.empty() && window_ != 0 && !stopped_) {
        loopback_request& r = output_.front();
        output_.pop_front();
        --window_;
        worked = true;
        answers_.moved(now);
        const bool is_answer = r.output->kind == frame_kind::answer;
        frame::to_host(std::move(r.output));
        if (is_answer) {
            give_back(r);
            continue;
        }
        if (awaiting_data_++ == 0) data_.moved(now);
        r.data_due = data_.due(now, r.length, data_patience());
    }
    if (output_.empty() || stopped_) return worked;
    loop_.needs_deadlines();
    for (loopback_request& r : output_)
        if (r.answer_due == instant{})
            r.answer_due = answers_.due(now, static_cast<std::uint32_t>(r.output->bytes.size()),
                                        send_patience());
    return worked;
}

void loopback_qpair::give_back(loopback_request& r) noexcept {
    r.output.reset();
    requests_.give_back(r);
    on_answered(r);  // last: it may end this connection
}

// --- life
// -----------------------------------------------------------------------------------------

bool loopback_qpair::grow(std::uint32_t depth) noexcept { return requests_.grow(depth); }

void loopback_qpair::connected() noexcept {
    handshake_counted_ = false;
    from_.counters->count_connected();
    spare_.release();  // it is out of the newcomers' pool
    if (!blocked_) return;
    chunk_wait_.cancel();
    wait_in_capsule(chunk_wait_);
}

void loopback_qpair::for_each_request(void (*visit)(core::request&, void*),
                                      void* context) noexcept {
    requests_.each_in_use([&](loopback_request& r) { visit(r, context); });
}

void loopback_qpair::stop() noexcept {
    stopped_ = true;
    chunk_wait_.cancel();
    spare_.release();
    inbox_.clear();
    while (!output_.empty()) {
        loopback_request& r = output_.front();
        output_.pop_front();
        if (r.output->kind == frame_kind::answer)
            give_back(r);
        else
            r.output.reset();
    }
    requests_.each_in_use([this](loopback_request& r) {
        if (r.state() == core::request_state::awaiting_data) on_data(r, sc::aborted_sq_deletion);
    });
    awaiting_data_ = 0;
    frame::to_host(std::make_unique<frame>(frame_kind::closed, from_.way));
}

void loopback_qpair::retire() noexcept {
    from_.way->target_end = nullptr;
    from_.counters->count_out(handshake_counted_);
    loop_.retire(*this);
}

void loopback_qpair::describe(core::connection_status& into) const {
    into.transport = "loopback";
    into.peer = "host:" + std::to_string(from_.way->number);
    into.local = from_.counters->name;
}

bool loopback_qpair::reads_too_slowly(instant now) const noexcept {
    return !output_.empty() && (answers_.stalled(now, send_patience()) ||
                                answers_.is_due(output_.front().answer_due, now));
}

bool loopback_qpair::owes_overdue_data(instant now) noexcept {
    if (awaiting_data_ == 0 || blocked_) return false;
    return data_.stalled(now, data_patience()) ||
           requests_.any_in_use([&](const loopback_request& r) {
               return r.state() == core::request_state::awaiting_data &&
                      data_.is_due(r.data_due, now);
           });
}

bool loopback_qpair::check_deadlines(instant now) noexcept {
    if (stopped_) return false;
    if (common::newcomer_is_late(*this, opened_, now) || reads_too_slowly(now) ||
        owes_overdue_data(now)) {
        close(core::close_reason::stalled);
        return false;
    }
    return state() != core::qpair_state::live || !output_.empty() || awaiting_data_ != 0;
}

}  // namespace fulmar::transport::loopback
