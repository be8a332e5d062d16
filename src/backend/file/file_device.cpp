#include "file_device.hpp"

#include "block_size.hpp"
#include "file_channel.hpp"
#include "path_file.hpp"
#include "patient_file.hpp"

#include <fulmar/backend/file_device.hpp>
#include <fulmar/base/limits.hpp>

namespace fulmar::backend {

namespace {

std::string describe(file_loss_cause cause) {
    switch (cause) {
        case file_loss_cause::none: break;
        case file_loss_cause::sync_failed:
            return "the kernel could not make written data durable, and would report the next "
                   "attempt as a success";
        case file_loss_cause::gone: return "the device behind the file is gone";
    }
    return "unknown";
}

}  // namespace

/// Carries the news of a loss to the control reactor. It can be under way when its device is
/// destroyed.
struct file_device::loss_notice final : engine::message {
    explicit loss_notice(file_device& d) noexcept : message(&arrived), owner(&d) {}
    static void arrived(engine::message& m) noexcept {
        auto& self = static_cast<loss_notice&>(m);
        if (self.owner == nullptr) {
            loss_notice** at = &first_orphan;
            while (*at != &self) at = &(*at)->next_orphan;
            *at = self.next_orphan;
            delete &self;
            return;
        }
        file_device& d = *self.owner;
        if (d.listener_ != nullptr && d.lost())
            d.listener_->on_device_lost(d, describe(d.lost_.load()));
    }
    /// Gives `notice` up to the mailbox that it is in. Allocates nothing, and cannot fail.
    static void orphan(std::unique_ptr<loss_notice> notice) noexcept {
        notice->owner = nullptr;
        notice->next_orphan = first_orphan;
        first_orphan = notice.release();
    }
    inline static loss_notice* first_orphan = nullptr;  // control reactor's
    loss_notice* next_orphan = nullptr;
    file_device* owner;
};

file_device::file_device(std::unique_ptr<backing_file> file, std::uint64_t blocks,
                         std::uint32_t block_bytes, engine::reactor& control,
                         engine::file_io_provider& files)
    : file_(std::move(file)),
      blocks_(blocks),
      shift_(shift_of(block_bytes)),
      control_(control),
      files_(files),
      notice_(std::make_unique<loss_notice>(*this)) {
    identity_.model = "Fulmar file";
    identity_.claim = file_->claim();
}

file_device::~file_device() {
    if (notice_->queued()) loss_notice::orphan(std::move(notice_));
}

geometry file_device::geometry() const noexcept {
    return {.block_bytes = 1u << shift_,
            .block_count = blocks(),
            .volatile_write_cache = true,
            .deallocate = file_->can_deallocate(),
            .deallocated_reads_zero = file_->can_deallocate(),
            .copy = copied_here(1u << shift_),
            .optimal_io_blocks = 4096u >> shift_};
}

result<std::unique_ptr<io_channel>> file_device::open_channel(engine::reactor& r) {
    FULMAR_TRY(engine::file_io * files, files_.for_reactor(r));
    return file_channel::create(*this, *files);
}

void file_device::lose(file_loss_cause cause) noexcept {
    file_loss_cause expected = file_loss_cause::none;
    if (lost_.compare_exchange_strong(expected, cause, std::memory_order_acq_rel))
        control_.post(*notice_);
}

void file_device::zeroing_failed(zero_method method) noexcept {
    const zero_method next = method == zero_method::range ? zero_method::punch : zero_method::write;
    zeroing_.compare_exchange_strong(method, next, std::memory_order_relaxed);
}

result<void> file_device::resize(std::uint64_t new_block_count) {
    const std::uint64_t old = blocks();
    if (new_block_count == 0) {
        FULMAR_TRY(const std::uint64_t bytes, file_->size());
        new_block_count = bytes >> shift_;
        if (new_block_count == 0) return fail(errc::invalid_argument, "the file is empty now");
    } else {
        FULMAR_CHECK(
            blocks_in(new_block_count > (UINT64_MAX >> shift_) ? 0 : new_block_count << shift_,
                      1u << shift_));
        // What is cut off is refused before it is gone; what is new is there before it is offered.
        if (new_block_count < old) blocks_.store(new_block_count, std::memory_order_release);
        if (auto sized = file_->set_size(old << shift_, new_block_count << shift_); !sized) {
            blocks_.store(old, std::memory_order_release);
            return sized;
        }
    }
    if (new_block_count == old) return {};
    blocks_.store(new_block_count, std::memory_order_release);
    if (listener_ != nullptr) listener_->on_device_resized(*this);
    return {};
}

result<void> file_device::reopen() {
    FULMAR_CHECK(file_->reopen());
    FULMAR_TRY(const std::uint64_t bytes, file_->size());
    if (bytes < blocks() << shift_)
        return fail(errc::conflict, "the file is smaller than it was", "/path",
                    "restore it, or resize the device first");
    incarnation_.fetch_add(1, std::memory_order_acq_rel);
    lost_.store(file_loss_cause::none, std::memory_order_release);
    return {};
}

result<std::unique_ptr<device>> make_file_device(const file_options& options,
                                                 engine::reactor& control,
                                                 engine::file_io_provider& files) {
    if (options.size_bytes != 0) FULMAR_CHECK(blocks_in(options.size_bytes, options.block_bytes));
    FULMAR_TRY(auto file, patient_file::open(
                              [options]() -> result<std::unique_ptr<backing_file>> {
                                  return path_file::open(options);
                              },
                              limits::storage_patience));
    std::uint64_t bytes = options.size_bytes;
    if (bytes == 0) {
        FULMAR_TRY(bytes, file->size());
        bytes -= bytes % options.block_bytes;
    }
    FULMAR_TRY(const std::uint64_t blocks, blocks_in(bytes, options.block_bytes));
    return std::make_unique<file_device>(std::move(file), blocks, options.block_bytes, control,
                                         files);
}

}  // namespace fulmar::backend
