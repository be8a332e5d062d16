// Every built-in bound of the target, in one place, with the relations between them checked.
// Configurable values have their defaults and their ceilings here too. Sizes are in bytes unless
// the name says otherwise.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fulmar::limits {

inline constexpr std::size_t cache_line = 64;

// Engine.
inline constexpr std::uint32_t max_data_reactors = 64;
inline constexpr std::size_t max_drive_namespaces = 32;  ///< of one drive, each a device
inline constexpr std::uint32_t messages_per_turn =
    1024;  ///< the rest of a mailbox waits for the next turn
inline constexpr std::uint32_t epoll_events_per_turn = 256;
inline constexpr std::uint32_t flight_entries = 4096;  ///< of each reactor's flight recorder
inline constexpr std::uint32_t file_operations_per_reactor =
    8192;  ///< at the kernel at once: many times what one file device has, which may hang
inline constexpr unsigned file_workers_per_reactor =
    512;  ///< kernel threads for file operations that block, at most

// Buffers.
inline constexpr std::size_t chunk_bytes = 16 * 1024;  ///< unit of the buffer pools
inline constexpr std::size_t min_pool_bytes = 4 * 1024 * 1024;
inline constexpr std::size_t default_pool_bytes = 32 * 1024 * 1024;  ///< per data reactor
/// Beside the data pool of each data reactor, in one piece with it. Admin commands of hosts that
/// have been admitted have the first, so that I/O and administration cannot starve each other.
inline constexpr std::size_t admin_pool_bytes = 2 * 1024 * 1024;
/// All that peers without admission can take together: connections before their Connect, and
/// discovery controllers, which anybody may have.
inline constexpr std::size_t newcomer_pool_bytes = 1024 * 1024;
inline constexpr std::size_t receive_buffer_bytes =
    128 * 1024;  ///< leased to a connection while it has unparsed bytes

// Transfers.
inline constexpr std::size_t default_max_transfer_bytes = 1024 * 1024;
inline constexpr std::size_t max_transfer_bytes = 1024 * 1024;
/// Below, Linux hosts find the ANA log too long for one command, and do without ANA; and MDTS has
/// no word for 4 KiB.
inline constexpr std::size_t least_max_transfer_bytes = 64 * 1024;
/// The largest answer to an admin command: an ANA log of a subsystem that is full.
inline constexpr std::size_t max_admin_bytes = 256 * 1024;
/// The same on discovery controllers, and their MDTS.
inline constexpr std::size_t max_discovery_bytes = 64 * 1024;
inline constexpr std::size_t default_in_capsule_bytes = 8 * 1024;
inline constexpr std::size_t max_in_capsule_bytes = chunk_bytes;
inline constexpr std::uint32_t max_chunks_per_request = max_transfer_bytes / chunk_bytes;
/// Of each command of a fused Compare and Write. Both have their data in memory at once, and so
/// share what one command may have.
inline constexpr std::size_t max_fused_bytes = 128 * 1024;
[[nodiscard]] constexpr std::size_t fused_bytes(std::size_t transfer_bytes) noexcept {
    return transfer_bytes / 2 < max_fused_bytes ? transfer_bytes / 2 : max_fused_bytes;
}
inline constexpr std::size_t max_block_bytes = 4096;   ///< of a namespace
inline constexpr std::uint32_t max_dsm_ranges = 256;   ///< NVM Command Set, Dataset Management
inline constexpr std::uint32_t max_copy_ranges = 128;  ///< sources of a Copy: a page of descriptors
inline constexpr std::size_t max_copy_bytes =
    1024 * 1024;  ///< of a Copy that is carried out here: as much as a Write moves

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
inline constexpr std::uint32_t cross_resets =
    4;  ///< Cross-Controller Resets under way that one controller was asked for (CCRL)
inline constexpr std::uint32_t max_r2t =
    16;  ///< R2Ts outstanding per connection that we use at most

