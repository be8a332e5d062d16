// Finds the next PDU in a stretch of bytes from a host, and checks everything that its header says
// about itself. NVMe/TCP Transport 1.0, section 3.6. Pure: no state, no I/O, no assertion; every
// byte is the peer's choice.
#pragma once

#include <fulmar/nvme/tcp_pdu.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace fulmar::transport::tcp {

/// What the connection has agreed on.
struct reader_rules {
    bool initialised = false;  ///< the ICReq has been seen
    bool header_digest = false;
    bool data_digest = false;
    std::uint32_t in_capsule_bytes = 0;  ///< most data in a command capsule
    std::uint32_t h2c_data_bytes = 0;    ///< MAXH2CDATA
};

struct read_pdu {
    enum class outcome : std::uint8_t {
        more,   ///< `bytes` are needed in all before anything can be said
        whole,  ///< header (and for a capsule also its data and digest) are there
        bad,    ///< the connection ends: `error`, `error_information` for the terminate request
    };
    outcome what = outcome::more;
    std::size_t bytes =
        0;  ///< more: wanted; whole: how many the caller may skip (H2CData: up to its data)
    nvme::tcp::pdu_type type = nvme::tcp::pdu_type::ic_req;
    std::span<const std::byte> header{};  ///< without digest
    std::span<const std::byte> data{};    ///< of a capsule
    std::uint32_t data_bytes = 0;         ///< H2CData: how many follow
    bool data_digest_wrong = false;       ///< of a capsule
    bool has_data_digest = false;         ///< H2CData: four bytes of digest follow the data
    nvme::tcp::fatal_error error = nvme::tcp::fatal_error::invalid_header_field;
    std::uint32_t error_information = 0;
};

[[nodiscard]] read_pdu read_next(std::span<const std::byte> bytes,
                                 const reader_rules& rules) noexcept;

}  // namespace fulmar::transport::tcp
