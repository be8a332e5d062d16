// The connection manager through librdmacm: one event channel, never blocking.
#include "bounds.hpp"
#include "kernel_device.hpp"
#include "verbs.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/core/listener_places.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <rdma/rdma_cma.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace fulmar::transport::rdma {

namespace {

std::string text_of(const sockaddr* at) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (at->sa_family == AF_INET6) {
        const auto* v6 = reinterpret_cast<const sockaddr_in6*>(at);
        ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
        return fmt::format("[{}]:{}", text.data(), ntohs(v6->sin6_port));
    }
    if (at->sa_family != AF_INET) return "?";
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(at);
    ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), ntohs(v4->sin_port));
}

class kernel_queue_pair final : public queue_pair {
  public:
    kernel_queue_pair(rdma_cm_id* id, std::uint32_t inline_bytes) noexcept
        : id_(id), inline_bytes_(inline_bytes) {}
    ~kernel_queue_pair() override { ::rdma_destroy_qp(id_); }
    [[nodiscard]] std::uint32_t number() const noexcept override { return id_->qp->qp_num; }
    [[nodiscard]] std::uint32_t inline_bytes() const noexcept override { return inline_bytes_; }
    int post_send(ibv_send_wr& first, ibv_send_wr*& bad) noexcept override {
        return ::ibv_post_send(id_->qp, &first, &bad);
    }
    int post_receive(ibv_recv_wr& one) noexcept override {
        ibv_recv_wr* bad = nullptr;
        return ::ibv_post_recv(id_->qp, &one, &bad);
    }
    void fail() noexcept override {
        ibv_qp_attr to{};
        to.qp_state = IBV_QPS_ERR;
        ::ibv_modify_qp(id_->qp, &to, IBV_QP_STATE);
    }

  private:
    rdma_cm_id* id_;  // outlives this
    std::uint32_t inline_bytes_;
};

class kernel_identifier final : public identifier {
  public:
    kernel_identifier(rdma_cm_id* id, kernel_device* where) noexcept : id_(id), where_(where) {
        id_->context = this;
    }
    ~kernel_identifier() override { ::rdma_destroy_id(id_); }

    [[nodiscard]] device* where() const noexcept override { return where_; }
    fulmar::result<std::unique_ptr<queue_pair>> create_queue_pair(
        const queue_pair_needs& needs) override {
        ibv_qp_init_attr wants{};
        wants.qp_context = needs.owner;
        wants.send_cq = wants.recv_cq = kernel_device::handle(*needs.completions);
        if (needs.shared_receives != nullptr)
            wants.srq = kernel_device::handle(*needs.shared_receives);
        wants.cap.max_send_wr = needs.send_work;
        wants.cap.max_recv_wr = needs.receive_work;
        wants.cap.max_send_sge = needs.pieces;
        wants.cap.max_recv_sge = 1;
        wants.cap.max_inline_data = needs.inline_bytes;
        wants.qp_type = IBV_QPT_RC;
        if (::rdma_create_qp(id_, where_->domain(), &wants) != 0) {
            wants.cap.max_inline_data = 0;  // not every device has it
            if (::rdma_create_qp(id_, where_->domain(), &wants) != 0)
                return fail_errno("cannot make a queue pair", errno, where_->facts().name);
        }
        return std::make_unique<kernel_queue_pair>(id_, wants.cap.max_inline_data);
    }
    fulmar::result<void> accept(const queue_shape& shape,
                                std::span<const std::byte> private_data) noexcept override {
        rdma_conn_param with{};
        with.private_data = private_data.data();
        with.private_data_len = static_cast<std::uint8_t>(private_data.size());
        with.initiator_depth = shape.read_depth;
        with.responder_resources = shape.read_served;
        with.flow_control = 1;
        with.rnr_retry_count =
            7;  // without end: a host that is slow to post receives is waited for
        if (::rdma_accept(id_, &with) != 0) return fail_errno("cannot accept", errno);
        // The connection manager sets the longest time there is, 655 ms. Where it cannot be changed
        // (iWARP has no such thing) that one holds.
        ibv_qp_attr attributes{};
        attributes.min_rnr_timer = bounds::receiver_not_ready_timer;
        ::ibv_modify_qp(id_->qp, &attributes, IBV_QP_MIN_RNR_TIMER);
        return {};
    }
    void reject(std::span<const std::byte> private_data) noexcept override {
        ::rdma_reject(id_, private_data.data(), static_cast<std::uint8_t>(private_data.size()));
    }
    void disconnect() noexcept override { ::rdma_disconnect(id_); }
    void confirm() noexcept override { ::rdma_notify(id_, IBV_EVENT_COMM_EST); }
    [[nodiscard]] std::string peer() const override { return text_of(::rdma_get_peer_addr(id_)); }
    [[nodiscard]] std::string local() const override { return text_of(::rdma_get_local_addr(id_)); }
    [[nodiscard]] std::uint64_t peer_key() const noexcept override {
        return core::address_key(::rdma_get_peer_addr(id_));
    }

    void set_where(kernel_device* d) noexcept { where_ = d; }
    [[nodiscard]] rdma_cm_id* get() noexcept { return id_; }

  private:
    rdma_cm_id* id_;
    kernel_device* where_;
};

struct event_channel_end {
    void operator()(rdma_event_channel* c) const noexcept { ::rdma_destroy_event_channel(c); }
};
using channel_ptr = std::unique_ptr<rdma_event_channel, event_channel_end>;

class kernel_manager final : public connection_manager {
  public:
    explicit kernel_manager(channel_ptr channel) noexcept : channel_(std::move(channel)) {}

