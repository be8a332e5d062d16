// What the log pages say (NVMe Base 2.0, section 5.16; protocol list D5), but for the error and
// discovery logs, which are copied from where they are kept.
#include "admin_pages.hpp"
#include "feature_table.hpp"

#include <fulmar/base/version.hpp>
#include <fulmar/nvme/copy_text.hpp>

#include <algorithm>
#include <cstring>

namespace fulmar::core {

namespace sc = nvme::sc;

nvme::status check_log_request(const nvme::get_log_page& wanted, std::uint32_t nsid,
                               const subsystem_description& subsystem) noexcept {
    const log_page_row* row = find_log_page(wanted.lid, subsystem.discovery);
    if (row == nullptr) return sc::invalid_log_page.no_retry();
    if (row->id == nvme::lid::command_effects &&
        wanted.csi != static_cast<std::uint8_t>(nvme::csi::nvm))
        return sc::invalid_log_page.no_retry();
    // No page is kept per namespace.
    if (nsid != nvme::nsid_none && nsid != nvme::nsid_broadcast)
        return nsid > subsystem.namespace_limit ? sc::invalid_namespace_or_format.no_retry()
                                                : sc::invalid_field.no_retry();
    if (wanted.offset_is_index || wanted.offset_bytes % 4 != 0) return sc::invalid_field.no_retry();
    if (row->bytes != 0 && wanted.offset_bytes > row->bytes) return sc::invalid_field.no_retry();
    return sc::success;
}

nvme::supported_log_pages make_supported_log_pages(bool discovery) noexcept {
    nvme::supported_log_pages page{};
    for (const log_page_row& row : log_pages)
        if (discovery ? row.on_discovery : row.on_io)
            page.lid[static_cast<std::size_t>(row.id)] = nvme::lid_support::supported;
    return page;
}

nvme::command_effects_log make_command_effects() noexcept {
    nvme::command_effects_log page{};
    for (const command_row& row : admin_commands) page.admin[row.opcode] = row.effects;
    for (const command_row& row : io_commands) page.io[row.opcode] = row.effects;
    return page;
}

nvme::feature_effects_log make_feature_effects(bool discovery) noexcept {
    nvme::feature_effects_log page{};
    for (const feature_row& row : features)
        if (!discovery || row.on_discovery)
            page.fid[static_cast<std::size_t>(row.id)] = effects_of(row);
    return page;
}

nvme::firmware_slot_log make_firmware_slot() noexcept {
    nvme::firmware_slot_log page{};
    page.afi = 1;
    nvme::copy_space_padded(page.frs[0], version);
    return page;
}

nvme::changed_namespace_log make_changed_namespaces(std::span<const std::uint32_t> ascending,
                                                    bool overflow) noexcept {
    nvme::changed_namespace_log page{};
    if (overflow || ascending.size() > page.nsid.size()) {
        page.nsid[0] = nvme::nsid_broadcast;
        return page;
    }
    std::copy(ascending.begin(), ascending.end(), page.nsid.begin());
    return page;
}

nvme::smart_log make_smart_log(const smart_facts& facts) noexcept {
    constexpr std::uint64_t unit_bytes = 512 * 1000;
    constexpr auto units = [](std::uint64_t bytes) {
        return bytes / unit_bytes + (bytes % unit_bytes != 0 ? 1 : 0);
    };
    nvme::smart_log page{};
    page.critical_warning = facts.health.critical_warning;
    page.temperature_kelvin = facts.health.temperature_kelvin;
    page.available_spare_percent = facts.health.available_spare_percent;
    page.spare_threshold_percent = facts.health.spare_threshold_percent;
    page.used_percent = facts.health.used_percent;
    page.data_units_read.low = units(facts.bytes_read);
    page.data_units_written.low = units(facts.bytes_written);
    page.host_reads.low = facts.reads;
    page.host_writes.low = facts.writes;
    page.power_cycles.low = std::uint64_t{1};
    page.power_on_hours.low = facts.age_hours;
    page.media_errors.low = facts.media_errors + facts.health.media_errors;
    page.error_log_entries.low = facts.error_entries;
    return page;
}

// --- ANA ---------------------------------------------------------------------------------------

namespace {

// Copies what of `piece`, which lies `at` bytes into the page, falls into the window.
void copy_window(std::span<const std::byte> piece, std::uint64_t at, std::uint64_t window_at,
                 std::span<std::byte> window) noexcept {
    const std::uint64_t from = std::max(at, window_at);
    const std::uint64_t to = std::min(at + piece.size(), window_at + window.size());
    if (from >= to) return;
    std::memcpy(window.data() + (from - window_at), piece.data() + (from - at), to - from);
}

}  // namespace

// Its namespaces are those at [first, last), as far as they are seen.
struct ana_log::group_place {
    std::size_t first = 0;
    std::size_t last = 0;
    std::uint32_t seen = 0;
};

const namespace_description& ana_log::namespace_at(std::size_t place) const noexcept {
    const subsystem_description& of = seen_.subsystem();
    return of.namespaces[of.by_ana_group.empty() ? place : of.by_ana_group[place]];
}

// A group without a namespace that is seen is not told of. Stops when `visit` says false.
template <typename Visit>
void ana_log::for_each_group(Visit visit) const noexcept {
    const std::size_t count = seen_.subsystem().namespaces.size();
    for (group_place at; at.first < count; at.first = at.last) {
        const std::uint32_t group = namespace_at(at.first).ana_group();
        at.seen = 0;
        for (at.last = at.first; at.last < count; ++at.last) {
            const namespace_description& n = namespace_at(at.last);
            if (n.ana_group() != group) break;
            at.seen += seen_.has(n) ? 1 : 0;
        }
        if (at.seen != 0 && !visit(at)) return;
    }
}

ana_log::ana_log(const seen_namespaces& seen, std::uint16_t column, const ana_changes& changes,
                 bool groups_only) noexcept
    : seen_(seen), column_(column), changes_(changes), groups_only_(groups_only) {
    for_each_group([this](const group_place& at) {
        ++groups_;
        namespaces_ += at.seen;
        return true;
    });
}

std::uint64_t ana_log::size_bytes() const noexcept {
    return sizeof(nvme::ana_log_header) + groups_ * sizeof(nvme::ana_group_descriptor) +
           (groups_only_ ? 0 : namespaces_ * sizeof(nvme::le32));
}

void ana_log::copy(std::uint64_t offset_bytes, std::span<std::byte> out) const noexcept {
    std::fill(out.begin(), out.end(), std::byte{0});
    const std::uint64_t end = std::min(offset_bytes + out.size(), size_bytes());
    if (offset_bytes >= end) return;

    nvme::ana_log_header header{};
    header.change_count = changes_.of_log();
    header.groups = static_cast<std::uint16_t>(groups_);
    copy_window(nvme::wire_bytes(header), 0, offset_bytes, out);

    std::uint64_t at = sizeof(header);
    for_each_group([&](const group_place& group) {
        const std::uint32_t nsids = groups_only_ ? 0 : group.seen;
        const std::uint64_t next =
            at + sizeof(nvme::ana_group_descriptor) + nsids * sizeof(nvme::le32);
        if (next > offset_bytes) {
            const namespace_description& any = namespace_at(group.first);
            nvme::ana_group_descriptor told{};
            told.group_id = any.ana_group();
            told.nsids = nsids;
            told.change_count = changes_.of_group(any.ana_group());
            told.state = static_cast<std::uint8_t>(any.ana_at(column_));
            copy_window(nvme::wire_bytes(told), at, offset_bytes, out);
            at += sizeof(told);
            for (std::size_t i = group.first; i < group.last && nsids != 0; ++i) {
                if (!seen_.has(namespace_at(i))) continue;
                const nvme::le32 number{namespace_at(i).number().value()};
                copy_window(nvme::wire_bytes(number), at, offset_bytes, out);
                at += sizeof(number);
            }
        }
        at = next;
        return at < end;
    });
}

}  // namespace fulmar::core
