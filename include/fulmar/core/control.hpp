// What the administration may ask of the core: typed commands, answered once each. The admin thread
// never touches a data structure of the core; it fills a control_request, posts it to the control
// reactor, and reads the answer.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/core/fields/edits.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/core/status_report.hpp>
#include <fulmar/engine/message.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace fulmar::engine {
class reactor;
}

namespace fulmar::core {

class target;

// Changes. Each is applied as a whole or not at all, and recorded in the journal.
struct create_device {
    device_spec spec;
    bool configured = false;  ///< the config file has it: what it stands on may come later. Not
                              ///< recorded
};
struct delete_device {
    std::string name;
};
struct resize_device {
    std::string name;
    std::uint64_t size_bytes = 0;  ///< 0: look again at what is underneath
    bool allow_shrink = false;     ///< without it a smaller size is refused (conflict)
};
struct reopen_device {
    std::string name;
    bool accept = false;  ///< also when it is another file or disk than it was
};
struct create_subsystem {
    subsystem_spec spec;
};
struct delete_subsystem {
    std::string nqn;
    /// NSIDs of namespaces that what follows makes anew: what hosts have reserved and protected
    /// stays. Not recorded.
    std::vector<std::uint32_t> returning{};
};
struct pause_subsystem {
    std::string nqn;
};
struct resume_subsystem {
    std::string nqn;
};
struct add_namespace {
    std::string nqn;
    namespace_spec spec;
};
struct remove_namespace {
    std::string nqn;
    std::uint32_t nsid = 0;
    bool returns = false;  ///< as delete_subsystem::returning
};
struct set_ana_state {
    std::string nqn;
    std::uint32_t nsid = 0;
    ana_state state = ana_state::optimized;
};
struct create_ana_group {
    std::string nqn;
    ana_group_spec spec;
};
/// Of a group that no namespace is in.
struct delete_ana_group {
    std::string nqn;
    std::uint32_t id = 0;
};
/// Answered when nothing that came by a path that is closed now is on its way to a device.
struct modify_ana_group {
    std::string nqn;
    std::uint32_t id = 0;
    field_edits<ana_group_spec> set;
};
/// Likewise, of its path by one listener.
struct set_ana_path {
    std::string nqn;
    std::uint32_t id = 0;
    std::string listener;
    std::optional<ana_state> state = std::nullopt;  ///< none: what the group is elsewhere
};
struct add_host {
    std::string nqn;
    std::string host;
};
struct remove_host {
    std::string nqn;
    std::string host;
};
struct set_allow_any_host {
    std::string nqn;
    bool allow = false;
};
/// How `keys.nqn` authenticates from its next Connect on, or when it is asked again; without a
/// key it need not prove anything. Whether it may connect is not said here.
struct set_host_keys {
    std::string nqn;
    host_keys_spec keys;
};
struct add_listener {
    listener_spec spec;
};
struct remove_listener {
    std::string name;
};
struct add_referral {
    referral_spec spec;
};
struct remove_referral {
    referral_spec spec;
};
/// Gives up what is underneath, and keeps it given up: also when it comes again, and after a
/// restart. `drain`: what is outstanding there ends first (bounded by limits::drain_limit).
struct detach_device {
    std::string name;
    bool drain = false;
};
struct attach_device {
    std::string name;
};
/// The file of a device is there: device_spec::create has been met. The core's own, at start; an
/// administration does not ask for it.
struct file_created {
    std::string name;
};
/// Fields that may change in place take new values. No host notices.
struct modify_device {
    std::string name;
    field_edits<device_spec> set;
};
struct modify_subsystem {
    std::string nqn;
    field_edits<subsystem_spec> set;
};
struct modify_namespace {
    std::string nqn;
    std::uint32_t nsid = 0;
    field_edits<namespace_spec> set;
};

using change =
    std::variant<create_device, delete_device, resize_device, reopen_device, create_subsystem,
                 delete_subsystem, pause_subsystem, resume_subsystem, add_namespace,
                 remove_namespace, set_ana_state, add_host, remove_host, set_allow_any_host,
                 add_listener, remove_listener, add_referral, remove_referral, detach_device,
                 attach_device, file_created, modify_device, modify_subsystem, modify_namespace,
                 create_ana_group, delete_ana_group, modify_ana_group, set_ana_path, set_host_keys>;

// Questions.
struct get_target {};       ///< → target_status: counts, build, reactors
struct get_spec {};         ///< → target_spec: the whole configuration as it is now
struct list_subsystems {};  ///< → std::vector<subsystem_status>
struct get_subsystem {
    std::string nqn;
};                       ///< → subsystem_status
struct list_devices {};  ///< → std::vector<device_status>
struct get_device {
    std::string name;
};                           ///< → device_status
struct list_listeners {};    ///< → std::vector<listener_status>
struct list_connections {};  ///< → std::vector<connection_status>
struct get_counters {};      ///< → counters_report, for /metrics
struct get_recorder {};      ///< → flight_report
/// → std::monostate, when its reactor has begun to close it. It is here because it changes nothing
/// of the configuration: nothing is recorded, and its host may connect again.
struct end_connection {
    std::uint64_t id = 0;  ///< as connection_status tells; never used again
};
/// → std::monostate, when the namespace can be written again: whatever protection hosts have put on
/// it has ended. It is here for the same reason: a host may protect it again.
struct lift_protection {
    std::string nqn;
    std::uint32_t nsid = 0;
};

using query = std::variant<get_target, get_spec, list_subsystems, get_subsystem, list_devices,
                           get_device, list_listeners, list_connections, get_counters, get_recorder,
                           end_connection, lift_protection>;

/// What an answer holds; std::monostate for a change that has nothing to tell. add_namespace and
/// create_* answer with the status of what they made, so that a caller learns the NSID, UUID and
/// port that were chosen.
using control_answer =
    std::variant<std::monostate, target_status, target_spec, subsystem_status,
                 std::vector<subsystem_status>, namespace_status, device_status,
                 std::vector<device_status>, listener_status, std::vector<listener_status>,
                 std::vector<connection_status>, counters_report, flight_report>;

/// One command on its way. The admin side owns it and keeps it alive until `replied` has run.
/// Called on: admin thread, until it is submitted; then control reactor, until it is finished.
class control_request : public engine::message {
  public:
    using reply = void (*)(control_request&) noexcept;