// Objects.
inline constexpr std::uint32_t max_subsystems = 4096;
/// Per subsystem, unless it asks for more. With more, what a Linux host reads of ANA at once
/// outgrows the smallest max_transfer.
inline constexpr std::uint32_t default_namespaces = 1024;
inline constexpr std::uint32_t max_namespaces = 4096;   ///< per subsystem
inline constexpr std::uint32_t max_controllers = 1024;  ///< per subsystem
/// Of those that have ended, per subsystem: as many as there can be at once. Their hosts may ask
/// whether all of their commands have.
inline constexpr std::uint32_t remembered_controllers = max_controllers;
inline constexpr std::uint16_t min_cntlid = 1;
inline constexpr std::uint16_t max_cntlid = 0xffef;  ///< Base 2.x: FFF0h and above are reserved
inline constexpr std::uint32_t max_hosts = 1024;     ///< allow-list entries per subsystem
inline constexpr std::uint32_t max_visible_hosts = max_hosts;  ///< named by one namespace
/// Of reservations, per namespace. A host stays registered when its controllers are gone.
inline constexpr std::uint32_t max_registrants = 1024;
inline constexpr std::uint32_t hosts_named_by_an_event =
    8;  ///< of those who are not registered any more
inline constexpr std::uint32_t max_reservation_notices =
    64;  ///< of a controller, until its host reads them; the rest is counted as lost
inline constexpr std::uint32_t max_listeners = 64;
inline constexpr std::uint32_t max_listener_name_bytes =
    80;  ///< "rdma:[", an address, "]:", a port
inline constexpr std::uint32_t max_devices = 8192;
inline constexpr std::uint32_t max_name_bytes = 128;  ///< of a device
inline constexpr std::uint32_t max_path_bytes = 4095;
inline constexpr std::uint64_t max_device_bytes = std::uint64_t{1} << 60;
inline constexpr std::uint32_t max_description_bytes = 256;
inline constexpr std::uint32_t least_queue_depth = 2;
inline constexpr std::uint32_t least_timeout_ms = 10;
inline constexpr std::uint32_t max_timeout_ms = 600'000;
inline constexpr std::uint32_t max_timeout_s = 3600;
/// CRDT counts in this, in 16 bits; none at all makes Linux retry five times at once.
inline constexpr std::uint32_t crdt_unit_ms = 100;
inline constexpr std::uint32_t max_ana_transition_s = 255;
/// That operators make, per subsystem; the largest of their IDs. Where there are any, a namespace
/// that is in none of them is alone in the group with this and its NSID as ID.
inline constexpr std::uint32_t max_ana_groups = 128;
inline constexpr std::uint32_t serial_bytes = 20;  ///< SN of Identify Controller
inline constexpr std::uint32_t model_bytes = 40;   ///< MN of Identify Controller
inline constexpr std::uint32_t max_drive_nsid = 0xffff'fffe;
inline constexpr std::uint32_t max_park_ms = 600'000;
inline constexpr std::uint32_t long_park_ms = 25'000;  ///< Linux gives a request up after 30 s
inline constexpr std::uint32_t max_hold_s = 86'400;

