// An operation on its way to a cluster. It belongs to its lane, and while requests of it are under
// way to the threads of librbd, which give it back as a message. A lane that will not wait makes it
// an orphan: then its end is counted, and nobody is told.
#pragma once

#include "job_memory.hpp"

#include <fulmar/backend/io_op.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/base/intrusive.hpp>
#include <fulmar/engine/message.hpp>

#include <atomic>
#include <cstdint>

namespace fulmar::engine {
class reactor;
}

namespace fulmar::backend::rbd {

class channel;

/// What the requests under way are for.
enum class job_step : std::uint8_t {
    move,        ///< all of the operation
    scan_read,   ///< a piece of a verify or a copy
    scan_write,  ///< likewise
};

/// Who has it. Written by the lane and by librbd's threads.
enum class job_whose : std::uint8_t {
    lane,    ///< no request is under way
    client,  ///< and the lane waits
    orphan,  ///< and nobody does
};

struct job final : engine::message {
    job() noexcept : message(nullptr) {}
    using message::set_handler;

    /// One request of it has ended; `result` as librbd tells it. Last of all for the one who calls:
    /// the job may be gone.  Called on: any thread, once for each request.
    void request_ended(std::int64_t result) noexcept;

    channel* owner = nullptr;
    io_op* op = nullptr;
    engine::reactor* home = nullptr;
    std::atomic<std::uint32_t>* orphans = nullptr;  ///< of its lane
    std::atomic<std::uint32_t> requests{0};  ///< under way, and one while they are being made
    std::atomic<int> error{0};               ///< errno of the first that failed
    std::atomic<job_whose> whose{job_whose::lane};
    job_step step = job_step::move;
    std::uint64_t scanned = 0;  ///< bytes
    std::uint64_t piece = 0;    ///< bytes of the one under way
    instant since{};            ///< when the requests under way were made
    job_memory memory{};        ///< librbd never sees any other
    bool aborted = false;
    list_hook time_hook{};  ///< among those under way, oldest first; or among orphans
    job* free_next = nullptr;
};

}  // namespace fulmar::backend::rbd
