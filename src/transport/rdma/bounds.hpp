// Every bound of the RDMA transport that is not the target's as a whole, with the relations between
// them checked. Sizes are in bytes unless the name says otherwise.
#pragma once

#include "sgl_walk.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/fabrics.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fulmar::transport::rdma::bounds {

// Of one device on one data reactor.
inline constexpr std::uint32_t completion_entries = 32'768;  ///< shared by all its connections
inline constexpr std::uint32_t io_receives = 1024;           ///< commands that may arrive at a time
inline constexpr std::uint32_t admin_receives = 256;         ///< the same, of admin queues
inline constexpr std::uint32_t answers_posted = 4096;        ///< answers at the device at a time
inline constexpr std::uint32_t connections_per_reactor = 4096;
inline constexpr std::uint32_t completions_per_poll = 64;
inline constexpr std::uint32_t completions_per_turn = 256;

// Of one connection.
inline constexpr std::uint32_t admin_entries = 128;      ///< of an admin queue, at most
inline constexpr std::uint32_t spare_send_work = 16;     ///< beyond two work requests per command
inline constexpr std::uint32_t work_pieces = 32;         ///< scatter/gather entries used at most
inline constexpr std::uint32_t work_per_post = 32;       ///< work requests of one call
inline constexpr std::uint32_t message_bytes = 1 << 20;  ///< of one READ or WRITE at most
inline constexpr std::uint8_t read_depth = 32;           ///< READs outstanding at most

// Time.
inline constexpr auto flush_limit = std::chrono::milliseconds(1000);   ///< from error to all reaped
inline constexpr auto removal_limit = std::chrono::milliseconds(400);  ///< the same, when it goes
inline constexpr auto presence_interval = std::chrono::milliseconds(250);
inline constexpr auto listen_interval = std::chrono::milliseconds(500);  ///< between two attempts
inline constexpr auto part_interval =
    std::chrono::milliseconds(500);  ///< between two attempts to make a reactor's queues
/// A capsule that has waited so long for a buffer waits for a device that does not work.
inline constexpr auto stall_patience = std::chrono::milliseconds(500);
inline constexpr auto stall_interval = std::chrono::milliseconds(50);  ///< between two looks
/// What a host waits whose command finds no receive buffer, as InfiniBand encodes it: 0.64 ms.
inline constexpr std::uint8_t receiver_not_ready_timer = 12;
inline constexpr int listen_backlog = 512;

/// What a capsule may hold behind its submission entry: data, or a list of keys.
[[nodiscard]] constexpr std::uint32_t capsule_extra_bytes(std::uint64_t in_capsule_bytes) noexcept {
    constexpr std::uint64_t list = max_segments * sizeof(nvme::sgl_descriptor);
    constexpr std::uint64_t connect = sizeof(nvme::connect_data);
    const std::uint64_t least = list > connect ? list : connect;
    return static_cast<std::uint32_t>(in_capsule_bytes > least ? in_capsule_bytes : least);
}

static_assert(completions_per_turn % completions_per_poll == 0);
static_assert(work_per_post <= spare_send_work + 2 * 8, "a batch fits into the smallest queue");
static_assert(removal_limit < flush_limit);
static_assert(stall_interval < stall_patience);
static_assert(admin_receives >= 2 * admin_entries, "one admin queue cannot have them all");
static_assert(io_receives + admin_receives < completion_entries / 2);
static_assert(completion_entries / (2 * 2 + spare_send_work) < connections_per_reactor,
              "the completion queue is full before the table of connections");

}  // namespace fulmar::transport::rdma::bounds
