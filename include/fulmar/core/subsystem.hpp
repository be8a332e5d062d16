// A subsystem as the control reactor owns it: its specification, its state, and the operations that
// wait their turn.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/ids.hpp>
#include <fulmar/core/awaited_acks.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/core/controller_instance.hpp>
#include <fulmar/core/description.hpp>
#include <fulmar/core/fair_share.hpp>
#include <fulmar/core/group_command.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/namespace_states.hpp>
#include <fulmar/core/operation_steps.hpp>
#include <fulmar/core/subsystem_states.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/timer_wheel.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fulmar::core {

class controller;
class poll_group;
class target;
class subsystem;
class share_ranges_operation;
struct cross_reset_request;
struct reservation_errand;
struct reservation_outcome;
struct reservation_state;

/// What a subsystem knows of the host of a controller.
enum class host_standing : std::uint8_t {
    admitted,  ///< it has no key: its name is enough
    unproven,  ///< it has to prove who it is
    proven,
};

/// One namespace on the control reactor.
struct namespace_record {
    namespace_spec spec;
    nvme::uuid uuid;    ///< what `spec` says, parsed once: each change describes all namespaces
    nvme::nguid nguid;  ///< likewise
    namespace_id id;
    namespace_state state = namespace_state::absent;
    backend::device* device = nullptr;
    backend::geometry geometry;  ///< the last good one
    instant since{};
    std::unique_ptr<namespace_gauge[]> gauges;  ///< one per poll group, lent to it
    reservation_view reservation;               ///< who has registered, and who holds
    range_locks_view ranges;                    ///< null: no fused pair has come yet
    host_list visible_to;                       ///< what `spec` says, in order; shared with views
    nvme::write_protection protection = nvme::write_protection::none;
    bool recorded = false;        ///< something is kept of it, or was at the start
    std::uint64_t preempted = 0;  ///< registrations that other hosts have ended
    bool hold_over = false;       ///< lost for longer than its policy makes its I/O wait
    /// Ends a hold. Armed while one is under way.
    struct hold_timer : engine::timer {
        hold_timer(subsystem& s, namespace_id which) noexcept;
        ~hold_timer();
        hold_timer(const hold_timer&) = delete;
        hold_timer& operator=(const hold_timer&) = delete;
        subsystem* owner;
        namespace_id id;
    };
    std::unique_ptr<hold_timer> hold_limit;
    /// A loss makes its I/O wait.
    [[nodiscard]] bool holds() const noexcept {
        return spec.on_loss == loss_policy::hold && spec.hold_s != 0 && !hold_over;
    }
    [[nodiscard]] bool held() const noexcept { return state == namespace_state::lost && holds(); }
    bool loss_waits = false;     ///< "its device is lost" is in the queue of operations
    bool refresh_waits = false;  ///< and so is "its device has another size"
};

/// One operation on a subsystem, as an object with stages: resume() runs until something has to be
/// waited for. Called on: control reactor.
class operation {
  public:
    operation(subsystem& s, change wanted, control_request* asker)
        : subject(s), what(std::move(wanted)), request(asker) {}
    virtual ~operation() = default;
    /// Goes on. True: finished (and answered); false: a fan-out is on its way, whose last ack
    /// resumes.
    virtual bool resume() = 0;
    /// The target is stopping: what it waits for besides acks ends by `deadline`.
    virtual void cancel(instant deadline) noexcept { static_cast<void>(deadline); }
    /// The host whose command it is; null: an operator's, or the target's own.
    [[nodiscard]] virtual const nvme::host_id* of_host() const noexcept { return nullptr; }
    /// The number of the controller that such a command came to, when it goes with that; or 0.
    [[nodiscard]] virtual std::uint64_t of_controller() const noexcept { return 0; }

    subsystem& subject;
    change what;
    control_request* request;  ///< null: nobody asked (start, device loss)