    /// `on_reply` runs once, on the control reactor; it must only hand the request back to the
    /// admin thread.
    control_request(std::variant<change, query> command, bool durable, reply on_reply);

    std::variant<change, query> what;
    bool durable = true;  ///< a change is answered only when the journal has it on stable storage
    result<control_answer> outcome = control_answer{};
    std::uint64_t revision =
        0;  ///< of the configuration after the change (or when the question was answered): the ETag

    /// The core's, on the control reactor.
    void finish(result<control_answer> with) noexcept;
    void arrive_at(engine::reactor& control, target& where) noexcept;

  private:
    target* destination_ = nullptr;
    reply on_reply_;
};

/// Where control requests go. Implemented by core::target.
class control_port {
  public:
    /// Called on: any thread.
    virtual void submit(control_request& request) noexcept = 0;

  protected:
    ~control_port() = default;
};

/// Where acknowledged changes go to survive a crash. Implemented by admin::journal, called by
/// core::target. Called on: control reactor.
class change_log {
  public:
    /// Told once a change is on stable storage, or that it never will be.
    class waiter {
      public:
        virtual void on_durable(result<void> outcome) noexcept = 0;

      protected:
        ~waiter() = default;
    };
    virtual ~change_log() = default;

    /// Records `what`, which has just been applied as revision `revision`, and tells `w` (may be
    /// null) when it is durable. Order of calls = order on disk. Values that the core chose (NSID,
    /// UUID, port) are filled in.
    virtual void append(const change& what, std::uint64_t revision, waiter* w) noexcept = 0;

    /// True when what `removal` takes away is configured, though it may not run: it failed at
    /// start.
    [[nodiscard]] virtual bool knows(const change& removal) const noexcept = 0;
};

}  // namespace fulmar::core
