// Every built-in bound of the target, in one place, with the relations between them checked.
// Configurable values have their defaults and their ceilings here too. Sizes are in bytes unless
// the name says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fulmar::limits {

inline constexpr std::size_t cache_line = 64;

// Engine.
inline constexpr std::uint32_t max_data_reactors = 64;
inline constexpr std::uint32_t messages_per_turn =
    1024;  ///< the rest of a mailbox waits for the next turn
inline constexpr std::uint32_t epoll_events_per_turn = 256;

// Buffers.
inline constexpr std::size_t chunk_bytes = 16 * 1024;  ///< unit of the buffer pools
inline constexpr std::size_t min_pool_bytes = 4 * 1024 * 1024;
inline constexpr std::size_t default_pool_bytes = 32 * 1024 * 1024;  ///< per data reactor
inline constexpr std::size_t receive_buffer_bytes =
    128 * 1024;  ///< leased to a connection while it has unparsed bytes

// Transfers.
inline constexpr std::size_t default_max_transfer_bytes = 1024 * 1024;
inline constexpr std::size_t max_transfer_bytes = 1024 * 1024;
inline constexpr std::size_t default_in_capsule_bytes = 8 * 1024;
inline constexpr std::size_t max_in_capsule_bytes = chunk_bytes;
inline constexpr std::uint32_t max_chunks_per_request = max_transfer_bytes / chunk_bytes;
inline constexpr std::uint32_t max_dsm_ranges = 256;  ///< NVM Command Set, Dataset Management

// Queues.
inline constexpr std::uint32_t default_queue_depth =
    256;  ///< entries of an I/O queue: a host keeps one free, and 128 commands are a usual depth
inline constexpr std::uint32_t max_queue_depth = 1024;
inline constexpr std::uint32_t admin_queue_depth = 32;
inline constexpr std::uint16_t default_io_queues = 127;  ///< per controller
inline constexpr std::uint16_t max_io_queues = 1023;
inline constexpr std::uint32_t max_async_events =
    4;                                           ///< outstanding AERs per controller (AERL + 1)
inline constexpr std::uint32_t abort_limit = 4;  ///< concurrent Aborts per controller (ACL + 1)
inline constexpr std::uint32_t max_r2t =
    16;  ///< R2Ts outstanding per connection that we use at most

// Objects.
inline constexpr std::uint32_t max_subsystems = 4096;
inline constexpr std::uint32_t max_namespaces = 1024;   ///< per subsystem
inline constexpr std::uint32_t max_controllers = 1024;  ///< per subsystem
inline constexpr std::uint16_t min_cntlid = 1;
inline constexpr std::uint16_t max_cntlid = 0xffef;  ///< Base 2.x: FFF0h and above are reserved
inline constexpr std::uint32_t max_hosts = 1024;     ///< allow-list entries per subsystem
inline constexpr std::uint32_t max_listeners = 64;
inline constexpr std::uint32_t max_devices = 8192;
inline constexpr std::uint32_t max_connections = 16384;
inline constexpr std::uint32_t default_connections_per_listener = 4096;
inline constexpr std::uint32_t max_pending_handshakes =
    256;  ///< connections without a first PDU, per listener
inline constexpr std::uint32_t pending_operations_per_subsystem = 4096;

// Parking (architecture: bounded in count and in bytes).
inline constexpr std::uint32_t max_parked_requests = 4096;  ///< per namespace and poll group
inline constexpr std::size_t max_parked_bytes = 8 * 1024 * 1024;
inline constexpr std::uint32_t max_parked_connects = 64;  ///< per subsystem and poll group

// Names.
inline constexpr std::size_t max_nqn_bytes = 223;

static_assert(default_in_capsule_bytes <= max_in_capsule_bytes);
static_assert(max_in_capsule_bytes <= chunk_bytes, "in-capsule data lives in one chunk");
static_assert(default_max_transfer_bytes <= max_transfer_bytes);
static_assert(max_transfer_bytes % chunk_bytes == 0);
static_assert(min_pool_bytes >= 2 * (max_transfer_bytes + max_in_capsule_bytes),
              "the smallest pool serves two connections at full size");
static_assert(receive_buffer_bytes >= 4 * max_in_capsule_bytes);
static_assert(max_parked_requests >= max_queue_depth);

}  // namespace fulmar::limits
