// Stores nothing. Reads still fill the buffer: what another host left in it must not get out.
#include "block_size.hpp"
#include "iov_cursor.hpp"

#include <fulmar/backend/null_device.hpp>
#include <fulmar/base/limits.hpp>

#include <atomic>

namespace fulmar::backend {

namespace {

// Lent to readers; never written, so it costs address space and one shared page.
alignas(4096) std::byte lent_zeros[limits::max_transfer_bytes];

class null_device final : public device {
  public:
    null_device(std::uint64_t blocks, std::uint32_t block_bytes) noexcept
        : blocks_(blocks), block_bytes_(block_bytes) {
        identity_.model = "Fulmar null";
    }
    const char* type() const noexcept override { return "null"; }
    backend::geometry geometry() const noexcept override {
        return {.block_bytes = block_bytes_,
                .block_count = blocks_.load(std::memory_order_acquire),
                .deallocate = true,
                .deallocated_reads_zero = true,
                .copy = copied_here(block_bytes_)};
    }
    const device_identity& identity() const noexcept override { return identity_; }
    result<std::unique_ptr<io_channel>> open_channel(engine::reactor& r) override;
    result<void> resize(std::uint64_t new_block_count, shrinking smaller) override {
        if (new_block_count == 0) return {};
        FULMAR_CHECK(blocks_in(new_block_count << shift_of(block_bytes_), block_bytes_));
        FULMAR_CHECK(check_shrinking(blocks(), new_block_count, block_bytes_, smaller));
        blocks_.store(new_block_count, std::memory_order_release);
        if (listener_ != nullptr) listener_->on_device_resized(*this);
        return {};
    }
    void set_listener(device_listener* listener) noexcept override { listener_ = listener; }
    [[nodiscard]] std::uint64_t blocks() const noexcept {
        return blocks_.load(std::memory_order_relaxed);
    }

  private:
    std::atomic<std::uint64_t> blocks_;
    std::uint32_t block_bytes_;
    device_identity identity_;
    device_listener* listener_ = nullptr;
};

class null_channel final : public io_channel {
  public:
    explicit null_channel(null_device& owner) noexcept
        : device_(owner), shift_(shift_of(owner.geometry().block_bytes)) {}

    void submit(io_op& op) noexcept override { op.done(op, execute(op)); }
    bool completes_inline() const noexcept override { return true; }
    std::uint32_t outstanding() const noexcept override { return 0; }
    const std::byte* read_in_place(std::uint64_t first_block,
                                   std::uint32_t block_count) noexcept override {
        const bool fits = (std::size_t{block_count} << shift_) <= sizeof lent_zeros;
        return fits && lies_within(first_block, block_count, device_.blocks()) ? lent_zeros
                                                                               : nullptr;
    }

  private:
    nvme::status execute(const io_op& op) const noexcept {
        if (!in_bounds(op, device_.blocks())) return nvme::sc::lba_out_of_range.no_retry();
        // Nothing is remembered, this neither.
        if (op.kind == io_kind::write_uncorrectable) return nvme::sc::invalid_opcode.no_retry();
        const std::size_t bytes = std::size_t{op.block_count} << shift_;
        if (op.kind == io_kind::read) iov_cursor(op.data).zero(bytes);
        if (op.kind == io_kind::compare && !iov_cursor(op.data).is_zero(bytes))
            return nvme::sc::compare_failure.no_retry();
        return nvme::sc::success;
    }

    null_device& device_;
    unsigned shift_;
};

result<std::unique_ptr<io_channel>> null_device::open_channel(engine::reactor&) {
    return std::make_unique<null_channel>(*this);
}

}  // namespace

result<std::unique_ptr<device>> make_null_device(const null_options& options) {
    FULMAR_TRY(const std::uint64_t blocks, blocks_in(options.size_bytes, options.block_bytes));
    return std::make_unique<null_device>(blocks, options.block_bytes);
}

}  // namespace fulmar::backend
