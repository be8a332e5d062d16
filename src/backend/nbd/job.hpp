// An operation on its way to a server. It belongs to its channel's reactor, but between post() to
// the reactor that has the connection and its return.
#pragma once

#include <fulmar/backend/io_op.hpp>
#include <fulmar/base/clock.hpp>
#include <fulmar/base/intrusive.hpp>
#include <fulmar/engine/message.hpp>

#include <atomic>
#include <cstdint>

namespace fulmar::backend::nbd {

class channel;
class connection;
class place;

/// What the requests under way are for.
enum class job_stage : std::uint8_t {
    move,        ///< all of the operation, but for what follows
    flush,       ///< the flush that it is, or that makes it durable
    scan_read,   ///< a piece into the scratch memory
    scan_write,  ///< a piece out of it
};

struct job final : engine::message {
    job() noexcept : message(nullptr) {}
    using message::set_handler;

    channel* owner = nullptr;
    place* at = nullptr;  ///< who carries it out
    io_op* op = nullptr;
    connection* by = nullptr;
    std::uint32_t session = 0;   ///< of the connections, when it began
    std::uint32_t requests = 0;  ///< at the server, and one while they are being made
    int error = 0;               ///< errno of the first that failed
    job_stage stage = job_stage::move;
    std::uint64_t scanned = 0;  ///< bytes
    std::uint64_t piece = 0;    ///< bytes of the one in scratch memory
    std::uint64_t covers = 0;   ///< the ledger's epoch that its flush makes durable
    instant since{};            ///< when the requests under way were made
    std::atomic<bool> aborted{false};
    nvme::status answer{};   ///< on the way back
    list_hook time_hook{};   ///< among those at the server, oldest first
    list_hook queue_hook{};  ///< among those whose requests have ended, or who want scratch memory
    job* free_next = nullptr;
};

}  // namespace fulmar::backend::nbd