  protected:
    /// Decides what comes next and moves the states; sends nothing yet. `n` is the namespace that
    /// it is about.
    operation_step take_step(operation_kind kind, operation_inputs inputs, namespace_record* n);
    [[nodiscard]] operation_inputs observe(const namespace_record* n) const;
    [[nodiscard]] operation_stage stage() const noexcept { return stage_; }
    void answer(control_answer with);
    void fail_with(error why);
    /// Like answer(), but what was promised is not kept yet: `unreaped` operations are at a device
    /// still.
    void answer_unquiesced(std::string_view what_happened, std::uint32_t unreaped);
    /// One or the other.
    void answer_quiesced(control_answer with, std::string_view what_happened,
                         std::uint32_t unreaped);

  private:
    operation_stage stage_ = operation_stage::begin;
};

/// Called on: control reactor, all methods.
class subsystem {
  public:
    subsystem(target& owner, subsystem_id id, subsystem_spec spec, bool discovery);
    ~subsystem();
    subsystem(const subsystem&) = delete;
    subsystem& operator=(const subsystem&) = delete;

    [[nodiscard]] subsystem_id id() const noexcept { return id_; }
    [[nodiscard]] const subsystem_spec& spec() const noexcept { return spec_; }
    [[nodiscard]] subsystem_state state() const noexcept { return state_; }
    [[nodiscard]] bool is_discovery() const noexcept { return discovery_; }
    [[nodiscard]] bool allows(std::string_view host) const noexcept;
    [[nodiscard]] subsystem_status status() const;
    [[nodiscard]] namespace_status status(const namespace_record& n) const;
    [[nodiscard]] const std::map<std::uint32_t, namespace_record>& namespaces() const noexcept {
        return namespaces_;
    }

    /// A host's command that the poll groups cannot decide. Turned away, to be tried again, when
    /// limits::pending_reservations_per_subsystem wait, or its host has its share of them; a
    /// Cross-Controller Reset never is, nor is it counted.
    void reserve(std::unique_ptr<reservation_errand> errand);
    /// An operator's command: what hosts have protected may be written again. May throw
    /// std::bad_alloc: then nothing has been asked for.
    void lift_protection(std::uint32_t nsid, control_request& asker);
    /// Queues `op`; operations run one after the other. When
    /// limits::pending_operations_per_subsystem wait already, its request is answered with
    /// limit_reached.
    void enqueue(std::unique_ptr<operation> op);
    void device_lost(std::uint32_t nsid, const backend::device& which);
    void device_returned(std::uint32_t nsid, const backend::device& which);
    /// The device could serve again without data that it has acknowledged. Under `hold` hosts have
    /// not been told of any loss, so it must not: false, and it is not waited for any longer.
    [[nodiscard]] bool takes_back_without_data(std::uint32_t nsid, const backend::device& which);
    void device_resized(std::uint32_t nsid);
    [[nodiscard]] bool busy() const noexcept { return current_ != nullptr; }

