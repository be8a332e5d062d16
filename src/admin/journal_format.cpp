#include "journal_format.hpp"

#include "change_json.hpp"
#include "model_json.hpp"

#include <fulmar/nvme/crc32c.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>

namespace fulmar::admin {

namespace {

using nlohmann::ordered_json;

// {"crc":"01234567","seq":…}: the checksum covers everything behind it.
constexpr std::string_view crc_head = "{\"crc\":\"";
constexpr std::string_view crc_tail = "\",";
constexpr std::size_t crc_digits = 8;
constexpr std::size_t covered_from = crc_head.size() + crc_digits + crc_tail.size();

constexpr json_bounds line_bounds{.bytes = 64 * 1024 * 1024, .values = 4'000'000};

std::string crc_of(std::string_view covered) {
    return fmt::format("{:08x}", nvme::crc32c_of(std::as_bytes(std::span(covered))));
}

ordered_json spec_json(const core::target_spec& spec) {
    ordered_json out = ordered_json::object();
    const auto put = [&](const char* key, const auto& all, auto&& write) {
        out[key] = ordered_json::array();
        for (const auto& one : all) out[key].push_back(write(one));
    };
    put("listeners", spec.listeners, [](const auto& one) { return to_json(one); });
    put("devices", spec.devices, [](const auto& one) { return to_json(one, document::body); });
    put("subsystems", spec.subsystems,
        [](const auto& one) { return to_json(one, document::body); });
    put("referrals", spec.referrals, [](const auto& one) { return to_json(one); });
    return out;
}

core::target_spec read_spec(json_place where, problem_list& problems) {
    core::target_spec spec;
    object_reader reader(std::move(where), problems);
    const auto take = [&](const char* key, auto& into, auto read) {
        for (const json_place& item : reader.items(key, limits::max_devices))
            into.push_back(read(item, problems, document::body));
    };
    take("listeners", spec.listeners, read_listener);
    take("devices", spec.devices, read_device);
    take("subsystems", spec.subsystems, read_subsystem);
    take("referrals", spec.referrals, read_referral);
    reader.finish();
    return spec;
}

/// A line whose checksum is right; nothing when it is no record that this version understands.
std::optional<journal_record> read_record(std::string_view line) {
    problem_list problems;
    const auto tree = parse_json(line, line_bounds, problems);
    if (!tree) return std::nullopt;
    journal_record out;
    object_reader reader({&*tree, ""}, problems);
    std::string ignored;
    reader.read("crc", ignored);
    reader.read("at", ignored);
    const bool numbered = reader.read("seq", out.sequence) && reader.read("batch", out.batch);
    if (reader.has("change")) {
        change_record change;
        reader.read("rev", change.revision);
        auto read = read_change(reader.member("change"), problems);
        if (!read) return std::nullopt;
        change.change = std::move(*read);
        out.what = std::move(change);
    } else {
        base_record base;
        if (!reader.read("base", base.digest) || !reader.read("through", base.through))
            return std::nullopt;
        if (const json_place spec = reader.member("spec"); spec.node != nullptr)
            base.spec = read_spec(spec, problems);
        out.what = std::move(base);
    }
    reader.finish();
    if (!numbered || !problems.empty()) return std::nullopt;
    return out;
}

bool checksum_is_right(std::string_view line) {
    return line.size() > covered_from && line.starts_with(crc_head) &&
           line.substr(crc_head.size() + crc_digits, crc_tail.size()) == crc_tail &&
           line.substr(crc_head.size(), crc_digits) == crc_of(line.substr(covered_from));
}

error damaged(const std::string& name, const std::string& what) {
    return {errc::io_error, what, name, damage_remedy};
}

/// A crash leaves the beginning of a line, or sectors that are still zero; anything else there was
/// never written by a journal.
bool may_be_torn(std::string_view text) {
    const std::size_t length = std::min(text.size(), crc_head.size());
    return text.empty() || text.front() == '\0' ||
           text.substr(0, length) == crc_head.substr(0, length);
}

}  // namespace

std::string encode(const journal_record& record) {
    ordered_json out{{"seq", record.sequence}, {"batch", record.batch}};
    if (const auto* change = std::get_if<change_record>(&record.what)) {
        out["rev"] = change->revision;
        out["at"] =
            fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::now()));
        out["change"] = to_json(change->change);
    } else {
        const auto& base = std::get<base_record>(record.what);
        out["base"] = base.digest;
        out["through"] = base.through;
        if (base.spec) out["spec"] = spec_json(*base.spec);
    }
    const std::string text = out.dump();
    const std::string_view covered = std::string_view(text).substr(1);  // without its "{"
    return fmt::format("{}{}{}{}\n", crc_head, crc_of(covered), crc_tail, covered);
}

std::string_view written_part(std::string_view text) noexcept {
    return text.substr(0, text.find_last_not_of('\0') + 1);
}

const char* const damage_remedy =
    "`fulmard --check-journal` with the configuration file says what is whole and what is lost; "
    "`fulmard --recover` with it keeps what is whole, sets the rest aside and makes a start "
    "possible";

std::vector<segment_line> read_lines(std::string_view text) {
    text = written_part(text);
    std::vector<segment_line> out;
    std::size_t at = 0;
    while (at < text.size()) {
        segment_line& one = out.emplace_back();
        const std::size_t end = text.find('\n', at);
        const bool whole = end != text.npos;
        const std::string_view line = text.substr(at, whole ? end - at : text.npos);
        one.number = out.size();
        one.begin = at;
        one.end = at = whole ? end + 1 : text.size();
        if (!whole || !checksum_is_right(line)) continue;
        one.record = read_record(line);
        one.what = one.record ? segment_line::kind::whole : segment_line::kind::unknown;
    }
    return out;
}

result<decoded_segment> decode_segment(std::string_view text, const std::string& name) {
    text = written_part(text);
    decoded_segment out;
    std::optional<std::size_t> first_bad;
    const auto in_line = [](std::size_t number, std::string_view what) {
        return fmt::format("line {} of the journal {}", number, what);
    };
    for (segment_line& line : read_lines(text)) {
        if (line.what == segment_line::kind::unknown)
            return tl::unexpected(damaged(
                name, in_line(line.number, "is whole, but not of a kind that this version knows")));
        if (line.what == segment_line::kind::damaged) {
            if (!first_bad) first_bad = line.number;
            continue;
        }
        journal_record& record = *line.record;
        if (first_bad) {
            // A batch is written in one go and may reach the disk in pieces, in any order. It was
            // not acknowledged then. But if this line is of a later batch, what is missing had
            // been.
            const std::uint64_t lost =
                out.records.empty() ? record.sequence - 1 : out.records.back().sequence + 1;
            if (record.batch > lost)
                return tl::unexpected(damaged(name, in_line(*first_bad, "is damaged")));
            continue;
        }
        if (!out.records.empty() && record.sequence != out.records.back().sequence + 1)
            return tl::unexpected(
                damaged(name, in_line(line.number, "does not follow the one before")));
        out.records.push_back(std::move(record));
        out.good_lines = line.number;
        out.good_bytes = line.end;
    }
    if (out.records.empty() && !may_be_torn(text))
        return tl::unexpected(damaged(name, "nothing in the journal is a line of a journal"));
    out.torn_bytes = text.size() - out.good_bytes;
    return out;
}

}  // namespace fulmar::admin
