// What a start does with a journal. See fulmar/admin/journal.hpp.
#include "journal_impl.hpp"

#include <fmt/format.h>

namespace fulmar::admin {

result<journal::opened> journal::impl::open(const loaded_config& config) {
    opened out;
    base_digest_ = config.digest;
    const config_outcome raw = parse_config_leniently(config.text, folder_of(options_.config_path));
    if (!raw) return tl::unexpected(raw.error().first(options_.config_path));
    // The lock comes first: another daemon may be writing what is read below.
    result<int> fd = files_.open_locked(path_);
    if (!fd && fd.error().code == errc::conflict) return tl::unexpected(fd.error());
    if (fd) fd_ = *fd;
    result<journal_scan> scan = scan_journal(files_, path_);
    if (!scan && (fd || scan.error().code == errc::io_error)) return tl::unexpected(scan.error());
    if (!scan) scan = journal_scan{};  // a folder that is not there has no journal
    last_sequence_ = written_sequence_ = scan->last_sequence;
    next_number_ = scan->next_number;
    const start_state begin = begin_with(config, raw->spec, *scan, out.notes);
    const replayed& after = begin.after;
    wanted_ = spec_editor(after.spec, folder_of(options_.config_path));
    // What is broken in a file that is not followed replaces nothing of what stays in effect.
    if (base_digest_ == config.digest) broken_objects_ = raw->broken;
    std::erase_if(broken_objects_, [this](const broken_object& one) {
        const bool nested =
            one.what == broken_object::kind::ns || one.what == broken_object::kind::allow_list;
        return nested && wanted_.subsystem(one.nqn) == nullptr;  // it went with its subsystem
    });
    for (const broken_object& one : broken_objects_) {
        wanted_.reserve(one.claims, one.text(), one.nqn);
        if (one.what == broken_object::kind::allow_list) wanted_.close_list(one.nqn);
    }
    if (scan->torn_bytes != 0)
        out.notes.push_back(
            fmt::format("{}: cut {} bytes of a write that a crash interrupted; it had "
                        "not been acknowledged",
                        path_, scan->torn_bytes));
    for (const std::string& skipped : after.skipped)
        out.notes.push_back(
            fmt::format("{}: skipped a change that does not fit the file: {}", path_, skipped));
    if (after.changes != 0)
        out.notes.push_back(
            fmt::format("{}: {} changes are in effect on top of the file", path_, after.changes));
    result<void> settled;
    if (!fd)
        settled = tl::unexpected(fd.error());
    else
        settled = settle(config, *scan, begin, out.notes, out.remarks);
    if (!settled) {
        error why = settled.error();
        why.remedy =
            "make the folder writable, or set \"state_dir\"; until then changes can be made "
            "with ?durable=false only";
        out.notes.push_back("changes cannot be made durable: " + why.text());
        trouble_ = std::move(why);
        broken_ = true;
    }
    daemon_config resolved;
    resolved.spec = after.spec;
    resolve_paths(resolved, folder_of(options_.config_path));
    set_aside_conflicts(resolved.spec, folder_of(options_.config_path), broken_objects_);
    out.spec = with_stand_ins(std::move(resolved.spec), broken_objects_);
    return out;
}

/// Leaves the journal such that it can be written on.
result<void> journal::impl::settle(const loaded_config& config, const journal_scan& scan,
                                   const start_state& begin, std::vector<std::string>& notes,
                                   std::vector<std::string>& remarks) {
    const replayed& after = begin.after;
    FULMAR_CHECK(open_ack(scan));
    FULMAR_CHECK(files_.truncate(fd_, scan.good_bytes));
    offset_ = scan.good_bytes;
    needs_header_ = false;
    if (base_digest_ != config.digest) return go_on(scan, after);
    if (begin.merged) {
        FULMAR_CHECK(record_merge(config, after));
    } else if (scan.records.empty() || !after.base_known) {
        if (after.superseded != 0) FULMAR_CHECK(set_aside(scan, after, notes));
        save_history(history());
        return start_anew(scan);
    }
    unfolded_ = after.changes;
    counters_.unfolded = unfolded_;
    save_history(history());
    const result<void> folded = fold_at_open(config, after, notes);
    if (folded) return start_anew(scan);
    (cannot_be_replaced(folded.error()) ? remarks : notes)
        .push_back("the config file stays as it is, and the journal goes on: " +
                   folded.error().text());
    static_cast<void>(files_.reserve(fd_, offset_, options_.fold_bytes));  // slower without
    return write_ack(last_sequence_);
}

/// With room for both slots, which are overwritten in place from then on.
result<int> journal::impl::make_ack_file(disk& files, const std::string& path,
                                         const journal_ack& ack) {
    FULMAR_CHECK(files.replace(ack_path(path), encode_ack_file(ack)));
    return files.open_locked(ack_path(path));
}

result<void> journal::impl::open_ack(const journal_scan& scan) {
    if (scan.ack) {
        ack_counter_ = scan.ack->counter;
        FULMAR_TRY(ack_fd_, files_.open_locked(ack_path(path_)));
    } else {
        FULMAR_TRY(ack_fd_, make_ack_file(files_, path_, {0, scan.last_sequence, 0}));
    }
    return {};
}

result<void> journal::impl::write_ack(std::uint64_t sequence) {
    const journal_ack ack{++ack_counter_, sequence, offset_};
    return files_.write_synced(ack_fd_, ack_offset(ack.counter), encode_ack(ack));
}

/// The file was edited by hand: it wins, and what the journal had is put where it can be looked at.
result<void> journal::impl::set_aside(const journal_scan& scan, const replayed& after,
                                      std::vector<std::string>& notes) {
    std::string all;
    for (const std::string& name : scan.closed) {
        FULMAR_TRY(const std::string text, files_.read(name));
        all += written_part(text);
    }
    FULMAR_TRY(const std::string text, files_.read(path_));
    all += written_part(text);
    const std::string aside = path_ + ".superseded";
    FULMAR_CHECK(files_.replace(aside, all));
    notes.push_back(
        fmt::format("{} was edited by hand after {} changes had been made over REST: the "
                    "file is in effect and those changes are not; they are kept in {}",
                    options_.config_path, after.superseded, aside));
    return {};
}

/// Puts the journal's changes into the config file. Errors: nothing has changed then.
result<void> journal::impl::fold_at_open(const loaded_config& config, const replayed& after,
                                         std::vector<std::string>& notes) {
    if (after.changes == 0) return {};
    const std::string text = render_config(config.text, after.spec);
    FULMAR_CHECK(read_back(text, after.spec, config.config.broken.size(), options_.config_path));
    // First the journal learns what the file will be: a crash in between loses nothing.
    const journal_record record{last_sequence_ + 1, last_sequence_ + 1,
                                base_record{digest_of(text), last_sequence_, std::nullopt}};
    const std::string line = encode(record);
    FULMAR_CHECK(files_.write_synced(fd_, offset_, line));
    ++last_sequence_;
    offset_ += line.size();
    save_history(history_after({after.spec, text}));
    FULMAR_CHECK(files_.replace(options_.config_path, text));
    base_digest_ = digest_of(text);
    history_.written = config_history::version{base_digest_, after.spec};
    unfolded_ = 0;
    counters_.unfolded = 0;
    ++counters_.folds;
    notes.push_back(fmt::format("{} now has them", options_.config_path));
    return {};
}

/// The config file has everything: an empty journal.
result<void> journal::impl::start_anew(const journal_scan& scan) {
    FULMAR_CHECK(write_ack(0));  // first: what goes now is no loss
    for (const std::string& name : scan.closed) FULMAR_CHECK(files_.remove(name));
    FULMAR_CHECK(files_.truncate(fd_, 0));
    static_cast<void>(files_.reserve(fd_, 0, options_.fold_bytes));  // slower without
    FULMAR_CHECK(files_.sync_folder(folder_));
    offset_ = 0;
    needs_header_ = true;
    return {};
}

}  // namespace fulmar::admin
