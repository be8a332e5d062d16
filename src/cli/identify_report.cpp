#include "identify_report.hpp"

#include "units.hpp"

#include <fulmar/nvme/copy_text.hpp>

#include <fmt/format.h>

#include <array>
#include <utility>

namespace fulmar::cli {
namespace {

using json = nlohmann::ordered_json;

/// The names of the bits that are set, in the order of the table.
template <std::size_t Size>
json names_of(std::uint64_t bits,
              const std::array<std::pair<std::uint64_t, const char*>, Size>& table) {
    json names = json::array();
    for (const auto& [bit, name] : table)
        if ((bits & bit) != 0) names.push_back(name);
    return names;
}

constexpr std::array<std::pair<std::uint64_t, const char*>, 9> command_names{{
    {nvme::oncs::compare, "compare"},
    {nvme::oncs::write_uncorrectable, "write uncorrectable"},
    {nvme::oncs::dataset_management, "dataset management"},
    {nvme::oncs::write_zeroes, "write zeroes"},
    {nvme::oncs::save_and_select, "save and select features"},
    {nvme::oncs::reservations, "reservations"},
    {nvme::oncs::timestamp, "timestamp"},
    {nvme::oncs::verify, "verify"},
    {nvme::oncs::copy, "copy"},
}};

constexpr std::array<std::pair<std::uint64_t, const char*>, 4> sharing_names{{
    {nvme::cmic::multi_port, "several ports"},
    {nvme::cmic::multi_controller, "several controllers"},
    {nvme::cmic::sr_iov, "SR-IOV"},
    {nvme::cmic::ana_reporting, "ANA"},
}};

constexpr std::array<std::pair<std::uint64_t, const char*>, 5> event_names{{
    {nvme::oaes::namespace_attribute, "namespace attribute"},
    {nvme::oaes::firmware_activation, "firmware activation"},
    {nvme::oaes::ana_change, "ANA change"},
    {nvme::oaes::normal_shutdown, "normal shutdown"},
    {nvme::oaes::discovery_log_change, "discovery log change"},
}};

std::string version_text(std::uint32_t version) {
    return fmt::format("{}.{}.{}", version >> 16, version >> 8 & 0xffu, version & 0xffu);
}

const char* type_text(std::uint8_t raw) {
    switch (static_cast<nvme::controller_type>(raw)) {
        case nvme::controller_type::not_reported: return "not reported";
        case nvme::controller_type::io: return "I/O";
        case nvme::controller_type::discovery: return "discovery";
        case nvme::controller_type::administrative: return "administrative";
    }
    return "unknown";
}

void append(std::string& out, const json& what, const std::string& indent) {
    for (const auto& [key, value] : what.items()) {
        if (value.is_object()) {
            out += fmt::format("{}{}:\n", indent, key);
            append(out, value, indent + "  ");
            continue;
        }
        std::string text;
        if (value.is_string()) {
            text = value.get<std::string>();
        } else if (value.is_array()) {
            for (const auto& each : value)
                text += (text.empty() ? "" : ", ") +
                        (each.is_string() ? each.get<std::string>() : each.dump());
        } else {
            text = value.dump();
        }
        out += fmt::format("{}{:<26} {}\n", indent, key, text);
    }
}

}  // namespace

json describe(const nvme::identify_controller& c) {
    const std::uint32_t capsule = c.ioccsz.value() * 16;
    return {
        {"model", nvme::field_text(c.mn)},
        {"serial", nvme::field_text(c.sn)},
        {"firmware", nvme::field_text(c.fr)},
        {"subsystem", nvme::field_text(c.subnqn)},
        {"controller_id", c.cntlid.value()},
        {"controller_type", type_text(c.cntrltype)},
        {"nvme_version", version_text(c.ver.value())},
        {"max_transfer_bytes", c.mdts == 0 ? 0 : std::uint64_t{4096} << c.mdts},
        {"max_commands", c.maxcmd.value()},
        {"max_namespaces", c.mnan.value() != 0 ? c.mnan.value() : c.nn.value()},
        {"highest_nsid", c.nn.value()},
        {"sharing", names_of(c.cmic, sharing_names)},
        {"optional_commands", names_of(c.oncs.value(), command_names)},
        {"fused_compare_and_write", (c.fuses.value() & nvme::fuses::compare_and_write) != 0},
        {"events", names_of(c.oaes.value(), event_names)},
        {"volatile_write_cache", (c.vwc & nvme::vwc::present) != 0},
        {"abort_limit", c.acl + 1},
        {"async_event_limit", c.aerl + 1},
        {"error_log_entries", c.elpe + 1},
        {"keep_alive_granularity_ms", c.kas.value() * 100},
        {"retry_delays_ms", {c.crdt1.value() * 100, c.crdt2.value() * 100, c.crdt3.value() * 100}},
        {"ana_transition_s", c.anatt},
        {"ana_groups", c.nanagrpid.value()},
        {"in_capsule_data_bytes", capsule > 64 ? capsule - 64 : 0},
        {"response_capsule_bytes", c.iorcsz.value() * 16},
        {"sgl_support", fmt::format("{:#010x}", c.sgls.value())},
        {"controller_attributes", fmt::format("{:#010x}", c.ctratt.value())},
        {"admin_commands", fmt::format("{:#06x}", c.oacs.value())},
        {"log_attributes", fmt::format("{:#04x}", c.lpa)}};
}

json describe(std::uint32_t nsid, const nvme::identify_namespace& n,
              const nvme::namespace_ids& ids) {
    const nvme::lba_format format = n.lbaf[n.flbas & nvme::flbas::format_mask];
    const std::uint64_t block = format.lbads < 32 ? std::uint64_t{1} << format.lbads : 0;
    return {
        {"nsid", nsid},
        {"size", size_text(n.nsze.value() * block)},
        {"blocks", n.nsze.value()},
        {"block_bytes", block},
        {"metadata_bytes", format.ms.value()},
        {"capacity_blocks", n.ncap.value()},
        {"used_blocks", n.nuse.value()},
        {"uuid", ids.the_uuid.is_nil() ? "" : std::string(nvme::to_text(ids.the_uuid).view())},
        {"nguid", ids.the_nguid.is_nil() ? "" : std::string(nvme::to_text(ids.the_nguid).view())},
        {"eui64", ids.the_eui64.is_nil() ? "" : std::string(nvme::to_text(ids.the_eui64).view())},
        {"shared", (n.nmic & nvme::nmic::shared) != 0},
        {"write_protected", (n.nsattr & nvme::nsattr::write_protected) != 0},
        {"thin", (n.nsfeat & nvme::nsfeat::thin) != 0},
        {"ana_group", n.anagrpid.value()},
        {"atomic_write_blocks", n.nawun.value() + 1},
        {"optimal_io_blocks", n.noiob.value()},
        {"preferred_write_blocks", n.npwg.value() + 1},
        {"deallocated_reads", (n.dlfeat & 7u) == nvme::dlfeat::reads_zero   ? "zeroes"
                              : (n.dlfeat & 7u) == nvme::dlfeat::reads_ones ? "ones"
                                                                            : "not reported"},
        {"reservation_types", fmt::format("{:#04x}", n.rescap)}};
}

std::string readable(const json& what) {
    std::string out;
    append(out, what, "");
    return out;
}

}  // namespace fulmar::cli
