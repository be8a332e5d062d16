#include "file_device.hpp"

#include "block_size.hpp"
#include "bounded_open_file.hpp"
#include "file_channel.hpp"
#include "file_seeker.hpp"
#include "path_file.hpp"
#include "storage_facts.hpp"

#include <fulmar/backend/file_device.hpp>
#include <fulmar/base/assert.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/engine/reactor.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fulmar::backend {

namespace {

std::string describe(file_loss_cause cause, const std::string& path) {
    switch (cause) {
        case file_loss_cause::none: break;
        case file_loss_cause::sync_failed:
            return "the kernel could not make written data durable, and would report the next "
                   "attempt as a success: what was written since the last Flush may be lost; "
                   "`fulmar device reopen` when the storage is well again";
        case file_loss_cause::no_room:
            return fmt::format(
                "the storage under {} is full, and had no room for data that was written: what was "
                "written since the last Flush may be lost; make room (of a thin pool: extend it), "
                "then `fulmar device reopen`",
                path);
        case file_loss_cause::gone: return fmt::format("the device behind {} is gone", path);
        case file_loss_cause::smaller:
            return fmt::format("{} became smaller than the device: what was there is lost", path);
        case file_loss_cause::unlinked:
            return fmt::format("{} was deleted: its data goes when fulmard closes it", path);
        case file_loss_cause::replaced:
            return fmt::format("{} names another file or disk than the one that is open", path);
        case file_loss_cause::absent:
            return fmt::format("{} is not there any more: renamed, or not mounted", path);
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
        if (d.now().state != file_state::lost) return d.look_for_room({});
        if (!d.trouble_.empty()) return;  // told
        d.trouble_ = describe(d.now().cause, d.path_);
        if (d.seeker_ != nullptr) d.seeker_->rest();
        if (d.listener_ != nullptr) d.listener_->on_device_lost(d, d.trouble_);
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
                         engine::file_io_provider& files, bool write_through)
    : blocks_(blocks),
      shift_(shift_of(block_bytes)),
      condition_(condition_word{file_state::ready, file_loss_cause::none}),
      deallocates_(file->can_deallocate()),
      write_through_(write_through),
      control_(control),
      files_(files),
      notice_(std::make_unique<loss_notice>(*this)) {
    identity_.model = "Fulmar file";
    identity_.claim = file->claim();
    file_.store(file.get(), std::memory_order_release);
    files_kept_.push_back(std::move(file));
}

file_device::file_device(const file_options& options, const file_environment& environment)
    : blocks_(options.size_bytes >> shift_of(options.block_bytes)),
      shift_(shift_of(options.block_bytes)),
      condition_(condition_word{file_state::missing, file_loss_cause::none}),
      write_through_(options.write_through),
      control_(*environment.control),
      files_(*environment.files),
      watch_(environment.watch),
      memory_(environment.memory),
      name_(options.name),
      path_(options.path),
      trouble_("it has not been opened"),
      notice_(std::make_unique<loss_notice>(*this)) {
    identity_.model = "Fulmar file";
    std::optional<storage_record> known;
    if (memory_ != nullptr) known = memory_->recall(options.name, options.path);
    // Hosts are shown a disk of its former size while it is missing.
    if (known && options.size_bytes == 0) blocks_.store(known->size_bytes >> shift_);
    seeker_ = std::make_shared<file_seeker>(*this, options, std::move(known));
}

file_device::~file_device() {
    if (seeker_ != nullptr) {
        seeker_->leave();
        if (watch_ != nullptr) watch_->drop(*seeker_);
    }
    if (notice_->queued()) loss_notice::orphan(std::move(notice_));
}

geometry file_device::geometry() const noexcept {
    return {.block_bytes = 1u << shift_,
            .block_count = blocks(),
            .volatile_write_cache = !write_through_,
            .deallocate = deallocates(),
            .deallocated_reads_zero = deallocates(),
            .copy = copied_here(1u << shift_),
            .optimal_io_blocks = std::max(4096u, storage_block()) >> shift_};
}

std::uint32_t file_device::storage_block() const noexcept {
    const backing_file* const file = file_.load(std::memory_order_acquire);
    return file != nullptr ? file->storage_block() : 1;
}

std::string file_device::note() const {
    const backing_file* const file = file_.load(std::memory_order_acquire);
    return file != nullptr && !lost() ? file->note() : std::string();
}

result<std::unique_ptr<io_channel>> file_device::open_channel(engine::reactor& r) {
    FULMAR_TRY(engine::file_io * files, files_.for_reactor(r));
    return file_channel::create(*this, *files, r.id());
}

// --- what becomes of it --------------------------------------------------------------------------

void file_device::advance(file_event on, file_loss_cause cause) noexcept {
    condition_word from = now();
    const auto to = next_state(file_edges, from.state, on);
    FULMAR_ASSERT(to.has_value());
    condition_.store({*to, cause}, std::memory_order_release);
}

// Any thread may be the first to notice; later causes are no news.
void file_device::lose(file_loss_cause cause) noexcept {
    condition_word expected = now();
    const auto to = next_state(file_edges, expected.state, file_event::lose);
    if (to && condition_.compare_exchange_strong(expected, {*to, cause}, std::memory_order_acq_rel))
        control_.post(*notice_);
}

// What was flushed is gone from a file that became smaller, whatever its ledger says.
bool file_device::lost_data() const noexcept {
    const condition_word is = now();
    if (is.state != file_state::lost) return false;
    return is.cause == file_loss_cause::sync_failed || is.cause == file_loss_cause::smaller ||
           ledger_.owes();
}

void file_device::glance() noexcept {
    if (lost()) return;
    const file_loss_cause seen = file().glance(bytes());
    if (seen != file_loss_cause::none) lose(seen);
}

void file_device::found_full() noexcept {
    if (!found_full_.exchange(true, std::memory_order_relaxed)) control_.post(*notice_);
}

void file_device::look_for_room(std::optional<bool> room) noexcept {
    const duration since = control_.now() - full_since_;
    if (found_full_.exchange(false, std::memory_order_relaxed)) {
        full_since_ = control_.now();
        tell_full(true);
    } else if (told_full_ && since >= 2 * limits::storage_look &&
               room.value_or(since >= limits::storage_full_told)) {
        tell_full(false);
    }
}

void file_device::tell_full(bool is) noexcept {
    if (std::exchange(told_full_, is) == is) return;
    if (seeker_ != nullptr) seeker_->ask_for_room(is);
    if (listener_ != nullptr) listener_->on_device_full(*this, is);
}

void file_device::zeroing_failed(zero_method method) noexcept {
    const zero_method next = method == zero_method::range ? zero_method::punch : zero_method::write;
    zeroing_.compare_exchange_strong(method, next, std::memory_order_relaxed);
}

void file_device::prepare() {
    if (seeker_ == nullptr || watch_ == nullptr || !seeker_->rests()) return;
    seeker_->watch(nullptr, 0);
    watch_->add(seeker_);
}

result<void> file_device::open(opening why) {
    if (seeker_ == nullptr) return {};
    if (why == opening::configured && watch_ != nullptr) {
        prepare();
        await_first_look();
        return {};
    }
    if (why == opening::asked_for) seeker_->forget();
    if (auto found = seek(false); !found && why == opening::asked_for) return found;
    prepare();
    return {};
}

// All devices of a configuration together wait for no longer than one does: what hangs is opened
// later.
void file_device::await_first_look() {
    watch_->retry_now();
    const bool patient = watch_->may_wait();
    auto found = seeker_->await(patient ? duration(limits::storage_patience) : duration::zero());
    if (found) return static_cast<void>(settle(std::move(*found)));
    trouble_ = "the storage does not answer: it serves when it does";
    if (patient) watch_->note_hang();
}

// A thread that hangs keeps the seeker, not us.
result<void> file_device::seek(bool accept) {
    if (!seeking_.expired())
        return fail(errc::unavailable, "the storage has not answered what was asked before",
                    "/path", "try again when it does");
    auto found = std::make_shared<std::optional<open_outcome>>();
    seeking_ = found;
    auto ran = bounded_open_file::run(
        [seeker = seeker_, found, accept]() -> result<void> {
            found->emplace(seeker->open(accept));
            return {};
        },
        limits::storage_patience);
    if (!ran) {
        trouble_ = ran.error().text();
        return ran;
    }
    return settle(std::move(**found));
}

result<void> file_device::settle(open_outcome found) {
    if (found) return stand_on(std::move(*found));
    trouble_ = found.error().why.text();
    if (now().state != file_state::lost) advance(found.error().on);
    return tl::unexpected(found.error().why);
}

// A former file stays open while we live: what began on it may still be at the kernel.
result<void> file_device::stand_on(opened_file found) {
    if (files_kept_.size() > limits::max_former_files)
        return fail(errc::limit_reached,
                    fmt::format("another file was accepted {} times", limits::max_former_files),
                    "/path", "delete the device, and create it anew");
    std::uint64_t blocks = this->blocks();
    if (seeker_->options().size_bytes == 0) blocks = found.what.size_bytes >> shift_;
    files_kept_.reserve(files_kept_.size() + 1);
    auto file = std::make_unique<bounded_open_file>(found.file, limits::storage_patience);
    identity_.claim = file->claim();
    deallocates_.store(file->can_deallocate(), std::memory_order_relaxed);
    zeroing_.store(zero_method::range, std::memory_order_relaxed);
    file_.store(file.get(), std::memory_order_release);
    files_kept_.push_back(std::move(file));
    blocks_.store(blocks, std::memory_order_release);
    incarnation_.fetch_add(1, std::memory_order_acq_rel);
    seeker_->watch(found.file, bytes());
    trouble_.clear();
    record_ = std::move(found.what);
    if (memory_ != nullptr) memory_->remember(name_, record_);
    ledger_.settle();  // of a former file: whoever accepts another one accepts that
    advance(file_event::open);
    return {};
}

void file_device::arrived(opened_file found) {
    if (now().state != file_state::missing && now().state != file_state::refused) return;
    // What owed something was ready before, and is lost, which does not end by itself.
    FULMAR_ASSERT(!lost_data() && !ledger_.owes());
    if (auto stands = stand_on(std::move(found)); !stands) {
        trouble_ = stands.error().text();
        return;
    }
    if (listener_ != nullptr) listener_->on_device_returned(*this);
}

void file_device::still_away(const open_failure& failure) {
    const file_state before = now().state;
    if (before != file_state::missing && before != file_state::refused) return;
    advance(failure.on);
    std::string why = failure.why.text();
    if (now().state == before && why == trouble_) return;
    trouble_ = std::move(why);
    if (listener_ != nullptr) listener_->on_device_lost(*this, trouble_);
}

// --- what operators ask for ----------------------------------------------------------------------

result<void> file_device::resize(std::uint64_t new_block_count, shrinking smaller) {
    const std::uint64_t old = blocks();
    if (new_block_count != 0)
        FULMAR_CHECK(
            blocks_in(new_block_count > (UINT64_MAX >> shift_) ? 0 : new_block_count << shift_,
                      1u << shift_));
    if (lost()) return resize_lost(new_block_count, smaller);
    if (new_block_count == 0) {
        FULMAR_TRY(const std::uint64_t bytes, file().size());
        new_block_count = bytes >> shift_;
        if (new_block_count == 0) return fail(errc::invalid_argument, "the file is empty now");
        FULMAR_CHECK(check_shrinking(old, new_block_count, 1u << shift_, smaller));
    } else {
        FULMAR_CHECK(check_shrinking(old, new_block_count, 1u << shift_, smaller));
        // What is cut off is refused before it is gone; what is new is there before it is offered.
        if (new_block_count < old) blocks_.store(new_block_count, std::memory_order_release);
        if (seeker_ != nullptr) seeker_->want_size(std::min(old, new_block_count) << shift_);
        if (auto sized = file().set_size(old << shift_, new_block_count << shift_); !sized) {
            blocks_.store(old, std::memory_order_release);
            if (seeker_ != nullptr) seeker_->resized(old << shift_);
            return sized;
        }
    }
    blocks_.store(new_block_count, std::memory_order_release);
    if (seeker_ != nullptr) seeker_->resized(bytes());
    record_.size_bytes = bytes();
    if (memory_ != nullptr) memory_->remember(name_, record_);
    if (new_block_count == old) return {};
    if (listener_ != nullptr) listener_->on_device_resized(*this);
    return {};
}

// Nothing is made larger or smaller: the device takes the size of what is there.
result<void> file_device::resize_lost(std::uint64_t new_block_count, shrinking smaller) {
    if (seeker_ == nullptr || now().state == file_state::lost || new_block_count == 0)
        return fail(errc::bad_state, "the device does not serve: " + trouble_, {},
                    "`fulmar device reopen` tries again");
    FULMAR_CHECK(check_shrinking(blocks(), new_block_count, 1u << shift_, smaller));
    const std::uint64_t wanted = seeker_->options().size_bytes;
    const std::uint64_t old = blocks();
    seeker_->want_size(new_block_count << shift_);
    blocks_.store(new_block_count, std::memory_order_release);
    if (auto found = seek(false); !found) {
        seeker_->want_size(wanted);
        blocks_.store(old, std::memory_order_release);
        return found;
    }
    return {};
}

result<void> file_device::reopen() {
    if (file_.load() == nullptr || now().state == file_state::refused) return seek(false);
    FULMAR_CHECK(file().reopen());
    FULMAR_TRY(const std::uint64_t bytes, file().size());
    if (bytes < this->bytes())
        return fail(errc::conflict, "the file is smaller than it was", "/path",
                    "restore it, or resize the device first");
    incarnation_.fetch_add(1, std::memory_order_acq_rel);
    if (!lost()) return {};  // what is in its cache is there still
    ledger_.settle();        // whoever reopens it has been told what is gone
    trouble_.clear();
    advance(file_event::open);
    if (seeker_ != nullptr) seeker_->watch_again(this->bytes());
    return {};
}

result<void> file_device::accept() {
    if (seeker_ == nullptr || !lost()) return reopen();
    if (file_.load() != nullptr) {  // perhaps it is the same in the end
        const auto same = file().reopen();
        if (same || same.error().code != errc::conflict) return reopen();
    }
    return seek(true);
}

result<std::unique_ptr<device>> make_file_device(const file_options& options,
                                                 const file_environment& environment) {
    if (options.path.empty())
        return fail(errc::invalid_argument, "a file device needs a path", "/path");
    file_options all = options;
    if (all.block_bytes == 0) {
        const auto found = std::make_shared<std::uint32_t>(0);  // the thread may outlive us
        FULMAR_CHECK(bounded_open_file::run(
            [path = options.path, found]() -> result<void> {
                *found = block_bytes_of(path);
                return {};
            },
            limits::storage_patience));
        all.block_bytes = *found;
    }
    if (all.size_bytes != 0) FULMAR_CHECK(blocks_in(all.size_bytes, all.block_bytes));
    FULMAR_CHECK(blocks_in(all.block_bytes, all.block_bytes));
    return std::make_unique<file_device>(all, environment);
}

result<std::unique_ptr<device>> make_file_device(const file_options& options,
                                                 engine::reactor& control,
                                                 engine::file_io_provider& files) {
    FULMAR_TRY(auto made, make_file_device(options, {.control = &control, .files = &files}));
    FULMAR_CHECK(made->open(opening::asked_for));
    return made;
}

}  // namespace fulmar::backend