// The configuration file. It is written with what was changed over REST, and read again at the next
// start: what is added over REST stops short of what can be read, so that options and comments of
// operators, and whatever else is in the file, have room beside it.
inline constexpr std::size_t max_config_bytes = 16 * 1024 * 1024;
inline constexpr std::size_t max_config_values = 1'000'000;  ///< JSON values of any kind
inline constexpr std::size_t max_objects_bytes = 15 * 1024 * 1024;
inline constexpr std::size_t max_objects_values = 990'000;
/// A device that has kept a command for so long keeps its memory on an account of its own, not its
/// host's, while hosts wait for memory.
inline constexpr std::chrono::milliseconds slow_device{250};
inline constexpr std::chrono::milliseconds storage_patience{
    3'000};  ///< the control reactor's, with storage that hangs; two of them fit in the watchdog's
inline constexpr std::chrono::milliseconds storage_look{
    2'000};  ///< how often files and block devices are looked at, and for when they are missing
inline constexpr std::uint32_t max_storage_looks =
    16;  ///< threads that look at once: storage that hangs keeps them
inline constexpr std::chrono::minutes storage_full_told{
    10};  ///< how long a block device counts as full after it had no room for a write
inline constexpr std::uint64_t storage_room_bytes =
    1024 * 1024;  ///< free in a file system again, so that its files count as full no more
inline constexpr std::uint32_t max_former_files =
    4;  ///< of one device, kept open after an operator accepted another in their place
inline constexpr std::uint32_t max_connections = 16384;
inline constexpr std::uint32_t default_connections_per_listener = 4096;
inline constexpr std::uint32_t max_pending_handshakes =
    256;  ///< connections without a Connect, per listener; they do not count as its connections
/// A host with no more connections or controllers than this is never asked to give some up for
/// another, however scarce they are: an admin queue and 127 I/O queues.
inline constexpr std::uint32_t modest_connections = 128;
inline constexpr std::uint32_t modest_controllers = 16;
/// A peer that has vanished (power, cable) is noticed by its silence, keep alive or not.
inline constexpr std::chrono::seconds keepalive_idle{30};
inline constexpr std::chrono::seconds keepalive_interval{10};
inline constexpr int keepalive_probes = 3;
inline constexpr std::chrono::seconds least_user_timeout{60};  ///< TCP_USER_TIMEOUT
/// Descriptors that peers never get: for REST, the journal, devices that are created, drives.
inline constexpr std::uint32_t descriptors_in_reserve = 128;
inline constexpr std::size_t max_lingering_closes =
    64;  ///< ended TCP connections that still wait for their peer, per reactor
inline constexpr std::chrono::milliseconds lingering_close{1000};  ///< how long at most
inline constexpr std::uint32_t pending_operations_per_subsystem = 4096;
/// Commands of hosts among them, which each need the disk and every reactor: one host keeps neither
/// others nor an operator waiting for long.
inline constexpr std::uint32_t pending_reservations_per_subsystem = 256;
inline constexpr std::uint32_t pending_reservations_per_host = 8;

/// Between two attempts of a listener whose address this machine does not have yet.
inline constexpr std::chrono::milliseconds listen_retry{500};
/// The rate that a peer has to keep up with data that it was asked for, and with answers, beside
/// the pauses that it may make (send_stall_s, data_stall_s).
inline constexpr std::int64_t slowest_peer_bytes_per_s = 256 * 1024;
/// The longest pause of a peer that has not been admitted.
inline constexpr std::chrono::seconds newcomer_patience{5};
/// Between the first and the second command of a fused pair, which hosts send one behind the other.
inline constexpr std::chrono::seconds fused_patience{5};

// Authentication (DH-HMAC-CHAP).
inline constexpr std::uint32_t max_key_name_bytes = 64;
inline constexpr std::uint32_t max_keys = 4096;  ///< that are looked for in one folder
inline constexpr std::size_t max_key_file_bytes = 4096;
inline constexpr std::uint32_t keys_at_a_time = 4;  ///< accepted under one name
inline constexpr std::chrono::minutes keys_exchanged_together{
    60};  ///< a host's and ours, when their former ones end no farther apart
inline constexpr std::size_t max_auth_bytes = 4096;  ///< TL and AL
/// Of a queue that has not proved who its host is, beside what every connection has: the state of
/// its exchange. Its data comes out of the newcomers' pool, a chunk at a time, and while it waits
/// it counts among max_pending_handshakes.
inline constexpr std::size_t unproven_queue_bytes = 8 * 1024;
/// Chunks of such a queue: of one message, and of an answer that has not left yet.
inline constexpr std::uint32_t unproven_chunks = 2;
/// Controllers of hosts that have not proved who they are, per subsystem, an eighth of all numbers
/// at most; kept for them where there are hosts with keys, and no more than that.
inline constexpr std::uint32_t max_unproven_controllers = 128;
/// An address with more of them gives way to another at once; with fewer once they are old.
inline constexpr std::uint32_t modest_unproven_controllers = 16;
inline constexpr std::chrono::seconds unproven_grace{1};
/// Exchanges that wait for a helper thread, per poll group, of one address and of one listener.
inline constexpr std::uint32_t waiting_authentications_per_address = 16;
inline constexpr std::uint32_t waiting_authentications_per_listener = 256;
/// Turns of queues that were proven before, while others wait.
inline constexpr std::uint32_t proven_authentications_in_a_row = 3;
/// For each message, and for that of a host without a keep-alive time.
inline constexpr std::chrono::seconds authentication_patience{120};
/// For a host to read why its authentication failed, before its queue ends.
inline constexpr std::chrono::seconds authentication_farewell{1};

// TLS.
inline constexpr std::size_t tls_record_bytes = 16 * 1024;  ///< of data, at most (RFC 8446)
/// What the connections of a thread share to encrypt into, with a record's worth to gather in.
inline constexpr std::size_t tls_scratch_bytes = 17 * tls_record_bytes;
inline constexpr unsigned tls_receives_per_call = 8;  ///< and some 33 KiB each
/// Records that one key may encrypt with AES-GCM: 2^24.5 (RFC 8446, section 5.5).
inline constexpr std::uint64_t tls_records_per_key = 23'726'566;
/// A connection is ended in good order before that, at some point between this share of it, in
/// percent, and the share with its spread: not all paths of a host at once.
inline constexpr std::uint32_t tls_records_renewal_percent = 80;
inline constexpr std::uint32_t tls_records_renewal_spread = 15;
/// Of the processor time of a reactor, what handshakes of peers that nobody knows yet may have.
inline constexpr std::int64_t tls_handshakes_share_percent = 10;
/// Identities are tried with so many keys of a host at most.
inline constexpr std::uint32_t tls_keys_per_host = 16;

/// What a connection may cost in resident memory before its Connect has named a host: a peer can
/// have as many of them as the listener allows half-open. What it leases while it has unparsed
/// bytes comes on top, and goes back.
inline constexpr std::size_t resident_before_connect_bytes = 32 * 1024;

// Who administrates.
inline constexpr std::uint32_t max_tokens = 64;          ///< named ones
inline constexpr std::size_t max_token_name_bytes = 64;  ///< letters, digits and - _ . @
inline constexpr std::size_t max_token_file_bytes = 64 * 1024;
inline constexpr std::uint32_t max_token_days = 3650;     ///< that a token may be valid for
inline constexpr std::uint32_t max_admin_listeners = 8;   ///< of REST over TCP
inline constexpr std::uint32_t max_client_roles = 64;     ///< patterns of client certificates
inline constexpr std::size_t max_certificate_names = 16;  ///< of one client that are looked at
inline constexpr std::size_t max_certificate_bytes = 256 * 1024;  ///< a file of certificates
inline constexpr std::uint32_t admin_guesses = 10;  ///< an address may fail so often at once,
inline constexpr std::chrono::milliseconds admin_guess_interval{
    500};                                                 ///< and then once in this time
inline constexpr std::uint32_t admin_guess_slots = 1024;  ///< addresses that are told apart
// Paths that REST may name.
inline constexpr std::uint32_t max_file_patterns = 64;

// Drives of this machine.
inline constexpr std::uint32_t max_drive_patterns =
    256;  ///< in the list of drives that are allowed; and rules for those that arrive
inline constexpr std::uint32_t drive_history = 16;         ///< events that are told with a drive
inline constexpr std::uint32_t max_drive_histories = 256;  ///< places on the bus that have one
inline constexpr std::uint32_t max_drive_jobs =
    16;  ///< blocking calls about drives (sysfs) at once: a bus that hangs keeps them
inline constexpr std::chrono::milliseconds drive_patience{
    20'000};  ///< until the administration is told that such a call, or a drain, still runs
inline constexpr std::chrono::milliseconds drain_limit{
    10'000};  ///< then what is outstanding at a drive that is drained is answered without it
// Servers of the Network Block Device protocol.
inline constexpr std::uint32_t max_nbd_connections = 16;  ///< of one reactor to one export
inline constexpr std::chrono::milliseconds nbd_connecting{
    5'000};  ///< until a server has told what it exports
inline constexpr std::chrono::milliseconds nbd_further_connection{
    1'000};  ///< the same of each connection after the first, which one can do without
inline constexpr std::chrono::milliseconds nbd_command{
    10'000};  ///< then the connections are closed, and what is outstanding is answered
inline constexpr std::chrono::milliseconds nbd_first_retry{
    100};  ///< doubled after each attempt that failed
inline constexpr std::chrono::milliseconds nbd_last_retry{5'000};
inline constexpr std::size_t nbd_payload_bytes =
    32 * 1024 * 1024;  ///< of one request, where the server does not say what it takes
// Images of Ceph.
inline constexpr std::uint32_t max_rbd_timeout_s = 600;
inline constexpr std::chrono::seconds rbd_command{25};   ///< more than the 20 s in which a cluster
                                                         ///< sees that an OSD is dead, and less
                                                         ///< than the 30 s that Linux hosts wait
inline constexpr std::chrono::seconds rbd_mounting{10};  ///< until monitors have answered
inline constexpr std::chrono::milliseconds rbd_look{
    2'000};  ///< between two looks whether the lock is ours, and how large the image is
inline constexpr std::chrono::milliseconds rbd_first_retry{200};  ///< then doubled
inline constexpr std::chrono::milliseconds rbd_last_retry{5'000};
inline constexpr std::uint32_t kept_events = 1024;  ///< for GET /v1/events
inline constexpr std::uint32_t max_event_waiters = 64;
inline constexpr std::uint32_t max_event_wait_s = 30;

// Parking (architecture: bounded in count and in bytes).
inline constexpr std::uint32_t max_parked_requests = 4096;  ///< per namespace and poll group
inline constexpr std::size_t max_parked_bytes = 8 * 1024 * 1024;
inline constexpr std::uint32_t max_parked_connects = 64;  ///< per subsystem and poll group
/// Of all subsystems of a poll group: so many storms fit beside each other.
inline constexpr std::uint32_t max_parked_connects_in_all = 16 * max_parked_connects;

// Discovery.
/// A discovery controller without a keep-alive time ends after this long without a command (Base
/// 2.0, section 3.1.2.3.2).
inline constexpr std::chrono::minutes discovery_silence{2};
/// Pages of the discovery log that the control reactor keeps for who asks the same again.
inline constexpr std::uint32_t kept_discovery_pages = 16;

// Names.
inline constexpr std::size_t max_nqn_bytes = 223;

/// The ANA log of `namespaces`, each in a group of its own: a header, a descriptor and an NSID.
constexpr std::size_t ana_log_bytes(std::uint32_t namespaces) noexcept {
    return 16 + std::size_t{namespaces} * (32 + 4);
}

static_assert(ana_log_bytes(default_namespaces) <= least_max_transfer_bytes);
static_assert(ana_log_bytes(max_namespaces) <= default_max_transfer_bytes);
static_assert(default_namespaces <= max_namespaces && max_namespaces <= max_devices);
static_assert(max_registrants >= max_controllers, "every host with a controller can register");
static_assert(default_in_capsule_bytes <= max_in_capsule_bytes);
static_assert(max_discovery_bytes <= least_max_transfer_bytes);
static_assert(admin_pool_bytes >= 4 * max_admin_bytes && admin_pool_bytes % chunk_bytes == 0);
static_assert(newcomer_pool_bytes >= 8 * max_discovery_bytes &&
              newcomer_pool_bytes % chunk_bytes == 0);
static_assert(max_in_capsule_bytes <= chunk_bytes, "in-capsule data lives in one chunk");
static_assert(default_max_transfer_bytes <= max_transfer_bytes);
static_assert(max_transfer_bytes % chunk_bytes == 0);
static_assert(min_pool_bytes >= 2 * (max_transfer_bytes + max_in_capsule_bytes),
              "the smallest pool serves two connections at full size");
static_assert(receive_buffer_bytes >= 4 * max_in_capsule_bytes);
static_assert(max_parked_requests >= max_queue_depth);
static_assert(drive_patience > drain_limit, "a drain is told of its own end");

}  // namespace fulmar::limits
