// Writing the journal: many changes in one write, and what happens when the disk refuses.
#include "change_json.hpp"
#include "journal_impl.hpp"

#include <fulmar/admin/journal_check.hpp>
#include <fulmar/base/log.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <new>

namespace fulmar::admin {

namespace {

constexpr std::size_t batch_bytes = 1024 * 1024;  // of one write; the rest waits for the next
constexpr std::size_t max_pending = 200'000;      // past it a snapshot is cheaper than the changes
constexpr duration longest_retry_delay = std::chrono::seconds(30);

}  // namespace

journal::impl::impl(options opts, std::string path)
    : options_(std::move(opts)),
      files_(*options_.files),
      path_(std::move(path)),
      folder_(folder_of(path_)),
      history_file_(std::make_shared<history_file>(files_, beside(".history"))),
      retry_delay_(options_.retry_delay),
      fold_at_(options_.fold_bytes),
      fold_wait_(options_.fold_pause),
      write_(*this),
      ack_(*this) {}

journal::impl::~impl() {
    if (reactor_ != nullptr) {
        reactor_->timers().cancel(retry_timer_);
        reactor_->timers().cancel(stop_timer_);
        reactor_->timers().cancel(fold_timer_);
    }
    if (next_fd_ >= 0) files_.close(next_fd_);
    if (fd_ >= 0) files_.close(fd_);
    if (ack_fd_ >= 0) files_.close(ack_fd_);
}

void journal::impl::on_stop_late() noexcept {
    log::error("journal: {} could not be finished in time", path_);
    finish_stop();
}

std::optional<error> journal::impl::trouble() const {
    const std::lock_guard guard(lock_);
    return trouble_;
}

std::string journal::impl::base_digest() const {
    const std::lock_guard guard(lock_);
    return base_digest_;
}

/// What those are told whose change has been applied.
tl::unexpected<error> journal::impl::not_durable() const {
    error why = trouble().value_or(error{});
    why.message = "the change is in effect, but could not be made durable: " + why.message;
    return tl::unexpected(std::move(why));
}

journal_counters journal::impl::counters() const {
    const std::lock_guard guard(lock_);
    return counters_;
}

void journal::impl::pending_record::answer(const result<void>& outcome) const {
    if (waiter != nullptr) waiter->on_durable(outcome);
    if (tell) tell(outcome);
}

core::target_spec journal::impl::configured() const {
    const std::lock_guard guard(lock_);
    return wanted_.spec();
}

std::vector<broken_object> journal::impl::broken() const {
    const std::lock_guard guard(lock_);
    return broken_objects_;
}

bool journal::impl::knows(const core::change& removal) const {
    const std::lock_guard guard(lock_);
    return wanted_.has(removal);
}

result<void> journal::impl::hold(core::change& what) {
    const std::lock_guard guard(lock_);
    return wanted_.hold(what);
}

void journal::impl::release(const core::change& what) {
    const std::lock_guard guard(lock_);
    wanted_.release(what);
}

void journal::impl::run_on(engine::reactor& control, engine::file_io& io) {
    reactor_ = &control;
    inbox_ = std::make_unique<engine::inbox>(control);
    io_ = &io;
    if (broken_) control.timers().arm(retry_timer_, control.now() + retry_delay_);
    flush();
}

// No retry: what cannot write a file now will not learn it.
void journal::impl::run_without_files(engine::reactor& control, error why) {
    break_down(std::move(why));
    reactor_ = &control;
    inbox_ = std::make_unique<engine::inbox>(control);
}

void journal::impl::append(const core::change& what, std::uint64_t revision, waiter* w) {
    {
        const std::lock_guard guard(lock_);
        history_.follow(what);
        if (const auto followed = wanted_.follow(what); !followed)
            log::error("journal: {} does not fit the configuration: {}", describe(what),
                       followed.error().text());
    }
    if (!broken_ && pending_.size() >= max_pending)
        break_down({errc::no_memory, "the disk does not keep up with the changes", path_});
    if (broken_) {
        if (w != nullptr) w->on_durable(not_durable());
        return;
    }
    pending_record record;
    record.what = change_record{what, revision};
    record.waiter = w;
    pending_.push_back(std::move(record));
    flush();
}

void journal::impl::rebase(journal_base to, told done) {
    {
        const std::lock_guard guard(lock_);
        base_digest_ = to.digest;
        broken_objects_.clear();
        wanted_ = spec_editor(to.configured, folder_of(options_.config_path));
        history_ = std::move(to.history);
    }
    if (broken_) return done(not_durable());
    // Where the file does not say all, a snapshot does.
    const bool all_in_file = to.configured == to.file;
    pending_record record;
    record.what = base_record{std::move(to.digest), 0,
                              all_in_file ? std::nullopt : std::optional(std::move(to.configured))};
    record.through_here = true;
    record.tell = [this, all_in_file, then = std::move(done)](const result<void>& outcome) {
        if (outcome) {
            unfolded_ = all_in_file ? 0 : 1;
            count_unfolded();
            fold_at_ = options_.fold_bytes;
            fold_wait_ = options_.fold_pause;
            unfolded_since_.reset();
            reactor_->timers().cancel(fold_timer_);
            schedule_fold();
        }
        then(outcome);
    };
    pending_.push_back(std::move(record));
    flush();
}

void journal::impl::count_unfolded() {
    const std::lock_guard guard(lock_);
    counters_.unfolded = unfolded_;
}

/// Moves as much of what is pending into one write as it may hold.
void journal::impl::fill_batch() {
    const std::uint64_t first = last_sequence_ + 1;
    std::uint64_t changes = 0;
    write_.records.reserve(pending_.size() + 1);  // what throws, throws before a record moves
    const auto add = [&](pending_record& entry) {
        journal_record record{++last_sequence_, first, entry.what};
        if (auto* base = std::get_if<base_record>(&record.what); base == nullptr)
            ++changes;
        else if (entry.through_here)
            base->through = record.sequence;
        write_.bytes += encode(record);
        write_.records.push_back(std::move(entry));
        entry.waiter = nullptr;  // has one place that answers it
        entry.tell = nullptr;
    };
    if (needs_header_) {
        pending_record header;
        header.what = base_record{base_digest(), 0, std::nullopt};
        header.through_here = true;
        add(header);
        needs_header_ = false;
    }
    std::size_t taken = 0;
    while (taken < pending_.size() && write_.bytes.size() < batch_bytes) add(pending_[taken++]);
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(taken));
    unfolded_ += changes;
    const std::lock_guard guard(lock_);
    counters_.changes += changes;
    counters_.unfolded = unfolded_;
}

