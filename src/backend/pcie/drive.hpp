// The owner of one drive through all its incarnations: decides when it is attached, lost, given
// back and tried again. Control reactor. Must never: wait, read a register, or close a descriptor
// of the drive.
#pragma once

#include "admin_queue.hpp"
#include "channel.hpp"
#include "drive_session.hpp"
#include "drive_states.hpp"

#include <fulmar/backend/pcie_device.hpp>
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
    /// Since it served, the drive may have lost what was in its write cache.
    bool cache_gone = false;
    bool known = false;       ///< `identity` is of a namespace that was here
    bool taken = false;       ///< the drive has it, as far as was last asked
    bool told_ready = false;  ///< the listener believes that it is there
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
        return state_ == drive_state::ready && !which.view.lost.load(std::memory_order_relaxed);
    }
    /// What an operator should know of its condition; empty: nothing.
    [[nodiscard]] std::string warning() const;

    void attach() noexcept;
    /// `drain`: what is outstanding at the drive ends first.
    void detach(bool drain) noexcept;
    void arrived() noexcept;
    void sign(loss_cause cause) noexcept;

    [[nodiscard]] const pcie_options& options() const noexcept { return options_; }
    [[nodiscard]] drive_state state() const noexcept { return state_; }
    [[nodiscard]] drive_status status() const;
    /// Called on: `r`.
    [[nodiscard]] channel_place* place_of(const engine::reactor& r) noexcept;

    // From its session.
    void on_attached(drive_session& session) noexcept;
    void on_quiet(drive_session& session) noexcept;
    void on_released(drive_session& session) noexcept;
    void on_probed(drive_session& session, pulse found) noexcept;

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

    /// Carries a queue to its reactor, or takes it away again, and comes home.
    struct link final : engine::message {
        link(drive& d, engine::reactor& r) noexcept;
        void send() noexcept;
        drive* owner;
        channel_place place;
        queue_pair* queue = nullptr;  // what the reactor is to have; null: none
        const drive_view* view = nullptr;
        int interrupt_fd = -1;
        vfio::interrupt_mask mask{};
        bool away = false;
        bool passing = false;  // changes nothing: what its reactor did before is published after it
        // Progress, as the watch saw it last.
        std::uint64_t seen = 0;
        instant since{};
    };

    void on_removal_requested() noexcept { sign(loss_cause::removal_requested); }
    void on_bus_error() noexcept { sign(loss_cause::bus_error); }
    void advance(drive_event on) noexcept;
    void try_attach() noexcept;
    void lose(loss_cause cause, std::string reason) noexcept;
    void tell_lost() noexcept;
    void note_loss(loss_cause cause, std::string reason) noexcept;
    void begin_release() noexcept;
    void begin_drain() noexcept;
    void look_at_drain() noexcept;
    void end_drain() noexcept;
    void tell(drive_occurrence what, loss_cause cause, std::string_view detail) noexcept;
    void refuse(std::string reason, loss_cause cause = loss_cause::none) noexcept;
    void link_all(bool up) noexcept;
    [[nodiscard]] bool links_home() const noexcept;
    void on_link_home(link& l) noexcept;
    void all_linked() noexcept;
    void check_released() noexcept;
    [[nodiscard]] bool taken_away() const noexcept;
    void watch_progress() noexcept;
    void retry() noexcept;
    [[nodiscard]] result<void> recognise(const drive_description& found) const;
    [[nodiscard]] result<void> recognise(const drive_namespace& ns,
                                         const namespace_description& found) const;
    [[nodiscard]] std::uint32_t nsid_of(const drive_namespace& ns) const noexcept;
    [[nodiscard]] result<void> take(drive_namespace& ns, const namespace_description& found);
    [[nodiscard]] result<void> take_all(const drive_description& found);
    void open(drive_namespace& ns) noexcept;
    [[nodiscard]] bool may_open(drive_namespace& ns) noexcept;
    void note_power_loss() noexcept;
    void withdraw(drive_namespace& ns, std::string reason) noexcept;
    void abort_what_is_late() noexcept;
    [[nodiscard]] bool may_reset() noexcept;
    void decide_what_next() noexcept;
    void stop_listening() noexcept;
    [[nodiscard]] instant now() const noexcept { return environment_.control->fresh_now(); }

    pcie_options options_;
    const pcie_environment& environment_;
    std::vector<std::unique_ptr<drive_namespace>> namespaces_;
    drive_state state_ = drive_state::absent;
    instant since_{};
    std::string serial_;
    std::string model_;
    std::string firmware_;
    bool served_ = false;
    bool known_ = false;  // they are of a drive that was here
    bool detached_ = false;
    bool draining_ = false;  // lost for whoever asks, and not released yet
    bool retiring_ = false;
    bool come_again_ = false;     // attach as soon as the present incarnation is gone
    bool wished_ = false;         // … since somebody said so, and not to reset it
    bool await_arrival_ = false;  // it left: no try until the kernel or an operator says more
    bool quiet_ = false;
    bool released_ = false;
    std::uint32_t generation_ = 0;
    loss_cause last_loss_ = loss_cause::none;
    std::string reason_ = "the drive has not been brought up yet";
    std::uint64_t losses_ = 0;
    drive_counters counters_;
    bool drained_ = false;  // of the present incarnation
    std::uint64_t late_signs_ = 0;
    std::uint64_t last_release_us_ = 0;
    std::uint64_t last_quiet_us_ = 0;
    instant lost_at_{};
    instant last_probe_{};
    loss_cause meanwhile_ = loss_cause::none;  // a sign while it was being brought up
    instant reset_window_began_{};
    std::uint32_t resets_ = 0;
    std::unique_ptr<drive_session> session_;
    std::vector<std::unique_ptr<link>> links_;
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
