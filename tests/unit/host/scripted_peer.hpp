// The other end of a connection, played by the test line by line in the same thread.
#pragma once

#include <fulmar/base/unique_fd.hpp>
#include <fulmar/host/connection.hpp>
#include <fulmar/host/raw_pdu.hpp>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace fulmar::host {

/// Accepts one connection, answers its ICReq as told, then does what the test says.
class scripted_peer {
  public:
    scripted_peer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof at;
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), length), 0);
        EXPECT_EQ(::listen(listener_.get(), 4), 0);
        EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &length), 0);
        port_ = ntohs(at.sin_port);
    }

    [[nodiscard]] endpoint where() const { return {"127.0.0.1", port_}; }

    static raw_bytes ic_resp_bytes(std::uint8_t digests = 0, std::uint8_t cpda = 0,
                                   std::uint32_t maxh2cdata = 8192) {
        nvme::tcp::ic_resp pdu{};
        pdu.ch = nvme::tcp::make_header(nvme::tcp::pdu_type::ic_resp, 0, false, false, 0);
        pdu.dgst = digests;
        pdu.cpda = cpda;
        pdu.maxh2cdata = maxh2cdata;
        const auto wire = nvme::wire_bytes(pdu);
        return {wire.begin(), wire.end()};
    }

    /// A host's connection, with this peer's answer to its ICReq.
    result<std::unique_ptr<connection>> meet(const connection_options& options,
                                             const raw_bytes& answer) {
        std::jthread accepting([&] {
            fd_ = unique_fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            const timeval patience{5, 0};
            ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            ic_req_ = receive(128);
            send(answer);
        });
        return connection::create(where(), options, deadline(std::chrono::seconds(5)));
    }
    std::unique_ptr<connection> meet_well(const connection_options& options = {}) {
        const auto digests = static_cast<std::uint8_t>((options.header_digest ? 1 : 0) |
                                                       (options.data_digest ? 2 : 0));
        auto made = meet(options, ic_resp_bytes(digests));
        EXPECT_TRUE(made) << made.error().text();
        return std::move(*made);
    }

    [[nodiscard]] const raw_bytes& ic_req() const { return ic_req_; }

    void send(std::span<const std::byte> bytes) {
        if (bytes.empty()) return;
        EXPECT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }
    raw_bytes receive(std::size_t bytes) {
        raw_bytes got(bytes);
        const ssize_t n = ::recv(fd_.get(), got.data(), bytes, MSG_WAITALL);
        got.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
        return got;
    }
    /// The next PDU that the host sent.
    raw_pdu next() {
        raw_bytes head = receive(8);
        if (head.size() < 8) return {};
        const raw_bytes rest = receive(raw_pdu(head).common().plen.value() - 8);
        head.insert(head.end(), rest.begin(), rest.end());
        return raw_pdu(head);
    }
    void hang_up() { fd_.reset(); }

    // What a controller says.
    static raw_bytes response(std::uint16_t cid, std::uint16_t sqhd,
                              nvme::status s = nvme::sc::success, bool header_digest = false) {
        nvme::tcp::capsule_resp pdu{};
        pdu.ch =
            nvme::tcp::make_header(nvme::tcp::pdu_type::capsule_resp, 0, header_digest, false, 0);
        pdu.rccqe = nvme::make_cqe(cid, s);
        pdu.rccqe.sqhd = sqhd;
        return with_digest(pdu, pdu.ch);
    }
    static raw_bytes data(std::uint16_t cid, std::uint32_t offset, std::span<const std::byte> bytes,
                          std::uint8_t flags = nvme::tcp::pdu_flags::last_pdu) {
        nvme::tcp::c2h_data pdu{};
        pdu.ch = nvme::tcp::make_header(nvme::tcp::pdu_type::c2h_data,
                                        static_cast<std::uint32_t>(bytes.size()), false, false, 0,
                                        flags);
        pdu.cccid = cid;
        pdu.datao = offset;
        pdu.datal = static_cast<std::uint32_t>(bytes.size());
        raw_bytes out = with_digest(pdu, pdu.ch);
        if (!bytes.empty()) std::memcpy(out.data() + pdu.ch.pdo, bytes.data(), bytes.size());
        return out;
    }
    static raw_bytes ready(std::uint16_t cid, std::uint16_t ttag, std::uint32_t offset,
                           std::uint32_t length) {
        nvme::tcp::r2t pdu{};
        pdu.ch = nvme::tcp::make_header(nvme::tcp::pdu_type::r2t, 0, false, false, 0);
        pdu.cccid = cid;
        pdu.ttag = ttag;
        pdu.r2to = offset;
        pdu.r2tl = length;
        return with_digest(pdu, pdu.ch);
    }

  private:
    template <typename Pdu>
    static raw_bytes with_digest(const Pdu& pdu, const nvme::tcp::common_header& ch) {
        raw_bytes out(ch.plen.value());
        std::memcpy(out.data(), &pdu, sizeof pdu);
        if ((ch.flags & nvme::tcp::pdu_flags::hdgstf) != 0) redo_header_digest(out);
        return out;
    }

    unique_fd listener_;
    unique_fd fd_;
    raw_bytes ic_req_;
    std::uint16_t port_ = 0;
};

/// A command whose end the test looks at.
class told_request final : public request {
  public:
    told_request() : request([](request& r) noexcept { ++static_cast<told_request&>(r).times; }) {}
    int times = 0;
};

/// Polls until `enough` says so; false when it never does.
template <typename Enough>
bool poll_until(connection& c, Enough enough) {
    const deadline until(std::chrono::seconds(5));
    while (!enough()) {
        if (until.passed()) return false;
        c.poll();
    }
    return true;
}

}  // namespace fulmar::host