void journal::impl::flush() noexcept {
    const bool held = fold_ == fold_stage::draining;
    if (io_ == nullptr || ended() || write_.busy || broken_ || held || pending_.empty()) return;
    write_.bytes.clear();
    write_.records.clear();
    try {
        fill_batch();
    } catch (const std::exception& failure) {  // memory
        const std::vector<pending_record> lost = std::exchange(write_.records, {});
        break_down({errc::no_memory, failure.what(), path_});
        for (const pending_record& record : lost) record.answer(not_durable());
        return;
    }
    write_.busy = true;
    write_.kind = engine::file_op_kind::write;
    write_.durable = true;
    write_.fd = fd_;
    write_.offset = offset_;
    write_.length = write_.bytes.size();
    write_.vector = {write_.bytes.data(), write_.bytes.size()};
    write_.vectors = {&write_.vector, 1};
    write_.done = &impl::written;
    io_->submit(write_);
}

void journal::impl::retire(std::unique_ptr<impl> self) {
    if (!self->writing()) return;
    self->retired_ = true;
    self->reactor_->timers().cancel(self->retry_timer_);
    self->reactor_->timers().cancel(self->stop_timer_);
    self->reactor_->timers().cancel(self->fold_timer_);
    static_cast<void>(self.release());  // the last of what is being written has it now
}

void journal::impl::written(engine::file_op& op, std::int64_t outcome) noexcept {
    impl& self = static_cast<write_op&>(op).owner;
    if (!self.retired_) return self.on_written(outcome);
    self.write_.busy = false;
    if (!self.writing()) delete &self;
}

void journal::impl::on_written(std::int64_t outcome) {
    write_.busy = false;
    std::vector<pending_record> records = std::exchange(write_.records, {});
    if (outcome == static_cast<std::int64_t>(write_.length)) {
        offset_ += write_.length;
        {
            const std::lock_guard guard(lock_);
            ++counters_.writes;
            counters_.bytes += write_.length;
        }
        std::move(records.begin(), records.end(), std::back_inserter(unacknowledged_));
        written_sequence_ = last_sequence_;
        send_ack();
    } else {
        cannot_write(outcome);
        for (const pending_record& record : records) record.answer(not_durable());
    }
    if (fold_ == fold_stage::draining) return fold_drained();
    if (fold_ == fold_stage::none && offset_ >= fold_at_)
        begin_fold();
    else
        schedule_fold();
    flush();
    continue_stop();
}

