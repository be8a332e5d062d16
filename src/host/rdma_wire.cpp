#include "rdma_wire.hpp"

#include <fulmar/nvme/rdma_cm.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

namespace fulmar::host {

namespace {

constexpr std::uint8_t reads_served = 16;  // of the target, at a time

bool set_nonblocking(int fd) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

std::string rejection(const rdma_cm_event& e) {
    const rdma_conn_param& p = e.param.conn;
    const std::span<const std::byte> said(static_cast<const std::byte*>(p.private_data),
                                          p.private_data == nullptr ? 0 : p.private_data_len);
    const auto r = nvme::read_wire<nvme::rdma::cm_reject>(said);
    if (r && r->sts.value() != 0)
        return fmt::format("the target rejects the connection: {}",
                           to_string(static_cast<nvme::rdma::reject_reason>(r->sts.value())));
    return "nobody listens there, or the target rejects the connection";
}

}  // namespace

result<registered_memory> registered_memory::create(ibv_pd* domain, std::size_t bytes) {
    registered_memory made;
    made.bytes_.reset(new (std::nothrow) std::byte[bytes]());
    made.size_ = bytes;
    if (made.bytes_ != nullptr)
        made.region_.reset(::ibv_reg_mr(
            domain, made.bytes_.get(), bytes,
            IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE));
    if (made.region_ == nullptr)
        return fail(errc::no_memory, fmt::format("cannot register {} KiB for RDMA", bytes >> 10),
                    {}, "raise the limit of locked memory (ulimit -l)");
    return made;
}

result<rdma_cm_event_type> rdma_wire::next_event(const deadline& until, std::string& why) {
    for (;;) {
        rdma_cm_event* e = nullptr;
        if (::rdma_get_cm_event(channel_.get(), &e) == 0) {
            const rdma_cm_event_type what = e->event;
            why = what == RDMA_CM_EVENT_REJECTED
                      ? rejection(*e)
                      : fmt::format("{} ({})", ::rdma_event_str(what), std::strerror(-e->status));
            ::rdma_ack_cm_event(e);
            return what;
        }
        if (errno != EAGAIN && errno != EINTR)
            return fail_errno("the RDMA connection manager fails", errno, to_.text());
        if (until.passed()) return fail(errc::timed_out, "no answer in time", to_.text());
        pollfd one{channel_->fd, POLLIN, 0};
        ::poll(&one, 1, until.left_ms());
    }
}

result<void> rdma_wire::expect(rdma_cm_event_type wanted, const deadline& until) {
    std::string why;
    FULMAR_TRY(const rdma_cm_event_type got, next_event(until, why));
    if (got != wanted) return fail(errc::unavailable, why, to_.text());
    return {};
}

result<void> rdma_wire::build(const rdma_wire_options& options) {
    completions_.reset(::ibv_create_comp_channel(id_->verbs));
    if (completions_ == nullptr || !set_nonblocking(completions_->fd))
        return fail_errno("cannot make a completion channel", errno);
    queue_.reset(::ibv_create_cq(id_->verbs, static_cast<int>(2 * options.entries), nullptr,
                                 completions_.get(), 0));
    if (queue_ == nullptr) return fail_errno("cannot make a completion queue", errno);
    ibv_qp_init_attr wants{};
    wants.send_cq = wants.recv_cq = queue_.get();
    wants.cap.max_send_wr = wants.cap.max_recv_wr = options.entries;
    wants.cap.max_send_sge = wants.cap.max_recv_sge = 1;
    wants.qp_type = IBV_QPT_RC;
    wants.sq_sig_all = 1;
    if (::rdma_create_qp(id_.get(), id_->pd, &wants) != 0)
        return fail_errno("cannot make a queue pair", errno);
    has_queue_pair_ = true;
    return {};
}

result<std::unique_ptr<rdma_wire>> rdma_wire::connect(const endpoint& to,
                                                      const rdma_wire_options& options,
                                                      const deadline& until) {
    std::unique_ptr<rdma_wire> made(new rdma_wire);
    made->to_ = to;
    made->channel_.reset(::rdma_create_event_channel());
    if (made->channel_ == nullptr)
        return fail_errno("this machine cannot do RDMA", errno, to.text());
    if (!set_nonblocking(made->channel_->fd)) return fail_errno("cannot watch RDMA events", errno);
    rdma_cm_id* id = nullptr;
    if (::rdma_create_id(made->channel_.get(), &id, nullptr, RDMA_PS_TCP) != 0)
        return fail_errno("cannot make an RDMA identifier", errno, to.text());
    made->id_.reset(id);

    addrinfo hints{};
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const std::string service = std::to_string(to.port);
    if (const int why = ::getaddrinfo(to.address.c_str(), service.c_str(), &hints, &found);
        why != 0)
        return fail(errc::not_found, fmt::format("no such address: {}", ::gai_strerror(why)),
                    to.text());
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);
    if (::rdma_resolve_addr(id, nullptr, found->ai_addr, until.left_ms()) != 0)
        return fail_errno("cannot resolve the address", errno, to.text());
    FULMAR_CHECK(made->expect(RDMA_CM_EVENT_ADDR_RESOLVED, until));
    if (::rdma_resolve_route(id, until.left_ms()) != 0)
        return fail_errno("cannot resolve the route", errno, to.text());
    FULMAR_CHECK(made->expect(RDMA_CM_EVENT_ROUTE_RESOLVED, until));
    FULMAR_CHECK(made->build(options));

