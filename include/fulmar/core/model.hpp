// The configuration as data: what the JSON file says, what REST changes, and what the journal
// records. Plain values.
#pragma once

#include <fulmar/base/limits.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::core {

/// Where hosts connect to.
struct listener_spec {
    std::string transport = "tcp";  ///< "tcp" "rdma"
    std::string address = {};       ///< numeric IPv4 or IPv6
    std::uint16_t port = 4420;      ///< 0: any free port, reported once bound
    std::string tls = "refuse";     ///< "refuse" "allow" "require"; of TCP alone

    /// "tcp:127.0.0.1:4420", "tcp:[::1]:4420": its name in REST.
    [[nodiscard]] std::string name() const;
    friend bool operator==(const listener_spec&, const listener_spec&) = default;
};

/// Whether a device's volatile write cache is used: where it is not, every write is durable before
/// it is acknowledged.
enum class write_cache_mode : std::uint8_t { device, through };

/// A backend.
struct device_spec {
    std::string name = {};
    std::string type = {};  ///< see fields/device_fields.hpp
    std::uint64_t size_bytes =
        0;  ///< 0 with "file", "nbd", "rbd": the size that is there; "pcie": 0
    std::uint32_t block_bytes = 512;  ///< 512 or 4096
    std::string path = {};            ///< "file": a regular file or a block device
    bool create = false;              ///< "file": make it, once, when it is absent; a request that
                                      ///< is gone when it has been met
    bool direct = true;               ///< "file": O_DIRECT where possible
    write_cache_mode write_cache = write_cache_mode::device;  ///< "file", "pcie", "nbd"
    std::string address = {};       ///< "pcie": where the drive is, "0000:0b:00.0"
    std::string serial = {};        ///< "pcie": only this drive; empty: the first one seen there
    std::uint32_t drive_nsid = 0;   ///< "pcie": the drive's own namespace; 0: its first
    bool bind = true;               ///< "pcie": take it from the kernel's driver when it is unused
    bool detached = false;          ///< "pcie": an operator took the drive away; it stays away
    std::string uri = {};           ///< "nbd": the export, "nbd://host:port/export"
    std::uint32_t connections = 1;  ///< "nbd": of each reactor, where the server can
    std::string tls_certificates = {};  ///< "nbd": a folder with ca-cert.pem, …
    std::string tls_psk_file = {};      ///< "nbd": a file of lines "name:key"
    std::string tls_username = {};      ///< "nbd": which of them
    std::string pool = {};              ///< "rbd": and what follows
    std::string ceph_namespace = {};    ///< of the pool
    std::string image = {};
    std::string snapshot = {};     ///< of the image; empty: the image itself
    std::string user = "admin";    ///< of cephx, without "client."
    std::string conf = {};         ///< empty: /etc/ceph/ceph.conf
    std::string keyring = {};      ///< empty: as `conf` says
    std::string cpus = {};         ///< of the client's threads, "0-3,8"; empty: all of them
    std::uint32_t timeout_s = 25;  ///< then an operation is given up
    std::string description = {};  ///< for people
    friend bool operator==(const device_spec&, const device_spec&) = default;
};

enum class ana_state : std::uint8_t {
    optimized = 1,
    non_optimized = 2,
    inaccessible = 3,
    persistent_loss = 4,
    change = 15
};
/// By a path in that state I/O is served. Called on: any thread.
[[nodiscard]] constexpr bool is_served(ana_state state) noexcept {
    return state == ana_state::optimized || state == ana_state::non_optimized;
}

/// The state of an ANA group at listeners that have one of their own, by their names.
using ana_paths = std::map<std::string, ana_state>;

/// Namespaces whose paths change together. What a path is depends on the listener that its
/// controller came by.
struct ana_group_spec {
    std::uint32_t id = 0;
    ana_state state = ana_state::optimized;    ///< at listeners that are not named
    ana_state then = ana_state::inaccessible;  ///< what a path in state `change` becomes when it
                                               ///< has been that for long enough
    ana_paths listeners = {};
    std::string description = {};  ///< for people

    /// What the path by the listener of that name is.
    [[nodiscard]] ana_state at(const std::string& listener) const {
        const auto own = listeners.find(listener);
        return own != listeners.end() ? own->second : state;
    }
    friend bool operator==(const ana_group_spec&, const ana_group_spec&) = default;
};

/// What hosts see of a namespace whose drive is gone (architecture section 4).
enum class loss_policy : std::uint8_t { fail, hold };

/// Hosts: all of them, or those that are named, who may be none.
struct host_choice {
    bool all = true;
    std::vector<std::string> named = {};  ///< NQNs, each once; empty where `all`
    friend bool operator==(const host_choice&, const host_choice&) = default;
};

