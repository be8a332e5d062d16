// Folding the journal into the config file while changes go on, and the end of it all.
//
// looking     helper: whether the file is still the one that was last read or written
// rotating    helper: the segment gets a number, another one is begun; writes go on in the old one
// draining    the write under way ends; the next ones are held back, and go to the new one
// rendering   helper: file + closed segments → the file's new text
// recording   the journal says durably which file will hold what
// replacing   helper: the file is replaced, the closed segments are removed
#include "journal_impl.hpp"

#include <fulmar/base/log.hpp>

#include <algorithm>
#include <memory>

namespace fulmar::admin {

namespace {

constexpr duration longest_fold_wait = std::chrono::hours(1);  // after many that failed

result<void> is_unedited(disk& files, const std::string& config, const std::string& digest) {
    FULMAR_TRY(const std::string now, files.read(config));
    if (digest_of(now) == digest) return {};
    return fail(errc::conflict, "the configuration file was edited by hand", config,
                "reload it (SIGHUP); until then changes stay in the journal");
}

}  // namespace

/// Soon after the last change, and not long after the first one. Nothing is armed while the file
/// has everything.
void journal::impl::schedule_fold() {
    if (unfolded_ == 0 || broken_ || stopping_ || reactor_ == nullptr) return;
    if (fold_ != fold_stage::none) return;  // its end looks again
    const instant now = reactor_->now();
    if (!unfolded_since_) unfolded_since_ = now;
    const bool failed = fold_wait_ != options_.fold_pause;
    const duration longest =
        failed ? std::max(options_.fold_longest, fold_wait_) : options_.fold_longest;
    reactor_->timers().arm(fold_timer_, std::min(now + fold_wait_, *unfolded_since_ + longest));
}

void journal::impl::begin_fold() {
    if (ended() || broken_ || fold_ != fold_stage::none || reactor_ == nullptr) return;
    if (helper_.busy()) return schedule_fold();
    reactor_->timers().cancel(fold_timer_);
    fold_ = fold_stage::looking;
    auto unedited = std::make_shared<result<void>>(given_up());
    const auto job = [unedited, &files = files_, config = options_.config_path,
                      digest = base_digest()] { *unedited = is_unedited(files, config, digest); };
    helper(job, [this, unedited] { fold_looked(*unedited); });
}

void journal::impl::fold_looked(const result<void>& unedited) {
    if (!unedited) return fold_failed(unedited.error());
    if (broken_) return end_fold();
    fold_ = fold_stage::rotating;
    rotate([this](const result<int>& fd) { fold_rotated(fd); });
}

/// The journal goes on, and has it all. A file that cannot be replaced is no fault: it may be
/// read-only, or mounted by itself.
void journal::impl::fold_failed(const error& why) {
    fold_at_ = 2 * (fold_at_ + offset_);  // not at every write
    fold_wait_ = std::min(2 * fold_wait_, longest_fold_wait);
    unfolded_since_.reset();
    if (const std::string text = why.text(); std::exchange(told_, text) != text) {
        if (cannot_be_replaced(why))
            log::info("journal: changes stay in {}, which has them all: {}", path_, text);
        else
            log::warn("journal: changes stay in {} for now: {}", path_, text);
    }
    end_fold();
}

void journal::impl::fold_rotated(const result<int>& fd) {
    if (!fd) {
        log::warn("journal: cannot begin another file: {}", fd.error().text());
        fold_at_ *= 2;
        return end_fold();
    }
    next_fd_ = *fd;
    fold_ = fold_stage::draining;
    if (!write_.busy) fold_drained();
}

void journal::impl::fold_drained() {
    adopt(std::exchange(next_fd_, -1));
    if (broken_) return end_fold();
    folding_changes_ = unfolded_;
    fold_ = fold_stage::rendering;
    struct rendering {
        result<folded> outcome = given_up();
        journal_scan scan;
    };
    auto work = std::make_shared<rendering>();
    const auto job = [work, &files = files_, path = path_, config = options_.config_path,
                      digest = base_digest()] {
        result<journal_scan> scan = scan_closed(files, path);
        if (!scan) {
            work->outcome = tl::unexpected(scan.error());
            return;
        }
        work->scan = std::move(*scan);
        work->outcome = fold(files, config, work->scan.records, digest);
    };
    helper(job, [this, work] {
        folding_through_ = work->scan.last_sequence;
        folding_segments_ = std::move(work->scan.closed);
        fold_rendered(std::move(work->outcome));
    });
    flush();
}

void journal::impl::fold_rendered(result<folded> outcome) {
    if (!outcome) return fold_failed(outcome.error());
    folding_ = std::move(*outcome);
    fold_ = fold_stage::recording;
    if (broken_) return end_fold();
    pending_record record;
    record.what = base_record{digest_of(folding_.text), folding_through_, std::nullopt};
    record.tell = [this](const result<void>& recorded) { fold_recorded(recorded); };
    pending_.push_back(std::move(record));
    flush();
}

namespace {

/// The config file cannot be replaced: one snapshot takes the place of all closed segments.
result<void> compact(disk& files, const std::vector<std::string>& segments,
                     const journal_record& snapshot) {
    if (segments.size() < 2) return {};  // nothing would be gained
    FULMAR_CHECK(files.replace(segments.back(), encode(snapshot)));
    for (std::size_t i = 0; i + 1 < segments.size(); ++i) FULMAR_CHECK(files.remove(segments[i]));
    return {};
}

result<void> replace_config(disk& files, const std::string& config, const std::string& digest,
                            const std::string& text) {
    FULMAR_CHECK(is_unedited(files, config, digest));  // since it was read
    return files.replace(config, text);
}

}  // namespace

void journal::impl::fold_recorded(const result<void>& outcome) {
    if (!outcome) return end_fold();
    fold_ = fold_stage::replacing;
    auto replaced = std::make_shared<result<void>>(given_up());
    const auto job = [replaced, &files = files_, config = options_.config_path,
                      digest = base_digest(), folder = folder_, segments = folding_segments_,
                      through = folding_through_, what = folding_, history = history_file_,
                      known = history_after(folding_)] {
        history->save(known);
        *replaced = replace_config(files, config, digest, what.text);
        if (*replaced) {
            for (const std::string& name : segments) static_cast<void>(files.remove(name));
            static_cast<void>(files.sync_folder(folder));
        } else if (replaced->error().code != errc::conflict) {
            static_cast<void>(compact(files, segments,
                                      {through, through, base_record{digest, through, what.spec}}));
        }
    };
    helper(job, [this, replaced, digest = digest_of(folding_.text)] {
        fold_replaced(*replaced, digest);
    });
}

void journal::impl::fold_replaced(const result<void>& outcome, std::string digest) {
    if (!outcome) return fold_failed(outcome.error());
    unfolded_ -= std::min(unfolded_, folding_changes_);
    fold_at_ = options_.fold_bytes;
    fold_wait_ = options_.fold_pause;
    told_.clear();
    unfolded_since_.reset();
    {
        const std::lock_guard guard(lock_);
        history_.written = config_history::version{digest, folding_.spec};
        base_digest_ = std::move(digest);
        ++counters_.folds;
        counters_.unfolded = unfolded_;
    }
    end_fold();
}

void journal::impl::end_fold() {
    fold_ = fold_stage::none;
    folding_ = {};
    schedule_fold();  // what was changed meanwhile
    flush();
    continue_stop();
}

void journal::impl::stop(duration limit, std::function<void()> done) {
    stopping_ = true;
    stopped_ = std::move(done);
    if (reactor_ == nullptr) return finish_stop();
    reactor_->timers().cancel(retry_timer_);
    reactor_->timers().cancel(fold_timer_);
    reactor_->timers().arm(stop_timer_, reactor_->fresh_now() + limit);
    continue_stop();
}

void journal::impl::continue_stop() {
    if (!stopping_ || !stopped_) return;
    if (writing() || fold_ != fold_stage::none || helper_.busy()) return;
    if (!broken_ && !pending_.empty()) return flush();
    if (!broken_ && unfolded_ != 0 && !last_fold_tried_) {
        last_fold_tried_ = true;
        return begin_fold();
    }
    if (!broken_ && unfolded_ == 0) {
        // The file says it all. An empty journal would only raise questions. The other file goes
        // first: alone it would tell of a journal that is lost.
        const std::string ack = ack_path(path_);
        if (files_.remove(ack) && files_.sync_folder(folder_)) {
            static_cast<void>(files_.remove(path_));
            static_cast<void>(files_.sync_folder(folder_));
        }
    }
    finish_stop();
}

void journal::impl::finish_stop() {
    reactor_ == nullptr ? void() : reactor_->timers().cancel(stop_timer_);
    if (stopped_) std::exchange(stopped_, nullptr)();
}

}  // namespace fulmar::admin
