// The owner of one drive through all its incarnations: decides when it is attached, lost, given
// back and tried again. Control reactor. Must never: wait, read a register, or close a descriptor
// of the drive.
#pragma once

#include "admin_queue.hpp"
#include "channel.hpp"
#include "drive_life.hpp"
#include "drive_session.hpp"

#include <fulmar/backend/pcie_device.hpp>
#include <fulmar/base/assert.hpp>
#include <fulmar/engine/descriptor_watch.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/message.hpp>
#include <fulmar/engine/timer_wheel.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fulmar::backend::pcie {

/// Who is told. Called on: control reactor.
class drive_listener {
  public:
    virtual void on_drive_lost(const std::string& reason) noexcept = 0;
    virtual void on_drive_ready() noexcept = 0;
    /// False: it stays lost, until accept_loss().
    virtual bool on_drive_back_without_data(const std::string& reason) noexcept = 0;
    virtual void on_drive_resized() noexcept = 0;

  protected:
    ~drive_listener() = default;
};

/// One namespace of a drive, for the device that stands on it. Called on: control reactor; `view`
/// on any thread.
struct drive_namespace {
    std::uint32_t wanted_nsid = 0;  ///< 0: the drive's first
    drive_listener* listener = nullptr;
    namespace_view view{};
    backend::geometry geometry{};  ///< all but the size, which is in the view
    device_identity identity{};
    std::string reason{};  ///< why it is not there though the drive is
    presence where = presence::missing;
    // What was learnt of it, and no state: each outlives every loss and return.
    bool cache_gone = false;  ///< since it served, the drive may have lost its write cache
    bool known = false;       ///< `identity` is of a namespace that was here

    void advance(presence_event on) noexcept {
        const auto to = next_state(presence_edges, where, on);
        FULMAR_ASSERT(to.has_value());
        where = *to;
    }
};

/// Called on: control reactor, unless a method says otherwise.
class drive final : private admin_listener {
  public:
    static constexpr duration watch_interval = std::chrono::milliseconds(100);
    static constexpr duration stall_limit = std::chrono::seconds(1);  ///< then somebody looks
    static constexpr duration drain_interval = std::chrono::milliseconds(2);
    static constexpr duration retry_interval = std::chrono::seconds(5);
    static constexpr std::uint32_t most_resets = 3;  ///< in reset_window; then retry_interval
    static constexpr duration reset_window = std::chrono::seconds(60);
    static constexpr std::uint64_t most_faults = 8;  ///< completions that fit no command
    static constexpr duration health_interval = std::chrono::seconds(60);
    static constexpr std::size_t most_namespaces = limits::max_drive_namespaces;

    drive(const pcie_options& options, const pcie_environment& environment);
    drive(const drive&) = delete;
    drive& operator=(const drive&) = delete;

    /// Errors: conflict (another device has that namespace); limit_reached.
    result<drive_namespace*> join(std::uint32_t wanted_nsid, drive_listener& listener);
    /// No channel of it is open. After the last one the drive is given back, and deletes itself.
    void leave(drive_namespace& which) noexcept;
    /// Asks the drive again what has become of it.
    void look_at(drive_namespace& which) noexcept;
    /// An operator accepts that acknowledged writes are gone; true when it serves now.
    bool accept_loss(drive_namespace& which) noexcept;
    [[nodiscard]] bool ready(const drive_namespace& which) const noexcept {
        return serves() && !which.view.lost.load(std::memory_order_relaxed);
    }
    /// What an operator should know of its condition; empty: nothing.
    [[nodiscard]] std::string warning() const;

    void attach() noexcept { apply({.what = drive_message::attach}); }
    /// `drain`: what is outstanding at the drive ends first.
    void detach(bool drain) noexcept {
        apply({.what = drain ? drive_message::drain : drive_message::detach});
    }
    void arrived() noexcept { apply({.what = drive_message::arrive}); }
    void report_loss(loss_cause cause) noexcept {
        apply({.what = drive_message::lose, .cause = cause, .may_reset = may_reset()});
    }

    [[nodiscard]] const pcie_options& options() const noexcept { return options_; }
    [[nodiscard]] drive_state state() const noexcept { return state_of(life_.stage); }
    [[nodiscard]] drive_status status() const;
    /// Called on: `r`.
    [[nodiscard]] reactor_queue* place_of(const engine::reactor& r) noexcept;

    // From its session.
    void on_attached(drive_session& session) noexcept;
    void on_quiet(drive_session& session) noexcept;
    void on_released(drive_session& session) noexcept;
    void on_probed(drive_session& session, liveness found) noexcept;

  private:
    ~drive();
    friend struct std::default_delete<drive>;

    // Of its admin queue.
    void on_smart(const nvme::smart_log& page) noexcept override;
    void on_errors(std::span<const nvme::error_log_entry> entries) noexcept override;
    void on_namespaces_changed() noexcept override;
    void on_abort_answered(std::uint16_t qid, std::uint16_t cid) noexcept override;
    void on_namespace(std::uint32_t nsid, const nvme::identify_namespace& page,
                      const result<void>& set) noexcept override;

