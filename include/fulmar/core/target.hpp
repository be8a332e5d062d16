// The target: everything that the control reactor owns. Subsystems, namespaces, devices, listeners,
// and the changes to them.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/base/string_map.hpp>
#include <fulmar/core/connect_op.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/core/device_registry.hpp>
#include <fulmar/core/discovery_page.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/subsystem.hpp>
#include <fulmar/core/transport.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/reactor.hpp>
#include <fulmar/engine/timer_wheel.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace fulmar::security {
class key_source;
}

namespace fulmar::core {

class counter_source;

class controller;
class namespace_observer;
class namespace_memory;
struct discovery_query;
struct namespace_occurrence;
struct reservation_errand;

/// Called on: control reactor, unless a method says otherwise.
class target final : public control_port {
  public:
    struct setup {
        target_options limits;
        device_factory make_device;
        change_log* log = nullptr;  ///< null: nothing is recorded, every change counts as durable
        namespace_memory* memory = nullptr;        ///< null: reservations end with the daemon, and
                                                   ///< nothing can be write protected
        bool hugepages = false;                    ///< for reports only
        const counter_source* counters = nullptr;  ///< of what core does not know; outlives it
        const security::key_source* keys = nullptr;  ///< null: no key is usable; outlives it
        namespace_observer* events = nullptr;        ///< null: nobody asks; outlives it
        /// Numbers that nobody can foretell; 0: none now. Null: a sequence, the same each time.
        std::uint64_t (*random)() noexcept = nullptr;
    };

    /// `control` runs on the caller's thread, now and later.
    target(engine::reactor& control, setup parts);
    ~target();
    target(const target&) = delete;
    target& operator=(const target&) = delete;

    // Composition, before any reactor runs.
    poll_group& add_poll_group(engine::reactor& reactor, std::unique_ptr<mem::buffer_pool> pool);
    result<void> add_transport(std::unique_ptr<transport> t);

    /// Applies the configuration as it was at start. `done` runs once, when everything in it serves
    /// or has failed; each failure is reported to `failed` before.
    void start(const target_spec& spec, std::function<void(const error&)> failed,
               std::function<void()> done);

    /// Stops accepting, ends every connection, closes every subsystem; `done` runs once, within the
    /// shutdown time-out.
    void shut_down(std::function<void()> done);
    [[nodiscard]] bool stopping() const noexcept { return stopping_; }
    /// Nothing of it is in use any more, so that it can be destroyed. After shut_down() it is not
    /// when a device keeps operations for ever: then the process must end without destroying the
    /// target.
    [[nodiscard]] bool at_rest() const noexcept;

    // control_port.  Called on: any thread.
    void submit(control_request& request) noexcept override;

    // For transports.
    /// The poll group for the next connection.
    [[nodiscard]] poll_group& least_loaded() noexcept;
    [[nodiscard]] std::span<const std::unique_ptr<poll_group>> groups() const noexcept {
        return groups_;
    }
    /// Called on: any thread.
    [[nodiscard]] const target_options& options() const noexcept { return setup_.limits; }
    /// Called on: any thread.
    [[nodiscard]] engine::reactor& control_reactor() noexcept { return control_; }

    // For Connects and controllers.
    /// Called on: any thread.
    [[nodiscard]] const security::key_source* keys() const noexcept { return setup_.keys; }
    void reservation_arrived(std::unique_ptr<reservation_errand> errand) noexcept;
    void connect_arrived(connect_op& op) noexcept;
    /// The host of that Connect, which has been accepted, has proved who it is.
    void proof_arrived(connect_op& op) noexcept;
    static void connect_withdrawn(engine::message& m) noexcept;
    void controller_released(subsystem_id id, cntlid number) noexcept;
    void place_controller(subsystem_id id, cntlid number, controller& where) noexcept;

    // For subsystems.
    [[nodiscard]] device_registry& devices() noexcept { return devices_; }
    /// Null: nothing of reservations is kept.
    [[nodiscard]] namespace_memory* memory() const noexcept { return setup_.memory; }
    void tell(const namespace_occurrence& one) const noexcept;
    /// The configuration has changed: count the revision, record it, answer whoever asked.
    /// With an error: it has happened, but not as it was promised.
    void commit(const change& what, control_request* request, result<control_answer> with) noexcept;
    /// Likewise, when nobody asked.
    void record(const change& what) noexcept;
    /// What `removal` takes away is configured and does not run: it failed at start. Then there is
    /// nothing to do but to forget it.
    [[nodiscard]] bool only_configured(const change& removal) const noexcept {
        return setup_.log != nullptr && setup_.log->knows(removal);
    }
    void discovery_changed() noexcept;
    void subsystem_gone(subsystem& s) noexcept;
    void subsystem_started() noexcept;
    /// The target is stopping and `s` is about to be taken down: what it was stays part of the
    /// configuration.
    void keep_for_restart(subsystem& s);
    /// Something that nobody asked for over REST did not work out: start, device loss.
    void operation_failed(const error& why) noexcept;
    /// Takes the new size of `e` into its specification.
    [[nodiscard]] std::uint64_t next_transition() noexcept { return ++transitions_; }
    /// When a transition that begins now has to end.
    [[nodiscard]] instant transition_deadline() const noexcept;
    void count_stale() noexcept { ++stale_acks_; }
    /// Another number each time, and never 0.
    [[nodiscard]] std::uint64_t draw_number() noexcept;

