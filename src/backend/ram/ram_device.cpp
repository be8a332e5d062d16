// Memory behind the device seam. Copies on the reactor that asks; see stripe_locks.hpp for several
// reactors at once.
#include "block_size.hpp"
#include "iov_cursor.hpp"
#include "memory_limit.hpp"
#include "ram_store.hpp"
#include "stripe_locks.hpp"
#include "unreadable_blocks.hpp"

#include <fulmar/backend/ram_device.hpp>

#include <algorithm>
#include <atomic>

namespace fulmar::backend {

namespace sc = nvme::sc;

namespace {

// Writes from here on are too large to be read back from the cache soon.
constexpr std::uint64_t streamed_bytes = 64 * 1024;

/// Of its blocks, and of the marks that Write Uncorrectable may set on every one of them.
constexpr std::uint64_t memory_for(std::uint64_t blocks, unsigned shift) noexcept {
    return (blocks << shift) + unreadable_blocks::bytes_for(blocks);
}

class ram_device final : public device {
  public:
    ram_device(ram_store store, ram_store marks, memory_promise promise, std::uint64_t blocks,
               std::uint32_t block_bytes)
        : store_(std::move(store)),
          unreadable_(std::move(marks)),
          promise_(std::move(promise)),
          blocks_(blocks),
          block_bytes_(block_bytes) {
        identity_.model = "Fulmar RAM";
    }
    const char* type() const noexcept override { return "ram"; }
    backend::geometry geometry() const noexcept override {
        return {.block_bytes = block_bytes_,
                .block_count = blocks_.load(std::memory_order_acquire),
                .deallocate = true,
                .deallocated_reads_zero = true,
                .write_uncorrectable = true,
                .copy = copied_here(block_bytes_)};
    }
    const device_identity& identity() const noexcept override { return identity_; }
    result<std::unique_ptr<io_channel>> open_channel(engine::reactor& r) override;
    result<void> resize(std::uint64_t new_block_count, shrinking smaller) override;
    void set_listener(device_listener* listener) noexcept override { listener_ = listener; }

  private:
    friend class ram_channel;
    ram_store store_;
    unreadable_blocks unreadable_;
    memory_promise promise_;
    std::atomic<std::uint64_t> blocks_;
    std::atomic<std::uint32_t> channels_{0};
    std::uint32_t block_bytes_;
    device_identity identity_;
    device_listener* listener_ = nullptr;
    stripe_locks locks_;
};

class ram_channel final : public io_channel {
  public:
    explicit ram_channel(ram_device& owner) noexcept
        : device_(owner), shift_(shift_of(owner.block_bytes_)) {
        device_.channels_.fetch_add(1, std::memory_order_acq_rel);
    }
    ~ram_channel() override { device_.channels_.fetch_sub(1, std::memory_order_acq_rel); }
    ram_channel(const ram_channel&) = delete;
    ram_channel& operator=(const ram_channel&) = delete;

    void submit(io_op& op) noexcept override {
        if (in_bounds(op, device_.blocks_.load(std::memory_order_acquire)))
            return op.done(op, execute(op));
        op.done(op, sc::lba_out_of_range.no_retry());
    }
    bool completes_inline() const noexcept override { return true; }
    std::uint32_t outstanding() const noexcept override { return 0; }
    const std::byte* read_in_place(std::uint64_t first_block,
                                   std::uint32_t block_count) noexcept override {
        if (shared() || device_.unreadable_.any() ||
            !lies_within(first_block, block_count, device_.blocks_.load(std::memory_order_acquire)))
            return nullptr;
        return device_.store_.at(first_block << shift_);
    }

  private:
    /// Other reactors may be copying too. Acquire: what the last other one did before it closed its
    /// channel is visible.
    [[nodiscard]] bool shared() const noexcept {
        return device_.channels_.load(std::memory_order_acquire) > 1;
    }

    // Blocks that were written are readable again, from then on.
    nvme::status execute(const io_op& op) noexcept {
        if (!device_.unreadable_.any()) [[likely]]
            return carry_out(op);
        if (reads_unreadable(op)) return sc::unrecovered_read_error.no_retry();
        const nvme::status done = carry_out(op);
        const bool wrote = op.kind == io_kind::write || op.kind == io_kind::write_zeroes ||
                           op.kind == io_kind::copy;
        if (wrote) device_.unreadable_.forget(op.first_block, op.block_count);
        return done;
    }

    [[nodiscard]] bool reads_unreadable(const io_op& op) const noexcept {
        const unreadable_blocks& marks = device_.unreadable_;
        switch (op.kind) {
            case io_kind::read:
            case io_kind::compare:
            case io_kind::verify: return marks.among(op.first_block, op.block_count);
            case io_kind::copy:
                return std::ranges::any_of(op.ranges, [&marks](const block_range& from) {
                    return marks.among(from.first, from.count);
                });
            case io_kind::write:
            case io_kind::write_zeroes:
            case io_kind::write_uncorrectable:
            case io_kind::deallocate:
            case io_kind::flush: return false;
        }
        return false;
    }

