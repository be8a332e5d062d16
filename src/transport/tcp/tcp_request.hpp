// A request of an NVMe/TCP connection: with the headers that its answer needs, built in place.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/intrusive.hpp>
#include <fulmar/core/request.hpp>
#include <fulmar/nvme/crc32c.hpp>
#include <fulmar/nvme/tcp_pdu.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace fulmar::transport::tcp {

/// What a request has in the output queue.
enum class output_kind : std::uint8_t { none, answer, ready_to_transfer };

/// Called on: owning reactor.
struct tcp_request final : core::request {
    static constexpr std::size_t header_room =
        sizeof(nvme::tcp::c2h_data) + nvme::tcp::digest_bytes;

    std::uint16_t tag = 0;  ///< TTAG: its place in the connection's table
    bool in_use = false;

    // Data from the host.
    std::uint32_t asked = 0;    ///< bytes that R2Ts ask for, the one in the output queue included
    std::uint32_t granted = 0;  ///< of these, what left: the host may send so much
    std::uint32_t received = 0;
    bool data_broken = false;  ///< a data digest was wrong
    instant data_due{};        ///< all of it; once its first R2T has left
    instant answer_due{};      ///< once the socket has not taken all that is in the output queue

    // Output: up to four pieces in this order. Lengths of 0 are left out.
    output_kind output = output_kind::none;
    std::uint8_t first_bytes = 0;     ///< C2HData or R2T header, with digest
    std::uint8_t padding = 0;         ///< up to where the host wants its data
    std::uint8_t response_bytes = 0;  ///< CapsuleResp, with digest
    bool digest_after_data = false;
    std::uint32_t output_bytes = 0;  ///< of all pieces
    std::array<std::byte, header_room> first;
    std::array<std::byte, header_room> response;
    std::array<std::byte, nvme::tcp::digest_bytes> data_digest;

    list_hook free_hook{};
    list_hook output_hook{};
};

}  // namespace fulmar::transport::tcp
