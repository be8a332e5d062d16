#include "support/null_peer.hpp"

#include <fulmar/host/send_queue.hpp>
#include <fulmar/nvme/copy_text.hpp>
#include <fulmar/nvme/fabrics.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/io_command.hpp>
#include <fulmar/nvme/tcp_pdu.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <span>
#include <stdexcept>

namespace fulmar::test {

using namespace nvme::tcp;

namespace {
constexpr std::size_t depth_max = 4096;
}

/// One connection: the stream in, the answers out.
class null_peer::link {
  public:
    link(unique_fd fd, null_peer& peer)
        : fd_(std::move(fd)),
          peer_(peer),
          out_(depth_max * 160, depth_max * 4),
          pending_(depth_max) {}

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

    enum class progress { nothing, some, gone };

    progress turn() {
        std::span<std::byte> buffer(peer_.buffer_);
        std::copy(kept_.begin(), kept_.end(), buffer.begin());
        const auto behind = buffer.subspan(kept_.size());
        const ssize_t got = ::recv(fd(), behind.data(), behind.size(), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN)) return progress::gone;
        if (got > 0) {
            auto bytes = buffer.first(kept_.size() + static_cast<std::size_t>(got));
            while (eat(bytes)) {}
            kept_.assign(bytes.begin(), bytes.end());
        }
        if (out_.flush(fd()) == host::send_queue::outcome::failed) return progress::gone;
        return got > 0 ? progress::some : progress::nothing;
    }

  private:
    /// A write whose data has been asked for; the index is the transfer tag.
    struct write {
        std::uint16_t cid = 0;
        std::byte* to = nullptr;
        std::uint32_t left = 0;
    };

    bool eat(std::span<std::byte>& bytes) {
        if (data_left_ != 0) {
            const auto n = std::min<std::size_t>(data_left_, bytes.size());
            place(*writing_, bytes.first(n));
            data_left_ -= static_cast<std::uint32_t>(n);
            bytes = bytes.subspan(n);
            if (data_left_ != 0) return false;
            if (writing_->left == 0) respond(writing_->cid);
        }
        const auto ch = nvme::read_wire<common_header>(bytes);
        if (!ch) return false;
        const auto type = static_cast<pdu_type>(ch->type);
        const std::size_t need = type == pdu_type::h2c_data ? sizeof(h2c_data) : ch->plen.value();
        if (bytes.size() < need) return false;
        const auto pdu = bytes.first(need);
        bytes = bytes.subspan(need);
        if (type == pdu_type::ic_req) {
            ic_resp answer{};
            answer.ch = make_header(pdu_type::ic_resp, 0, false, false, 0);
            answer.maxh2cdata = peer_.options_.max_h2c_data_bytes;
            put(answer);
        } else if (type == pdu_type::h2c_data) {
            const auto header = *nvme::read_wire<h2c_data>(pdu);
            writing_ = &pending_[header.ttag.value()];
            data_left_ = header.datal.value();
        } else if (type == pdu_type::capsule_cmd) {
            const auto capsule = *nvme::read_wire<capsule_cmd>(pdu);
            if (++sqhd_ >= entries_) sqhd_ = 0;
            const auto data = ch->pdo != 0 ? pdu.subspan(ch->pdo) : std::span<std::byte>{};
            if (qid_ == 0 || fctype_is_connect(capsule.ccsqe))
                admin(capsule.ccsqe, data);
            else
                io(capsule.ccsqe, data);
        }
        return true;
    }

    static bool fctype_is_connect(const nvme::sqe& cmd) {
        return cmd.opcode == 0x7f &&
               nvme::fctype_of(cmd) == static_cast<std::uint8_t>(nvme::fctype::connect);
    }

