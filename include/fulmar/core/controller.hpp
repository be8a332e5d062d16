// A controller: one host's association with one subsystem. It lives on the reactor of its admin
// queue, its home.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/ids.hpp>
#include <fulmar/base/intrusive.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/core/ana_changes.hpp>
#include <fulmar/core/controller_features.hpp>
#include <fulmar/core/controller_instance.hpp>
#include <fulmar/core/controller_states.hpp>
#include <fulmar/core/cross_reset_under_way.hpp>
#include <fulmar/core/description.hpp>
#include <fulmar/core/discovery_page.hpp>
#include <fulmar/core/error_log.hpp>
#include <fulmar/core/hidden_namespaces.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/core/reservation_notices.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/message.hpp>
#include <fulmar/engine/timer_wheel.hpp>
#include <fulmar/nvme/async_event.hpp>
#include <fulmar/nvme/fabrics.hpp>
#include <fulmar/nvme/features.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace fulmar::core {

class poll_group;
class target;
class seen_namespaces;
struct admin_data_rules;
struct discovery_query;
struct subsystem_group;

/// One queue of a controller, as its home sees it. The qpair itself may live on another reactor.
struct queue_slot {
    queue_slot(controller& c, qpair& queue, poll_group& where) noexcept;

    /// "Close your connection": travels to the qpair's reactor and back.
    struct disconnect_message : engine::message {
        explicit disconnect_message(queue_slot& s) noexcept;
        queue_slot* slot;
        close_reason reason = close_reason::host_disconnected;
    };

    controller* owner;
    qpair* queue;
    poll_group* group;
    queue_counters counters;
    bool leaving = false;  ///< a disconnect was sent
    bool message_away = false;
    connect_op* waiting = nullptr;  ///< the Connect of a successor that waits for this one to leave
    bool detached = false;          ///< the qpair is gone; the slot waits for its message only
    disconnect_message disconnect;
};

/// "Abort that command": travels to the qpair's reactor and back.
/// Called on: the reactor that holds the message.
struct abort_op : engine::message {
    abort_op() noexcept;
    controller* owner = nullptr;
    request* asker = nullptr;  ///< null: free
    qpair* queue = nullptr;
    poll_group* group = nullptr;
    std::uint16_t cid = 0;
    bool aborted = false;

    void send(engine::reactor& to, handler step) noexcept;
};

/// What a controller has moved. Called on: any thread.
struct controller_traffic {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;

    void add(const queue_counters& of) noexcept {
        reads += of.reads.load(std::memory_order_relaxed);
        writes += of.writes.load(std::memory_order_relaxed);
        bytes_read += of.bytes_read.load(std::memory_order_relaxed);
        bytes_written += of.bytes_written.load(std::memory_order_relaxed);
    }
};

/// Called on: home reactor, all methods.
class controller {
  public:
    struct identity {
        cntlid id{};
        controller_instance instance{};
        std::string host_nqn;
        std::string listener;  ///< that its admin queue came by
        std::array<std::uint8_t, 16> host_id{};
        std::uint32_t keep_alive_ms = 0;
        bool encrypted = false;  ///< its admin queue is, so all of its queues have to be
    };

    controller(poll_group& home, subsystem_group& subsystem, identity who);
    ~controller();
    controller(const controller&) = delete;
    controller& operator=(const controller&) = delete;

    // Queues.
    /// Registers a queue; the caller has checked that it may join.  False: no memory.
    bool attach(qpair& queue, poll_group& where, std::uint32_t place) noexcept;
    void queue_detached(std::uint32_t place) noexcept;
    /// Where a queue is whose host has not proved who it is: any number of them may want to become
    /// the queue of one number, and none keeps another out.
    [[nodiscard]] std::uint32_t unproven_place() noexcept;
    /// The queue at `place` takes that of its number, which is free.
    void take_place(std::uint32_t place, std::uint16_t number) noexcept;
    /// What an I/O Connect gets, into its `status`: success when it may join, or what to refuse it
    /// with (and `dw0`, `why`).
    void may_join(connect_op& op) const noexcept;
    /// By its number, or what unproven_place() said. Null: there is none.
    [[nodiscard]] queue_slot* slot(std::uint32_t place) noexcept;
    /// When its host was last heard of on the admin queue. Called on: any thread.
    [[nodiscard]] instant last_seen() const noexcept {
        return last_seen_.load(std::memory_order_relaxed);
    }
    /// Others need its place: its association ends. Called on: control reactor.
    void give_way() noexcept;
    /// Tells the control reactor where this controller lives.
    void announce() noexcept;
    /// Ends the association. Idempotent.
    void disconnect(close_reason why) noexcept;

    // Commands of the admin queue.
    void on_admin_command(request& r) noexcept;
    /// Fabrics commands but Connect; on the admin queue.
    void on_fabrics_command(request& r) noexcept;

    /// Its host speaks on the admin queue.
    void heard() noexcept { touch_keep_alive(); }

