// A fabric of fake verbs: devices, their connection manager, and hosts at the other end, in one
// thread. It moves real bytes between registered memory and the hosts' memory, checks every key and
// every bound, and does on command what hardware does: err, flush with meaningless opcodes, hold,
// refuse, lose its events, vanish. What is left of any object is counted.
#pragma once

#include "transport/rdma/verbs.hpp"

#include <fulmar/nvme/command.hpp>
#include <fulmar/nvme/rdma_cm.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace fulmar::transport::rdma::test {

class fake_fabric;
class fake_queue_pair;
class fake_identifier;

struct fake_manners {
    bool shared_receives = true;
    bool tells_last_receive = true;
    /// A queue pair that is destroyed takes its completions out of the completion queue (hardware
    /// does), or leaves them there (soft RoCE).
    bool drops_completions = true;
    std::uint32_t max_pieces = 4;
    std::uint32_t max_message_bytes = 1u << 30;
    std::uint8_t read_depth = 16;
    std::uint32_t inline_bytes = 0;
    bool invalidates = true;
    bool iwarp = false;
    bool bound_to_device = true;  ///< listeners are; else they are at a wildcard address
};

/// Memory of a host that the target may use by key.
struct host_memory {
    std::vector<std::byte> bytes;
    std::uint64_t address = 0;
    std::uint32_t key = 0;
    std::uint32_t reads = 0;  ///< READs and WRITEs of the target on it
    std::uint32_t writes = 0;
};

struct host_answer {
    nvme::cqe entry{};
    std::optional<std::uint32_t> invalidated;
};

/// A host's end of a connection.
class fake_host {
  public:
    enum class state : std::uint8_t { connecting, connected, rejected, ended };
    state now = state::connecting;
    std::uint64_t address = 1;  ///< a number for it
    std::optional<nvme::rdma::cm_accept> accepted;
    std::optional<nvme::rdma::cm_reject> rejected;
    std::deque<host_answer> answers;
    std::map<std::uint32_t, host_memory> memory;  ///< by key
    std::deque<std::vector<std::byte>> capsules;  ///< on their way to the target

    host_memory& add_memory(std::size_t bytes);
    void send(const nvme::sqe& command, std::span<const std::byte> extra = {});

  private:
    friend class fake_fabric;
    friend class fake_queue_pair;
    friend class fake_identifier;
    fake_queue_pair* peer_ = nullptr;
    fake_identifier* peer_id_ = nullptr;
    std::uint32_t next_key_ = 1;
};

/// How a completion queue or a shared receive queue fails.
enum class queue_fault : std::uint8_t {
    polling_fails,
    posting_fails,
    completion_event,  ///< the device tells of it; nothing completes any more
    receive_event,
};

struct live_objects {
    int regions = 0, completions = 0, shared = 0, queue_pairs = 0, identifiers = 0;
    [[nodiscard]] int verbs() const { return regions + completions + shared + queue_pairs; }
};

/// Everything of one machine. Called on: one thread.
class fake_fabric {
  public:
    explicit fake_fabric(std::uint64_t seed, const fake_manners& fault_profile = {});
    ~fake_fabric();

    std::unique_ptr<manager_source> make_source();

    /// A host asks for a connection.
    std::shared_ptr<fake_host> connect(const nvme::rdma::cm_request& request,
                                       std::uint8_t reads_served = 16);
    std::shared_ptr<fake_host> connect_raw(std::span<const std::byte> private_data,
                                           std::uint8_t reads_served = 16);
    /// Where the hosts come from that connect from now on.
    void connect_from(std::uint64_t address) { next_address_ = address; }
    /// The host's process dies: whatever is on its way to or from its memory fails.
    void kill(fake_host& host);
    /// Devices work off some of what was posted, in random order of connections; true when anything
    /// was done.
    bool step();

    // Faults.
    void hold(bool on) { holding_ = on; }  ///< nothing that is posted is worked off
    void fail_next_work(ibv_wc_status with) { fail_next_ = with; }
    void refuse_posts(int error) { refuse_posts_ = error; }
    void refuse_queue_pairs(bool on) { refuse_queue_pairs_ = on; }
    void refuse_receives(bool on) { refuse_receives_ = on; }  ///< of a queue pair's own
    void break_queues(queue_fault how);                       ///< of the first reactor
    void refuse_queues(bool on) { refuse_queues_ = on; }
    /// Runs once, when the target asks for its next event: what another reactor does meanwhile.
    void meanwhile(std::function<void()> what) { meanwhile_ = std::move(what); }
    void stray_completion(std::uint64_t wr_id, std::uint32_t qp_number);
    /// The kernel takes the device away, and says so if `announced`; it waits until closed().
    void remove_device(bool announced);
    void add_device();
    /// The target has heard of everything.
    [[nodiscard]] bool events_read() const noexcept { return events_.empty(); }
    [[nodiscard]] bool device_closed() const { return device_ == nullptr; }
    void port_event();

    [[nodiscard]] const live_objects& live() const { return live_; }
    /// Receives that shared receive queues have now, and those that they had once and lack.
    [[nodiscard]] std::size_t shared_receives() const;
    [[nodiscard]] std::size_t missing_receives() const;
    /// What the target must not have done: a list of sentences.
    [[nodiscard]] const std::vector<std::string>& violations() const { return breaches_; }
    [[nodiscard]] fake_manners& fault_profile() { return fault_profile_; }
    [[nodiscard]] std::uint32_t most_reads() const { return most_reads_; }
    [[nodiscard]] std::uint32_t last_queue_pair() const { return next_number_ - 1; }

  private:
    friend class fake_device;
    friend class fake_manager;
    friend class fake_source;
    friend class fake_identifier;
    friend class fake_queue_pair;
    friend class fake_region;
    friend class fake_completions;
    friend class fake_shared;
    struct pending_event {
        manager_event::kind what = manager_event::kind::other;
        fake_identifier* id = nullptr;
        std::shared_ptr<fake_host> host = {};  // requested
        std::vector<std::byte> private_data = {};
        std::uint8_t reads_served = 0;
    };
    std::span<std::byte> local(const ibv_sge& piece, bool& allowed);
    void violation(std::string what) { breaches_.push_back(std::move(what)); }

    std::mt19937_64 random_;
    fake_manners fault_profile_;
    live_objects live_;
    std::vector<std::string> breaches_;
    bool present_ = true;
    std::unique_ptr<class fake_device> device_;
    std::deque<pending_event> events_;
    fake_identifier* listener_ = nullptr;
    std::vector<fake_queue_pair*> queue_pairs_;
    std::map<std::uint32_t, std::span<std::byte>> regions_;
    std::vector<class fake_completions*> completion_queues_;
    std::vector<class fake_shared*> shared_queues_;
    std::uint64_t next_address_ = 1;
    std::uint32_t next_key_ = 1;
    std::uint32_t next_number_ = 100;
    std::uint32_t most_reads_ = 0;
    bool holding_ = false;
    std::optional<ibv_wc_status> fail_next_;
    int refuse_posts_ = 0;
    bool refuse_queue_pairs_ = false;
    bool refuse_receives_ = false;
    bool refuse_queues_ = false;
    std::function<void()> meanwhile_;
};

}  // namespace fulmar::transport::rdma::test
