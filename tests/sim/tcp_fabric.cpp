#include "tcp_fabric.hpp"

#include "transport/common/listener_counters.hpp"
#include "transport/tcp/tcp_group.hpp"

#include <fulmar/base/unique_fd.hpp>
#include <fulmar/core/listener_places.hpp>
#include <fulmar/core/poll_group.hpp>

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>

namespace fulmar::sim {

namespace tcp = fulmar::transport::tcp;

/// What both ends share; there is one thread.
struct tcp_wire {
    explicit tcp_wire(std::size_t bytes) : room(bytes) {}
    /// The target's descriptor becomes ready.
    void ring() const noexcept {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t put = ::write(signal.get(), &one, sizeof one);
    }

    std::size_t room;
    unique_fd signal{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    std::vector<std::byte> to_target;
    std::vector<std::byte> to_host;
    bool accepted = false;
    bool host_ended = false;
    bool host_reset = false;
    bool target_ended = false;  // or has refused it
};

namespace {

constexpr std::size_t receive_room = 65'536;  // bytes that wait for the target

class wire_stream final : public tcp::byte_stream {
  public:
    explicit wire_stream(std::shared_ptr<tcp_wire> on) : wire_(std::move(on)) {}
    ~wire_stream() override { wire_->target_ended = true; }

    result receive(std::span<iovec> into) noexcept override {
        if (wire_->host_reset) return {.what = outcome::broken};
        std::vector<std::byte>& from = wire_->to_target;
        if (from.empty())
            return {.what = wire_->host_ended ? outcome::ended : outcome::would_block};
        std::size_t moved = 0;
        for (const iovec& piece : into) {
            const std::size_t here = std::min(piece.iov_len, from.size() - moved);
            std::memcpy(piece.iov_base, from.data() + moved, here);
            moved += here;
        }
        from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(moved));
        return {.what = outcome::moved, .bytes = moved};
    }
    result send(std::span<iovec> from) noexcept override {
        if (wire_->host_reset) return {.what = outcome::broken};
        std::vector<std::byte>& to = wire_->to_host;
        std::size_t moved = 0;
        for (const iovec& piece : from) {
            const std::size_t free = wire_->room - std::min(wire_->room, to.size());
            const std::size_t here = std::min(piece.iov_len, free);
            const auto* const bytes = static_cast<const std::byte*>(piece.iov_base);
            to.insert(to.end(), bytes, bytes + here);
            moved += here;
        }
        if (moved == 0) return {};
        return {.what = outcome::moved, .bytes = moved};
    }
    void end_output() noexcept override { wire_->target_ended = true; }
    [[nodiscard]] int descriptor() const noexcept override { return wire_->signal.get(); }

  private:
    std::shared_ptr<tcp_wire> wire_;
};

}  // namespace

// --- the target's side ---------------------------------------------------------------------------

/// What a real listener keeps of its connections, without a socket.
class tcp_fabric::listener final : public core::listener {
  public:
    listener(core::listener_spec spec, transport& owner, core::target& target);
    ~listener() override;
    [[nodiscard]] core::listener_status status() const override {
        core::listener_status s;
        s.spec = spec_;
        counters_->report(s);
        return s;
    }
    bool accept(const std::shared_ptr<tcp_wire>& wire, core::poll_group& group,
                tcp::tcp_group& part, std::uint64_t number);

  private:
    core::listener_spec spec_;
    transport& owner_;
    core::target& target_;
    std::shared_ptr<fulmar::transport::common::listener_counters> counters_ =
        std::make_shared<fulmar::transport::common::listener_counters>();
    std::shared_ptr<core::listener_places> places_;
};

class tcp_fabric::transport final : public core::transport {
  public:
    explicit transport(core::target& target) : target_(target) {}
    [[nodiscard]] std::string_view name() const noexcept override { return "tcp"; }
    result<std::unique_ptr<core::listener>> listen(const core::listener_spec& spec,
                                                   core::listen_mode) override {
        if (listening != nullptr) return fail(errc::already_exists, "somebody listens there");
        return std::make_unique<listener>(spec, *this, target_);
    }
    result<std::unique_ptr<core::transport_group>> create_group(core::poll_group& group) override {
        auto made = std::make_unique<tcp::tcp_group>(group);
        groups_.push_back(made.get());
        return made;
    }
    bool accept(const std::shared_ptr<tcp_wire>& wire, std::optional<std::size_t> group,
                std::uint64_t number) {
        if (listening == nullptr) return false;
        core::poll_group& chosen =
            group ? groups_[*group % groups_.size()]->group() : target_.least_loaded();
        for (tcp::tcp_group* const part : groups_)
            if (&part->group() == &chosen) return listening->accept(wire, chosen, *part, number);
        return false;
    }

    listener* listening = nullptr;