    void io(const nvme::sqe& cmd, std::span<std::byte> data) {
        const auto range = nvme::decode_block_range(cmd);
        const std::uint64_t at = range.slba * peer_.options_.block_bytes;
        const std::uint32_t bytes = range.blocks * peer_.options_.block_bytes;
        const std::uint16_t cid = cmd.cid.value();
        switch (static_cast<nvme::io_opcode>(cmd.opcode)) {
            case nvme::io_opcode::read:
                if (at + bytes > peer_.options_.memory_bytes)
                    return respond(cid, nvme::sc::lba_out_of_range);
                send_data(cid, {peer_.memory_ + at, bytes});
                return respond(cid);
            case nvme::io_opcode::write: {
                if (at + bytes > peer_.options_.memory_bytes)
                    return respond(cid, nvme::sc::lba_out_of_range);
                write w{cid, peer_.memory_ + at, bytes};
                if (!data.empty()) {
                    place(w, data);
                    return respond(cid);
                }
                r2t ask{};
                ask.ch = make_header(pdu_type::r2t, 0, false, false, 0);
                ask.cccid = cid;
                ask.ttag = static_cast<std::uint16_t>(cid % depth_max);
                ask.r2tl = bytes;
                pending_[cid % depth_max] = w;
                return put(ask);
            }
            case nvme::io_opcode::flush: return respond(cid);
            default: return respond(cid, nvme::sc::invalid_opcode.no_retry());
        }
    }

    void place(write& w, std::span<const std::byte> data) {
        if (peer_.options_.store_data) std::memcpy(w.to, data.data(), data.size());
        w.to += data.size();
        w.left -= static_cast<std::uint32_t>(data.size());
    }

    void admin(const nvme::sqe& cmd, std::span<std::byte> data) {
        const std::uint16_t cid = cmd.cid.value();
        switch (static_cast<nvme::admin_opcode>(cmd.opcode)) {
            case nvme::admin_opcode::fabrics: return fabrics(cmd, data);
            case nvme::admin_opcode::identify: return identify(cmd);
            case nvme::admin_opcode::set_features:
                return respond(cid, nvme::sc::success,
                               cmd.cdw11.value());  // as many queues as asked for
            case nvme::admin_opcode::keep_alive: return respond(cid);
            case nvme::admin_opcode::async_event_request: return;
            default: return respond(cid, nvme::sc::invalid_opcode.no_retry());
        }
    }

    void fabrics(const nvme::sqe& cmd, std::span<std::byte>) {
        const std::uint16_t cid = cmd.cid.value();
        if (fctype_is_connect(cmd)) {
            const auto connect = nvme::view_as<nvme::connect_command>(cmd);
            qid_ = connect.qid.value();
            entries_ = connect.sqsize.value() + 1u;
            flow_control_ = (connect.cattr & nvme::cattr::disable_sq_flow_control) == 0;
            return respond(cid, nvme::sc::success, 1);
        }
        if (nvme::fctype_of(cmd) == static_cast<std::uint8_t>(nvme::fctype::property_set)) {
            const auto set = nvme::view_as<nvme::property_set_command>(cmd);
            if (set.ofst.value() == nvme::register_offset::cc)
                cc_ = nvme::controller_configuration::unpack(
                    static_cast<std::uint32_t>(set.value.value()));
            return respond(cid);
        }
        const auto get = nvme::view_as<nvme::property_get_command>(cmd);
        std::uint64_t value = 0;
        if (get.ofst.value() == nvme::register_offset::cap)
            value =
                nvme::capabilities{
                    .mqes = static_cast<std::uint16_t>(peer_.options_.queue_entries_max - 1),
                    .to = 10}
                    .pack();
        else if (get.ofst.value() == nvme::register_offset::csts)
            value = nvme::controller_status{.rdy = cc_.en,
                                            .shst = cc_.shn == nvme::shutdown_notification::none
                                                        ? nvme::shutdown_status::normal
                                                        : nvme::shutdown_status::complete}
                        .pack();
        nvme::cqe answer = make_answer(cid, nvme::sc::success, 0);
        answer.set_result64(value);
        put_answer(answer);
    }

    void identify(const nvme::sqe& cmd) {
        const auto what = static_cast<nvme::cns>(nvme::decode_identify(cmd).cns);
        page_.fill(std::byte{});
        if (what == nvme::cns::controller) {
            nvme::identify_controller c{};
            nvme::copy_space_padded(c.mn, "null peer");
            c.mdts = 8;
            c.cntlid = 1;
            c.ioccsz = (64 + peer_.options_.in_capsule_bytes) / 16;
            c.iorcsz = 1;
            c.nn = 1;
            (void)nvme::write_wire(std::span(page_), c);
        } else if (what == nvme::cns::namespace_data) {
            nvme::identify_namespace n{};
            n.nsze = n.ncap = n.nuse = peer_.options_.memory_bytes / peer_.options_.block_bytes;
            n.lbaf[0].lbads =
                static_cast<std::uint8_t>(std::countr_zero(peer_.options_.block_bytes));
            (void)nvme::write_wire(std::span(page_), n);
        } else if (what == nvme::cns::active_namespaces && cmd.nsid.value() == 0) {
            page_[0] = std::byte{1};
        }
        send_data(cmd.cid.value(), page_);
        respond(cmd.cid.value());
    }

