// The way in. One receive call a turn: the data that a host was asked for goes straight into its
// request's buffer, whatever follows into the group's scratch, from where PDUs are handed on. A PDU
// that has not arrived whole is kept until it has.
#include "tcp_group.hpp"
#include "tcp_qpair.hpp"

#include <fulmar/core/poll_group.hpp>

#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace fulmar::transport::tcp {

namespace pdu = nvme::tcp;
namespace sc = nvme::sc;

void tcp_qpair::on_ready(std::uint32_t events) noexcept {
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        may_have_more_ = true;
        tcp_.activate(*this);
    }
    if ((events & EPOLLOUT) == 0) return;
    if (may_encrypt_ && !origin_.stream->push())
        return hang_up(core::close_reason::transport_error);
    if (has_output()) tcp_.needs_flush(*this);
}

bool tcp_qpair::receive() noexcept {
    if (stopped_ || blocked_ || closes_after_control_) return false;
    const std::span<std::byte> scratch = tcp_.scratch();
    std::span<std::byte> room = scratch.subspan(kept_bytes_);
    room = room.first(std::min(room.size(), tcp_group::scratch_bytes));
    std::span<iovec> vectors = tcp_.vectors();
    std::size_t direct = 0;
    std::size_t count = 0;
    if (data_left_ != 0 && kept_bytes_ == 0) {
        direct = data_left_;
        count = data_request_->chain.fill_iovecs(vectors.first(limits::max_chunks_per_request),
                                                 data_request_->received, direct);
        // What follows is copied once more when it is data too: room for a header and some
        // capsules.
        room = room.first(std::min(room.size(), tcp_group::room_behind_data));
    }
    vectors[count++] = {room.data(), room.size()};
    const byte_stream::result got = origin_.stream->receive(vectors.first(count));
    if (got.what != byte_stream::outcome::moved) {
        may_have_more_ = false;
        if (got.what == byte_stream::outcome::ended) hang_up(core::close_reason::peer_closed);
        if (got.what == byte_stream::outcome::broken) stream_is_broken();
        return got.what != byte_stream::outcome::would_block;
    }
    may_have_more_ = true;  // until a call comes back empty
    if (may_encrypt_ && !take_channel()) return true;
    last_received_ = tcp_.reactor().now();
    std::size_t bytes = got.bytes;
    if (direct != 0) {
        const std::size_t placed = std::min(bytes, direct);
        std::size_t left = placed;
        for (std::size_t i = 0; i + 1 < count && left != 0; ++i) {
            const std::size_t here = std::min(left, vectors[i].iov_len);
            data_placed({static_cast<const std::byte*>(vectors[i].iov_base), here});
            left -= here;
        }
        bytes -= placed;
        if (bytes == 0) return true;
    }
    if (kept_bytes_ != 0) std::memcpy(scratch.data(), kept_.get(), kept_bytes_);
    const std::size_t whole = kept_bytes_ + bytes;
    kept_bytes_ = 0;
    parse_input(scratch.first(whole));
    if (may_encrypt_) check_wear();
    return true;
}

void tcp_qpair::parse_input(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < wanted_) return keep(bytes);
    wanted_ = 0;
    std::size_t used = 0;
    while (used < bytes.size() && !stopped_ && !blocked_ && !closes_after_control_) {
        const std::size_t step = parse(bytes.subspan(used));
        if (step == 0) break;
        used += step;
    }
    if (!stopped_ && !closes_after_control_ && used < bytes.size()) keep(bytes.subspan(used));
}

// What is left of a turn's bytes. Usually part of one capsule; more when memory for in-capsule data
// has run out.
void tcp_qpair::keep(std::span<const std::byte> rest) noexcept {
    if (rest.size() > kept_capacity_) {
        const std::size_t capacity = std::max(rest.size(), tcp_group::kept_room);
        std::byte* larger = new (std::nothrow) std::byte[capacity];
        if (larger == nullptr) return close(core::close_reason::transport_error);
        kept_.reset(larger);
        kept_capacity_ = capacity;
    }
    std::memmove(kept_.get(), rest.data(), rest.size());
    kept_bytes_ = rest.size();
}