    // For operations.
    void advance(subsystem_event on);
    void advance(namespace_record& n, namespace_event on);
    /// Sends `action` to every poll group; the current operation resumes after the last ack.
    /// `last_failure()` tells how it went.
    void fan_out(group_action action, const namespace_record* ns = nullptr,
                 subsystem_view view = nullptr, std::vector<std::uint32_t> changed = {},
                 std::uint32_t ana_group = 0, std::string subject = {});
    [[nodiscard]] std::string_view last_failure() const noexcept { return failure_; }
    /// The next fan-out tells whom this concerns; it lives until the last ack.
    void adopted(const reservation_outcome& what) noexcept { adopted_ = &what; }
    /// In the next fan-out, a drain, what has landed is made durable before the ack.
    void flush_what_is_drained() noexcept { flushes_ = true; }
    /// The next fan-out is about that controller.
    void about_controller(const controller_instance& which) noexcept { ended_ = which; }
    /// The fan-out that is on its way has no more time than that.
    void end_by(instant deadline);
    /// What the current operation waited for, and is no ack, has come.
    void resume_current() noexcept;
    /// Operations that the last fan-out gave up and that are at a device still.
    [[nodiscard]] std::uint32_t last_unreaped() const noexcept { return acks_.unreaped; }
    /// The target is stopping: who waits in the queue is sent away, and what runs ends by
    /// `deadline`.
    void cancel(instant deadline);
    [[nodiscard]] subsystem_view make_view() const;
    /// `n` is lost, and its I/O waits: for so long.
    void begin_hold(namespace_record& n);
    /// Before a namespace is lost: what its device has lost for good nobody waits for.
    static void judge_loss(namespace_record& n) noexcept;
    /// Its device is back, or it is not waited for any longer (`over`, until it has been back).
    void end_hold(namespace_record& n, bool over);
    /// A device that does not serve is taken too: its namespace keeps its place until it does.
    /// Errors: what complete_spec() and device_registry::claim() say; conflict (the device is lost
    /// and its size unknown, unless `even_unknown`: at start).
    result<namespace_record*> add_record(namespace_spec spec, bool even_unknown = false);
    void drop_record(std::uint32_t nsid);
    /// From now on that is the state of `n`; the next fan-out has the poll groups take it.
    static void adopt(namespace_record& n, reservation_state&& next);
    /// From the next view on, commands of `n` share their ranges of blocks.
    static void share_ranges(namespace_record& n);
    [[nodiscard]] share_ranges_operation* sharing_under_way(namespace_id of) const noexcept;
    /// Neither its host nor all together have too much waiting.
    [[nodiscard]] bool has_room_for(const reservation_errand& errand) const noexcept;
    /// An operator removes `n`, and with it what hosts have made of it.
    void forget(const namespace_record& n) noexcept;
    /// By the listener of that name, as is configured.
    [[nodiscard]] ana_state ana_state_at(const namespace_record& n,
                                         const std::string& listener) const;
    /// The end of a subsystem: all records go.
    void drop_all();
    [[nodiscard]] namespace_record* find(std::uint32_t nsid);
    [[nodiscard]] target& owner() noexcept { return target_; }
    subsystem_spec& edit() noexcept { return spec_; }
    /// The NSIDs of the namespaces in that group of `spec`.
    [[nodiscard]] std::vector<std::uint32_t> members_of(std::uint32_t ana_group) const;
    /// The ANA groups are new, or have changed: no path stays in state `change`.
    void watch_ana_transitions();
    /// Paths of that group, by the number that hosts know, have been in state `change` for as long
    /// as they may.
    [[nodiscard]] bool ana_transition_is_over(std::uint32_t group) const noexcept;
    /// What is under way ends with the transition of that group, if it is in one.
    void end_by_ana_transition(std::uint32_t group);
    void set_last_error(std::string text) { last_error_ = std::move(text); }
    [[nodiscard]] bool deleted() const noexcept { return deleted_; }

    // Controllers.
    struct controller_place {
        poll_group* home = nullptr;
        controller* where = nullptr;  ///< null until announced
        seat whose{};
        nvme::host_id identifier{};
        controller_instance instance{};
        host_standing standing = host_standing::admitted;
        bool leaving = false;  ///< was asked to give way
    };
    /// Which instance that is goes into `instance`. 0: none is free.
    [[nodiscard]] cntlid assign_controller_id(poll_group& home, const seat& whose,
                                              const nvme::host_id& identifier,
                                              host_standing standing,
                                              controller_instance& instance);
    /// Hosts of another name have controllers with `identifier`, and `whose` has none. Those that
    /// are unproven do not count.
    [[nodiscard]] bool has_namesake(const seat& whose,
                                    const nvme::host_id& identifier) const noexcept;
    /// A host has registered with one of its namespaces.
    [[nodiscard]] bool has_registrants() const noexcept;
    /// None is free: asks a controller of whoever has most of them to give way, of those that are
    /// unproven for one that is. False: everybody has no more than a share.
    [[nodiscard]] bool make_room(const seat& newcomer, host_standing standing) noexcept;
    /// The host of that controller has proved who it is. False: proven ones have no place left.
    [[nodiscard]] bool prove_controller(cntlid number) noexcept;
    void place_controller(cntlid number, controller& where) noexcept;
    void release_controller(cntlid number) noexcept;
    [[nodiscard]] const controller_place* find_controller(cntlid number) const noexcept;
    // Instances of controllers: subsystem_cross_resets.cpp.
    [[nodiscard]] bool has_controller(const controller_instance& which) const noexcept;
    /// What that controller has sent, and has not had its turn, never has it.
    void drop_commands_of(const controller_instance& which) noexcept;

