// See fulmar/admin/journal_check.hpp.
#include "change_json.hpp"
#include "journal_recovery.hpp"

#include <fulmar/admin/journal_check.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::admin {

namespace {

constexpr std::size_t shown_bytes = 200;  // of a damaged line

/// A segment and what is in it.
struct segment {
    std::string name;
    std::string text;
    std::vector<segment_line> lines;
};

/// All that can be read of a journal, whatever its state.
struct salvage {
    std::vector<segment> segments;
    std::vector<journal_record> records;                        // whole ones, in order
    std::vector<std::pair<std::uint64_t, std::uint64_t>> lost;  // first and last number
    std::optional<journal_ack> ack;
    std::string ack_trouble;
    [[nodiscard]] std::uint64_t last() const {
        return records.empty() ? 0 : records.back().sequence;
    }
};

result<salvage> read_all(disk& files, const std::string& path) {
    salvage out;
    FULMAR_TRY(const auto closed, closed_segments(files, path));
    std::vector<std::string> names;
    for (const auto& [number, name] : closed) names.push_back(name);
    names.push_back(path);
    for (const std::string& name : names) {
        result<std::string> text = files.read(name);
        if (!text && text.error().code == errc::not_found) continue;
        if (!text) return tl::unexpected(text.error());
        std::vector<segment_line> lines = read_lines(*text);
        out.segments.push_back({name, std::move(*text), std::move(lines)});
    }
    for (const segment& one : out.segments) {
        for (const segment_line& line : one.lines) {
            if (!line.record || line.record->sequence <= out.last()) continue;
            const bool gap = !out.records.empty() && line.record->sequence != out.last() + 1;
            if (gap && !is_snapshot(*line.record))
                out.lost.emplace_back(out.last() + 1, line.record->sequence - 1);
            out.records.push_back(*line.record);
        }
    }
    const auto ack = read_ack(files, path);
    if (ack)
        out.ack = *ack;
    else
        out.ack_trouble = ack.error().message;
    if (out.ack && out.ack->sequence > out.last())
        out.lost.emplace_back(out.last() + 1, out.ack->sequence);
    return out;
}

std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, shown_bytes)) out += c >= 0x20 && c <= 0x7e ? c : '.';
    return text.size() > shown_bytes ? out + "…" : out;
}

std::string span_of(std::uint64_t first, std::uint64_t last, std::string_view one,
                    std::string_view many) {
    return first == last ? fmt::format("{} {}", one, first)
                         : fmt::format("{} {} to {}", many, first, last);
}

void tell_lines(const segment& one, std::vector<std::string>& out) {
    for (std::size_t i = 0; i < one.lines.size(); ++i) {
        const segment_line& line = one.lines[i];
        if (line.what == segment_line::kind::whole) {
            std::size_t last = i;
            while (last + 1 < one.lines.size() &&
                   one.lines[last + 1].what == segment_line::kind::whole)
                ++last;
            out.push_back(
                fmt::format("{}: {} whole", one.name,
                            span_of(line.number, one.lines[last].number, "line", "lines") +
                                (last == i ? " is" : " are")));
            i = last;
            continue;
        }
        const std::string_view text =
            std::string_view(one.text).substr(line.begin, line.end - line.begin);
        out.push_back(fmt::format("{}: line {} (bytes {} to {}) is {}: {}", one.name, line.number,
                                  line.begin, line.end - 1,
                                  line.what == segment_line::kind::damaged
                                      ? "damaged"
                                      : "whole, but of a kind that is not known here",
                                  printable(text)));
    }
}

std::string sentence(const journal_record& record) {
    if (const auto* change = std::get_if<change_record>(&record.what))
        return describe(change->change);
    const auto& base = std::get<base_record>(record.what);
    if (base.spec) return "a snapshot of everything";
    return fmt::format("the configuration file {}… has everything up to number {}",
                       base.digest.substr(0, 8), base.through);
}

std::vector<std::string> tell(const salvage& all) {
    std::vector<std::string> out;
    for (const segment& one : all.segments) tell_lines(one, out);
    if (!all.ack_trouble.empty()) out.push_back(all.ack_trouble);
    if (all.ack)
        out.push_back(
            all.ack->sequence == 0
                ? "no change is expected in the journal"
                : fmt::format("changes were acknowledged up to number {}", all.ack->sequence));
    else if (all.ack_trouble.empty())
        out.emplace_back("nothing says how far it was acknowledged: an older version wrote it");
    for (const journal_record& record : all.records)
        out.push_back(fmt::format("kept: number {}: {}", record.sequence, sentence(record)));
    for (const auto& [first, last] : all.lost)
        out.push_back(fmt::format("lost: {}", span_of(first, last, "number", "numbers")));
    return out;
}

