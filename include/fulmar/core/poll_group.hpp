// Everything of the target that lives on one data reactor: qpairs, subsystem groups, controllers at
// home here, buffers.
#pragma once

#include <fulmar/base/intrusive.hpp>
#include <fulmar/base/relaxed.hpp>
#include <fulmar/core/group_command.hpp>
#include <fulmar/core/host.hpp>
#include <fulmar/core/io_task.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/core/subsystem_group.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/poller.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/mem/buffer_pool.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fulmar::log {
class limiter;
}

namespace fulmar::core {

class authentication_lane;
class target;

/// Counters of one poll group; written by its reactor, readable from any thread.
struct group_counters {
    std::atomic<std::uint64_t> admin_commands{0};
    std::atomic<std::uint64_t> io_commands{0};
    std::atomic<std::uint64_t> bytes_read{0};
    std::atomic<std::uint64_t> bytes_written{0};
    std::atomic<std::uint64_t> errors{0};
    std::atomic<std::uint64_t> parked{0};
    std::atomic<std::uint64_t> replayed{0};
    std::atomic<std::uint64_t> abandoned{0};
    std::atomic<std::uint64_t> reaped{0};  ///< abandoned ones that came back
    std::atomic<std::uint64_t> orphaned{
        0};  ///< present: namespaces that are gone but for what their device holds
    std::atomic<std::uint64_t> stale{
        0};  ///< messages and requests for a former generation, dropped or answered
    std::atomic<std::uint64_t> buffer_waits{0};
    std::atomic<std::uint64_t> connections{0};  ///< present
    std::atomic<std::uint64_t> connections_total{0};
    std::atomic<std::uint64_t> authentications{0};         ///< queues proven, each time
    std::atomic<std::uint64_t> failed_authentications{0};  ///< attempts, by whoever's fault
    std::atomic<std::uint64_t> tls_handshakes{0};          ///< that were completed
    std::atomic<std::uint64_t> failed_tls_handshakes{0};   ///< by whoever's fault
    std::atomic<std::uint64_t> gave_way{0};     ///< connections that ended for the sake of others
    std::atomic<std::uint64_t> free_chunks{0};  ///< of the pool
    std::atomic<std::uint64_t> waiting_for_chunks{0};
};

/// Called on: owning reactor, unless a method says otherwise.
class poll_group final : private engine::poller {
  public:
    /// Called on: control reactor, before the reactor's thread runs.
    poll_group(engine::reactor& reactor, target& target, std::unique_ptr<mem::buffer_pool> pool);
    ~poll_group();

    [[nodiscard]] engine::reactor& reactor() noexcept { return reactor_; }
    [[nodiscard]] core::target& target() noexcept { return target_; }
    /// Buffers for I/O, for administration, and for all peers together that have not been admitted.
    [[nodiscard]] mem::buffer_pool& pool() noexcept { return *pool_; }
    [[nodiscard]] mem::buffer_pool& admin_pool() noexcept { return *admin_pool_; }
    [[nodiscard]] mem::buffer_pool& newcomer_pool() noexcept { return *newcomer_pool_; }
    [[nodiscard]] group_hosts& hosts() noexcept { return hosts_; }
    [[nodiscard]] const target_options& options() const noexcept { return options_; }
    [[nodiscard]] authentication_lane& authentications() noexcept { return *authentications_; }
    [[nodiscard]] connect_refusals& refusals() noexcept { return refusals_; }
    /// Called on: any thread.
    [[nodiscard]] const group_counters& counters() const noexcept { return counters_; }

    // For transports.
    void add(qpair& q) noexcept;
    void remove(qpair& q) noexcept;

    // For core.
    [[nodiscard]] subsystem_group* find(subsystem_id id) noexcept;
    [[nodiscard]] subsystem_group* find(std::string_view nqn) noexcept;
    /// By slot; some are null.
    [[nodiscard]] const auto& subsystem_groups() const noexcept { return subsystems_; }
    void view_replaced(subsystem_group& s, std::string_view old_name) noexcept;
    void execute(group_command& command) noexcept;
    void escalate(const escalate_command& command) noexcept;
    void acknowledge(group_command& command) noexcept;
    /// Looks at it again at the end of the next turn, whenever that comes: for what no event of its
    /// own tells of.
    void settle_next_turn(subsystem_group& s) noexcept { watched_.push_back(s); }
    void settle_later(subsystem_group& s) noexcept {
        if (!s.unsettled_hook.is_linked()) unsettled_.push_back(s);
    }