    enum class errand : std::uint8_t {
        none,  // it is home
        move,  // gives its reactor a queue, or takes it away
        pass,  // changes nothing: what its reactor did before is published after it
    };
    /// Carries a queue to its reactor, or takes it away again, and comes home.
    struct queue_binding final : engine::message {
        queue_binding(drive& d, engine::reactor& r) noexcept;
        void send(errand what) noexcept;
        drive* owner;
        reactor_queue place;
        queue_pair* queue = nullptr;  // what the reactor is to have; null: none
        const drive_view* view = nullptr;
        int interrupt_fd = -1;
        vfio::interrupt_mask mask{};
        errand on = errand::none;
        // Progress, as the watch saw it last.
        std::uint64_t seen = 0;
        instant since{};
    };

    void on_removal_requested() noexcept { report_loss(loss_cause::removal_requested); }
    void on_bus_error() noexcept { report_loss(loss_cause::bus_error); }
    /// What a drive is known by.
    struct hardware {
        std::string serial;
        std::string model;
    };
    /// Why what was brought up cannot be used.
    struct refusal {
        loss_cause cause = loss_cause::bring_up_failed;
        std::string why;
    };

    /// `reason` of a loss, for people; empty: as its cause says.
    void apply(const drive_input& input, const std::string& reason = {}) noexcept;
    void perform(drive_action what, const drive_life& after, const std::string& reason) noexcept;
    [[nodiscard]] bool serves() const noexcept { return life_.stage == drive_stage::serving; }
    void start() noexcept;
    [[nodiscard]] std::optional<refusal> accept(drive_session& session);
    void serve() noexcept;
    void shut() noexcept;
    void record_loss(loss_cause cause, const std::string& reason) noexcept;
    void tell_lost() noexcept;
    void begin_release() noexcept;
    void begin_drain() noexcept;
    void look_at_drain() noexcept;
    void end_session() noexcept;
    void tell(drive_occurrence what, loss_cause cause, std::string_view detail) noexcept;
    void refuse(std::string reason, loss_cause cause = loss_cause::none) noexcept;
    void link_all(bool up) noexcept;
    [[nodiscard]] bool links_home() const noexcept;
    void on_link_home(queue_binding& l) noexcept;
    void check_unlinked() noexcept;
    [[nodiscard]] bool taken_away() const noexcept;
    void watch_progress() noexcept;
    void retry() noexcept { apply({.what = drive_message::timer}); }
    [[nodiscard]] result<void> recognise(const drive_description& found) const;
    [[nodiscard]] result<void> recognise(const drive_namespace& ns,
                                         const namespace_description& found) const;
    [[nodiscard]] std::uint32_t nsid_of(const drive_namespace& ns) const noexcept;
    [[nodiscard]] result<void> take(drive_namespace& ns, const namespace_description& found);
    [[nodiscard]] result<void> take_all(const drive_description& found);
    void open(drive_namespace& ns) noexcept;
    [[nodiscard]] bool may_open(drive_namespace& ns) noexcept;
    void doubt_caches() noexcept;
    void withdraw(drive_namespace& ns, std::string reason) noexcept;
    void abort_what_is_late() noexcept;
    [[nodiscard]] bool may_reset() const noexcept;
    void count_reset() noexcept;
    void arm_retry(duration after) noexcept {
        environment_.control->timers().arm(retry_timer_, now() + after);
    }
    void stop_listening() noexcept;
    [[nodiscard]] instant now() const noexcept { return environment_.control->fresh_now(); }

    pcie_options options_;
    const pcie_environment& environment_;
    std::vector<std::unique_ptr<drive_namespace>> namespaces_;
    drive_life life_;
    instant since_{};                // of state()
    std::optional<hardware> known_;  // the drive that was here
    std::string firmware_;
    std::uint64_t times_served_ = 0;
    std::uint32_t generation_ = 0;
    loss_cause last_loss_ = loss_cause::none;
    std::string reason_ = "the drive has not been brought up yet";
    std::uint64_t losses_ = 0;
    drive_counters counters_;
    std::uint64_t late_reports_ = 0;
    std::uint64_t last_release_us_ = 0;
    std::uint64_t last_quiet_us_ = 0;
    instant lost_at_{};
    instant last_probe_{};
    instant reset_window_began_{};
    std::uint32_t resets_ = 0;
    std::unique_ptr<drive_session> session_;
    std::vector<std::unique_ptr<queue_binding>> queue_bindings_;
    engine::member_watch<&drive::on_removal_requested> removal_watch_{*this};
    engine::member_watch<&drive::on_bus_error> error_watch_{*this};
    admin_queue admin_;
    std::optional<drive_health> health_;
    std::vector<drive_error> errors_;
    std::uint64_t faults_ = 0;  // of this incarnation, as the watch saw it last
    instant health_read_{};
    engine::member_timer<&drive::watch_progress> watch_timer_{*this};
    engine::member_timer<&drive::look_at_drain> drain_timer_{*this};
    instant drain_until_{};
    std::string refused_;  // what was told last: a try in vain every few seconds is told once
    engine::member_timer<&drive::retry> retry_timer_{*this};
};

}  // namespace fulmar::backend::pcie
