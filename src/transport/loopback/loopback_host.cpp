// The hosts' side: frames wait here for their time, in both directions, so that every delay, loss
// and refusal to read is decided on one reactor and by one seed.
#include "loopback_transport.hpp"
#include "wire.hpp"

#include <fulmar/transport/loopback.hpp>

#include <algorithm>

namespace fulmar::transport {

using loopback::accepted_host;
using loopback::frame;
using loopback::frame_kind;
using loopback::wire;

struct loopback_connection::pending_data {
    std::uint16_t cid = 0;
    std::vector<std::byte> bytes;
};

// --- fabric
// ---------------------------------------------------------------------------------------

loopback_fabric::loopback_fabric(engine::reactor& hosts, const loopback_options& options)
    : reactor_(hosts), options_(options), random_(options.seed) {
    reactor_.add(*this, engine::stage::submit);
}

loopback_fabric::~loopback_fabric() {
    reactor_.timers().cancel(wake_);
    reactor_.remove(*this, engine::stage::submit);
}

std::unique_ptr<core::transport> loopback_fabric::make_transport(core::target& target) {
    auto made = std::make_unique<loopback::loopback_transport>(target);
    transport_ = made.get();
    target_ = &target;
    return made;
}

namespace {
struct knock_message final : engine::message {
    knock_message(loopback::loopback_transport& at, accepted_host what)
        : message([](engine::message& m) noexcept {
              const std::unique_ptr<knock_message> self(static_cast<knock_message*>(&m));
              self->where->knock(self->listener, std::move(self->from), self->group);
          }),
          where(&at),
          from(std::move(what)) {}
    loopback::loopback_transport* where;
    accepted_host from;
    std::string listener;
    std::optional<std::size_t> group;
};
}  // namespace

std::unique_ptr<loopback_connection> loopback_fabric::connect(loopback_host& events,
                                                              const loopback_address& to) {
    std::unique_ptr<loopback_connection> made(
        new loopback_connection(*this, events, next_number_++));
    connections_.push_back(made.get());
    auto knock =
        std::make_unique<knock_message>(*transport_, accepted_host{.way = made->wire_,
                                                                   .counters = nullptr,
                                                                   .window = options_.window,
                                                                   .observer = options_.observer});
    knock->listener =
        core::listener_spec{
            .transport = "loopback", .address = std::string(to.address), .port = to.port}
            .name();
    knock->group = to.group;
    target_->control_reactor().post(*knock.release());
    return made;
}

instant loopback_fabric::due(instant& last) noexcept {
    duration delay = options_.delay_min;
    if (options_.delay_max > delay)
        delay +=
            duration(random_() % static_cast<std::uint64_t>((options_.delay_max - delay).count()));
    last = std::max(last, reactor_.now() + delay);
    wake_at(last);
    return last;
}

void loopback_fabric::wake_at(instant when) noexcept {
    if (wake_.armed() && wake_.deadline() <= when) return;
    reactor_.timers().arm(wake_, when);
}

bool loopback_fabric::chance(double probability) noexcept {
    return probability > 0 && std::uniform_real_distribution<>()(random_) < probability;
}

bool loopback_fabric::poll() noexcept {
    bool worked = false;
    for (std::size_t i = 0; i < connections_.size(); ++i)  // hosts may add to it meanwhile
        if (connections_[i] != nullptr) worked |= connections_[i]->pump(reactor_.now());
    std::erase(connections_, nullptr);
    return worked;
}

// --- connection
// -----------------------------------------------------------------------------------

loopback_connection::loopback_connection(loopback_fabric& fabric, loopback_host& events,
                                         std::uint64_t number)
    : fabric_(fabric), events_(events), number_(number), wire_(std::make_shared<wire>()) {
    wire_->number = number;
    wire_->hosts = &fabric.reactor_;
    wire_->host_end = this;
}

loopback_connection::~loopback_connection() {
    cut();
    wire_->host_end = nullptr;
    std::replace(fabric_.connections_.begin(), fabric_.connections_.end(), this,
                 static_cast<loopback_connection*>(nullptr));
}

void loopback_connection::submit(nvme::sqe command, std::span<const std::byte> data,
                                 bool in_capsule, std::uint32_t answer_bytes) {
    if (state_ == state::closed || finishing_) return;
    auto f = std::make_unique<frame>(frame_kind::command, wire_);
    command.flags = nvme::make_flags(command.fused(), nvme::psdt::sgl);
    const auto length = static_cast<std::uint32_t>(data.size());
    command.sgl1 = !data.empty() && in_capsule
                       ? nvme::make_in_capsule_sgl(0, length)
                       : nvme::make_transport_sgl(data.empty() ? answer_bytes : length);
    f->sqe = command;
    f->cid = command.cid.value();
    if (in_capsule) {
        f->bytes.assign(data.begin(), data.end());
        f->broken = !data.empty() && fabric_.chance(fabric_.options_.corrupt_chance);
    } else if (!data.empty()) {
        auto kept = std::make_unique<pending_data>();
        kept->cid = f->cid;
        kept->bytes.assign(data.begin(), data.end());
        data_.push_back(std::move(kept));
    }
    queue(std::move(f));
}

void loopback_connection::queue(std::unique_ptr<frame> f) {
    if (fabric_.chance(fabric_.options_.break_chance)) breaking_ = true;
    f->due = fabric_.due(last_out_);
    outgoing_.push_back(std::move(f));
}

void loopback_connection::finish() {
    if (state_ == state::closed || finishing_) return;
    queue(std::make_unique<frame>(frame_kind::cut, wire_));
    finishing_ = true;
}

void loopback_connection::set_sending_data(bool sending) noexcept {
    sending_data_ = sending;
    if (!sending) return;
    const auto owed = std::move(asked_);
    asked_.clear();
    for (const auto& request : owed) send_data(*request);
}

void loopback_connection::cut() noexcept {
    if (state_ == state::open) send_now(std::make_unique<frame>(frame_kind::cut, wire_));
    close_here(false);  // still opening: the answer to the knock finds it closed and cuts then
}

void loopback_connection::close_here(bool tell) noexcept {
    if (state_ == state::closed) return;
    state_ = state::closed;
    outgoing_.clear();
    incoming_.clear();
    data_.clear();
    asked_.clear();
    if (tell) events_.on_closed(*this);
}

void loopback_connection::send_now(std::unique_ptr<frame> f) noexcept {
    frame::to_target(std::move(f));
}

void loopback_connection::arrive(std::unique_ptr<frame> f) noexcept {
    if (state_ == state::closed) {
        if (f->kind == frame_kind::opened)
            send_now(std::make_unique<frame>(frame_kind::cut, wire_));
        return;
    }
    if (fabric_.chance(fabric_.options_.break_chance)) breaking_ = true;
    f->due = fabric_.due(last_in_);
    incoming_.push_back(std::move(f));
}

bool loopback_connection::pump(instant now) noexcept {
    if (state_ == state::closed) return false;
    bool worked = false;
    if (breaking_ && state_ == state::open) {
        send_now(std::make_unique<frame>(frame_kind::cut, wire_));
        close_here(true);
        return true;
    }
    while (state_ == state::open && !outgoing_.empty() && outgoing_.front()->due <= now) {
        std::unique_ptr<frame> next = std::move(outgoing_.front());
        outgoing_.erase(outgoing_.begin());
        send_now(std::move(next));
        worked = true;
    }
    while (state_ != state::closed && !incoming_.empty() && incoming_.front()->due <= now) {
        const frame_kind kind = incoming_.front()->kind;
        const bool counts = kind == frame_kind::answer || kind == frame_kind::ask;
        if (counts && !reading_) break;
        const std::unique_ptr<frame> next = std::move(incoming_.front());
        incoming_.erase(incoming_.begin());
        worked = deliver(*next) || worked;
        if (!counts || state_ != state::open) continue;
        auto credit = std::make_unique<frame>(frame_kind::credit, wire_);
        credit->length = 1;
        send_now(std::move(credit));
    }
    if (!outgoing_.empty() && state_ == state::open) fabric_.wake_at(outgoing_.front()->due);
    if (!incoming_.empty() && incoming_.front()->due > now) fabric_.wake_at(incoming_.front()->due);
    return worked;
}

bool loopback_connection::deliver(frame& f) noexcept {
    switch (f.kind) {
        case frame_kind::opened:
            state_ = state::open;
            events_.on_open(*this);
            return true;
        case frame_kind::ask:
            if (sending_data_) {
                send_data(f);
            } else {
                asked_.push_back(std::make_unique<frame>(f.kind, f.way));
                asked_.back()->cid = f.cid;
                asked_.back()->tag = f.tag;
                asked_.back()->length = f.length;
            }
            return true;
        case frame_kind::answer:
            std::erase_if(data_, [&](const auto& d) { return d->cid == f.cid; });
            events_.on_answer(*this, f.cqe, f.bytes);
            return true;
        case frame_kind::closed: close_here(true); return true;
        case frame_kind::command:
        case frame_kind::data:
        case frame_kind::credit:
        case frame_kind::cut: return false;
    }
    return false;
}

void loopback_connection::send_data(const frame& request) {
    const auto at = std::find_if(data_.begin(), data_.end(),
                                 [&](const auto& d) { return d->cid == request.cid; });
    if (at == data_.end()) return;
    const std::vector<std::byte>& bytes = (*at)->bytes;
    for (std::uint32_t offset = 0; offset < request.length;) {
        const std::uint32_t here = std::min(request.length - offset, fabric_.options_.data_bytes);
        auto f = std::make_unique<frame>(frame_kind::data, wire_);
        f->cid = request.cid;
        f->tag = request.tag;
        f->offset = offset;
        f->broken = fabric_.chance(fabric_.options_.corrupt_chance);
        f->bytes.assign(bytes.begin() + offset, bytes.begin() + offset + here);
        queue(std::move(f));
        offset += here;
    }
}

}  // namespace fulmar::transport