    /// A task with room for the vectors of `chunks`; null when the pool is dry (more tasks than
    /// queue entries are abandoned).
    [[nodiscard]] io_task* take_task(std::uint32_t chunks) noexcept;
    void return_task(io_task& task) noexcept;
    /// The account that abandoned buffers are charged to.
    [[nodiscard]] mem::buffer_credit& quarantine() noexcept { return quarantine_; }
    /// Makes sure that `more` further tasks exist; false: no memory.
    bool reserve_tasks(std::uint32_t more) noexcept;
    /// And so many are not needed any more: memory that none of them is in use of goes back.
    void unreserve_tasks(std::uint32_t count) noexcept;
    /// Tasks that are not in the pool.
    [[nodiscard]] std::uint64_t tasks_away() const noexcept { return tasks_away_; }

    /// Requests wait for the share of their namespace, or of their host: they are looked at every
    /// turn.
    void starves(namespace_entry& entry) noexcept {
        if (!entry.starving_hook.is_linked()) buffer_waiters_.push_back(entry);
    }
    void starves(host_buffers& host) noexcept;
    /// It waits for its range of blocks, as command/range.hpp says, but not for ever.
    void await_range(request& r) noexcept;
    /// Ranges of blocks have become free. Called on: any thread.
    void post_ranges_released() noexcept { reactor_.post(ranges_notice_); }
    /// Its number among the target's.
    [[nodiscard]] std::uint32_t place() const noexcept { return place_; }
    /// Nothing of it waits any more.
    void forget(namespace_entry& entry) noexcept {
        buffer_waiters_.erase(buffer_waiters_.iterator_to(entry));
    }
    void forget(host_buffers& host) noexcept {
        waiting_hosts_.erase(waiting_hosts_.iterator_to(host));
    }
    /// The account of what devices keep that have not answered for a while: not their hosts' fault.
    [[nodiscard]] mem::buffer_credit& slow_devices() noexcept { return slow_devices_; }

    /// Keeps an entry whose namespace is gone until its device has given everything back.
    void orphan(std::unique_ptr<namespace_entry> entry) noexcept;
    /// That has happened: the entry goes at the end of the turn (this is called from inside its
    /// channel).
    void reap_orphan(namespace_entry& entry) noexcept;
    [[nodiscard]] const auto& orphans() const noexcept { return orphans_; }

    /// Connects that wait for a subsystem of this name. False: too many wait for it, or in all.
    [[nodiscard]] bool park(connect_op& op) noexcept;
    void unpark(connect_op& op) noexcept;
    /// That subsystem is open: those who wait for it go on.
    void retry_parked_connects(std::string_view nqn) noexcept;

    /// Persistent discovery controllers at home here hear of a change.
    void discovery_changed() noexcept;
    void collect_connections(std::vector<connection_status>& into) const;

    void count(std::atomic<std::uint64_t> group_counters::*which, std::uint64_t by = 1) noexcept {
        add_relaxed(counters_.*which, by);
    }

    /// Counts something that was meant for a former generation, and remembers what it was.
    void note_stale(const char* what, subsystem_id whose, std::uint64_t object) noexcept;

    /// Runs `close` on every qpair; the target is stopping.
    void close_all(close_reason why) noexcept;
    /// Ends the connections that were made through one listener.
    void close_listener(std::string_view name) noexcept;
    /// Ends the connection with that number; false: it is not here.
    [[nodiscard]] bool close_connection(std::uint64_t number) noexcept;
    [[nodiscard]] bool empty() const noexcept { return qpairs_.empty(); }
    /// True when a line about what a peer has done may be written: one bound for all of them, since
    /// a peer can have as many connections as it likes, one after the other.
    [[nodiscard]] bool may_log_peer_error() noexcept;

    // Sends the group there; one that is still on its way will do for both. Called on: control
    // reactor.
    void post_discovery_changed() noexcept { reactor_.post(discovery_notice_); }
    void post_shutdown() noexcept { reactor_.post(shutdown_notice_); }