    [[nodiscard]] int descriptor() const noexcept override { return channel_->fd; }
    bool next(manager_event& into) noexcept override;
    fulmar::result<std::unique_ptr<identifier>> listen(const std::string& address,
                                                       std::uint16_t& port) override;
    void close(device& d) noexcept override;

  private:
    kernel_device* device_of(rdma_cm_id* id);
    void take_request(rdma_cm_event& e, manager_event& into);

    channel_ptr channel_;
    std::vector<std::unique_ptr<kernel_device>> devices_;
};

// Null when the identifier belongs to none, or the device cannot be used.
kernel_device* kernel_manager::device_of(rdma_cm_id* id) {
    if (id->verbs == nullptr) return nullptr;
    for (const auto& d : devices_)
        if (d->context() == id->verbs) return d.get();
    auto made = kernel_device::create(id->verbs, id->port_num);
    if (!made) {
        log::warn("an RDMA device cannot be used: {}", made.error().text());
        return nullptr;
    }
    devices_.push_back(std::move(*made));
    return devices_.back().get();
}

void kernel_manager::take_request(rdma_cm_event& e, manager_event& into) {
    into.what = manager_event::kind::requested;
    into.id = static_cast<kernel_identifier*>(e.listen_id->context);
    into.fresh = std::make_unique<kernel_identifier>(e.id, device_of(e.id));
    const rdma_conn_param& says = e.param.conn;
    // What the peer can serve is what we may ask for, and the other way round.
    into.resources = {.reads_served = says.initiator_depth,
                      .reads_wanted = says.responder_resources};
    into.private_bytes = std::min<std::size_t>(says.private_data_len, into.private_data.size());
    if (says.private_data != nullptr)
        std::memcpy(into.private_data.data(), says.private_data, into.private_bytes);
    else
        into.private_bytes = 0;
}

bool kernel_manager::next(manager_event& into) noexcept {
    rdma_cm_event* e = nullptr;
    if (::rdma_get_cm_event(channel_.get(), &e) != 0) return false;
    into.status = e->status;
    switch (e->event) {
        case RDMA_CM_EVENT_CONNECT_REQUEST: take_request(*e, into); break;
        case RDMA_CM_EVENT_ESTABLISHED: into.what = manager_event::kind::established; break;
        case RDMA_CM_EVENT_DISCONNECTED:
        case RDMA_CM_EVENT_CONNECT_ERROR:
        case RDMA_CM_EVENT_UNREACHABLE:
        case RDMA_CM_EVENT_REJECTED: into.what = manager_event::kind::ended; break;
        case RDMA_CM_EVENT_DEVICE_REMOVAL: into.what = manager_event::kind::device_removed; break;
        default: into.what = manager_event::kind::other; break;
    }
    if (into.what != manager_event::kind::requested)
        into.id = static_cast<kernel_identifier*>(e->id->context);
    ::rdma_ack_cm_event(e);  // at once: destroying an identifier waits for it
    return true;
}

fulmar::result<std::unique_ptr<identifier>> kernel_manager::listen(const std::string& address,
                                                                   std::uint16_t& port) {
    sockaddr_storage at{};
    auto* v4 = reinterpret_cast<sockaddr_in*>(&at);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&at);
    if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
    } else if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
    } else {
        return fail(errc::invalid_argument,
                    fmt::format("{} is not a numeric IPv4 or IPv6 address", address), "/address",
                    "write for example 192.168.1.2, 0.0.0.0 or ::");
    }
    rdma_cm_id* raw = nullptr;
    if (::rdma_create_id(channel_.get(), &raw, nullptr, RDMA_PS_TCP) != 0)
        return fail_errno("cannot make an identifier", errno);
    auto made = std::make_unique<kernel_identifier>(raw, nullptr);
    if (::rdma_bind_addr(raw, reinterpret_cast<sockaddr*>(&at)) != 0) {
        if (errno == ENODEV || errno == EADDRNOTAVAIL || errno == ENETUNREACH)
            return fail(errc::unavailable,
                        fmt::format("no RDMA device has the address {}", address));
        return fail_errno(fmt::format("cannot listen at {} port {}", address, port), errno);
    }
    if (::rdma_listen(raw, bounds::listen_backlog) != 0) return fail_errno("cannot listen", errno);
    port = ntohs(::rdma_get_src_port(raw));
    made->set_where(device_of(raw));
    return made;
}

void kernel_manager::close(device& d) noexcept {
    static_cast<kernel_device&>(d).abandon();
    std::erase_if(devices_, [&](const auto& one) { return one.get() == &d; });
    // Makes the library compare its devices with the kernel's, and close what is no more.
    if (ibv_context** all = ::rdma_get_devices(nullptr); all != nullptr) ::rdma_free_devices(all);
}

class kernel_source final : public manager_source {
  public:
    fulmar::result<std::unique_ptr<connection_manager>> open() override {
        channel_ptr channel(::rdma_create_event_channel());
        if (channel == nullptr) {
            if (errno == EACCES || errno == EPERM)
                return fail(errc::permission_denied, "/dev/infiniband/rdma_cm may not be opened",
                            {}, "let the service's user open it (DeviceAllow, group)");
            return fail(errc::unavailable, "this machine has no RDMA device");
        }
        const int flags = ::fcntl(channel->fd, F_GETFL);
        if (flags < 0 || ::fcntl(channel->fd, F_SETFL, flags | O_NONBLOCK) != 0)
            return fail_errno("cannot watch the RDMA connection manager", errno);
        return std::make_unique<kernel_manager>(std::move(channel));
    }
};

}  // namespace

std::unique_ptr<manager_source> kernel_manager_source() {
    return std::make_unique<kernel_source>();
}

}  // namespace fulmar::transport::rdma
