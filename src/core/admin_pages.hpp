// The data that Identify and Get Log Page return, as pure functions of what is known: no controller
// is needed to test them. Any thread.
// Must never: allocate, or keep a reference to what it was given.
#pragma once

#include "seen_namespaces.hpp"

#include <fulmar/backend/device.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/core/ana_changes.hpp>
#include <fulmar/core/controller_instance.hpp>
#include <fulmar/core/cross_reset_under_way.hpp>
#include <fulmar/core/description.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/nvme/cross_reset.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/logs.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace fulmar::core {

// --- Identify (identify_pages.cpp) -------------------------------------------------------------

using identify_page = std::array<std::byte, nvme::identify_bytes>;

/// Who answers an Identify.
struct identify_context {
    seen_namespaces seen;
    const target_options& options;
    cntlid controller;
    bool keyed_data = false;       ///< over a transport that moves data by key (RDMA)
    std::uint16_t ana_column = 0;  ///< of subsystem_description::ana_column()
    controller_instance instance{};

    [[nodiscard]] const subsystem_description& subsystem() const noexcept {
        return seen.subsystem();
    }
};

[[nodiscard]] nvme::identify_controller make_identify_controller(
    const identify_context& about) noexcept;
[[nodiscard]] nvme::identify_namespace make_identify_namespace(
    const namespace_description& about, std::uint16_t ana_column = 0) noexcept;
[[nodiscard]] nvme::identify_independent_namespace make_independent_namespace(
    const namespace_description& about) noexcept;
/// Active namespaces above `after`, lost ones too: a host that misses one deletes its disk.
[[nodiscard]] nvme::namespace_list make_namespace_list(const seen_namespaces& seen,
                                                       std::uint32_t after) noexcept;

/// Fills `page`, which is zeroed, with what `command` asks for; or says what is wrong with it.
[[nodiscard]] nvme::status fill_identify(const identify_context& about, const nvme::sqe& command,
                                         identify_page& page) noexcept;

// --- Log pages (log_pages.cpp) -----------------------------------------------------------------

inline constexpr std::uint32_t error_log_slots = 64;
/// What the composite temperature sensor of something without one says.
inline constexpr std::uint16_t composite_kelvin = 300;
inline constexpr std::uint16_t warning_kelvin = 343;
inline constexpr std::uint16_t critical_kelvin = 353;

/// Log page 1Eh: its entries are those of the requests that are under way.
struct cross_reset_page {
    nvme::cross_reset_log_header header;
    std::array<nvme::cross_reset_entry, limits::cross_resets> entry;
};
[[nodiscard]] cross_reset_page make_cross_reset_page(std::span<const cross_reset_under_way> all,
                                                     cntlid asked) noexcept;

struct log_page_row {
    nvme::lid id;
    std::string_view name;
    bool on_io = true;
    bool on_discovery = false;
    std::uint32_t bytes = 0;  ///< 0: it depends
};

inline constexpr auto log_pages = [] {
    using enum nvme::lid;
    return std::array{
        log_page_row{.id = supported_pages,
                     .name = "Supported Log Pages",
                     .on_discovery = true,
                     .bytes = sizeof(nvme::supported_log_pages)},
        log_page_row{.id = error_information,
                     .name = "Error Information",
                     .bytes = error_log_slots * sizeof(nvme::error_log_entry)},
        log_page_row{
            .id = smart, .name = "SMART / Health Information", .bytes = sizeof(nvme::smart_log)},
        log_page_row{.id = firmware_slot,
                     .name = "Firmware Slot Information",
                     .bytes = sizeof(nvme::firmware_slot_log)},
        log_page_row{.id = changed_namespaces,
                     .name = "Changed Namespace List",
                     .bytes = sizeof(nvme::changed_namespace_log)},
        log_page_row{.id = command_effects,
                     .name = "Commands Supported and Effects",
                     .bytes = sizeof(nvme::command_effects_log)},
        log_page_row{.id = ana, .name = "Asymmetric Namespace Access"},
        log_page_row{.id = feature_effects,
                     .name = "Feature Identifiers Supported and Effects",
                     .on_discovery = true,
                     .bytes = sizeof(nvme::feature_effects_log)},
        log_page_row{.id = mi_command_effects,
                     .name = "NVMe-MI Commands Supported and Effects",
                     .on_discovery = true,
                     .bytes = sizeof(nvme::mi_command_effects_log)},
        log_page_row{.id = cross_controller_reset,
                     .name = "Cross-Controller Reset",
                     .bytes = sizeof(cross_reset_page)},
        log_page_row{.id = reservation_notification,
                     .name = "Reservation Notification",
                     .bytes = sizeof(nvme::reservation_notification_log)},
        log_page_row{.id = discovery, .name = "Discovery", .on_io = false, .on_discovery = true},
    };
}();

