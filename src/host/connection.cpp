#include "clock_ns.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/host/connection.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace fulmar::host {

using namespace nvme::tcp;

namespace {

/// From this much on, data is received straight to its place instead of through the shared buffer.
constexpr std::uint32_t direct_bytes_min = 16 * 1024;
/// The most that one capsule or one H2CData takes of the ring: header, padding, data digest.
constexpr std::size_t copied_bytes_max = 128 + digest_bytes;

}  // namespace

connection::connection(unique_fd fd, std::unique_ptr<tls_link> tls,
                       const connection_options& options, const handshake& agreed)
    : fd_(std::move(fd)),
      tls_(std::move(tls)),
      agreed_(agreed),
      max_r2t_(std::max(options.max_r2t, 1u)),
      in_capsule_bytes_(options.in_capsule_bytes),
      sq_head_(static_cast<std::uint16_t>(options.depth + 1), options.flow_control),
      plain_capsule_(make_header(pdu_type::capsule_cmd, 0, agreed.header_digest, agreed.data_digest,
                                 agreed.cpda)),
      receive_(options.receive ? options.receive : std::make_shared<receive_buffer>()),
      send_(32 * 1024 + options.depth * 4 * copied_bytes_max, 1024 + 4 * options.depth),
      slots_(options.depth),
      grants_(options.depth * std::size_t{max_r2t_}),
      index_mask_(static_cast<std::uint16_t>(std::bit_ceil(options.depth) - 1)) {
    parser_.configure({agreed.header_digest, agreed.data_digest, options.hpda});
    free_.reserve(options.depth);
    for (std::uint32_t i = options.depth; i-- > 0;) {
        free_.push_back(static_cast<std::uint16_t>(i));
        slots_[i].cid = static_cast<std::uint16_t>(i);
    }
}

connection::~connection() { close(); }

// --- Submission --------------------------------------------------------------------------------

std::uint32_t connection::room() const noexcept {
    if (!fd_ || !send_.room_for(copied_bytes_max, 3)) return 0;
    return sq_head_.room(static_cast<std::uint32_t>(free_.size()));
}

submit_result connection::submit(request& r) noexcept {
    if (!fd_) return submit_result::closed;
    if (room() == 0) return submit_result::full;
    slot& s = slots_[free_.back()];
    free_.pop_back();
    // The next generation of this index; FFFFh means "no command" in the error log.
    const auto step = static_cast<std::uint16_t>(index_mask_ + 1);
    auto cid = static_cast<std::uint16_t>(s.cid + step);
    if (cid == 0xffff) cid = static_cast<std::uint16_t>(cid + step);
    s = slot{};
    s.owner = &r;
    s.cid = cid;
    r.command.cid = cid;
    r.answered = false;
    r.data_damaged = false;
    r.transferred = 0;
    r.submitted_ns = in_turn_ ? now_ns_ : clock_ns();
    put_capsule(s);
    ++outstanding_;
    sq_head_.sent();
    checker_.sent();
    return submit_result::queued;
}

void connection::put_capsule(slot& s) noexcept {
    request& r = *s.owner;
    common_header ch = plain_capsule_;
    if (!r.sgl_as_given) {
        const bool writes = r.direction == transfer::to_controller && r.data_bytes != 0;
        s.in_capsule = writes && r.data_in_capsule && r.data_bytes <= in_capsule_bytes_;
        r.command.flags = nvme::make_flags(r.command.fused(), nvme::psdt::sgl);
        const std::uint32_t length = r.direction == transfer::none ? 0 : r.data_bytes;
        r.command.sgl1 =
            s.in_capsule ? nvme::make_in_capsule_sgl(0, length) : nvme::make_transport_sgl(length);
    }
    if (s.in_capsule)
        ch = make_header(pdu_type::capsule_cmd, r.data_bytes, agreed_.header_digest,
                         agreed_.data_digest, agreed_.cpda);
    const std::size_t header = sizeof(capsule_cmd) + (agreed_.header_digest ? digest_bytes : 0);
    const std::size_t lead = s.in_capsule ? ch.pdo : header;
    std::byte* const at = send_.copy_in(lead);
    std::memcpy(at, &ch, sizeof ch);
    std::memcpy(at + sizeof ch, &r.command, sizeof r.command);
    if (agreed_.header_digest) {
        const digest_field digest{nvme::le32(nvme::crc32c_of({at, sizeof(capsule_cmd)}))};
        std::memcpy(at + sizeof(capsule_cmd), &digest, sizeof digest);
    }
    if (lead > header) std::memset(at + header, 0, lead - header);
    if (witness_ != nullptr) witness_->sent({at, sizeof(capsule_cmd)});
    if (!s.in_capsule) return;
    send_.refer_to({r.data, r.data_bytes});
    put_digest({r.data, r.data_bytes});
    r.transferred = r.data_bytes;
    s.data_until = send_.queued_bytes();
}

