#include "journal_recovery.hpp"

#include "change_json.hpp"
#include "spec_editor.hpp"

#include <fulmar/admin/config.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <utility>

namespace fulmar::admin {

bool is_snapshot(const journal_record& record) {
    const auto* base = std::get_if<base_record>(&record.what);
    return base != nullptr && base->spec.has_value();
}

namespace {

/// Appends what `segment` has to `scan`, which must go on where the scan ends; a snapshot may jump.
result<void> join(journal_scan& scan, decoded_segment segment, const std::string& name) {
    if (segment.records.empty()) return {};
    const journal_record& first = segment.records.front();
    if (!scan.records.empty() && first.sequence != scan.last_sequence + 1 && !is_snapshot(first))
        return fail(errc::io_error,
                    fmt::format("records {} to {} of the journal are missing",
                                scan.last_sequence + 1, first.sequence - 1),
                    name, damage_remedy);
    scan.last_sequence = segment.records.back().sequence;
    std::move(segment.records.begin(), segment.records.end(), std::back_inserter(scan.records));
    return {};
}

/// The last record that speaks of a file with this digest.
const base_record* find_base(const std::vector<journal_record>& records,
                             const std::string& digest) {
    for (auto record = records.rbegin(); record != records.rend(); ++record)
        if (const auto* base = std::get_if<base_record>(&record->what);
            base != nullptr && base->digest == digest)
            return base;
    return nullptr;
}

/// Changes that no config file has in it yet.
std::size_t count_unfolded(const std::vector<journal_record>& records) {
    std::uint64_t through = 0;
    for (const journal_record& record : records)
        if (const auto* base = std::get_if<base_record>(&record.what))
            through = base->spec ? 0 : base->through;
    return static_cast<std::size_t>(
        std::count_if(records.begin(), records.end(), [through](const journal_record& record) {
            return record.sequence > through && std::holds_alternative<change_record>(record.what);
        }));
}

/// What has been acknowledged must be there.
result<void> check_ack(const journal_scan& scan, const std::string& path, std::size_t good_lines) {
    if (!scan.ack || scan.ack->sequence <= scan.last_sequence) return {};
    return fail(errc::io_error,
                fmt::format("changes had been acknowledged up to number {}, but after line {} the "
                            "journal is damaged: it ends at number {}",
                            scan.ack->sequence, good_lines, scan.last_sequence),
                path, damage_remedy);
}

}  // namespace

// Other files with the same beginning are not ours.
result<std::vector<std::pair<std::uint32_t, std::string>>> closed_segments(
    disk& files, const std::string& path) {
    const std::filesystem::path whole(path);
    const std::string prefix = whole.filename().string() + ".";
    FULMAR_TRY(const std::vector<std::string> names,
               files.list(whole.parent_path().string(), prefix));
    std::vector<std::pair<std::uint32_t, std::string>> out;
    for (const std::string& name : names) {
        std::uint32_t number = 0;
        const char* end = name.data() + name.size();
        const auto [rest, failure] = std::from_chars(name.data() + prefix.size(), end, number);
        if (failure == std::errc{} && rest == end)
            out.emplace_back(number, (whole.parent_path() / name).string());
    }
    std::sort(out.begin(), out.end());
    return out;
}

result<journal_scan> scan_closed(disk& files, const std::string& path) {
    journal_scan scan;
    FULMAR_TRY(const auto closed, closed_segments(files, path));
    for (const auto& [number, name] : closed) {
        FULMAR_TRY(const std::string text, files.read(name));
        FULMAR_TRY(decoded_segment segment, decode_segment(text, name));
        FULMAR_CHECK(join(scan, std::move(segment), name));
        scan.closed.push_back(name);
        scan.next_number = number + 1;
    }
    return scan;
}

result<std::optional<journal_ack>> read_ack(disk& files, const std::string& path) {
    const result<std::string> text = files.read(ack_path(path));
    if (!text && text.error().code == errc::not_found) return std::nullopt;
    if (!text) return tl::unexpected(text.error());
    auto ack = decode_ack_file(*text, ack_path(path));
    if (!ack) ack.error().remedy = damage_remedy;
    return ack;
}

result<journal_scan> scan_journal(disk& files, const std::string& path) {
    FULMAR_TRY(journal_scan scan, scan_closed(files, path));
    FULMAR_TRY(scan.ack, read_ack(files, path));
    const result<std::string> text = files.read(path);
    if (!text && text.error().code != errc::not_found) return tl::unexpected(text.error());
    std::size_t good_lines = 0;
    if (text) {
        FULMAR_TRY(decoded_segment last, decode_segment(*text, path));
        good_lines = last.good_lines;
        scan.good_bytes = last.good_bytes;
        scan.torn_bytes = last.torn_bytes;
        FULMAR_CHECK(join(scan, std::move(last), path));
    }
    FULMAR_CHECK(check_ack(scan, path, good_lines));
    return scan;
}

replayed replay(const std::vector<journal_record>& records, const core::target_spec& of_file,
                const std::string& digest) {
    replayed out;
    const base_record* base = find_base(records, digest);
    if (base == nullptr) {
        out.spec = of_file;
        out.superseded = count_unfolded(records);
        return out;
    }
    out.base_known = true;
    out.through = base->through;
    spec_editor editor(base->spec ? *base->spec : of_file);
    for (const journal_record& record : records) {
        const auto* change = std::get_if<change_record>(&record.what);
        if (change == nullptr || record.sequence <= base->through) continue;
        if (const auto applied = editor.follow(change->change); !applied)
            out.skipped.push_back(
                fmt::format("{}: {}", describe(change->change), applied.error().message));
        else
            ++out.changes;
    }
    out.spec = editor.spec();
    if (base->spec) ++out.changes;  // the file does not say what the snapshot says
    return out;
}

bool cannot_be_replaced(const error& why) noexcept {
    return why.code == errc::permission_denied ||  // EROFS, EACCES
           why.code == errc::unavailable;          // EBUSY
}

result<void> read_back(const std::string& text, const core::target_spec& meant, std::size_t broken,
                       const std::string& config_path) {
    const config_outcome read = parse_config_leniently(text, folder_of(config_path));
    const char* const remedy =
        "the file and the journal stay as they are and nothing is lost; remove what is named here "
        "over REST, or change it";
    if (!read) {
        error why = read.error().first(config_path);
        why.code = errc::bad_state;
        why.message = "the next start would refuse what is configured now: " + why.message;
        why.remedy = remedy;
        return tl::unexpected(std::move(why));
    }
    if (read->broken.size() > broken) {
        const broken_object& one = read->broken.back();
        return fail(errc::bad_state, "the next start would not serve " + one.text(), config_path,
                    remedy);
    }
    if (!(read->spec == meant))
        return fail(errc::bad_state,
                    "the next start would find another configuration in it than the present one",
                    config_path, remedy);
    return {};
}

result<folded> fold(disk& files, const std::string& config_path,
                    const std::vector<journal_record>& records, const std::string& digest) {
    FULMAR_TRY(const std::string text, files.read(config_path));
    if (digest_of(text) != digest)
        return fail(errc::conflict, "the configuration file was edited by hand", config_path,
                    "reload it (SIGHUP); then changes go on from what it says");
    const config_outcome parsed = parse_config_leniently(text, folder_of(config_path));
    if (!parsed) return tl::unexpected(parsed.error().first(config_path));
    folded out;
    out.spec = replay(records, parsed->spec, digest).spec;
    out.text = render_config(text, out.spec);
    FULMAR_CHECK(read_back(out.text, out.spec, parsed->broken.size(), config_path));
    return out;
}

}  // namespace fulmar::admin
