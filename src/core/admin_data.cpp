#include "admin_data.hpp"

#include "admin_pages.hpp"
#include "feature_table.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/logs.hpp>

#include <algorithm>

namespace fulmar::core {

namespace {

// Hosts may ask for more than a page has, as far as MDTS lets them: it is zeroes.
constexpr std::uint32_t piece_bytes = limits::least_max_transfer_bytes;

constexpr std::uint64_t whole_pieces(std::uint64_t bytes) noexcept {
    return (bytes + piece_bytes - 1) / piece_bytes * piece_bytes;
}

constexpr std::uint64_t ana_bytes(std::uint64_t namespaces) noexcept {
    return sizeof(nvme::ana_log_header) +
           namespaces * (sizeof(nvme::ana_group_descriptor) + sizeof(nvme::le32));
}
static_assert(whole_pieces(ana_bytes(limits::max_namespaces)) <= limits::max_admin_bytes);

std::uint32_t feature_bytes(std::uint8_t fid, bool discovery) noexcept {
    const feature_row* row = find_feature(fid, discovery);
    return row == nullptr ? 0 : row->data_bytes;
}

}  // namespace

std::uint32_t most_admin_bytes(const admin_data_rules& rules) noexcept {
    const std::size_t most =
        rules.discovery ? limits::max_discovery_bytes : limits::max_admin_bytes;
    return static_cast<std::uint32_t>(std::min<std::size_t>(rules.max_transfer_bytes, most));
}

std::uint32_t most_log_bytes(std::uint8_t page, const admin_data_rules& rules) noexcept {
    const log_page_row* row = find_log_page(page, rules.discovery);
    if (row == nullptr) return 0;
    const std::uint32_t most = most_admin_bytes(rules);
    if (row->id == nvme::lid::discovery) return most;
    const std::uint64_t bytes =
        row->id == nvme::lid::ana ? ana_bytes(rules.namespace_limit) : row->bytes;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(most, whole_pieces(bytes)));
}

std::uint32_t admin_data_length(const nvme::sqe& command, const admin_data_rules& rules) noexcept {
    const auto opcode = nvme::parse_admin_opcode(command.opcode);
    if (!opcode) return 0;
    switch (*opcode) {
        case nvme::admin_opcode::identify: return nvme::identify_bytes;
        case nvme::admin_opcode::get_log_page: {
            const nvme::get_log_page wanted = nvme::decode_get_log_page(command);
            const std::uint64_t bytes = wanted.length_bytes;
            return bytes <= most_log_bytes(wanted.lid, rules) ? static_cast<std::uint32_t>(bytes)
                                                              : 0;
        }
        case nvme::admin_opcode::set_features:
            return feature_bytes(nvme::decode_set_features(command).fid, rules.discovery);
        case nvme::admin_opcode::get_features: {
            const nvme::get_features wanted = nvme::decode_get_features(command);
            const bool capabilities =
                wanted.sel == static_cast<std::uint8_t>(nvme::feature_select::capabilities);
            return capabilities ? 0 : feature_bytes(wanted.fid, rules.discovery);
        }
        default: return 0;  // what moves no data, and what is not supported
    }
}

}  // namespace fulmar::core