void connection::put_digest(std::span<const std::byte> over) noexcept {
    if (!agreed_.data_digest) return;
    const digest_field digest{nvme::le32(nvme::crc32c_of(over))};
    std::memcpy(send_.copy_in(sizeof digest), &digest, sizeof digest);
}

void connection::obey_r2ts() noexcept {
    while (grants_count_ != 0 && send_.room_for(copied_bytes_max + digest_bytes, 3)) {
        grant& g = grants_[grants_first_];
        put_data(g, std::min(g.left, agreed_.max_h2c_data_bytes));
        if (g.left != 0) continue;
        --slots_[g.slot].r2ts;
        grants_first_ = (grants_first_ + 1) % grants_.size();
        --grants_count_;
    }
}

void connection::put_data(grant& g, std::uint32_t bytes) noexcept {
    slot& s = slots_[g.slot];
    h2c_data pdu{};
    pdu.ch = make_header(pdu_type::h2c_data, bytes, agreed_.header_digest, agreed_.data_digest,
                         agreed_.cpda, bytes == g.left ? pdu_flags::last_pdu : std::uint8_t{0});
    pdu.cccid = s.cid;
    pdu.ttag = g.ttag;
    pdu.datao = g.offset;
    pdu.datal = bytes;
    std::byte* const at = send_.copy_in(pdu.ch.pdo);
    std::memset(at, 0, pdu.ch.pdo);
    std::memcpy(at, &pdu, sizeof pdu);
    if (agreed_.header_digest) {
        const digest_field digest{nvme::le32(nvme::crc32c_of({at, sizeof pdu}))};
        std::memcpy(at + sizeof pdu, &digest, sizeof digest);
    }
    if (witness_ != nullptr) witness_->sent({at, sizeof pdu});
    const std::span<const std::byte> data(s.owner->data + g.offset, bytes);
    send_.refer_to(data);
    put_digest(data);
    s.data_until = send_.queued_bytes();
    g.offset += bytes;
    g.left -= bytes;
}

// --- Turn --------------------------------------------------------------------------------------

bool connection::poll() noexcept {
    if (!fd_) return false;
    in_turn_ = true;
    const bool some = receive();
    if (fd_) {
        obey_r2ts();
        if (send_.flush(fd_.get(), tls_.get()) == send_queue::outcome::failed)
            end({errc::io_error, std::strerror(errno), "send", {}});
        else if (early_ != 0)
            finish_early_ones();
    }
    in_turn_ = false;
    return some;
}

ssize_t connection::receive_into(std::span<iovec> to) noexcept {
    if (tls_ != nullptr) return tls_->receive(to);
    if (to.size() == 1) return ::recv(fd_.get(), to[0].iov_base, to[0].iov_len, MSG_DONTWAIT);
    msghdr message{};
    message.msg_iov = to.data();
    message.msg_iovlen = to.size();
    return ::recvmsg(fd_.get(), &message, MSG_DONTWAIT);
}

bool connection::receive() noexcept {
    const std::span<std::byte> buffer = receive_->all();
    if (kept_bytes_ != 0) std::memcpy(buffer.data(), kept_.data(), kept_bytes_);
    const std::span<std::byte> behind = buffer.subspan(kept_bytes_);
    const std::uint32_t direct = data_to_ != nullptr && parser_.data_missing() >= direct_bytes_min
                                     ? parser_.data_missing()
                                     : 0;
    std::array<iovec, 2> to{iovec{data_to_, direct}, iovec{behind.data(), behind.size()}};
    const ssize_t got = receive_into(std::span(to).subspan(direct != 0 ? 0 : 1));
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
        end({errc::io_error,
             got == 0 ? "the target closed the connection" : std::strerror(errno),
             {},
             {}});
        return true;
    }
    now_ns_ = clock_ns();
    std::size_t rest = static_cast<std::size_t>(got);
    if (direct != 0) {
        const std::size_t there = std::min<std::size_t>(rest, direct);
        parser_.placed({data_to_, there});
        data_to_ += there;
        rest -= there;
    }
    parse(buffer.first(kept_bytes_ + rest));
    return true;
}

bool connection::parse(std::span<const std::byte> bytes) noexcept {
    switch (parser_.consume(bytes, *this)) {
        case pdu_parser::outcome::need_more:
            FULMAR_ASSERT(bytes.size() <= kept_.size());
            std::memcpy(kept_.data(), bytes.data(), bytes.size());
            kept_bytes_ = bytes.size();
            return true;
        case pdu_parser::outcome::stopped: return false;
        case pdu_parser::outcome::bad:
            return violate(parser_.error().fes, parser_.error().fei,
                           "the target sent a malformed PDU");
    }
    return false;
}