/// How one host proves who it is. What are called keys are names of them; the target looks them up
/// each time.
struct host_keys_spec {
    std::string nqn = {};
    std::string dhchap_key = {};       ///< it must authenticate with this one; empty: it need not
    std::string dhchap_ctrl_key = {};  ///< with which the subsystem answers it; empty: it does not
    std::string tls_psk = {};          ///< its connections are encrypted with this one
    bool tls_optional = false;         ///< they need not be
    bool tls_compat = false;           ///< as libnvme up to 1.14 derives it is right as well

    /// It says nothing: the host has no key.
    [[nodiscard]] bool empty() const noexcept { return dhchap_key.empty() && tls_psk.empty(); }
    friend bool operator==(const host_keys_spec&, const host_keys_spec&) = default;
};

struct namespace_spec {
    std::uint32_t nsid = 0;   ///< 0 in a request: the lowest free one
    std::string device = {};  ///< name of a device_spec
    std::string uuid = {};    ///< canonical text; empty in a request: derived from NQN and NSID
    std::string nguid = {};   ///< 32 hex digits; empty in a request: derived from NQN and NSID
    ana_state ana = ana_state::optimized;  ///< of one that is in no group of its subsystem
    std::uint32_t ana_group = 0;           ///< 0: it is alone in one that nobody has made
    loss_policy on_loss = loss_policy::fail;
    std::uint32_t park_ms = 10'000;
    std::uint32_t hold_s = 60;
    host_choice visible_to = {};   ///< of the hosts that may connect
    std::string description = {};  ///< for people
    friend bool operator==(const namespace_spec&, const namespace_spec&) = default;
};

struct subsystem_spec {
    std::string nqn = {};
    std::string serial = {};       ///< ≤ 20 ASCII; empty: derived from the NQN
    std::string model = "Fulmar";  ///< ≤ 40 ASCII
    bool allow_any_host = false;
    std::vector<std::string> hosts = {};          ///< host NQNs
    std::vector<host_keys_spec> host_keys = {};   ///< of hosts that have any
    bool dhchap_required = false;                 ///< hosts without keys may not connect
    std::vector<std::string> dhchap_hashes = {};  ///< allowed ones; empty: all
    std::vector<std::string> dhchap_groups = {};  ///< allowed ones; empty: up to ffdhe3072
    std::vector<std::string> listeners = {};      ///< names of listeners that offer it; empty: all
    std::vector<ana_group_spec> ana_groups = {};
    std::vector<namespace_spec> namespaces = {};
    std::uint16_t min_cntlid = limits::min_cntlid;
    std::uint16_t max_cntlid = limits::max_cntlid;
    std::uint32_t max_namespaces = limits::default_namespaces;  ///< hosts reckon with it; largest
                                                                ///< NSID as well
    bool paused = false;  ///< an operator's pause is part of the configuration
    bool closed = false;  ///< its list of hosts is broken: nobody may connect, whoever tries may
                          ///< come back. In no file; ends with set_allow_any_host
    std::string description = {};  ///< for people
    friend bool operator==(const subsystem_spec&, const subsystem_spec&) = default;
};

/// An entry of the discovery log that points to another discovery service.
struct referral_spec {
    std::string transport = "tcp";
    std::string address = {};
    std::uint16_t port = 8009;
    friend bool operator==(const referral_spec&, const referral_spec&) = default;
};

/// Everything that may change while the target runs.
struct target_spec {
    std::vector<listener_spec> listeners = {};
    std::vector<device_spec> devices = {};
    std::vector<subsystem_spec> subsystems = {};
    std::vector<referral_spec> referrals = {};
    friend bool operator==(const target_spec&, const target_spec&) = default;
};

/// What is fixed at start (a change needs a restart; a reload that differs here says so).
struct target_options {
    std::string discovery_nqn = {};  ///< a unique one beside the well-known; empty: none
    std::uint64_t max_transfer_bytes = limits::default_max_transfer_bytes;
    std::uint64_t in_capsule_bytes = limits::default_in_capsule_bytes;
    std::uint32_t max_queue_depth = limits::default_queue_depth;
    std::uint16_t max_io_queues = limits::default_io_queues;
    std::uint32_t max_connections_per_listener = limits::default_connections_per_listener;
    std::uint32_t transition_timeout_ms = 10'000;  ///< deadline of pause, resume, remove, delete
    std::uint32_t shutdown_timeout_ms = 10'000;
    std::uint32_t connect_wait_ms =
        5'000;  ///< how long a Connect waits for a subsystem in transition
    std::uint32_t first_pdu_timeout_ms = 10'000;  ///< from accept to ICReq, and on to Connect
    std::uint32_t send_stall_s = 30;      ///< a connection that accepts no byte with output pending
    std::uint32_t data_stall_s = 30;      ///< a connection that owes data for an R2T and sends none
    std::uint32_t retry_delay_ms = 200;   ///< CRDT1, told to hosts that enabled it
    std::uint32_t ana_transition_s = 10;  ///< ANATT
    friend bool operator==(const target_options&, const target_options&) = default;
};

}  // namespace fulmar::core
