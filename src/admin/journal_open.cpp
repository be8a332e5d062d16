// What a start does with a journal. See fulmar/admin/journal.hpp.
#include "journal_impl.hpp"

#include <fmt/format.h>

namespace fulmar::admin {

result<journal::opened> journal::impl::open(const loaded_config& config) {
    opened out;
    base_digest_ = config.digest;
    const config_outcome raw = parse_config(config.text);
    if (!raw) return tl::unexpected(raw.error().first(options_.config_path));
    // The lock comes first: another daemon may be writing what is read below.
    result<int> fd = files_.open_locked(path_);
    if (!fd && fd.error().code == errc::conflict) return tl::unexpected(fd.error());
    if (fd) fd_ = *fd;
    result<journal_scan> scan = scan_journal(files_, path_);
    if (!scan && (fd || scan.error().code == errc::io_error)) return tl::unexpected(scan.error());
    if (!scan) scan = journal_scan{};  // a folder that is not there has no journal
    last_sequence_ = scan->last_sequence;
    next_number_ = scan->next_number;
    const replayed after = replay(scan->records, raw->spec, config.digest);
    wanted_ = spec_editor(after.spec);
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
        settled = settle(config, *scan, after, out.notes);
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
    out.spec = std::move(resolved.spec);
    return out;
}

/// Leaves the journal such that it can be written on.
result<void> journal::impl::settle(const loaded_config& config, const journal_scan& scan,
                                   const replayed& after, std::vector<std::string>& notes) {
    FULMAR_CHECK(files_.truncate(fd_, scan.good_bytes));
    offset_ = scan.good_bytes;
    needs_header_ = false;
    if (scan.records.empty() || !after.base_known) {
        if (after.superseded != 0) FULMAR_CHECK(set_aside(scan, after, notes));
        return start_anew(scan);
    }
    unfolded_ = after.changes;
    counters_.unfolded = unfolded_;
    const result<void> folded = fold_at_open(config, after, notes);
    if (folded) return start_anew(scan);
    notes.push_back("the config file stays as it is, and the journal goes on: " +
                    folded.error().text());
    static_cast<void>(files_.reserve(fd_, offset_, options_.fold_bytes));  // slower without
    return {};
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
    // First the journal learns what the file will be: a crash in between loses nothing.
    const journal_record record{last_sequence_ + 1, last_sequence_ + 1,
                                base_record{digest_of(text), last_sequence_, std::nullopt}};
    const std::string line = encode(record);
    FULMAR_CHECK(files_.write_synced(fd_, offset_, line));
    ++last_sequence_;
    offset_ += line.size();
    FULMAR_CHECK(files_.replace(options_.config_path, text));
    base_digest_ = digest_of(text);
    unfolded_ = 0;
    counters_.unfolded = 0;
    ++counters_.folds;
    notes.push_back(fmt::format("{} now has them", options_.config_path));
    return {};
}

/// The config file has everything: an empty journal.
result<void> journal::impl::start_anew(const journal_scan& scan) {
    for (const std::string& name : scan.closed) FULMAR_CHECK(files_.remove(name));
    FULMAR_CHECK(files_.truncate(fd_, 0));
    static_cast<void>(files_.reserve(fd_, 0, options_.fold_bytes));  // slower without
    FULMAR_CHECK(files_.sync_folder(folder_));
    offset_ = 0;
    needs_header_ = true;
    return {};
}

}  // namespace fulmar::admin
