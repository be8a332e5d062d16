// The way out. Answers and R2Ts queue up during a turn and leave in one send call per connection; a
// read's data leaves from where the device has it, and is copied only when the socket would not
// take all of it.
#include "tcp_group.hpp"
#include "tcp_qpair.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/core/poll_group.hpp>

#include <algorithm>
#include <cstring>

namespace fulmar::transport::tcp {

namespace pdu = nvme::tcp;

namespace {
constexpr std::uint32_t r2t_piece_bytes = 256 * 1024;  // when the host takes several R2Ts at a time
constexpr std::size_t flush_bytes = 4 * 1024 * 1024;   // most that one send call is offered
constexpr std::array<std::byte, pdu::header_bytes_max + 4> zeros{};

template <typename Wire>
std::uint8_t store(std::span<std::byte> to, const Wire& header, bool digest) noexcept {
    std::memcpy(to.data(), &header, sizeof header);
    if (!digest) return sizeof header;
    nvme::le32 crc;
    crc = nvme::crc32c_of(nvme::wire_bytes(header));
    std::memcpy(to.data() + sizeof header, &crc, sizeof crc);
    return sizeof header + sizeof crc;
}
}  // namespace

void tcp_qpair::request_flush() noexcept { tcp_.needs_flush(*this); }

void tcp_qpair::queue_output(tcp_request& r) noexcept {
    if (!has_output()) answers_.moved(tcp_.reactor().now());  // from now on it may stall
    r.answer_due = {};
    output_.push_back(r);
    request_flush();
}

void tcp_qpair::answer(core::request& request) noexcept {
    auto& r = static_cast<tcp_request&>(request);
    if (stopped_) return give_back(r);
    prepare_answer(r);
    queue_output(r);
}

void tcp_qpair::prepare_answer(tcp_request& r) noexcept {
    const bool with_data = r.answers_with_data();
    const bool success_flag = with_data && !flow_control() && r.dw0 == 0 && r.dw1 == 0;
    r.output = output_kind::answer;
    r.first_bytes = 0;
    r.padding = 0;
    r.response_bytes = 0;
    r.digest_after_data = false;
    r.output_bytes = 0;
    if (with_data) {
        pdu::c2h_data header{};
        const auto flags = static_cast<std::uint8_t>(pdu::pdu_flags::last_pdu |
                                                     (success_flag ? pdu::pdu_flags::success : 0));
        header.ch = pdu::make_header(pdu::pdu_type::c2h_data, r.length, rules_.header_digest,
                                     rules_.data_digest, host_pda_, flags);
        header.cccid = r.cid();
        header.datao = 0u;
        header.datal = r.length;
        r.first_bytes = store(r.first, header, rules_.header_digest);
        r.padding = static_cast<std::uint8_t>(header.ch.pdo - r.first_bytes);
        if (rules_.data_digest) {
            keep_data(r);  // a write later in this turn must not change what the digest is over
            nvme::crc32c crc;
            std::array<iovec, limits::max_chunks_per_request> vectors;
            const std::uint32_t count = r.chain.fill_iovecs(vectors, 0, r.length);
            for (std::uint32_t i = 0; i < count; ++i)
                crc.update(
                    {static_cast<const std::byte*>(vectors[i].iov_base), vectors[i].iov_len});
            nvme::le32 stored;
            stored = crc.value();
            std::memcpy(r.data_digest.data(), &stored, sizeof stored);
            r.digest_after_data = true;
        }
        r.output_bytes = header.ch.plen.value();
    }
    if (!success_flag) {
        pdu::capsule_resp response{};
        response.ch =
            pdu::make_header(pdu::pdu_type::capsule_resp, 0, rules_.header_digest, false, 0);
        response.rccqe.dw0 = r.dw0;
        response.rccqe.dw1 = r.dw1;
        response.rccqe.sqhd = sq_head();
        response.rccqe.sqid = std::uint16_t{0};
        response.rccqe.cid = r.cid();
        response.rccqe.set_status(r.status);
        r.response_bytes = store(r.response, response, rules_.header_digest);
        r.output_bytes += r.response_bytes;
    }
}

void tcp_qpair::fetch_data(core::request& request) noexcept {
    auto& r = static_cast<tcp_request&>(request);
    r.asked = 0;
    r.granted = 0;
    r.received = 0;
    r.data_broken = false;
    r.data_due = {};
    ++awaiting_data_;
    tcp_.needs_deadlines();
    prepare_r2t(r);
}

// Asks for the rest of the data; in pieces, several of them on the way, when the host takes more
// than one R2T.
void tcp_qpair::prepare_r2t(tcp_request& r) noexcept {
    if (r.output_hook.is_linked()) return;
    const std::uint32_t left = r.length - r.asked;
    const std::uint32_t piece = max_r2t_ > 1 ? std::min(left, r2t_piece_bytes) : left;
    if (piece == 0) return;
    if (max_r2t_ > 1 && r.asked - r.received > (max_r2t_ - 1) * r2t_piece_bytes) return;
    pdu::r2t header{};
    header.ch = pdu::make_header(pdu::pdu_type::r2t, 0, rules_.header_digest, false, 0);
    header.cccid = r.cid();
    header.ttag = r.tag;
    header.r2to = r.asked;
    header.r2tl = piece;
    r.asked += piece;
    r.output = output_kind::ready_to_transfer;
    r.first_bytes = store(r.first, header, rules_.header_digest);
    r.padding = 0;
    r.response_bytes = 0;
    r.digest_after_data = false;
    r.output_bytes = r.first_bytes;
    queue_output(r);
}

// Shows the pieces of one output in order, as memory; stops when `visit` says so.
template <typename Visit>
bool tcp_qpair::visit_pieces(tcp_request& r, Visit&& visit) noexcept {
    if (r.first_bytes != 0 && !visit(r.first.data(), std::size_t{r.first_bytes})) return false;
    if (r.output == output_kind::answer && r.first_bytes != 0) {
        if (r.padding != 0 && !visit(zeros.data(), std::size_t{r.padding})) return false;
        if (r.in_place != nullptr) {
            if (!visit(r.in_place, std::size_t{r.length})) return false;
        } else {
            std::array<iovec, limits::max_chunks_per_request> vectors;
            const std::uint32_t count = r.chain.fill_iovecs(vectors, 0, r.length);
            for (std::uint32_t i = 0; i < count; ++i)
                if (!visit(static_cast<const std::byte*>(vectors[i].iov_base), vectors[i].iov_len))
                    return false;
        }
        if (r.digest_after_data && !visit(r.data_digest.data(), r.data_digest.size())) return false;
    }
    if (r.response_bytes != 0 && !visit(r.response.data(), std::size_t{r.response_bytes}))
        return false;
    return true;
}

std::size_t tcp_qpair::gather(std::span<iovec> vectors, std::size_t& bytes) noexcept {
    std::size_t count = 0;
    bytes = 0;
    if (control_bytes_ != 0) {
        vectors[count++] = {control_.data() + control_offset_, control_bytes_ - control_offset_};
        bytes += control_bytes_ - control_offset_;
        if (closes_after_control_) return count;
    }
    std::size_t skip = output_offset_;
    for (tcp_request& r : output_) {
        const bool fits = visit_pieces(r, [&](const std::byte* data, std::size_t length) {
            if (skip >= length) {
                skip -= length;
                return true;
            }
            if (count == vectors.size()) return false;
            vectors[count++] = {const_cast<std::byte*>(data) + skip, length - skip};
            bytes += length - skip;
            skip = 0;
            return true;
        });
        if (!fits || bytes >= flush_bytes) break;
    }
    return count;
}

bool tcp_qpair::flush() noexcept {
    if (stopped_ || !has_output()) return false;
    std::size_t offered = 0;
    const std::size_t count = gather(tcp_.vectors(), offered);
    const byte_stream::result sent = origin_.stream->send(tcp_.vectors().first(count));
    if (sent.what == byte_stream::outcome::broken || sent.what == byte_stream::outcome::ended) {
        hang_up(core::close_reason::transport_error);
        return true;
    }
    if (sent.bytes != 0) {
        answers_.moved(tcp_.reactor().now());
        consume(sent.bytes);
    }
    if (stopped_ || !has_output()) return sent.bytes != 0;
    keep_unsent();
    tcp_.needs_deadlines();
    if (sent.bytes == offered)
        request_flush();  // there was more than one call could carry; else EPOLLOUT tells
    return sent.bytes != 0;
}

void tcp_qpair::consume(std::size_t sent) noexcept {
    if (control_bytes_ != 0) {
        const std::size_t here = std::min(sent, control_bytes_ - control_offset_);
        control_offset_ += here;
        sent -= here;
        if (control_offset_ < control_bytes_) return;
        control_bytes_ = control_offset_ = 0;
        if (closes_after_control_) return close(core::close_reason::protocol_error);
    }
    output_offset_ += sent;
    while (!output_.empty() && output_offset_ >= output_.front().output_bytes) {
        tcp_request& r = output_.front();
        output_offset_ -= r.output_bytes;
        output_.pop_front();
        output_sent(r);
        if (stopped_) return;
    }
}

void tcp_qpair::output_sent(tcp_request& r) noexcept {
    if (r.output == output_kind::answer) return give_back(r);
    r.output = output_kind::none;
    r.granted = r.asked;
    if (r.data_due == instant{}) await_data(r);
    prepare_r2t(r);  // the next piece, when the host takes several at a time
}

// The host owes all the data of `r` from now on.
void tcp_qpair::await_data(tcp_request& r) noexcept {
    const instant now = tcp_.reactor().now();
    if (data_owed_++ == 0) data_.moved(now);
    r.data_due = data_.due(now, r.length, data_patience());
}

// The turn ends, and the socket has not taken all: the peer owes us to read it. What still refers
// to a device's own memory gets a copy in the buffer that was taken for it.
void tcp_qpair::keep_unsent() noexcept {
    const instant now = tcp_.reactor().now();
    for (tcp_request& r : output_) {
        keep_data(r);
        if (r.answer_due == instant{})
            r.answer_due = answers_.due(now, r.output_bytes, send_patience());
    }
}

void tcp_qpair::keep_data(tcp_request& r) noexcept {
    if (r.in_place == nullptr) return;
    r.chain.copy_in(0, {r.in_place, r.length});
    r.in_place = nullptr;
}

void tcp_qpair::fatal(pdu::fatal_error error, std::uint32_t information,
                      std::span<const std::byte> header) noexcept {
    if (stopped_ || closes_after_control_) return;
    if (group().may_log_peer_error())
        log::info("{} broke the NVMe/TCP protocol (FES {}, FEI {}): its connection ends",
                  origin_.peer, static_cast<unsigned>(error), information);
    const std::size_t echoed = std::min<std::size_t>(header.size(), pdu::term_req_data_bytes_max);
    pdu::term_req term{};
    term.ch = pdu::make_header(pdu::pdu_type::c2h_term_req, 0, false, false, 0);
    term.ch.plen = static_cast<std::uint32_t>(sizeof term + echoed);
    term.fes = static_cast<std::uint16_t>(error);
    term.fei = information;
    // Between two PDUs only: one that has begun to leave is lost with the connection anyway.
    if (output_offset_ != 0) return close(core::close_reason::protocol_error);
    // Behind an ICResp that waits to leave: a host may send both offence and ICReq in one packet.
    std::byte* at = control_.data() + control_bytes_;
    std::memcpy(at, &term, sizeof term);
    std::memcpy(at + sizeof term, header.data(), echoed);
    control_bytes_ += sizeof term + echoed;
    closes_after_control_ = true;
    request_flush();
    tcp_.needs_deadlines();
}

}  // namespace fulmar::transport::tcp