    nvme::status carry_out(const io_op& op) noexcept {
        const std::uint64_t offset = op.first_block << shift_;
        const std::uint64_t bytes = std::uint64_t{op.block_count} << shift_;
        iov_cursor data(op.data);
        switch (op.kind) {
            case io_kind::read:
                in_regions(offset, bytes, [&data](std::byte* at, std::size_t n) noexcept {
                    data.copy_from(at, n);
                });
                return sc::success;
            case io_kind::write:
                in_regions(offset, bytes, [&](std::byte* at, std::size_t n) noexcept {
                    bytes >= streamed_bytes ? data.stream_to(at, n) : data.copy_to(at, n);
                });
                return sc::success;
            case io_kind::compare: {
                bool same = true;
                in_regions(offset, bytes, [&](const std::byte* at, std::size_t n) noexcept {
                    same = same && data.equals(at, n);
                });
                return same ? sc::success : sc::compare_failure.no_retry();
            }
            case io_kind::write_zeroes: clear(offset, bytes, false); return sc::success;
            case io_kind::deallocate:
                for (const block_range& range : op.ranges)
                    clear(range.first << shift_, std::uint64_t{range.count} << shift_, true);
                return sc::success;
            case io_kind::copy: copy(op); return sc::success;
            case io_kind::write_uncorrectable:
                device_.unreadable_.mark(op.first_block, op.block_count);
                return sc::success;
            case io_kind::flush:
            case io_kind::verify: return sc::success;
        }
        return sc::internal_error;
    }

    // The whole range at once when nobody else is there, otherwise region by region under its lock.
    template <typename Visit>
    void in_regions(std::uint64_t offset, std::uint64_t bytes, Visit&& visit) noexcept {
        if (!shared()) [[likely]]
            return visit(device_.store_.at(offset), bytes);
        while (bytes != 0) {
            const std::uint64_t piece =
                std::min(bytes, stripe_locks::region_bytes - offset % stripe_locks::region_bytes);
            stripe_locks::hold lock(device_.locks_, offset);
            visit(device_.store_.at(offset), piece);
            offset += piece;
            bytes -= piece;
        }
    }

    // By way of the stack, so that no two locks are held at once.
    void copy(const io_op& op) noexcept {
        std::array<std::byte, 4096> piece;
        std::uint64_t to = op.first_block << shift_;
        for (const block_range& range : op.ranges) {
            std::uint64_t from = range.first << shift_;
            const std::uint64_t end = from + (std::uint64_t{range.count} << shift_);
            while (from != end) {
                const std::uint64_t bytes = std::min<std::uint64_t>(piece.size(), end - from);
                std::byte* rest = piece.data();
                in_regions(from, bytes, [&rest](const std::byte* at, std::size_t n) noexcept {
                    rest = std::copy_n(at, n, rest);
                });
                const std::byte* next = piece.data();
                in_regions(to, bytes, [&next](std::byte* at, std::size_t n) noexcept {
                    std::copy_n(next, n, at);
                    next += n;
                });
                from += bytes;
                to += bytes;
            }
        }
    }

    void clear(std::uint64_t offset, std::uint64_t bytes, bool give_back) noexcept {
        const auto wipe = [&] {
            give_back ? device_.store_.discard(offset, bytes) : device_.store_.zero(offset, bytes);
        };
        if (!shared()) [[likely]]
            return wipe();
        constexpr std::uint64_t few_regions = 16 * stripe_locks::region_bytes;
        if (bytes > few_regions) {
            stripe_locks::hold_all locks(device_.locks_);
            return wipe();
        }
        in_regions(offset, bytes, [this](std::byte* at, std::size_t n) noexcept {
            device_.store_.zero(static_cast<std::uint64_t>(at - device_.store_.at(0)), n);
        });
    }

    ram_device& device_;
    unsigned shift_;
};

result<std::unique_ptr<io_channel>> ram_device::open_channel(engine::reactor&) {
    return std::make_unique<ram_channel>(*this);
}

result<void> ram_device::resize(std::uint64_t new_block_count, shrinking smaller) {
    const std::uint64_t old = blocks_.load(std::memory_order_relaxed);
    if (new_block_count == 0 || new_block_count == old) return {};
    const unsigned shift = shift_of(block_bytes_);
    if (new_block_count > UINT64_MAX >> shift)
        return fail(errc::invalid_argument, "that many blocks cannot be", "/size",
                    "choose a smaller size");
    FULMAR_CHECK(check_shrinking(old, new_block_count, block_bytes_, smaller));
    if (new_block_count > old) {
        const memory_limit limit = read_memory_limit();
        FULMAR_CHECK(promise_.change(memory_for(new_block_count, shift), limit));
        auto grown = unreadable_.grow(old, new_block_count);
        if (grown) grown = store_.grow(old << shift, new_block_count << shift);
        if (!grown) {
            (void)promise_.change(memory_for(old, shift), limit);
            return grown;
        }
        blocks_.store(new_block_count, std::memory_order_release);
    } else {
        blocks_.store(new_block_count, std::memory_order_release);
        store_.shrink(old << shift, new_block_count << shift);
        unreadable_.forget(new_block_count, old - new_block_count);
        (void)promise_.change(memory_for(new_block_count, shift), {});  // less is always possible
    }
    if (listener_ != nullptr) listener_->on_device_resized(*this);
    return {};
}

}  // namespace

result<std::unique_ptr<device>> make_ram_device(const ram_options& options) {
    FULMAR_TRY(const std::uint64_t blocks, blocks_in(options.size_bytes, options.block_bytes));
    FULMAR_TRY(memory_promise promise,
               memory_promise::make(memory_for(blocks, shift_of(options.block_bytes)),
                                    read_memory_limit()));
    FULMAR_TRY(ram_store store, ram_store::create(options.size_bytes));
    const std::uint64_t most = store.reserved_bytes() / options.block_bytes;
    FULMAR_TRY(ram_store marks, unreadable_blocks::make_room(blocks, most));
    return std::make_unique<ram_device>(std::move(store), std::move(marks), std::move(promise),
                                        blocks, options.block_bytes);
}

}  // namespace fulmar::backend