    void send_data(std::uint16_t cid, std::span<const std::byte> data) {
        c2h_data pdu{};
        pdu.ch = make_header(pdu_type::c2h_data, static_cast<std::uint32_t>(data.size()), false,
                             false, 0, pdu_flags::last_pdu);
        pdu.cccid = cid;
        pdu.datal = static_cast<std::uint32_t>(data.size());
        put(pdu);
        for (std::size_t line = 0; line < 8; ++line) __builtin_prefetch(data.data() + 64 * line);
        out_.refer_to(data);
    }
    void respond(std::uint16_t cid, nvme::status s = nvme::sc::success, std::uint32_t dw0 = 0) {
        put_answer(make_answer(cid, s, dw0));
    }
    [[nodiscard]] nvme::cqe make_answer(std::uint16_t cid, nvme::status s,
                                        std::uint32_t dw0) const {
        nvme::cqe answer = nvme::make_cqe(cid, s, dw0);
        answer.sqhd =
            static_cast<std::uint16_t>(flow_control_ ? sqhd_ : nvme::sqhd_no_flow_control);
        return answer;
    }
    void put_answer(const nvme::cqe& answer) {
        capsule_resp pdu{};
        pdu.ch = make_header(pdu_type::capsule_resp, 0, false, false, 0);
        pdu.rccqe = answer;
        put(pdu);
    }
    template <typename Pdu>
    void put(const Pdu& pdu) {
        std::memcpy(out_.copy_in(sizeof pdu), &pdu, sizeof pdu);
    }

    unique_fd fd_;
    null_peer& peer_;
    host::send_queue out_;
    std::vector<write> pending_;
    std::vector<std::byte> kept_;
    std::array<std::byte, nvme::identify_bytes> page_{};
    write* writing_ = nullptr;
    std::uint32_t data_left_ = 0;
    std::uint16_t qid_ = 0;
    std::uint32_t entries_ = 32;
    std::uint32_t sqhd_ = 0;
    bool flow_control_ = true;
    nvme::controller_configuration cc_;
};

null_peer::null_peer(const options& o) : options_(o), buffer_(256 * 1024) {
    listener_ = unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(options_.port);
    socklen_t length = sizeof at;
    if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), length) != 0 ||
        ::listen(listener_.get(), 256) != 0 ||
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &length) != 0)
        throw std::runtime_error("null_peer cannot listen");
    options_.port = ntohs(at.sin_port);
    void* memory = ::mmap(nullptr, options_.memory_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("null_peer has no memory");
    ::madvise(memory, options_.memory_bytes, MADV_HUGEPAGE);
    memory_ = static_cast<std::byte*>(memory);
}

null_peer::~null_peer() { ::munmap(memory_, options_.memory_bytes); }

bool null_peer::turn() {
    bool some = false;
    for (std::size_t i = 0; i < links_.size(); ++i) {
        const auto p = links_[i]->turn();
        some |= p == link::progress::some;
        if (p != link::progress::gone) continue;
        links_.erase(links_.begin() + static_cast<std::ptrdiff_t>(i));
        --i;
    }
    if (++until_accept_ % 256 == 0 || links_.empty()) {
        unique_fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd) {
            const int on = 1;
            ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            links_.push_back(std::make_unique<link>(std::move(fd), *this));
            some = true;
        }
    }
    return some;
}

void null_peer::run(const std::atomic<bool>& stop) {
    unsigned idle = 0;
    std::vector<pollfd> fds;
    while (!stop.load(std::memory_order_relaxed)) {
        idle = turn() ? 0 : idle + 1;
        if (idle < 20'000) continue;
        fds.assign(1, {listener_.get(), POLLIN, 0});
        for (const auto& each : links_) fds.push_back({each->fd(), POLLIN, 0});
        ::poll(fds.data(), fds.size(), 10);
        idle = 0;
    }
}

}  // namespace fulmar::test