  private:
    core::target& target_;
    std::vector<tcp::tcp_group*> groups_;
};

tcp_fabric::listener::listener(core::listener_spec spec, transport& owner, core::target& target)
    : spec_(std::move(spec)),
      owner_(owner),
      target_(target),
      places_(std::make_shared<core::listener_places>(
          spec_.name(), target.options().max_connections_per_listener)) {
    counters_->name = spec_.name();
    owner_.listening = this;
}

tcp_fabric::listener::~listener() {
    owner_.listening = nullptr;
    places_->close();
}

bool tcp_fabric::listener::accept(const std::shared_ptr<tcp_wire>& wire, core::poll_group& group,
                                  tcp::tcp_group& part, std::uint64_t number) {
    const auto ticket = places_->arrive(group, number % 4 + 1, target_.control_reactor().now());
    if (ticket == nullptr) return false;
    auto made = std::make_unique<tcp::accepted_socket>(
        part, tcp::connection_origin{.stream = std::make_unique<wire_stream>(wire),
                                     .peer = fmt::format("host:{}", number),
                                     .local = spec_.name(),
                                     .counters = counters_,
                                     .ticket = ticket});
    group.load.fetch_add(1);
    counters_->count_in();
    group.reactor().post(*made.release());
    wire->accepted = true;
    return true;
}

struct tcp_fabric::knock final : engine::message {
    knock(transport& at, std::shared_ptr<tcp_wire> on, std::optional<std::size_t> to,
          std::uint64_t count)
        : message([](engine::message& m) noexcept {
              const std::unique_ptr<knock> self(static_cast<knock*>(&m));
              if (!self->where->accept(self->wire, self->group, self->number))
                  self->wire->target_ended = true;
          }),
          where(&at),
          wire(std::move(on)),
          group(to),
          number(count) {}
    transport* where;
    std::shared_ptr<tcp_wire> wire;
    std::optional<std::size_t> group;
    std::uint64_t number;
};

// --- the hosts' side -----------------------------------------------------------------------------

tcp_fabric::tcp_fabric(engine::reactor& hosts, std::uint64_t seed)
    : reactor_(hosts), random_(seed) {
    reactor_.add(*this, engine::stage::submit);
}

tcp_fabric::~tcp_fabric() { reactor_.remove(*this, engine::stage::submit); }

core::listener_spec tcp_fabric::where() {
    return {.transport = "tcp", .address = "127.0.0.1", .port = 4420};
}

std::unique_ptr<core::transport> tcp_fabric::make_transport(core::target& target) {
    auto made = std::make_unique<transport>(target);
    transport_ = made.get();
    target_ = &target;
    return made;
}

std::unique_ptr<tcp_socket> tcp_fabric::connect(tcp_user& user, const tcp_way& way) {
    std::unique_ptr<tcp_socket> made(new tcp_socket(*this, user, way, next_number_++));
    sockets_.push_back(made.get());
    auto k = std::make_unique<knock>(*transport_, made->wire_, way.group, made->number_);
    target_->control_reactor().post(*k.release());
    return made;
}

bool tcp_fabric::poll() noexcept {
    bool worked = false;
    for (std::size_t i = 0; i < sockets_.size(); ++i)  // hosts may add to it meanwhile
        if (sockets_[i] != nullptr) worked |= sockets_[i]->pump();
    std::erase(sockets_, nullptr);
    return worked;
}

tcp_socket::tcp_socket(tcp_fabric& owner, tcp_user& user, const tcp_way& way, std::uint64_t number)
    : owner_(owner),
      user_(user),
      segment_(std::max<std::size_t>(way.segment, 1)),
      number_(number),
      wire_(std::make_shared<tcp_wire>(way.room)) {}

tcp_socket::~tcp_socket() {
    reset();
    std::replace(owner_.sockets_.begin(), owner_.sockets_.end(), this,
                 static_cast<tcp_socket*>(nullptr));
}

void tcp_socket::send(std::span<const std::byte> bytes) {
    if (!closed_ && !ending_) outgoing_.insert(outgoing_.end(), bytes.begin(), bytes.end());
}

void tcp_socket::end() { ending_ = true; }

void tcp_socket::reset() noexcept {
    if (closed_) return;
    closed_ = true;
    wire_->host_reset = true;
    wire_->ring();
}

bool tcp_socket::pump() {
    if (closed_) return false;
    bool worked = take_some();
    if (!closed_ && wire_->accepted) worked |= send_some();
    return worked;
}

bool tcp_socket::take_some() {
    if (reading_ && !wire_->to_host.empty()) {
        const std::vector<std::byte> bytes = std::exchange(wire_->to_host, {});
        wire_->ring();
        user_.on_bytes(bytes);
        return true;
    }
    if (!wire_->target_ended || !wire_->to_host.empty()) return false;
    reset();  // what was not read by the target it will never read
    user_.on_ended();
    return true;
}

bool tcp_socket::send_some() {
    if (outgoing_.empty()) {
        if (!ending_ || std::exchange(wire_->host_ended, true)) return false;
        wire_->ring();
        return true;
    }
    if (wire_->to_target.size() >= receive_room) return false;
    const std::size_t most = std::min(outgoing_.size(), segment_);
    const std::size_t here = segment_ < 256 ? most : 1 + owner_.random_() % most;
    const auto end = outgoing_.begin() + static_cast<std::ptrdiff_t>(here);
    wire_->to_target.insert(wire_->to_target.end(), outgoing_.begin(), end);
    outgoing_.erase(outgoing_.begin(), end);
    wire_->ring();
    return true;
}

}  // namespace fulmar::sim
