// The hops of a Connect (and of the farewell that undoes it); each says on which reactor it runs.
#pragma once

#include <fulmar/core/connect_op.hpp>
#include <fulmar/core/request.hpp>

namespace fulmar::core {

struct subsystem_group;

struct connect_steps {
    // On the qpair's reactor.
    static void start(request& r) noexcept;
    static void resolve(connect_op& op) noexcept;  ///< find the subsystem; go on, wait or refuse
    static void end_wait(connect_op& op) noexcept;
    static void admin_granted(
        engine::message& m) noexcept;  ///< an id was assigned: build the controller here
    static void returned(engine::message& m) noexcept;  ///< refused, or joined a controller
    static void leaving_noted(engine::message& m) noexcept;
    static void detached(engine::message& m) noexcept;
    static void on_wait_over(engine::timer& t) noexcept;

    // On the control reactor.
    static void at_control(engine::message& m) noexcept;

    // On the controller's home reactor.
    static void at_home(engine::message& m) noexcept;
    static void leaving_at_home(
        engine::message& m) noexcept;  ///< the queue is closing: a successor may wait for it
    static void detach_at_home(engine::message& m) noexcept;

  private:
    static nvme::status check(connect_op& op) noexcept;
    static void wait(connect_op& op, duration most) noexcept;
    static bool wait_behind(connect_op& op, queue_slot& old) noexcept;
    static void count_refusal(connect_op& op, connect_refusal why) noexcept;
    static void refuse(connect_op& op) noexcept;  ///< with what it has been given
    static void refuse(connect_op& op, connect_refusal why, nvme::status status,
                       std::uint32_t dw0 = 0) noexcept;
    static void accept(connect_op& op) noexcept;
    static bool adopt(connect_op& op, const subsystem_group& sub) noexcept;
};

}  // namespace fulmar::core
