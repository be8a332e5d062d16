// An operation at a backend on behalf of a request. It owns the memory that the device may touch,
// so that the request can be answered and reused while a device that went silent still holds the
// task.
#pragma once

#include <fulmar/backend/io_op.hpp>
#include <fulmar/base/intrusive.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/core/range_locks.hpp>
#include <fulmar/mem/buffer_chain.hpp>

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <span>

namespace fulmar::core {

class request;
struct namespace_entry;

/// Room for the largest scatter list; one is borrowed by each large transfer.
struct vector_block {
    std::array<iovec, limits::max_chunks_per_request> vectors;
    vector_block* next = nullptr;
};

/// Called on: owning reactor. Lives in the poll group's pool.
class io_task : public backend::io_op {
  public:
    request* owner = nullptr;  ///< null: abandoned, nobody waits for the answer
    namespace_entry* entry = nullptr;
    std::uint32_t charged = 0;     ///< chunks that the share counts, once it is abandoned
    std::uint64_t host = 0;        ///< whose it was, once it is abandoned
    std::uint64_t listener = 0;    ///< and by which it came, likewise
    std::uint64_t controller = 0;  ///< likewise: the number of that instance
    /// By whoever looks for devices that have not answered for a while.
    enum class seen : std::uint8_t { not_yet, once, slow };
    seen age = seen::not_yet;
    range_hold hold{};        ///< of the blocks that the device may touch
    mem::buffer_chain chain;  ///< given back to the request when the task ends
    static constexpr std::uint32_t few =
        10;  ///< chunks whose vectors fit here; more borrow a block from the poll group
    std::array<iovec, few> vectors;
    vector_block* many = nullptr;
    [[nodiscard]] std::span<iovec> room() noexcept {
        return many != nullptr ? std::span<iovec>(many->vectors) : std::span<iovec>(vectors);
    }
    list_hook entry_hook{};
    list_hook pool_hook{};
};

}  // namespace fulmar::core
