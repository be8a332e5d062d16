#include <fulmar/host/raw_session.hpp>

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace fulmar::host {

using namespace nvme::tcp;

namespace {
/// Nothing that a target sends is longer; a length beyond it is garbage.
constexpr std::uint32_t plen_max = 64u << 20;
}  // namespace

std::string_view describe(received_kind kind) noexcept {
    switch (kind) {
        case received_kind::pdu: return "a PDU";
        case received_kind::closed: return "the end of the connection";
        case received_kind::reset: return "a reset";
        case received_kind::timed_out: return "nothing";
        case received_kind::not_a_pdu: return "bytes that are no PDU";
    }
    return "unknown";
}

result<raw_session> raw_session::connect(const endpoint& to, duration within) {
    FULMAR_TRY(unique_fd fd, connect_tcp(to, deadline(within)));
    return raw_session(std::move(fd));
}

result<raw_session> raw_session::open(const endpoint& to, const ic_req_fields& fields,
                                      duration within) {
    FULMAR_TRY(raw_session made, connect(to, within));
    FULMAR_CHECK(made.send(make_ic_req(fields), within));
    const received got = made.await(within);
    const auto answer = got.pdu.as<ic_resp>(pdu_type::ic_resp);
    if (!answer)
        return fail(errc::io_error,
                    fmt::format("instead of an ICResp came {}", describe(got.kind)));
    made.ic_resp_ = *answer;
    made.wire_ = {.header_digest = (answer->dgst & digest_flags::header) != 0,
                  .data_digest = (answer->dgst & digest_flags::data) != 0,
                  .pda = answer->cpda};
    return made;
}

result<void> raw_session::send(std::span<const std::byte> bytes, duration within) {
    const deadline until(within);
    while (!bytes.empty()) {
        const ssize_t put =
            ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put > 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(put));
            continue;
        }
        if (errno != EAGAIN && errno != EINTR) return fail_errno("send", errno);
        if (wait_writable(fd_.get(), until) == readiness::timed_out)
            return fail(errc::timed_out, "send");
    }
    return {};
}

result<void> raw_session::send_split(std::span<const std::byte> bytes, std::size_t piece) {
    for (; !bytes.empty(); bytes = bytes.subspan(std::min(piece, bytes.size())))
        FULMAR_CHECK(send(bytes.first(std::min(piece, bytes.size()))));
    return {};
}

std::optional<received> raw_session::take_held() {
    const auto ch = nvme::read_wire<common_header>(held_);
    if (!ch) return std::nullopt;
    const std::uint32_t plen = ch->plen.value();
    if (plen < sizeof(common_header) || plen > plen_max)
        return received{received_kind::not_a_pdu, raw_pdu(std::move(held_))};
    if (held_.size() < plen) return std::nullopt;
    const auto end = held_.begin() + static_cast<std::ptrdiff_t>(plen);
    received whole{received_kind::pdu, raw_pdu(raw_bytes(held_.begin(), end))};
    held_.erase(held_.begin(), end);
    return whole;
}

received raw_session::await(duration within) {
    const deadline until(within);
    for (;;) {
        if (auto whole = take_held()) return std::move(*whole);
        if (wait_readable(fd_.get(), until) == readiness::timed_out) return {};
        std::array<std::byte, 16384> buffer;
        const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got > 0)
            held_.insert(held_.end(), buffer.begin(), buffer.begin() + got);
        else if (got == 0)
            return {received_kind::closed, raw_pdu(std::move(held_))};
        else if (errno != EAGAIN && errno != EINTR)
            return {received_kind::reset, raw_pdu(std::move(held_))};
    }
}

std::optional<std::vector<raw_pdu>> raw_session::await_end(duration within) {
    const deadline until(within);
    std::vector<raw_pdu> before;
    for (;;) {
        received got = await(until.left());
        if (got.kind == received_kind::timed_out) return std::nullopt;
        if (got.kind != received_kind::pdu) return before;
        before.push_back(std::move(got.pdu));
    }
}

void raw_session::half_close() noexcept { ::shutdown(fd_.get(), SHUT_WR); }

void raw_session::reset() noexcept {
    const linger at_once{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    fd_.reset();
}

result<raw_reply> raw_session::run(nvme::sqe sqe, std::span<const std::byte> in_capsule,
                                   duration within) {
    FULMAR_CHECK(send(make_capsule(sqe, in_capsule, wire_), within));
    return collect(sqe.cid.value(), {}, within);
}

result<raw_reply> raw_session::run_write(nvme::sqe sqe, std::span<const std::byte> by_r2t,
                                         duration within) {
    FULMAR_CHECK(send(make_capsule(sqe, {}, wire_), within));
    return collect(sqe.cid.value(), by_r2t, within);
}

result<void> raw_session::obey(const r2t& ask, std::span<const std::byte> data) {
    std::uint32_t at = ask.r2to.value();
    std::uint32_t left = ask.r2tl.value();
    if (at > data.size() || left > data.size() - at)
        return fail(errc::io_error,
                    fmt::format("an R2T asks for {} bytes at {} of {}", left, at, data.size()));
    while (left != 0) {
        const std::uint32_t now =
            std::min(left, std::max(ic_resp_.maxh2cdata.value(), maxh2cdata_bytes_min));
        FULMAR_CHECK(send(make_h2c_data(
            {.cid = ask.cccid.value(), .ttag = ask.ttag.value(), .offset = at, .last = now == left},
            data.subspan(at, now), wire_)));
        at += now;
        left -= now;
    }
    return {};
}

result<raw_reply> raw_session::collect(std::uint16_t cid, std::span<const std::byte> by_r2t,
                                       duration within) {
    const deadline until(within);
    raw_reply reply;
    for (;;) {
        received got = await(until.left());
        if (got.kind != received_kind::pdu)
            return fail(got.kind == received_kind::timed_out ? errc::timed_out : errc::io_error,
                        fmt::format("instead of an answer to command {:#x} came {}", cid,
                                    describe(got.kind)));
        const raw_pdu& pdu = reply.pdus.emplace_back(std::move(got.pdu));
        if (pdu.is(pdu_type::c2h_term_req))
            return fail(errc::io_error, "instead of an answer came a term request");
        if (const auto ask = pdu.as<r2t>(pdu_type::r2t); ask && ask->cccid.value() == cid)
            FULMAR_CHECK(obey(*ask, by_r2t));
        if (const auto head = pdu.as<c2h_data>(pdu_type::c2h_data);
            head && head->cccid.value() == cid) {
            const auto data = pdu.data();
            const std::size_t end = head->datao.value() + data.size();
            if (end > plen_max) return fail(errc::io_error, "C2HData beyond any command's length");
            reply.data.resize(std::max(reply.data.size(), end));
            std::copy(data.begin(), data.end(), reply.data.begin() + head->datao.value());
            if ((head->ch.flags & pdu_flags::success) != 0) {
                reply.answer = nvme::make_cqe(cid, nvme::sc::success);
                reply.by_success_flag = true;
                return reply;
            }
        }
        if (const auto answer = pdu.response(); answer && answer->cid.value() == cid) {
            reply.answer = *answer;
            return reply;
        }
    }
}

result<raw_reply> raw_session::connect_queue(const connect_parameters& p, std::uint16_t cid) {
    nvme::connect_command cmd = make_connect_command(p);
    cmd.cid = cid;
    cmd.sgl1 = nvme::make_in_capsule_sgl(0, sizeof(nvme::connect_data));
    const nvme::connect_data data = make_connect_data(p);
    return run(nvme::to_sqe(cmd), nvme::wire_bytes(data));
}

}  // namespace fulmar::host