void connection::wait(const deadline& until) noexcept {
    if (!fd_ || (tls_ != nullptr && tls_->has_input())) return;
    const bool to_send =
        !send_.empty() || grants_count_ != 0 || (tls_ != nullptr && tls_->holds_output());
    pollfd one{fd_.get(), static_cast<short>(POLLIN | (to_send ? POLLOUT : 0)), 0};
    ::poll(&one, 1, until.left_ms());
}

// --- What arrives ------------------------------------------------------------------------------

bool connection::on_pdu(pdu_type type, std::span<const std::byte> header,
                        std::uint32_t data_bytes) noexcept {
    if (witness_ != nullptr) witness_->received(header);
    switch (type) {
        case pdu_type::capsule_resp: return on_response(*nvme::read_wire<capsule_resp>(header));
        case pdu_type::c2h_data: return on_c2h_data(*nvme::read_wire<c2h_data>(header), data_bytes);
        case pdu_type::r2t: return on_r2t(*nvme::read_wire<r2t>(header));
        case pdu_type::c2h_term_req: on_term_request(header); return false;
        case pdu_type::ic_req:
        case pdu_type::ic_resp:
        case pdu_type::h2c_term_req:
        case pdu_type::capsule_cmd:
        case pdu_type::h2c_data: break;  // the parser lets none of these through
    }
    return violate(fatal_error::pdu_sequence_error, 0, "the target sent a host's PDU");
}

connection::slot* connection::find(std::uint16_t cid) noexcept {
    const std::size_t index = cid & index_mask_;
    if (index < slots_.size() && slots_[index].cid == cid && slots_[index].owner != nullptr &&
        !slots_[index].answered_early)
        return &slots_[index];
    const bool known = index < slots_.size() && slots_[index].cid == cid;
    checker_.record(known ? violation::answered_twice : violation::unknown_cid, cid, index);
    return nullptr;
}

bool connection::on_response(const capsule_resp& pdu) noexcept {
    slot* const s = find(pdu.rccqe.cid.value());
    if (s == nullptr) return true;  // in the checker; a conformance test may want to go on
    sq_head_.take(pdu.rccqe, checker_);
    answer(*s, pdu.rccqe);
    return static_cast<bool>(fd_);
}

bool connection::on_c2h_data(const c2h_data& pdu, std::uint32_t data_bytes) noexcept {
    data_slot_ = nullptr;
    data_to_ = nullptr;
    if (pdu.datal.value() != data_bytes)
        return violate(fatal_error::invalid_header_field, offsetof(c2h_data, datal),
                       "DATAL is not what PLEN says");
    slot* const s = find(pdu.cccid.value());
    if (s == nullptr)
        return violate(fatal_error::invalid_header_field, offsetof(c2h_data, cccid),
                       "data for no command");
    const request& r = *s->owner;
    const std::uint32_t offset = pdu.datao.value();
    if (r.direction != transfer::from_controller) {
        checker_.record(violation::data_not_asked, s->cid, data_bytes);
        return violate(fatal_error::pdu_sequence_error, 0, "data for a command that reads none");
    }
    if (offset != s->received || data_bytes > r.data_bytes - s->received) {
        checker_.record(violation::data_out_of_range, s->cid, std::uint64_t{offset} + data_bytes,
                        r.data_bytes);
        return violate(fatal_error::data_transfer_out_of_range, offsetof(c2h_data, datao),
                       "data out of range");
    }
    if ((pdu.ch.flags & pdu_flags::success) != 0) {
        if (sq_head_.flow_control()) checker_.record(violation::success_not_allowed, s->cid);
        if ((pdu.ch.flags & pdu_flags::last_pdu) == 0)
            return violate(fatal_error::invalid_header_field, offsetof(common_header, flags),
                           "SUCCESS on data that is not the last");
    }
    data_slot_ = s;
    data_flags_ = pdu.ch.flags;
    if (r.data != nullptr) data_to_ = r.data + offset;
    s->received += data_bytes;
    return true;
}

void connection::on_data(std::span<const std::byte> piece) noexcept {
    if (data_to_ == nullptr) return;
    std::memcpy(data_to_, piece.data(), piece.size());
    data_to_ += piece.size();
}

bool connection::on_data_end(bool digest_right) noexcept {
    slot& s = *data_slot_;
    data_to_ = nullptr;
    if (!digest_right) {
        checker_.record(violation::data_digest, s.cid);
        s.owner->data_damaged = true;
    }
    if ((data_flags_ & pdu_flags::success) != 0) {
        nvme::cqe made = nvme::make_cqe(s.cid, nvme::sc::success);
        made.sqhd = sq_head_.value();
        answer(s, made);
    }
    return static_cast<bool>(fd_);
}