    /// Connections that the control reactor has sent here or is about to: what "least loaded"
    /// compares. Called on: any thread.
    alignas(limits::cache_line) std::atomic<std::uint32_t> load{0};

  private:
    bool poll() noexcept override;
    bool settle_all() noexcept;
    [[nodiscard]] bool has_unsettled() const noexcept {
        return !unsettled_.empty() || !reaped_.empty();
    }
    void on_shutdown() noexcept { close_all(close_reason::shutdown); }
    [[nodiscard]] bool can_feed() noexcept;
    bool dispatch_waiters() noexcept;
    void look_for_slow_devices() noexcept;
    void add_subsystem(group_command& command) noexcept;
    [[nodiscard]] bool has_work() noexcept override {
        return pool_->needs_pump() || admin_pool_->needs_pump() || newcomer_pool_->needs_pump() ||
               can_feed();
    }

    // The control reactor's to post, like `load` in whose line they are: teardown allocates
    // nothing.
    engine::member_message<&poll_group::discovery_changed> discovery_notice_{*this};
    engine::member_message<&poll_group::on_shutdown> shutdown_notice_{*this};

    alignas(limits::cache_line) engine::reactor& reactor_;
    core::target& target_;
    const target_options& options_;
    std::unique_ptr<mem::buffer_pool> pool_;
    std::unique_ptr<mem::buffer_pool> admin_pool_;     // cut from it, and destroyed before
    std::unique_ptr<mem::buffer_pool> newcomer_pool_;  // likewise
    mem::buffer_credit quarantine_;
    mem::buffer_credit slow_devices_;
    engine::member_timer<&poll_group::look_for_slow_devices> slow_timer_{*this};
    group_hosts hosts_{*this};
    group_counters counters_;
    connect_refusals refusals_;
    std::unique_ptr<log::limiter> complaints_;
    std::unique_ptr<authentication_lane> authentications_;
    /// Transitions learn what has drained, once nothing of the turn is lent out any more.
    engine::member_poller<&poll_group::settle_all, &poll_group::has_unsettled> settler_{*this};
    intrusive_list<qpair, &qpair::group_hook_> qpairs_;
    std::vector<std::unique_ptr<subsystem_group>> subsystems_;  // by slot
    std::vector<subsystem_group*> discovery_;  // those that are discovery services: a few
    intrusive_list<subsystem_group, &subsystem_group::unsettled_hook> unsettled_;
    intrusive_list<subsystem_group, &subsystem_group::unsettled_hook> watched_;  // none at once
    std::unordered_map<std::string_view, subsystem_group*>
        by_nqn_;  // keys live in the descriptions
    intrusive_list<connect_op, &connect_op::parked_hook> parked_connects_;
    std::uint32_t parked_connect_count_ = 0;
    struct task_slab {
        std::unique_ptr<io_task[]> tasks;
        std::size_t count = 0;
    };
    [[nodiscard]] static bool is_free(const task_slab& slab) noexcept;
    std::vector<task_slab> task_slabs_;
    intrusive_list<io_task, &io_task::pool_hook> free_tasks_;
    std::unique_ptr<vector_block[]> vector_blocks_;
    vector_block* free_vectors_ = nullptr;
    intrusive_list<namespace_entry, &namespace_entry::starving_hook> buffer_waiters_;
    void ranges_released() noexcept;
    void ranges_too_late() noexcept;
    void watch_ranges() noexcept;
    intrusive_list<request, &request::list> awaiting_range_;  // the oldest first
    engine::member_message<&poll_group::ranges_released> ranges_notice_{*this};
    engine::member_timer<&poll_group::ranges_too_late> range_limit_{*this};
    const std::uint32_t place_;
    intrusive_list<host_buffers, &host_buffers::hook> waiting_hosts_;
    using orphan_list = intrusive_list<namespace_entry, &namespace_entry::orphan_hook>;
    orphan_list orphans_;
    orphan_list reaped_;
    std::uint64_t tasks_away_ = 0;
    std::uint64_t tasks_reserved_ = 0;
    std::uint64_t tasks_total_ = 0;
};

}  // namespace fulmar::core
