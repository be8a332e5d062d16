// What the journal remembers of the config file, and where. See config_history.hpp.
#include "journal_impl.hpp"

namespace fulmar::admin {

std::string journal::impl::beside(std::string_view suffix) const {
    constexpr std::string_view end = ".journal";
    return path_.substr(0, path_.size() - end.size()).append(suffix);
}

config_history journal::impl::history() const {
    const std::lock_guard guard(lock_);
    return history_;
}

config_history journal::impl::history_after(const folded& what) const {
    config_history out = history();
    out.written = config_history::version{digest_of(what.text), what.spec};
    return out;
}

start_state journal::impl::begin_with(const loaded_config& config, const core::target_spec& raw,
                                      const journal_scan& scan, std::vector<std::string>& notes) {
    const std::string& path = history_file_->path();
    const result<std::string> text = files_.read(path);
    std::optional<config_history> known;
    bool lost = !text && text.error().code != errc::not_found;
    if (text) {
        if (result<config_history> decoded = decode_history(*text, path)) {
            known = std::move(*decoded);
        } else {
            notes.push_back(decoded.error().text());
            lost = true;
        }
    }
    start_state begin = decide_start(known, scan.records, {config.digest, raw}, config.text,
                                     folder_of(options_.config_path));
    if (lost) begin.history.file_made.clear();  // somebody knew it: keep everything
    notes.insert(notes.end(), begin.notes.begin(), begin.notes.end());
    history_ = begin.history;
    if (!begin.base_digest.empty()) base_digest_ = begin.base_digest;
    return begin;
}

/// What an edited file and the journal have become together is what the journal says of this file,
/// before anything else is written: a crash from here on loses nothing.
result<void> journal::impl::record_merge(const loaded_config& config, const replayed& after) {
    const std::uint64_t next = last_sequence_ + 1;
    const std::string line = encode({next, next, base_record{config.digest, next, after.spec}});
    FULMAR_CHECK(files_.write_synced(fd_, offset_, line));
    last_sequence_ = next;
    offset_ += line.size();
    return {};
}

/// The file cannot be followed for now: changes go on upon what was configured before.
result<void> journal::impl::go_on(const journal_scan& scan, const replayed& after) {
    unfolded_ = after.changes;
    counters_.unfolded = unfolded_;
    needs_header_ = scan.records.empty();
    save_history(history());
    static_cast<void>(files_.reserve(fd_, offset_, options_.fold_bytes));  // slower without
    return write_ack(last_sequence_);
}

}  // namespace fulmar::admin