// Takes what it can from the front of `bytes`; 0: not without more of them.
std::size_t tcp_qpair::parse(std::span<const std::byte> bytes) noexcept {
    if (data_left_ != 0 || digest_due_) return take_data(bytes);
    const read_pdu next = read_next(bytes, rules_);
    switch (next.what) {
        case read_pdu::outcome::more: wanted_ = next.bytes; return 0;
        case read_pdu::outcome::bad:
            fatal(next.error, next.error_information,
                  bytes.first(std::min<std::size_t>(bytes.size(), pdu::header_bytes_max)));
            return bytes.size();
        case read_pdu::outcome::whole: return handle(next) ? next.bytes : 0;
    }
    return 0;
}

bool tcp_qpair::handle(const read_pdu& next) noexcept {
    switch (next.type) {
        case pdu::pdu_type::ic_req: on_ic_req(next.header); return true;
        case pdu::pdu_type::capsule_cmd: return on_capsule(next);
        case pdu::pdu_type::h2c_data: on_h2c_data(next); return true;
        case pdu::pdu_type::h2c_term_req:
        case pdu::pdu_type::ic_resp:
        case pdu::pdu_type::c2h_term_req:
        case pdu::pdu_type::capsule_resp:
        case pdu::pdu_type::c2h_data:
        case pdu::pdu_type::r2t: close(core::close_reason::peer_closed); return true;
    }
    return true;
}

void tcp_qpair::on_ic_req(std::span<const std::byte> header) noexcept {
    const auto request = nvme::read_wire<pdu::ic_req>(header);
    if (!request) return;
    if (request->pfv.value() != pdu::pdu_format_version)
        return fatal(pdu::fatal_error::unsupported_parameter, offsetof(pdu::ic_req, pfv), header);
    if (request->hpda > pdu::pda_max)
        return fatal(pdu::fatal_error::invalid_header_field, offsetof(pdu::ic_req, hpda), header);
    rules_.initialised = true;
    if (ticket() != nullptr) ticket()->spoke();
    rules_.header_digest = (request->dgst & pdu::digest_flags::header) != 0;
    rules_.data_digest = (request->dgst & pdu::digest_flags::data) != 0;
    host_pda_ = request->hpda;
    const std::uint32_t more = request->maxr2t.value();
    max_r2t_ = std::min(more >= limits::max_r2t ? limits::max_r2t : more + 1, limits::max_r2t);

    pdu::ic_resp response{};
    response.ch = pdu::make_header(pdu::pdu_type::ic_resp, 0, false, false, 0);
    response.pfv = pdu::pdu_format_version;
    response.cpda = 0;
    response.dgst = static_cast<std::uint8_t>(
        request->dgst & (pdu::digest_flags::header | pdu::digest_flags::data));
    response.maxh2cdata = rules_.h2c_data_bytes;
    std::memcpy(control_.data(), &response, sizeof response);
    control_bytes_ = sizeof response;
    control_offset_ = 0;
    request_flush();
}

// What the data pointer means on this transport (NVMe/TCP 1.0, section 3.5; Base 2.0,
// section 4.1.2).
void tcp_qpair::interpret_sgl(tcp_request& r, std::size_t in_capsule_bytes) noexcept {
    const nvme::sgl_descriptor& sgl = r.sqe.sgl1;
    r.sgl_status = sc::success;
    r.sgl_bytes = sgl.length.value();
    switch (sgl.identifier) {
        case nvme::sgl_in_capsule:
            // A capsule carries data to the controller; no answer fits into it.
            if (r.sgl_bytes != 0 &&
                nvme::direction_of(r.sqe.opcode) == nvme::data_direction::controller_to_host)
                r.sgl_status = sc::sgl_type_invalid;
            else if (sgl.address.value() != 0)
                r.sgl_status = sc::sgl_offset_invalid;
            else if (sgl.length.value() != in_capsule_bytes)
                r.sgl_status = sc::data_sgl_length_invalid;
            return;
        case nvme::sgl_transport:
            if (in_capsule_bytes != 0) r.sgl_status = sc::data_sgl_length_invalid;
            return;
        default: r.sgl_status = r.sgl_bytes == 0 ? sc::success : sc::sgl_type_invalid; return;
    }
}

bool tcp_qpair::on_capsule(const read_pdu& next) noexcept {
    if (!next.data.empty() && !spare_) {
        spare_ = take_in_capsule();
        if (!spare_) {  // back-pressure: nothing more is read until a chunk comes back
            blocked_ = true;
            blocked_since_ = tcp_.reactor().now();
            wait_in_capsule(chunk_wait_);
            return false;
        }
    }
    tcp_request* r = requests_.take();
    if (r == nullptr) {  // more commands than the queue has entries
        fatal(pdu::fatal_error::pdu_sequence_error, 0, next.header);
        return true;
    }
    std::memcpy(&r->sqe, next.header.data() + offsetof(pdu::capsule_cmd, ccsqe), sizeof r->sqe);
    interpret_sgl(*r, next.data.size());
    // The command ends, nothing is written, and the connection stays (NVMe/TCP 1.0, section 3.5.4).
    if (next.data_digest_wrong) r->transport_status = sc::transient_transport_error;
    r->in_capsule = next.data;
    if (!next.data.empty()) r->in_capsule_chunk = std::move(spare_);
    on_command(*r);
    return true;
}