/// Null for what a controller of this kind does not have.
[[nodiscard]] constexpr const log_page_row* find_log_page(std::uint8_t raw,
                                                          bool discovery) noexcept {
    for (const log_page_row& row : log_pages)
        if (static_cast<std::uint8_t>(row.id) == raw)
            return (discovery ? row.on_discovery : row.on_io) ? &row : nullptr;
    return nullptr;
}

struct command_row {
    std::uint8_t opcode;
    std::uint32_t effects;
};

/// What controller::execute_admin() and command::io carry out: log page 05h.
inline constexpr auto admin_commands = [] {
    using enum nvme::admin_opcode;
    constexpr auto row = [](nvme::admin_opcode opcode) {
        return command_row{static_cast<std::uint8_t>(opcode), nvme::command_effect::supported};
    };
    return std::array{
        row(get_log_page),          row(identify),   row(abort),   row(set_features),
        row(get_features),          row(keep_alive), row(fabrics), row(async_event_request),
        row(cross_controller_reset)};
}();
inline constexpr auto io_commands = [] {
    using enum nvme::io_opcode;
    constexpr auto row = [](nvme::io_opcode opcode, std::uint32_t more = 0) {
        return command_row{static_cast<std::uint8_t>(opcode),
                           nvme::command_effect::supported | more};
    };
    constexpr std::uint32_t changes = nvme::command_effect::content_change;
    return std::array{row(flush),
                      row(write, changes),
                      row(read),
                      row(write_uncorrectable, changes),
                      row(compare),
                      row(write_zeroes, changes),
                      row(dataset_management, changes),
                      row(verify),
                      row(copy, changes),
                      row(reservation_register),
                      row(reservation_report),
                      row(reservation_acquire),
                      row(reservation_release)};
}();

/// Everything about a Get Log Page but the length of its buffer.
[[nodiscard]] nvme::status check_log_request(const nvme::get_log_page& wanted, std::uint32_t nsid,
                                             const subsystem_description& subsystem) noexcept;

[[nodiscard]] nvme::supported_log_pages make_supported_log_pages(bool discovery) noexcept;
[[nodiscard]] nvme::command_effects_log make_command_effects() noexcept;
[[nodiscard]] nvme::feature_effects_log make_feature_effects(bool discovery) noexcept;
[[nodiscard]] nvme::firmware_slot_log make_firmware_slot() noexcept;
[[nodiscard]] nvme::changed_namespace_log make_changed_namespaces(
    std::span<const std::uint32_t> ascending, bool overflow) noexcept;

struct smart_facts {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t media_errors = 0;
    std::uint64_t error_entries = 0;
    std::uint64_t age_hours = 0;
    backend::device_health health{};  ///< of all the devices together
};
[[nodiscard]] nvme::smart_log make_smart_log(const smart_facts& facts) noexcept;

/// Log page 0Ch. It can be longer than is good for a stack, so it is copied out piece by piece.
class ana_log {
  public:
    /// `column`: of subsystem_description::ana_column().
    ana_log(const seen_namespaces& seen, std::uint16_t column, const ana_changes& changes,
            bool groups_only) noexcept;

    [[nodiscard]] std::uint64_t size_bytes() const noexcept;
    /// Fills `out` with the page from `offset_bytes` on; zeroes behind its end.
    void copy(std::uint64_t offset_bytes, std::span<std::byte> out) const noexcept;

  private:
    /// The descriptor and the NSIDs of one group.
    struct group_place;
    template <typename Visit>
    void for_each_group(Visit visit) const noexcept;
    /// In the order of their groups.
    [[nodiscard]] const namespace_description& namespace_at(std::size_t place) const noexcept;

    seen_namespaces seen_;
    std::uint16_t column_;
    const ana_changes& changes_;
    std::size_t groups_ = 0;
    std::size_t namespaces_ = 0;
    bool groups_only_;
};

}  // namespace fulmar::core