  private:
    [[nodiscard]] std::uint32_t most_controllers() const noexcept;
    /// Places that only controllers of unproven hosts have: nobody else's number makes them wait.
    [[nodiscard]] std::uint32_t unproven_share() const noexcept;
    [[nodiscard]] bool has_controller_left(host_standing standing) const noexcept;
    [[nodiscard]] bool send_away(bool (*among)(const controller_place& one, instant now),
                                 const seat& newcomer, const share_rule& rule) noexcept;
    void enqueue_first(std::unique_ptr<operation> op);
    [[nodiscard]] controller_instance new_instance() noexcept;
    void begin_turn_of_numbers() noexcept;
    void remember_controller(cntlid number, const controller_place& gone) noexcept;
    [[nodiscard]] bool owns(const reservation_errand& asker,
                            const cross_reset_request& what) const noexcept;
    [[nodiscard]] bool is_being_ended(const controller_instance& which) const noexcept;
    /// Success: its Cross-Controller Reset may take its turn.
    [[nodiscard]] nvme::status may_end(const reservation_errand& asker) const noexcept;
    friend struct namespace_record::hold_timer;
    void hold_passed(namespace_id which);
    void on_ana_timer() noexcept;
    void recall(namespace_record& n) const;
    void note(const char* what, std::string_view detail, namespace_id ns = {},
              std::uint64_t object = 0, std::uint64_t value = 0) const noexcept;
    void run_next() noexcept;  // a step that finds no memory has nobody to tell (ADR 006)
    void on_ack(group_command& command) noexcept;
    void on_escalation_home() noexcept;
    void escalate() noexcept;
    [[nodiscard]] bool escalating() const noexcept;
    void on_deadline() noexcept;

    target& target_;
    subsystem_id id_;
    subsystem_spec spec_;
    bool discovery_;
    bool deleted_ = false;
    subsystem_state state_ = subsystem_state::inactive;
    instant since_;
    std::map<std::uint32_t, namespace_record> namespaces_;
    std::unordered_map<std::uint32_t, std::uint32_t> namespace_generations_;

    std::unique_ptr<operation> current_;
    std::deque<std::unique_ptr<operation>> waiting_;

    // The fan-out in progress.
    std::vector<std::unique_ptr<group_command>> commands_;  // one per poll group
    std::vector<std::unique_ptr<escalate_command>> escalations_;
    awaited_acks acks_;
    std::string failure_;
    std::string subject_;
    const reservation_outcome* adopted_ = nullptr;
    controller_instance ended_;
    bool flushes_ = false;
    std::string last_error_;
    engine::member_timer<&subsystem::on_deadline> deadline_{*this};
    std::map<std::uint32_t, instant> ana_transitions_;  // of groups with paths in state `change`
    engine::member_timer<&subsystem::on_ana_timer> ana_timer_{*this};

    std::unordered_map<std::uint16_t, controller_place> controllers_;
    std::uint16_t next_cntlid_;
    std::uint8_t uniquifier_ = 1;
    struct departed_controller {
        cntlid id{};
        controller_instance instance{};
        std::uint64_t host = 0;  ///< nqn_key() of it
        nvme::host_id identifier{};
    };
    std::deque<departed_controller> departed_;  // the last ones, the oldest first
};

}  // namespace fulmar::core
