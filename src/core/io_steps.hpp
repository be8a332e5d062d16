// The way of an I/O command through core, step by step; io_command.cpp has the first half,
// io_complete.cpp the second.
#pragma once

#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/core/request.hpp>
#include <fulmar/core/subsystem_group.hpp>
#include <fulmar/nvme/io_command.hpp>

namespace fulmar::core {

/// Called on: the qpair's reactor, all of them.
struct io_steps {
    /// What a host is told of an operation whose device is lost: by the namespace's policy, and by
    /// what the host knows to do with it.
    [[nodiscard]] static nvme::status status_of_loss(const qpair& q,
                                                     const namespace_entry& entry) noexcept;
    /// A command of an I/O queue has arrived, or is replayed from a gate.
    static void start(request& r) noexcept;
    static void replay(request& r) noexcept;
    /// The pool has granted the chunks that the request waited for.
    static void buffer_granted(request& r, mem::buffer_chain&& chain) noexcept;
    /// The data that was fetched from the host is in the chain.
    static void data_arrived(request& r) noexcept;

    /// The request entered its gate and is answered: leave, and finish.
    static void complete(request& r, nvme::status status) noexcept;
    /// A backend is done with a task.
    static void task_done(backend::io_op& op, nvme::status status) noexcept;
    /// The request's task stays at the backend, but the request is answered now.
    static void abandon(io_task& task, nvme::status answer) noexcept;
    /// Ends what is inside its gate, wherever it waits. False: its data is on the way, so only
    /// closing the connection ends it.
    [[nodiscard]] static bool give_up(request& r, nvme::status answer) noexcept;
    /// Of those that wait for a namespace's share: one that may have it now, or null.
    [[nodiscard]] static request* next_to_go_on(namespace_entry& entry) noexcept;
    static void go_on(request& r) noexcept;
    /// Ends the wait for a buffer, if there is one.
    static void cancel_wait(request& r) noexcept;

    /// A status that says "try again": with a delay where the host honours it.
    [[nodiscard]] static nvme::status retry_later(const qpair& q, nvme::status status) noexcept;

  private:
    static void note(const request& r, const char* what) noexcept;
    static nvme::status check(qpair& q, request& r) noexcept;
    [[nodiscard]] static bool must_be_durable(const qpair& q, bool fua) noexcept;
    static void admit(request& r) noexcept;
    static void enter(request& r) noexcept;
    [[nodiscard]] static bool may_go_on(const request& r) noexcept;
    [[nodiscard]] static bool within_guarantee(const request& r) noexcept;
    static void charge(request& r, std::uint32_t chunks) noexcept;
    static void want_buffer(request& r) noexcept;
    static void stop_starving(request& r) noexcept;
    static void take_buffer(request& r) noexcept;
    static void have_buffer(request& r) noexcept;
    static void submit(request& r) noexcept;
    static void submit_inline(request& r) noexcept;
    static void leave_gate(namespace_entry& entry) noexcept;
};

}  // namespace fulmar::core