/// The next write of the journal goes on meanwhile: it promises nothing yet.
void journal::impl::send_ack() noexcept {
    if (ended() || ack_.busy || unacknowledged_.empty()) return;
    const journal_ack ack{++ack_counter_, written_sequence_, offset_};
    ack_.records = std::exchange(unacknowledged_, {});
    ack_.bytes = encode_ack(ack);
    ack_.busy = true;
    ack_.kind = engine::file_op_kind::write;
    ack_.durable = true;
    ack_.fd = ack_fd_;
    ack_.offset = ack_offset(ack.counter);
    ack_.length = ack_.bytes.size();
    ack_.vector = {ack_.bytes.data(), ack_.bytes.size()};
    ack_.vectors = {&ack_.vector, 1};
    ack_.done = &impl::ack_written;
    io_->submit(ack_);
}

void journal::impl::ack_written(engine::file_op& op, std::int64_t outcome) noexcept {
    impl& self = static_cast<ack_op&>(op).owner;
    if (!self.retired_) return self.on_ack_written(outcome);
    self.ack_.busy = false;
    if (!self.writing()) delete &self;
}

void journal::impl::on_ack_written(std::int64_t outcome) {
    ack_.busy = false;
    const std::vector<pending_record> records = std::exchange(ack_.records, {});
    const bool worked = outcome == static_cast<std::int64_t>(ack_.length);
    if (!worked) cannot_write(outcome);
    for (const pending_record& record : records)
        record.answer(worked ? result<void>{} : not_durable());
    if (worked) send_ack();
    flush();
    continue_stop();
}

void journal::impl::cannot_write(std::int64_t outcome) {
    const int code = outcome < 0 ? static_cast<int>(-outcome) : ENOSPC;
    break_down(fail_errno("cannot write the journal", code, path_,
                          "make room, or mend the disk; Fulmar tries again by itself")
                   .value());
}

/// After a write that failed, nobody knows what is on the disk; so nothing is added behind it. A
/// new segment with a snapshot of everything makes a new beginning.
void journal::impl::break_down(error why) {
    log::error("journal: {}", why.text());
    {
        const std::lock_guard guard(lock_);
        trouble_ = std::move(why);
        ++counters_.failures;
    }
    broken_ = true;
    std::vector<pending_record> lost = std::exchange(unacknowledged_, {});
    std::move(pending_.begin(), pending_.end(), std::back_inserter(lost));
    pending_.clear();
    for (const pending_record& record : lost) record.answer(not_durable());
    if (reactor_ != nullptr && !stopping_)
        reactor_->timers().arm(retry_timer_, reactor_->now() + retry_delay_);
}

void journal::impl::retry() noexcept {
    if (!broken_ || stopping_) return;
    if (helper_.busy() || writing()) {
        reactor_->timers().arm(retry_timer_, reactor_->now() + retry_delay_);
        return;
    }
    rotate([this](const result<int>& fd) {
        if (fd) {
            adopt(*fd);
            return write_snapshot();
        }
        retry_delay_ = std::min(2 * retry_delay_, longest_retry_delay);
        reactor_->timers().arm(retry_timer_, reactor_->now() + retry_delay_);
    });
}

/// It holds what the failed writes held, and what was dropped since; and what is configured but
/// could not be opened at start, which the running target cannot tell.
void journal::impl::write_snapshot() {
    broken_ = false;
    needs_header_ = false;
    pending_record snapshot;
    snapshot.what = base_record{base_digest(), 0, configured()};
    snapshot.through_here = true;
    snapshot.tell = [this](const result<void>& outcome) {
        if (!outcome) {
            retry_delay_ = std::min(2 * retry_delay_, longest_retry_delay);
            return;
        }
        retry_delay_ = options_.retry_delay;
        ++unfolded_;
        count_unfolded();
        schedule_fold();
        log::info("journal: {} can be written again, and nothing is missing in it", path_);
        const std::lock_guard guard(lock_);
        trouble_.reset();
    };
    pending_.insert(pending_.begin(), std::move(snapshot));
    flush();
}