/// What is configured after all that is left, on top of `config`; what does not fit is told.
core::target_spec salvaged_spec(salvage& all, const core::target_spec& of_file,
                                const std::string& digest, std::vector<std::string>& told) {
    replayed after = replay(all.records, of_file, digest);
    if (!after.base_known && after.superseded != 0) {
        // The line that names the file may be among those that are damaged.
        told.emplace_back(
            "no line that is left names the present configuration file; the changes are applied to "
            "it as it is");
        std::uint64_t through = 0;
        for (const journal_record& record : all.records)
            if (const auto* base = std::get_if<base_record>(&record.what))
                through = std::max(through, base->through);
        journal_record start{0, 0, base_record{digest, through, std::nullopt}};
        all.records.insert(all.records.begin(), std::move(start));
        after = replay(all.records, of_file, digest);
    }
    for (const std::string& skipped : after.skipped)
        told.push_back(fmt::format("does not fit and is not in effect: {}", skipped));
    told.push_back(fmt::format("{} changes are in effect on top of the file", after.changes));
    return std::move(after.spec);
}

/// Copies of what is there, under the first number that is free.
result<void> keep_damaged(disk& files, const std::string& path, const salvage& all,
                          std::vector<std::string>& told) {
    const std::string folder = folder_of(path);
    FULMAR_TRY(const std::vector<std::string> names,
               files.list(folder, path.substr(folder == "/" ? 1 : folder.size() + 1)));
    const auto taken = [&](const std::string& name) {
        return std::any_of(names.begin(), names.end(),
                           [&](const std::string& one) { return name.ends_with("/" + one); });
    };
    std::uint32_t number = 1;
    const auto name_of = [&](std::size_t part) {
        return fmt::format("{}.damaged.{}{}", path, number,
                           part == 0 ? std::string() : fmt::format(".part{}", part));
    };
    while (taken(name_of(0))) ++number;
    for (std::size_t i = 0; i < all.segments.size(); ++i) {
        const segment& one = all.segments[i];
        const std::string name = name_of(all.segments.size() - 1 - i);
        FULMAR_CHECK(files.make_synced(name, written_part(one.text), one.name));
        told.push_back(fmt::format("{} is kept as {}", one.name, name));
    }
    return files.sync_folder(folder);
}

}  // namespace

std::string journal_path(const std::string& config_path, const std::string& state_dir) {
    const std::string folder = state_dir.empty() ? folder_of(config_path) : state_dir;
    const std::size_t slash = config_path.rfind('/');
    const std::string name =
        slash == std::string::npos ? config_path : config_path.substr(slash + 1);
    return fmt::format("{}/{}.journal", folder, name);
}

result<journal_report> check_journal(disk& files, const std::string& path) {
    FULMAR_TRY(const salvage all, read_all(files, path));
    if (all.segments.empty() && !all.ack)
        return fail(errc::not_found, "there is no journal: the configuration file has it all",
                    path);
    journal_report out;
    out.lines = tell(all);
    const result<journal_scan> scan = scan_journal(files, path);
    out.good = scan.has_value();
    if (!scan)
        out.lines.push_back("damaged: " + scan.error().text());
    else if (scan->torn_bytes != 0)
        out.lines.push_back(fmt::format(
            "good: the last {} bytes are a write that a crash interrupted; it had not been "
            "acknowledged, and the next start cuts it",
            scan->torn_bytes));
    else
        out.lines.emplace_back("good: the next start accepts it");
    return out;
}

result<journal_report> recover_journal(disk& files, const std::string& path,
                                       const loaded_config& config) {
    const config_outcome raw = parse_config_leniently(config.text, folder_of(path));
    if (!raw) return tl::unexpected(raw.error().first(path));
    FULMAR_TRY(const journal_report before, check_journal(files, path));
    journal_report out;
    out.good = true;
    if (before.good) {
        out.lines.emplace_back("the journal is good: nothing was done");
        return out;
    }
    FULMAR_TRY(const int lock, files.open_locked(path));
    struct closer {
        disk& files;
        int fd;
        ~closer() { files.close(fd); }
    } const close_at_end{files, lock};
    FULMAR_TRY(salvage all, read_all(files, path));
    out.lines = tell(all);
    FULMAR_CHECK(keep_damaged(files, path, all, out.lines));
    const core::target_spec spec = salvaged_spec(all, raw->spec, config.digest, out.lines);
    const std::uint64_t next = std::max(all.last(), all.ack ? all.ack->sequence : 0) + 1;
    const journal_record snapshot{next, next, base_record{config.digest, next, spec}};
    FULMAR_CHECK(files.replace(path, encode(snapshot)));
    for (const segment& one : all.segments)
        if (one.name != path) FULMAR_CHECK(files.remove(one.name));
    FULMAR_CHECK(files.replace(ack_path(path), encode_ack_file({0, next, 0})));
    out.lines.push_back(fmt::format(
        "{} begins anew with a snapshot of what is kept; the next start accepts it", path));
    return out;
}

}  // namespace fulmar::admin