    nvme::rdma::cm_request says{};
    says.recfmt = nvme::rdma::record_format;
    says.qid = options.qid;
    says.hrqsize = static_cast<std::uint16_t>(options.entries);
    says.hsqsize = static_cast<std::uint16_t>(options.entries - 1);
    rdma_conn_param with{};
    with.private_data = &says;
    with.private_data_len = sizeof says;
    with.responder_resources = reads_served;
    with.retry_count = 7;
    with.rnr_retry_count = 7;
    if (::rdma_connect(id, &with) != 0) return fail_errno("cannot connect", errno, to.text());
    FULMAR_CHECK(made->expect(RDMA_CM_EVENT_ESTABLISHED, until));
    return made;
}

rdma_wire::~rdma_wire() { stop(); }

void rdma_wire::stop() noexcept {
    if (!std::exchange(has_queue_pair_, false)) return;
    ::rdma_disconnect(id_.get());
    ::rdma_destroy_qp(id_.get());
}

bool rdma_wire::post_receive(const registered_memory& memory, std::span<std::byte> into,
                             std::uint64_t tag) noexcept {
    ibv_sge piece{.addr = reinterpret_cast<std::uintptr_t>(into.data()),
                  .length = static_cast<std::uint32_t>(into.size()),
                  .lkey = memory.local_key()};
    ibv_recv_wr work{};
    work.wr_id = tag;
    work.sg_list = &piece;
    work.num_sge = 1;
    ibv_recv_wr* bad = nullptr;
    return ::ibv_post_recv(id_->qp, &work, &bad) == 0;
}

bool rdma_wire::post_send(const registered_memory& memory, std::span<const std::byte> from,
                          std::uint64_t tag) noexcept {
    ibv_sge piece{.addr = reinterpret_cast<std::uintptr_t>(from.data()),
                  .length = static_cast<std::uint32_t>(from.size()),
                  .lkey = memory.local_key()};
    ibv_send_wr work{};
    work.wr_id = tag;
    work.opcode = IBV_WR_SEND;
    work.sg_list = &piece;
    work.num_sge = 1;
    ibv_send_wr* bad = nullptr;
    return ::ibv_post_send(id_->qp, &work, &bad) == 0;
}

bool rdma_wire::ended() noexcept {
    rdma_cm_event* e = nullptr;
    while (!ended_ && ::rdma_get_cm_event(channel_.get(), &e) == 0) {
        ended_ = e->event != RDMA_CM_EVENT_ESTABLISHED;
        ::rdma_ack_cm_event(e);
    }
    return ended_;
}

void rdma_wire::wait(const deadline& until) noexcept {
    // Armed first: a completion between the caller's last look and now must end the wait. It asks
    // for an event, takes those that are there, and looks again by coming back.
    if (::ibv_req_notify_cq(queue_.get(), 0) != 0) return;
    ibv_cq* which = nullptr;
    void* context = nullptr;
    unsigned events = 0;
    while (::ibv_get_cq_event(completions_.get(), &which, &context) == 0) ++events;
    if (events != 0) {
        ::ibv_ack_cq_events(queue_.get(), events);
        return;
    }
    constexpr int longest_ms = 2;  // one that came before the arming is seen by the next look
    pollfd both[2] = {{completions_->fd, POLLIN, 0}, {channel_->fd, POLLIN, 0}};
    ::poll(both, 2, std::min(until.left_ms(), longest_ms));
}

}  // namespace fulmar::host
