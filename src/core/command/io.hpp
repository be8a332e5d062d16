// The way of an I/O command through core: parse.cpp reads it, admit.cpp asks the policies and finds
// a buffer, execute.cpp hands it to the device, complete.cpp answers it.
#pragma once

#include <fulmar/core/poll_group.hpp>
#include <fulmar/core/qpair.hpp>
#include <fulmar/core/request.hpp>
#include <fulmar/core/subsystem_group.hpp>

/// Called on: the qpair's reactor, all of them.
namespace fulmar::core::command::io {

/// A command of an I/O queue has arrived, or is replayed from a gate.
void start(request& r) noexcept;
void replay(request& r) noexcept;
/// What is wrong with it, by itself and for its namespace; fills in `entry` and `io`.
[[nodiscard]] nvme::status read(request& r) noexcept;
/// Data that came with the command is the transport's until the end of this turn.
void keep_in_capsule(request& r) noexcept;
/// Its buffer is there.
void have_buffer(request& r) noexcept;
/// The data that was fetched from the host is in the chain.
void data_arrived(request& r) noexcept;

/// Everything is there: to the device, unless it is lost or being taken away.
void execute(request& r) noexcept;
/// The last step of it: nothing but the device is asked any more.
void submit(request& r) noexcept;
/// What `r` asks of a device that answers within the call, by its chain.
[[nodiscard]] nvme::status run_inline(request& r, namespace_entry& entry) noexcept;
/// What `r` asks of its device, but for its data.
void describe(const request& r, backend::io_op& op) noexcept;
/// `task` has been described, and its `done` is set: off it goes, with the chain of `what`, on
/// behalf of `owner`, which is inside its gate.
void hand_over(request& owner, io_task& task, request& what) noexcept;

/// The request entered its gate and is answered: leave, and finish.
void complete(request& r, nvme::status status) noexcept;
/// A backend is done with a task.
void task_done(backend::io_op& op, nvme::status status) noexcept;
/// A task that has come home, for the request that it belongs to. Null: that was answered long ago.
[[nodiscard]] request* take_back(io_task& task) noexcept;
/// The request's task stays at the backend, but the request is answered now.
void abandon(io_task& task, nvme::status answer) noexcept;
/// Ends what is inside its gate, wherever it waits. False: its data is on the way, so only closing
/// the connection ends it.
[[nodiscard]] bool give_up(request& r, nvme::status answer) noexcept;

/// A status that says "try again": with a delay where the host honours it.
[[nodiscard]] nvme::status retry_later(const qpair& q, nvme::status status) noexcept;
/// In the flight recorder: only for what waits or goes astray, never for every command.
void note(const request& r, const char* what) noexcept;

}  // namespace fulmar::core::command::io