    /// Its host does not see that namespace.
    [[nodiscard]] bool hides(std::uint32_t number) const noexcept { return hidden_.has(number); }
    /// What its host sees of the subsystem.
    [[nodiscard]] seen_namespaces seen() const noexcept;
    /// Who sees the namespace has changed, or it is new: `told` says whether its host is to hear of
    /// it where that makes a difference.
    void set_hidden(std::uint32_t number, bool hidden, bool told) noexcept;

    // Events. A change is remembered until a host that enabled it has read the log.
    void namespace_changed(std::uint32_t number) noexcept;
    /// `now` has taken the place of `former`: ANA states or groups differ.
    void paths_replaced(const subsystem_description& former,
                        const subsystem_description& now) noexcept;
    /// What happened to the host of this controller in the reservation of a namespace.
    void reservation_changed(std::uint32_t number, nvme::reservation_notice what) noexcept;
    void discovery_changed() noexcept;

    [[nodiscard]] cntlid id() const noexcept { return who_.id; }
    [[nodiscard]] const std::string& host_nqn() const noexcept { return who_.host_nqn; }
    [[nodiscard]] const std::array<std::uint8_t, 16>& host_id() const noexcept {
        return who_.host_id;
    }
    [[nodiscard]] controller_state state() const noexcept { return state_; }
    [[nodiscard]] const subsystem_description& description() const noexcept;
    [[nodiscard]] poll_group& home() const noexcept { return home_; }
    [[nodiscard]] bool is_discovery() const noexcept;
    /// Host Behavior Support says that this host honours retry delays. Called on: any thread.
    [[nodiscard]] bool retry_delay_enabled() const noexcept {
        return features_.retry_delay.load(std::memory_order_relaxed);
    }
    /// Called on: any thread.
    [[nodiscard]] error_log& errors() noexcept { return errors_; }
    /// Called on: any thread.
    [[nodiscard]] const error_log& errors() const noexcept { return errors_; }
    /// Every write is to be as durable as one with FUA. Called on: any thread.
    [[nodiscard]] bool write_through() const noexcept {
        return features_.write_through.load(std::memory_order_relaxed);
    }
    /// Called on: any thread.
    [[nodiscard]] bool ana_events_enabled() const noexcept;

    /// How much data its admin commands may move. Called on: home reactor.
    [[nodiscard]] admin_data_rules data_rules() const noexcept;

    list_hook subsystem_hook{};

    // Core's.

    void finish(request& r, nvme::status status) noexcept;
    /// Copies `data` from `offset` on into the answer, zero-filled to the requested length.
    void answer_with(request& r, std::span<const std::byte> data,
                     std::uint64_t offset = 0) noexcept;
    [[nodiscard]] const identity& who() const noexcept { return who_; }
    [[nodiscard]] controller_features& features() noexcept { return features_; }
    [[nodiscard]] const controller_features& features() const noexcept { return features_; }
    [[nodiscard]] bool has_io_queues() const noexcept;
    [[nodiscard]] std::uint32_t keep_alive_ms() const noexcept { return keep_alive_ms_; }
    /// From now on the host may be silent for so long.
    void set_keep_alive(std::uint32_t ms) noexcept;
    /// Over its queues, those that have left included.
    [[nodiscard]] controller_traffic traffic() const noexcept;
    /// When it was made.
    [[nodiscard]] instant created() const noexcept { return created_; }
    [[nodiscard]] backend::device_health health() const noexcept;
    /// NSIDs, ascending, whose change the host has not read of yet; and whether there are more.
    [[nodiscard]] std::span<const std::uint32_t> changed_namespaces() const noexcept {
        return changed_namespaces_;
    }
    [[nodiscard]] bool more_namespaces_changed() const noexcept { return changed_overflow_; }
    /// The oldest page that it has not read (`next`), or once more the last one that it has.
    [[nodiscard]] nvme::reservation_notification_log read_reservation_notice(bool next) noexcept;
    /// How often its ANA log has changed, since it was made or reset.
    [[nodiscard]] const core::ana_changes& ana_log_changes() const noexcept { return ana_changes_; }
    /// Of subsystem_description::ana_column(), for its listener.
    [[nodiscard]] std::uint16_t ana_column() const noexcept { return ana_column_; }
    [[nodiscard]] reservation_notices& notices() noexcept { return notices_; }
    [[nodiscard]] const reservation_notices& notices() const noexcept { return notices_; }
    /// Ends a waiting Asynchronous Event Request; false when `r` is none.
    bool abort_async_event(request& r) noexcept;
    /// Those that it was asked for, in no order.
    [[nodiscard]] std::span<const cross_reset_under_way> cross_resets() const noexcept {
        return cross_resets_;
    }
    /// The Cross-Controller Reset `r` is about to be answered.
    void cross_reset_is_over(const request& r) noexcept;
    /// The answer to what its hosts may see.
    void discovery_page_arrived(const discovery_query& answer) noexcept;
    /// The message of a slot is home.
    static void on_disconnect_returned(engine::message& m) noexcept;