void tcp_qpair::on_chunk_granted(mem::buffer_chain&& chain) noexcept {
    spare_ = std::move(chain);
    blocked_ = false;
    data_.excuse(blocked_since_, tcp_.reactor().now());
    resume_parsing();
}

// What was kept when memory ran out has no event to announce it.
void tcp_qpair::resume_parsing() noexcept {
    if (stopped_) return;
    const std::size_t bytes = kept_bytes_;
    if (bytes != 0) {
        std::unique_ptr<std::byte[]> all = std::move(kept_);
        kept_bytes_ = 0;
        kept_capacity_ = 0;
        parse_input({all.get(), bytes});
    }
    if (stopped_) return;
    may_have_more_ = true;
    last_received_ = tcp_.reactor().now();  // it was us who did not read
    data_.moved(last_received_);
    tcp_.activate(*this);
}

// --- data that was asked for ---------------------------------------------------------------------

void tcp_qpair::on_h2c_data(const read_pdu& next) noexcept {
    const auto header = nvme::read_wire<pdu::h2c_data>(next.header);
    if (!header) return;
    tcp_request* r = requests_.find(header->ttag.value());
    // A tag whose R2T has yet to leave is none: the request is in the output queue still, and data
    // for it would have it answered from there.
    if (r == nullptr || !r->in_use || r->state() != core::request_state::awaiting_data ||
        r->granted == r->received)
        return fatal(pdu::fatal_error::invalid_header_field, offsetof(pdu::h2c_data, ttag),
                     next.header);
    if (header->cccid.value() != r->cid())
        return fatal(pdu::fatal_error::invalid_header_field, offsetof(pdu::h2c_data, cccid),
                     next.header);
    if (header->datal.value() != next.data_bytes)
        return fatal(pdu::fatal_error::invalid_header_field, offsetof(pdu::h2c_data, datal),
                     next.header);
    if (header->datao.value() != r->received || next.data_bytes > r->granted - r->received)
        return fatal(pdu::fatal_error::data_transfer_out_of_range, offsetof(pdu::h2c_data, datao),
                     next.header);
    data_request_ = r;
    data_left_ = next.data_bytes;
    digest_due_ = next.has_data_digest;
    data_crc_.reset();
}

// Bytes of an H2CData that came into the scratch: copied to their place.
std::size_t tcp_qpair::take_data(std::span<const std::byte> bytes) noexcept {
    if (data_left_ != 0) {
        const std::size_t here = std::min<std::size_t>(bytes.size(), data_left_);
        data_request_->chain.copy_in(data_request_->received, bytes.first(here));
        data_placed(bytes.first(here));
        return here;
    }
    if (bytes.size() < pdu::digest_bytes) {
        wanted_ = pdu::digest_bytes;
        return 0;
    }
    nvme::le32 stored;
    std::memcpy(&stored, bytes.data(), sizeof stored);
    digest_due_ = false;
    if (stored.value() != data_crc_.value()) data_request_->data_broken = true;
    data_pdu_complete();
    return pdu::digest_bytes;
}

void tcp_qpair::data_placed(std::span<const std::byte> bytes) noexcept {
    if (rules_.data_digest) data_crc_.update(bytes);
    data_.moved(last_received_);
    data_request_->received += static_cast<std::uint32_t>(bytes.size());
    data_left_ -= static_cast<std::uint32_t>(bytes.size());
    if (data_left_ == 0 && !digest_due_) data_pdu_complete();
}

void tcp_qpair::data_pdu_complete() noexcept {
    tcp_request& r = *std::exchange(data_request_, nullptr);
    if (r.received < r.length) {
        if (r.received == r.asked || r.asked < r.length) prepare_r2t(r);
        return;
    }
    --awaiting_data_;
    --data_owed_;
    // A wrong digest ends this command and nothing else: nothing is written, and the host may try
    // again.
    on_data(r, r.data_broken ? sc::transient_transport_error : sc::success);
}

}  // namespace fulmar::transport::tcp
