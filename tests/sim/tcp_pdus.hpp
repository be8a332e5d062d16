// Protocol data units of NVMe/TCP as a host sends them.
#pragma once

#include <fulmar/nvme/crc32c.hpp>
#include <fulmar/nvme/tcp_pdu.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace fulmar::sim {

struct tcp_digests {
    bool header = false;
    bool data = false;
};

/// `header` with its first bytes filled in, the data, and the digests.
template <typename Header>
std::vector<std::byte> make_pdu(nvme::tcp::pdu_type type, Header header,
                                std::span<const std::byte> data = {}, tcp_digests digests = {},
                                std::uint8_t flags = 0) {
    header.ch = nvme::tcp::make_header(type, static_cast<std::uint32_t>(data.size()),
                                       digests.header, digests.data, 0, flags);
    std::vector<std::byte> pdu(header.ch.plen.value());
    std::memcpy(pdu.data(), &header, sizeof header);
    const auto put_digest = [&pdu](std::size_t at, std::span<const std::byte> of) {
        nvme::le32 crc;
        crc = nvme::crc32c_of(of);
        std::memcpy(pdu.data() + at, &crc, sizeof crc);
    };
    if (digests.header) put_digest(sizeof header, nvme::wire_bytes(header));
    if (data.empty()) return pdu;
    std::memcpy(pdu.data() + header.ch.pdo, data.data(), data.size());
    if (digests.data) put_digest(header.ch.pdo + data.size(), data);
    return pdu;
}

inline std::vector<std::byte> make_ic_req(tcp_digests digests, std::uint32_t maxr2t) {
    nvme::tcp::ic_req hello{};
    hello.dgst = static_cast<std::uint8_t>((digests.header ? nvme::tcp::digest_flags::header : 0u) |
                                           (digests.data ? nvme::tcp::digest_flags::data : 0u));
    hello.maxr2t = maxr2t;
    return make_pdu(nvme::tcp::pdu_type::ic_req, hello);
}

inline std::vector<std::byte> make_capsule(const nvme::sqe& sqe, std::span<const std::byte> data,
                                           tcp_digests digests = {}) {
    nvme::tcp::capsule_cmd capsule{};
    capsule.ccsqe = sqe;
    return make_pdu(nvme::tcp::pdu_type::capsule_cmd, capsule, data, digests);
}

/// A whole PDU at the beginning of `bytes`, or nothing yet. PLEN below that of a header: all.
inline std::span<const std::byte> first_pdu(std::span<const std::byte> bytes) {
    const auto ch = nvme::read_wire<nvme::tcp::common_header>(bytes);
    if (!ch) return {};
    const std::size_t plen = ch->plen.value();
    if (plen < sizeof *ch) return bytes;
    return plen <= bytes.size() ? bytes.first(plen) : std::span<const std::byte>{};
}

}  // namespace fulmar::sim
