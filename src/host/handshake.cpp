// The opening of a connection: TCP, ICReq, ICResp.
#include <fulmar/host/connection.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fulmar::host {

using namespace nvme::tcp;

namespace {

ic_req make_ic_req(const connection_options& options) {
    ic_req pdu{};
    pdu.ch.type = static_cast<std::uint8_t>(pdu_type::ic_req);
    pdu.ch.hlen = sizeof pdu;
    pdu.ch.plen = sizeof pdu;
    pdu.pfv = pdu_format_version;
    pdu.hpda = options.hpda;
    pdu.dgst = static_cast<std::uint8_t>((options.header_digest ? digest_flags::header : 0) |
                                         (options.data_digest ? digest_flags::data : 0));
    pdu.maxr2t = std::max(options.max_r2t, 1u) - 1;
    return pdu;
}

tl::unexpected<error> refused(const endpoint& to, std::string what) {
    return fail(errc::io_error, std::move(what), to.text(), "is this an NVMe/TCP listener?");
}

/// Reads exactly sizeof(ic_resp), or as much as comes before the peer gives up.
result<ic_resp> await_ic_resp(int fd, tls_link* tls, const endpoint& to, const deadline& until) {
    ic_resp pdu{};
    const auto bytes = nvme::writable_wire_bytes(pdu);
    std::size_t held = 0;
    while (held < bytes.size()) {
        if (held >= sizeof pdu.ch && pdu.ch.type != static_cast<std::uint8_t>(pdu_type::ic_resp))
            break;
        const bool here = tls != nullptr && tls->has_input();
        if (!here && wait_readable(fd, until) == readiness::timed_out)
            return fail(errc::timed_out, "no ICResp in time", to.text(),
                        "is this an NVMe/TCP listener?");
        iovec rest{bytes.data() + held, bytes.size() - held};
        const ssize_t got = tls != nullptr ? tls->receive({&rest, 1})
                                           : ::recv(fd, rest.iov_base, rest.iov_len, MSG_DONTWAIT);
        if (got == 0) return refused(to, "the target closed the connection during the handshake");
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return fail_errno("the handshake failed", errno, to.text());
        if (got > 0) held += static_cast<std::size_t>(got);
    }
    return pdu;
}

result<handshake> check(const ic_resp& pdu, const connection_options& options, const endpoint& to) {
    if (pdu.ch.type == static_cast<std::uint8_t>(pdu_type::c2h_term_req))
        return refused(to, "the target refused the handshake with a term request");
    if (pdu.ch.type != static_cast<std::uint8_t>(pdu_type::ic_resp) || pdu.ch.hlen != sizeof pdu ||
        pdu.ch.plen.value() != sizeof pdu || pdu.ch.flags != 0)
        return refused(to, "the answer to ICReq is not an ICResp");
    if (pdu.pfv.value() != pdu_format_version)
        return refused(to, "the target speaks another PDU format");
    if (pdu.cpda > pda_max) return refused(to, "CPDA is out of range");
    const std::uint32_t max_data = pdu.maxh2cdata.value();
    if (max_data < maxh2cdata_bytes_min || max_data % 4 != 0)
        return refused(to, "MAXH2CDATA is " + std::to_string(max_data));
    const handshake agreed{.header_digest = (pdu.dgst & digest_flags::header) != 0,
                           .data_digest = (pdu.dgst & digest_flags::data) != 0,
                           .cpda = pdu.cpda,
                           .max_h2c_data_bytes = max_data};
    if ((agreed.header_digest && !options.header_digest) ||
        (agreed.data_digest && !options.data_digest) ||
        (pdu.dgst & ~(digest_flags::header | digest_flags::data)) != 0)
        return refused(to, "the target enabled a digest that was not asked for");
    return agreed;
}

}  // namespace

result<std::unique_ptr<connection>> connection::create(const endpoint& to,
                                                       const connection_options& options,
                                                       const deadline& until) {
    if (options.depth == 0 || options.depth > depth_max)
        return fail(errc::invalid_argument, "a queue depth is 1 to " + std::to_string(depth_max));
    if (options.hpda > pda_max) return fail(errc::invalid_argument, "HPDA is at most 31");
    FULMAR_TRY(unique_fd fd, connect_tcp(to, until));
    std::unique_ptr<tls_link> tls;
    if (options.tls != nullptr) {
        FULMAR_TRY(tls, tls_link::open(fd.get(), *options.tls, to, until));
    }
    ic_req request = make_ic_req(options);
    const iovec whole{&request, sizeof request};
    const ssize_t put = tls != nullptr ? tls->send({&whole, 1})
                                       : ::send(fd.get(), &request, sizeof request, MSG_NOSIGNAL);
    if (put != static_cast<ssize_t>(sizeof request))
        return fail_errno("cannot send ICReq", errno, to.text());
    FULMAR_TRY(const ic_resp answer, await_ic_resp(fd.get(), tls.get(), to, until));
    FULMAR_TRY(const handshake agreed, check(answer, options, to));
    return std::unique_ptr<connection>(
        new connection(std::move(fd), std::move(tls), options, agreed));
}

}  // namespace fulmar::host