  private:
    void advance(controller_event on) noexcept;
    void disconnect_io_queues(close_reason why) noexcept;
    void disconnect_slot(queue_slot& s, close_reason why) noexcept;
    void check_queues_gone() noexcept;
    void erase_finished_slots() noexcept;
    void check_gone() noexcept;
    void on_keep_alive_due() noexcept;
    /// "This controller id lives here": on the control reactor, once.
    void on_announced() noexcept;
    /// Others need its place.
    void on_give_way() noexcept;
    void touch_keep_alive() noexcept;
    /// How long the host may be silent; 0: for ever.
    [[nodiscard]] std::chrono::milliseconds allowed_silence() const noexcept;

    // command/fabrics.cpp
    void property_get(request& r) noexcept;
    void property_set(request& r) noexcept;
    void set_configuration(std::uint32_t value) noexcept;

    // command/admin.cpp
    void execute_admin(request& r) noexcept;
    void keep_alive(request& r) noexcept;
    // identify.cpp
    void identify(request& r) noexcept;
    // log_page.cpp
    void get_log_page(request& r) noexcept;
    // features.cpp
    void set_features(request& r) noexcept;
    void set_of_namespace(request& r, nvme::fid which, std::uint32_t value) noexcept;
    void get_features(request& r) noexcept;
    // async_event.cpp
    void async_event_request(request& r) noexcept;
    void raise(nvme::async_event event) noexcept;
    void look_at_health() noexcept;
    void log_read(nvme::lid page) noexcept;
    void deliver_events() noexcept;
    void drop_async_events(nvme::status with) noexcept;
    // abort.cpp
    void abort_command(request& r) noexcept;
    static void on_abort_at_group(engine::message& m) noexcept;
    static void on_abort_returned(engine::message& m) noexcept;
    // cross_reset.cpp
    void cross_reset(request& r) noexcept;
    // discovery.cpp
    void discovery_log(request& r) noexcept;
    void ask_for_discovery_page() noexcept;
    void answer_discovery(request& r) noexcept;
    void answer_discovery_askers(std::size_t count) noexcept;
    [[nodiscard]] bool discovery_page_is_current() const noexcept;

    /// Gives the controller id back; travels to the control reactor and back, then the controller
    /// is destroyed.
    struct release_message : engine::message {
        explicit release_message(controller& c) noexcept;
        controller* owner;
    };
    friend class target;

    poll_group& home_;
    subsystem_group* subsystem_;
    subsystem_id subsystem_id_;
    identity who_;
    controller_state state_ = controller_state::disabled;
    std::uint32_t configuration_ = 0;  // CC as the host wrote it
    bool fatal_ = false;               // CSTS.CFS
    close_reason reason_ = close_reason::host_disconnected;
    // By number; those of queues that are unproven above all numbers.
    std::unordered_map<std::uint32_t, std::unique_ptr<queue_slot>> slots_;
    std::uint32_t next_unproven_ = 0;
    std::uint32_t away_ = 0;  // messages of ours on other reactors, beyond the slots'
    bool released_ = false;

    controller_features features_;
    hidden_namespaces hidden_;  // from its host

    // Keep alive.
    engine::member_timer<&controller::on_keep_alive_due> keep_alive_{*this};
    std::atomic<instant> last_seen_{};  // written at home
    std::uint32_t keep_alive_ms_ = 0;

    // Asynchronous events.
    std::array<request*, limits::max_async_events> waiting_events_{};
    std::uint32_t waiting_event_count_ = 0;
    struct pending_event {
        bool raised = false;  // to be delivered
        bool masked = false;  // delivered, and the log not read since
    };
    std::array<pending_event, 7> events_;  // as in async_event.cpp
    std::uint8_t warned_ = 0;              // critical warnings that events were raised for
    std::vector<std::uint32_t> changed_namespaces_;
    bool changed_overflow_ = false;
    std::uint16_t ana_column_ = 0;
    ana_changes ana_changes_;
    reservation_notices notices_;
    nvme::reservation_notification_log last_notice_{};

    error_log errors_;

    // Of a discovery controller: what its host sees, as of a generation of the target's log; the
    // question for the next one, when it is on its way; and who waits for its answer.
    discovery_view discovery_page_;
    bool asking_ = false;
    std::vector<request*> discovery_askers_;

    std::array<abort_op, limits::abort_limit> aborts_;
    std::array<cross_reset_under_way, limits::cross_resets> cross_resets_{};
    engine::member_message<&controller::on_announced> announce_{*this};
    // Arrives before release_ comes home: both are control's to post.
    engine::member_message<&controller::on_give_way> give_way_{*this};
    release_message release_;
    controller_traffic past_;  // of the queues that are gone
    instant created_;
};

/// Called on: owning reactor.
inline nvme::host_id qpair::host_identifier() const noexcept {
    return controller_ != nullptr ? nvme::host_id{controller_->host_id()} : nvme::host_id{};
}
/// Called on: owning reactor.
inline bool qpair::follows_ana() const noexcept {
    return controller_ != nullptr && controller_->ana_events_enabled();
}
/// Called on: owning reactor.
inline bool qpair::honours_retry_delay() const noexcept {
    return controller_ != nullptr && controller_->retry_delay_enabled();
}
/// Called on: owning reactor.
inline bool qpair::writes_through() const noexcept {
    return controller_ != nullptr && controller_->write_through();
}

}  // namespace fulmar::core
