// The moves of the small world, as members of one object that holds the state for a moment.
// machine_control.cpp follows src/core/subsystem.cpp and operations.cpp, machine_group.cpp follows
// subsystem_group.cpp and poll_group.cpp, machine_host.cpp follows src/core/command,
// qpair.cpp and connect.cpp.
#pragma once

#include "world.hpp"

namespace fulmar::model {

class machine {
  public:
    machine(const settings& of, state& s) : of_(of), s_(s) {}

    void breaks(std::string_view what) {
        if (broken.empty()) broken = what;
    }
    /// Takes an edge; without one the core would end in an assertion.
    template <typename Edges, typename State, typename Event>
    void advance(const Edges& edges, State& at, Event on) {
        const auto to = next_state(edges, at, on);
        if (!to) return breaks("an assertion fails: the table has no such edge");
        at = *to;
    }

    // Control.
    void begin();
    void operator_asks(byte which);
    void control_receives(byte g);
    void deadline_passes();
    void hold_passes(byte ns);
    /// What the running operation waited for has come.
    void go_on();
    void wait_passes(byte g, byte ns);
    void drive_vanishes();
    void drive_fault();
    void ack_again(byte g);

    // Groups.
    void group_receives(byte g, bool fails);
    void settle(byte g);

    // Hosts.
    void command_arrives(byte r);
    void data_arrives(byte r);
    void buffer_granted(byte r);
    void drive_answers(byte r);
    void answer_sent(byte r);
    void cut(byte c);
    void drain_deadline(byte c);
    void detached(byte c);
    void connect_arrives(byte c);
    void connect_looks_again(byte c);
    void connect_wait_over(byte c);
    void connect_at_control(byte c);
    void connect_returns(byte c);

    std::string_view broken;

  private:
    // Control.
    void enqueue(const running_operation& op, bool first);
    void run_next();
    bool resume();
    [[nodiscard]] core::operation_inputs observe() const;
    bool prepare(core::operation_inputs& inputs);
    bool add_record(byte ns, disk on);
    void drop_record(byte ns);
    void hold(const core::operation_step& step, const core::operation_inputs& inputs);
    void finish(const core::operation_step& step);
    void check_promise(core::operation_stage last);
    void check_reserved(byte ns);
    void fan_out(group_action action, byte ns);
    void on_ack(byte g);
    void escalate();
    void gone();

    // Groups.
    void execute(byte g, bool fails);
    [[nodiscard]] bool begins(byte g, bool fails);
    void move_gates(byte g, const question& q);
    void open_gate(byte g, byte ns);
    void close_gate(byte g, byte ns);
    void lose(byte g, byte ns);
    void acknowledge(byte g);
    void give_up_pending(byte g);
    [[nodiscard]] bool concerns(byte g, const question& q, byte ns) const;
    [[nodiscard]] byte unreaped(byte g, const question& q) const;
    [[nodiscard]] byte still_waiting(byte g, const question& q) const;
    void orphan_what_is_left(byte g, const question& q);
    void remove_group(byte g);
    void check_pending(byte g);

    // Hosts.
    void admit(byte r);
    void enter(byte r);
    void submit(byte r);
    void check_submission(byte r);
    void complete(byte r);
    void finish(byte r);
    void abandon(byte r);
    [[nodiscard]] bool give_up(byte r);
    void unpark(byte r);
    void leave(byte r);
    void close(byte c);
    void check_drained(byte c);
    void resolve(byte c);
    void refuse(byte c);

    [[nodiscard]] byte group_of(byte r) const { return of_.request_connection[r]; }
    [[nodiscard]] entry& entry_of(byte r) {
        return s_.group[group_of(r)].entries[of_.request_namespace[r]];
    }
    [[nodiscard]] byte outstanding(byte c) const;

    const settings& of_;
    state& s_;
};

/// Whether what was meant for one incarnation of the slot may reach another one.
[[nodiscard]] inline bool same(byte meant, byte present) {
    return core::group_rules::is_same({.index = 0, .generation = meant},
                                      {.index = 0, .generation = present});
}

void push(mailbox& box, parcel what);
parcel pop(mailbox& box);

}  // namespace fulmar::model
