// One reactor's way into a file device: turns each io_op into file operations, one after the other.
// Owning reactor only. Must never allocate per operation; what has no slot waits in order.
#pragma once

#include "file_device.hpp"

#include <fulmar/backend/device.hpp>
#include <fulmar/engine/file_io.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <cstdint>
#include <memory>

namespace fulmar::backend {

class file_channel final : public io_channel {
  public:
    static constexpr std::uint32_t slot_count = 256;

    /// Errors: no_memory.
    static result<std::unique_ptr<io_channel>> create(file_device& owner, engine::file_io& files,
                                                      reactor_id reactor);
    ~file_channel() override;
    file_channel(const file_channel&) = delete;
    file_channel& operator=(const file_channel&) = delete;

    void submit(io_op& op) noexcept override;
    void abort(io_op& op) noexcept override;
    [[nodiscard]] std::uint32_t outstanding() const noexcept override { return outstanding_; }

  private:
    /// An io_op on its way, and the file operation that it is at.
    struct slot final : engine::file_op {
        file_channel* channel = nullptr;
        io_op* op = nullptr;
        void (file_channel::*next)(slot&, std::int64_t result) noexcept = nullptr;
        std::uint64_t at = 0;     // bytes of the range that are done
        std::uint32_t range = 0;  // of a deallocate
        zero_method method = zero_method::range;
        bool aborted = false;
        std::uint32_t incarnation = 0;  // of the device, when the operation began
        iovec vector{};                 // into scratch memory or zeros
        slot* free_next = nullptr;
        list_hook queue_hook{};  // in one of the queues below
    };
    struct extent {
        std::uint64_t offset = 0;
        std::uint64_t bytes = 0;
    };
    using op_list = intrusive_list<io_op, &io_op::hook>;
    using slot_list = intrusive_list<slot, &slot::queue_hook>;
    struct sync_op final : engine::file_op {
        file_channel* channel = nullptr;
        write_ledger::epoch covers = 0;
    };
    using step = void (file_channel::*)(slot&, std::int64_t) noexcept;

    file_channel(file_device& owner, engine::file_io& files, reactor_id reactor,
                 mem::dma_region scratch);
    [[nodiscard]] bool must_last(const io_op& op) const noexcept;
    void start(io_op& op) noexcept;
    void issue(slot& s, engine::file_op_kind kind, std::uint64_t offset, std::uint64_t length,
               step next) noexcept;
    void issue_transfer(slot& s, engine::file_op_kind kind, std::uint64_t offset,
                        std::span<const iovec> vectors, std::uint64_t length, step next) noexcept;
    static void answered(engine::file_op& op, std::int64_t result) noexcept;

    // Steps: each runs when a file operation of the slot is done.
    void transferred(slot& s, std::int64_t result) noexcept;
    void deallocated(slot& s, std::int64_t result) noexcept;
    void zeroed(slot& s, std::int64_t result) noexcept;
    void zeros_written(slot& s, std::int64_t result) noexcept;
    void piece_read(slot& s, std::int64_t result) noexcept;
    void piece_written(slot& s, std::int64_t result) noexcept;

    void begin_zeroing(slot& s, std::uint64_t offset, std::uint64_t length) noexcept;
    void write_zeros(slot& s) noexcept;
    void range_zeroed(slot& s) noexcept;
    void next_range(slot& s) noexcept;
    void want_sync(slot& s) noexcept;
    void start_sync() noexcept;
    void synced(std::int64_t result) noexcept;
    [[nodiscard]] int sync_fd() noexcept;
    void want_scratch(slot& s) noexcept;
    void read_piece(slot& s) noexcept;
    [[nodiscard]] extent source_of(const io_op& op, std::uint64_t at) const noexcept;
    slot* leave_queue(slot& s) noexcept;
    void fail(slot& s, std::int64_t result) noexcept;
    void finish(slot& s, nvme::status status) noexcept;
    void came_short(slot& s) noexcept;
    void finish_durable(slot& s) noexcept;
    [[nodiscard]] bool past_cache(const slot& s) const noexcept;
    [[nodiscard]] bool aligned(const io_op& op) const noexcept;

    file_device& device_;
    engine::file_io& files_;
    reactor_id reactor_;
    mem::dma_region scratch_;  // what compare, verify and copy read into, one at a time
    slot_list scratch_queue_;  // its user in front, and those who want it
    sync_op sync_;             // one at a time: see file_channel.cpp
    int sync_fd_ = -1;
    std::uint32_t sync_incarnation_ = 0;  // of the device, when sync_fd_ was opened
    slot_list syncing_;                   // whom the sync under way will serve
    slot_list sync_queue_;                // who came later
    std::unique_ptr<slot[]> slots_;
    slot* free_ = nullptr;
    op_list waiting_;  // no slot yet
    std::uint32_t outstanding_ = 0;
};

}  // namespace fulmar::backend