void journal::impl::helper(std::function<void()> job, std::function<void()> next) {
    if (helper_.run(*reactor_, job, next)) return;
    helper_thread::attempt(job);  // no thread to be had: late is better than never
    next();
}

/// Gives the segment being written a number and starts another, which is for adopt(): until then
/// writes go on in the old one, whatever its name is by then. When it fails they go on there, too.
void journal::impl::rotate(std::function<void(result<int>)> next) {
    auto outcome = std::make_shared<rotation>();
    const auto job = [outcome, closed = fmt::format("{}.{}", path_, next_number_), &files = files_,
                      path = path_, folder = folder_, room = options_.fold_bytes,
                      first_ack = ack_fd_ < 0] {
        const result<void> renamed = files.rename(path, closed);
        outcome->renamed = renamed.has_value();
        if (!renamed && renamed.error().code != errc::not_found) {
            outcome->fd = tl::unexpected(renamed.error());
            return;
        }
        outcome->fd = files.open_locked(path);
        if (!outcome->fd) return;
        static_cast<void>(files.reserve(*outcome->fd, 0, room));  // slower without
        result<void> ready = files.sync_folder(folder);
        if (ready && first_ack) {
            const result<int> made = make_ack_file(files, path, {});
            if (made)
                outcome->ack_fd = *made;
            else
                ready = tl::unexpected(made.error());
        }
        if (ready) return;
        files.close(*outcome->fd);
        outcome->fd = tl::unexpected(ready.error());
    };
    helper(job, [this, outcome, then = std::move(next)] {
        if (outcome->renamed) ++next_number_;
        if (outcome->ack_fd >= 0) ack_fd_ = outcome->ack_fd;
        then(outcome->fd);
    });
}

/// What is written from now on goes there. Nothing is being written now.
void journal::impl::adopt(int fd) noexcept {
    if (fd_ >= 0) files_.close(fd_);
    fd_ = fd;
    offset_ = 0;
}

// --- the public face
// ------------------------------------------------------------------------------

journal::journal(std::unique_ptr<impl> parts) : impl_(std::move(parts)) {}
journal::~journal() { impl::retire(std::move(impl_)); }

result<journal::opened> journal::open(options opts, const loaded_config& config) {
    if (opts.files == nullptr) opts.files = &system_disk();
    const std::string path = journal_path(opts.config_path, opts.state_dir);
    auto parts = std::make_unique<impl>(std::move(opts), path);
    FULMAR_TRY(opened out, parts->open(config));
    out.log.reset(new journal(std::move(parts)));
    return out;
}

void journal::run_on(engine::reactor& control, engine::file_io& io) { impl_->run_on(control, io); }

void journal::run_without_files(engine::reactor& control, error why) {
    impl_->run_without_files(control, std::move(why));
}

void journal::append(const core::change& what, std::uint64_t revision, waiter* w) noexcept {
    try {
        impl_->append(what, revision, w);
    } catch (const std::exception& failure) {  // memory; the change is in no queue
        if (w != nullptr) w->on_durable(fail(errc::no_memory, failure.what()));
    }
}

bool journal::knows(const core::change& removal) const noexcept {
    try {
        return impl_->knows(removal);
    } catch (const std::exception&) {  // memory, for a name
        return false;
    }
}

result<void> journal::durable() const {
    if (auto why = impl_->trouble()) return tl::unexpected(std::move(*why));
    return {};
}

std::string journal::base_digest() const { return impl_->base_digest(); }

std::vector<broken_object> journal::broken() const { return impl_->broken(); }

core::target_spec journal::configured() const { return impl_->configured(); }

result<void> journal::hold(core::change& what) { return impl_->hold(what); }

void journal::release(const core::change& what) { impl_->release(what); }

config_history journal::history() const { return impl_->history(); }
void journal::save_history() const { impl_->save_history(impl_->history()); }
std::string journal::superseded_path() const { return impl_->beside(".superseded"); }

void journal::rebase(std::unique_ptr<journal_base> to, std::function<void(result<void>)> done) {
    impl_->inbox()->post(
        [parts = impl_.get(), what = std::move(to), then = std::move(done)]() noexcept {
            parts->rebase(std::move(*what), then);
        });
}

void journal::stop(duration limit, std::function<void()> done) {
    impl_->stop(limit, std::move(done));
}

journal_counters journal::counters() const { return impl_->counters(); }

}  // namespace fulmar::admin
