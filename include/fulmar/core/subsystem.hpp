// A subsystem as the control reactor owns it: its specification, its state, and the operations that
// wait their turn.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/ids.hpp>
#include <fulmar/core/control.hpp>
#include <fulmar/core/description.hpp>
#include <fulmar/core/group_command.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/namespace_states.hpp>
#include <fulmar/core/subsystem_states.hpp>
#include <fulmar/engine/timer_wheel.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace fulmar::core {

class controller;
class poll_group;
class target;
class subsystem;

/// One namespace on the control reactor.
struct namespace_record {
    namespace_spec spec;
    namespace_id id;
    namespace_state state = namespace_state::absent;
    backend::device* device = nullptr;
    backend::geometry geometry;  ///< the last good one
    instant since{};
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

    subsystem& subject;
    change what;
    control_request* request;  ///< null: nobody asked (start, device loss)

  protected:
    void answer(control_answer with);
    void fail_with(error why);
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
    [[nodiscard]] subsystem_status status() const;
    [[nodiscard]] namespace_status status(const namespace_record& n) const;
    [[nodiscard]] const std::map<std::uint32_t, namespace_record>& namespaces() const noexcept {
        return namespaces_;
    }

    /// Queues `op`; operations run one after the other.  Errors: limit_reached (then `op` has been
    /// answered).
    void enqueue(std::unique_ptr<operation> op);
    void device_lost(std::uint32_t nsid, const backend::device& which);
    void device_resized(std::uint32_t nsid);
    [[nodiscard]] bool busy() const noexcept { return current_ != nullptr; }

    // For operations.
    void advance(subsystem_event on);
    void advance(namespace_record& n, namespace_event on);
    /// Sends `action` to every poll group; the current operation resumes after the last ack.
    /// `last_failure()` tells how it went.
    void fan_out(group_action action, const namespace_record* ns = nullptr,
                 subsystem_view view = nullptr, std::vector<std::uint32_t> changed = {},
                 bool changed_ana = false, std::string subject = {});
    [[nodiscard]] std::string_view last_failure() const noexcept { return failure_; }
    [[nodiscard]] subsystem_view make_view() const;
    result<namespace_record*> add_record(namespace_spec spec);
    void drop_record(std::uint32_t nsid);
    [[nodiscard]] namespace_record* find(std::uint32_t nsid);
    [[nodiscard]] target& owner() noexcept { return target_; }
    subsystem_spec& edit() noexcept { return spec_; }
    void count_ana_change() noexcept { ++ana_changes_; }
    void set_last_error(std::string text) { last_error_ = std::move(text); }
    void mark_deleted() noexcept { deleted_ = true; }
    [[nodiscard]] bool deleted() const noexcept { return deleted_; }

    // Controllers.
    struct controller_place {
        poll_group* home = nullptr;
        controller* where = nullptr;  ///< null until announced
    };
    [[nodiscard]] cntlid assign_controller_id(poll_group& home);  ///< 0: none is free
    void place_controller(cntlid number, controller& where) noexcept;
    void release_controller(cntlid number) noexcept;
    [[nodiscard]] const controller_place* find_controller(cntlid number) const noexcept;

  private:
    void run_next();
    void on_ack(group_command& command) noexcept;
    static void on_deadline(engine::timer& t) noexcept;

    target& target_;
    subsystem_id id_;
    subsystem_spec spec_;
    bool discovery_;
    bool deleted_ = false;
    subsystem_state state_ = subsystem_state::inactive;
    instant since_;
    std::map<std::uint32_t, namespace_record> namespaces_;
    boost::unordered_flat_map<std::uint32_t, std::uint32_t> namespace_generations_;
    std::uint64_t ana_changes_ = 0;

    std::unique_ptr<operation> current_;
    std::deque<std::unique_ptr<operation>> waiting_;

    // The fan-out in progress.
    std::vector<std::unique_ptr<group_command>> commands_;  // one per poll group
    std::vector<std::unique_ptr<escalate_command>> escalations_;
    std::uint64_t transition_ = 0;
    std::size_t acks_missing_ = 0;
    std::string failure_;
    std::string subject_;
    std::string last_error_;
    struct deadline_timer : engine::timer {
        explicit deadline_timer(subsystem& s) noexcept
            : timer(&subsystem::on_deadline), owner(&s) {}
        subsystem* owner;
    };
    deadline_timer deadline_;

    boost::unordered_flat_map<std::uint16_t, controller_place> controllers_;
    std::uint16_t next_cntlid_;
};

}  // namespace fulmar::core