    // Reports.
    [[nodiscard]] target_status describe() const;
    [[nodiscard]] target_spec current_spec() const;
    [[nodiscard]] flight_report flight() const;

    // The discovery log.
    /// What GENCTR says. Called on: any thread.
    [[nodiscard]] std::uint64_t discovery_generation() const noexcept {
        return discovery_generation_.load(std::memory_order_acquire);
    }
    /// Made once per generation for all who see the same. May throw std::bad_alloc.
    [[nodiscard]] discovery_view find_discovery_page(const discovery_query& q);

  private:
    friend class control_request;

    void on_request(control_request& request) noexcept;
    void change_device(const std::string& name, change& what, control_request& request, bool& made);
    /// Stops accepting there, and ends the connections that were made through it.
    result<void> close_listener(const std::string& name);
    [[nodiscard]] result<control_answer> ask(const query& q);
    struct unfinished_subsystem;
    void on_change(control_request& request, bool& made);
    void on_query(control_request& request);
    [[nodiscard]] subsystem* find(std::string_view nqn) noexcept;
    [[nodiscard]] subsystem* find(subsystem_id id) noexcept;
    result<subsystem*> make_subsystem(subsystem_spec spec, bool discovery);
    [[nodiscard]] std::vector<std::byte> make_discovery_page(std::string_view host_nqn,
                                                             std::string_view local_address) const;
    void forget_old_pages();
    result<void> open_listener(const listener_spec& spec, listen_mode mode);
    void check_shut_down() noexcept;
    void on_shutdown_timer() noexcept;
    void warn_of_namesake(const connect_op& op) noexcept;

    engine::reactor& control_;
    setup setup_;
    instant started_;
    std::vector<std::unique_ptr<poll_group>> groups_;
    std::vector<std::unique_ptr<transport>> transports_;
    std::vector<std::unique_ptr<transport_group>> transport_groups_;
    device_registry devices_;
    std::vector<std::unique_ptr<subsystem>> slots_;  // by slot index; null: free
    std::vector<std::uint32_t> generations_;         // of the last incarnation, by slot index
    std::vector<std::uint32_t> free_slots_;
    string_map<subsystem*> by_nqn_;
    struct listening {
        listener_spec spec;
        std::unique_ptr<listener> accepts;
        std::uint16_t port_id = 0;  ///< of the discovery log: no two listeners have the same
    };
    [[nodiscard]] std::uint16_t free_port_id() const noexcept;
    std::vector<listening> listeners_;
    std::vector<referral_spec> referrals_;
    std::uint64_t revision_ = 1;
    std::atomic<std::uint64_t> discovery_generation_{1};
    struct kept_page {
        std::string host_nqn;  // empty: of all hosts that no subsystem names
        std::string local_address;
        discovery_view page;
    };
    std::vector<kept_page> kept_pages_;            // of the current generation
    std::unordered_set<std::string> named_hosts_;  // by any subsystem, then
    std::uint64_t kept_generation_ = 0;
    std::uint64_t pages_made_ = 0;
    std::uint64_t transitions_ = 0;
    std::uint64_t stale_acks_ = 0;
    std::uint64_t numbers_drawn_ = 0;
    log::limiter namesakes_;

    // Starting and stopping.
    bool stopping_ = false;
    std::size_t starting_ = 0;  // subsystems that are not up yet
    target_spec start_spec_;
    std::function<void(const error&)> start_failed_;
    std::function<void()> start_done_;
    std::function<void()> stop_done_;
    std::vector<listener_spec> stopped_listeners_;
    std::vector<std::pair<std::uint32_t, subsystem_spec>> stopped_subsystems_;  // with their slots
    engine::member_timer<&target::on_shutdown_timer> shutdown_timer_{*this};
    instant shutdown_deadline_{};
};

}  // namespace fulmar::core
