#include "start_merge.hpp"

#include <fulmar/admin/config.hpp>

#include <fmt/format.h>

#include <utility>

namespace fulmar::admin {

namespace {

const config_history::version& newest_of(const config_history& known) {
    return known.written ? *known.written : known.read;
}

/// REST's part in who made what, as far as no file has it yet.
void follow(config_history& history, const std::vector<journal_record>& records,
            std::uint64_t through) {
    for (const journal_record& record : records)
        if (const auto* made = std::get_if<change_record>(&record.what);
            made != nullptr && record.sequence > through)
            history.follow(made->change);
}

/// What was configured when the daemon ended, by a version of the file that the journal builds
/// upon; nothing when no such version is remembered.
struct former {
    replayed after;
    std::string digest;
};
std::optional<former> find_former(const config_history& known,
                                  const std::vector<journal_record>& records) {
    const config_history::version& newest = newest_of(known);
    if (records.empty()) {
        former out;
        out.after.spec = newest.spec;
        out.digest = newest.digest;
        return out;
    }
    for (const config_history::version* version : {&newest, &known.read}) {
        replayed after = replay(records, version->spec, version->digest);
        if (after.base_known) return former{std::move(after), version->digest};
    }
    return std::nullopt;
}

void keep_former(start_state& out, former from, const std::vector<merge_conflict>& conflicts) {
    out.after = std::move(from.after);
    out.base_digest = std::move(from.digest);
    out.notes.push_back(
        fmt::format("the file was edited by hand, and {} of its changes conflict with what was "
                    "changed over REST: the file is not followed, and what was configured stays "
                    "in effect",
                    conflicts.size()));
    for (const merge_conflict& one : conflicts)
        out.notes.push_back(fmt::format("{} ({})", one.text(), one.remedy));
}

}  // namespace

start_state decide_start(const std::optional<config_history>& known,
                         const std::vector<journal_record>& records,
                         const config_history::version& file, std::string_view text,
                         const std::string& folder) {
    start_state out;
    out.after = replay(records, file.spec, file.digest);
    out.history = known.value_or(config_history::first(text, file));
    // Nobody has edited it, or nobody knows what it was.
    const bool newest = known && records.empty() && newest_of(*known).digest == file.digest;
    if (out.after.base_known || !known || newest) {
        if (known && !known->knows(file.digest)) out.history.written = file;
        follow(out.history, records, out.after.through);
        return out;
    }
    std::optional<former> from = find_former(*known, records);
    if (!from) {
        out.history = config_history::first(text, file);
        return out;
    }
    follow(out.history, records, from->after.through);
    const config_history::version& base = out.history.ancestor_of(file);
    const merge_sides sides{resolved_paths(base.spec, folder), resolved_paths(file.spec, folder),
                            resolved_paths(from->after.spec, folder), out.history.file_made};
    merge_result merged = merge(sides, {});
    if (!merged.conflicts.empty()) {
        keep_former(out, std::move(*from), merged.conflicts);
        return out;
    }
    out.merged = true;
    out.after = replayed{};
    out.after.spec =
        paths_as_written(std::move(merged.spec), folder, {&from->after.spec, &file.spec});
    out.after.base_known = true;
    out.after.skipped = from->after.skipped;
    out.after.changes = out.after.spec == file.spec ? 0 : 1;
    out.history.read = file;
    out.history.written.reset();
    out.history.file_made = std::move(merged.file_made);
    for (const merge_note& note : merged.notes) out.notes.push_back(note.text());
    return out;
}

}  // namespace fulmar::admin
