// What the administration sees of the target: plain values, copied out on the control reactor.
#pragma once

#include <fulmar/core/model.hpp>
#include <fulmar/nvme/features.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fulmar::core {

/// What a transition in progress (or the last one) looks like from outside.
struct transition_status {
    std::string state;  ///< name of the state in the table: "active", "pausing", …
    std::uint64_t in_state_ms = 0;
    std::string
        waiting_for;  ///< empty at rest; otherwise "poll group 1: 3 requests outstanding on nsid 2"
    std::string last_error;  ///< of the last transition that failed or escalated
};

/// Who has registered with a namespace, and who holds its reservation.
struct reservation_status {
    std::string type;  ///< "none", "write-exclusive", …
    bool is_held = false;
    bool persistent = false;
    std::uint32_t generation = 0;
    struct host {
        std::string identifier;  ///< 32 hexadecimal digits
        std::uint64_t key = 0;
        bool holds = false;
    };
    std::vector<host> registrants;  ///< by identifier
};

struct namespace_status {
    namespace_spec spec;
    transition_status transition;
    std::uint32_t generation = 0;
    std::uint64_t block_count = 0;
    std::uint32_t block_bytes = 0;
    // Over all poll groups; as they were a moment ago.
    std::uint64_t outstanding = 0;        ///< past the gate and not answered
    std::uint64_t parked = 0;             ///< waiting for the gate to open
    std::uint64_t abandoned = 0;          ///< answered, and at the backend still
    std::uint64_t quarantined_bytes = 0;  ///< what those keep of the buffers
    struct place {
        std::uint32_t reactor = 0;
        std::uint64_t outstanding = 0;
        std::uint64_t parked = 0;
        std::uint64_t abandoned = 0;
    };
    std::vector<place> where;  ///< those reactors that have any
    nvme::write_protection protection = nvme::write_protection::none;
    std::optional<reservation_status> reservation{};  ///< none: nobody has registered
    std::uint64_t preempted = 0;  ///< registrations that other hosts have ended, since the start
};

struct subsystem_status {
    subsystem_spec spec;
    transition_status transition;
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    std::uint64_t controllers = 0;
    std::uint64_t queued_operations = 0;
    std::vector<namespace_status> namespaces;
};

struct device_status {
    device_spec spec;
    std::string state;    ///< "ready", "lost", "missing", "refused"
    std::string reason;   ///< why it is not ready
    std::string used_by;  ///< "NQN/nsid", or empty
    std::uint64_t block_count = 0;
    std::string serial;
    std::string model;
    std::string
        note;  ///< e.g. "O_DIRECT is not possible on this file system: using the page cache"
};

struct listener_status {
    listener_spec spec;          ///< with the port that was bound
    std::string waits_for = {};  ///< why nobody can connect now; empty while it listens
    std::uint64_t connections = 0;
    std::uint64_t accepted_total = 0;
    std::uint64_t rejected_total = 0;
};

struct connection_status {
    std::uint64_t id = 0;
    std::string transport;
    std::string peer;  ///< "127.0.0.1:53122"
    std::string local;
    std::uint32_t reactor = 0;
    std::string state;
    std::string host_nqn;
    std::string subsystem_nqn;
    std::uint32_t cntlid = 0;
    std::uint32_t qid = 0;
    std::uint32_t queue_depth = 0;
    std::uint64_t outstanding = 0;
    std::uint64_t commands_total = 0;
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    bool header_digest = false;
    bool data_digest = false;
    /// Who has proved who they are: "none" needs to, "pending", "host", "mutual".
    std::string authentication = "none";
    std::string security = "none";  ///< what encrypts it: "none", "tls"
    std::string cipher = {};        ///< of TLS: "TLS_AES_128_GCM_SHA256"
};

struct reactor_status {
    std::uint32_t id = 0;
    std::uint64_t turns = 0;
    std::uint64_t busy_turns = 0;
    std::uint64_t sleeps = 0;
    std::uint64_t messages = 0;
    std::uint64_t longest_turn_ns = 0;
    std::uint64_t connections = 0;
    std::uint64_t pool_chunks_total = 0;
    std::uint64_t pool_chunks_free = 0;
    std::uint64_t pool_waiters = 0;
};

struct target_status {
    std::uint64_t uptime_ms = 0;
    std::uint64_t revision = 0;
    std::uint64_t subsystems = 0;
    std::uint64_t namespaces = 0;
    std::uint64_t connections = 0;
    bool stopping = false;
    bool hugepages = false;
    std::vector<listener_status> waiting_listeners;  ///< those with `waits_for`
    std::vector<reactor_status> reactors;
    struct trouble {
        std::string device;
        std::string state;
        std::string reason;
    };
    std::vector<trouble> degraded;  ///< devices that are full, or do not serve though nobody
                                    ///< detached them
};

/// One entry of a reactor's flight recorder.
struct flight_report_entry {
    std::uint32_t reactor = 0;
    std::uint64_t sequence = 0;    ///< per reactor, from 1; a gap is what was overwritten
    std::uint64_t uptime_ns = 0;   ///< when, since the target was made
    std::string what;              ///< "parked", "gate", "subsystem", …
    std::string detail;            ///< e.g. the state that it went to; may be empty
    std::uint32_t slot = 0;        ///< of the subsystem
    std::uint32_t generation = 0;  ///< of the subsystem; 0: it concerns none
    std::uint32_t nsid = 0;        ///< 0: it concerns no namespace
    std::uint32_t namespace_generation = 0;
    std::uint64_t object = 0;  ///< connection, controller or transition; 0: none
    std::uint64_t value = 0;   ///< a count or a command identifier
    std::string line;          ///< the same for people
};

/// The flight recorders of all reactors, oldest first.
struct flight_report {
    std::uint64_t uptime_ns = 0;
    std::vector<flight_report_entry> entries;
};

/// One sample of one metric.
struct counter_sample {
    std::string name;  ///< Prometheus name without labels: "fulmar_commands_total"
    std::string help;
    bool monotonic = true;  ///< counter, else gauge
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;
};

struct counters_report {
    std::vector<counter_sample> samples;
};

}  // namespace fulmar::core