bool connection::on_r2t(const r2t& pdu) noexcept {
    slot* const s = find(pdu.cccid.value());
    if (s == nullptr)
        return violate(fatal_error::invalid_header_field, offsetof(r2t, cccid),
                       "R2T for no command");
    const request& r = *s->owner;
    if (r.direction != transfer::to_controller || s->in_capsule || r.data == nullptr) {
        checker_.record(violation::r2t_not_asked, s->cid);
        return violate(fatal_error::pdu_sequence_error, 0,
                       "R2T for a command with nothing to send");
    }
    const std::uint32_t length = pdu.r2tl.value();
    if (length == 0 || pdu.r2to.value() != s->granted || length > r.data_bytes - s->granted) {
        checker_.record(violation::r2t_out_of_range, s->cid,
                        std::uint64_t{pdu.r2to.value()} + length, r.data_bytes);
        return violate(fatal_error::invalid_header_field, offsetof(r2t, r2to), "R2T out of range");
    }
    if (s->r2ts == max_r2t_) {
        checker_.record(violation::r2t_limit, s->cid, s->r2ts + 1u, max_r2t_);
        return violate(fatal_error::r2t_limit_exceeded, 0, "too many R2Ts");
    }
    ++s->r2ts;
    s->granted += length;
    s->owner->transferred += length;
    grants_[(grants_first_ + grants_count_++) % grants_.size()] = {
        static_cast<std::uint16_t>(s - slots_.data()), pdu.ttag.value(), pdu.r2to.value(), length};
    return true;
}

void connection::on_term_request(std::span<const std::byte> pdu) noexcept {
    const auto term = nvme::read_wire<term_req>(pdu);
    end({errc::io_error,
         "the target ended the connection: fatal error status " +
             std::to_string(term ? term->fes.value() : 0) + ", information " +
             std::to_string(term ? term->fei.value() : 0),
         {},
         {}});
}

// --- The end of a command ----------------------------------------------------------------------

bool connection::still_sending(const slot& s) const noexcept {
    return s.r2ts != 0 || s.data_until > send_.sent_bytes();
}

void connection::answer(slot& s, const nvme::cqe& with) noexcept {
    request& r = *s.owner;
    r.answer = with;
    r.answered = true;
    r.finished_ns = now_ns_;
    checker_.answered();
    if (still_sending(s)) {  // the kernel or an R2T still needs its data
        s.answered_early = true;
        ++early_;
        return;
    }
    finish(s);
}

void connection::finish(slot& s) noexcept {
    request& r = *s.owner;
    if (r.direction == transfer::from_controller) {
        r.transferred = s.received;
        if (s.received < r.data_bytes && nvme::is_success(r.status()))
            checker_.record(violation::data_missing, s.cid, s.received, r.data_bytes);
    }
    s.owner = nullptr;
    free_.push_back(static_cast<std::uint16_t>(&s - slots_.data()));
    --outstanding_;
    r.done(r);
}

void connection::finish_early_ones() noexcept {
    for (slot& s : slots_) {
        if (!s.answered_early || still_sending(s)) continue;
        s.answered_early = false;
        --early_;
        finish(s);
        if (!fd_) return;
    }
}

void connection::close() noexcept {
    if (fd_) end({errc::bad_state, "closed by the host", {}, {}});
}

void connection::end(error why) noexcept {
    why_closed_ = std::move(why);
    if (tls_ != nullptr) tls_->end();
    tls_.reset();
    fd_.reset();
    grants_count_ = 0;
    checker_.lost(checker_.outstanding());
    for (slot& s : slots_) {
        if (s.owner == nullptr) continue;
        request& r = *s.owner;
        s.owner = nullptr;
        s.answered_early = false;
        --outstanding_;
        r.done(r);
    }
}

bool connection::violate(fatal_error fes, std::uint32_t fei, const char* what) noexcept {
    if (send_.flush(fd_.get(), tls_.get()) == send_queue::outcome::all_sent) {
        term_req term{};
        term.ch.type = static_cast<std::uint8_t>(pdu_type::h2c_term_req);
        term.ch.hlen = sizeof term;
        term.ch.plen = sizeof term;
        term.fes = static_cast<std::uint16_t>(fes);
        term.fei = fei;
        const iovec whole{&term, sizeof term};
        const ssize_t put =
            tls_ != nullptr ? tls_->send({&whole, 1})
                            : ::send(fd_.get(), &term, sizeof term, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put > 0) ::shutdown(fd_.get(), SHUT_WR);
    }
    end({errc::io_error, what, {}, {}});
    return false;
}

}  // namespace fulmar::host
