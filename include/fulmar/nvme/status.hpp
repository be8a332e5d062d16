// The completion status: what the target answers and what a host will make of it.
// NVMe Base 2.0, section 3.3.3.2.1 (status field); values also from the NVM and Fabrics parts.
// Any thread; constexpr values.
// Must never: set DNR by itself (whoever completes a command decides with `no_retry()`).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace fulmar::nvme {

enum class status_type : std::uint8_t {
    generic = 0,
    command_specific = 1,
    media = 2,
    path = 3,
    vendor = 7,
};

/// Bits 15:1 of the completion status field, unpacked. Zero is success.
struct status {
    status_type sct = status_type::generic;
    std::uint8_t sc = 0;
    bool dnr = false;      // do not retry
    bool more = false;     // the error information log has an entry
    std::uint8_t crd = 0;  // 0 = no delay, 1 to 3 = wait for Identify Controller CRDT1 to CRDT3

    /// The 15 bits without the phase tag: SC 7:0, SCT 10:8, CRD 12:11, M 13, DNR 14.
    [[nodiscard]] constexpr std::uint16_t pack() const noexcept {
        return static_cast<std::uint16_t>(sc | (static_cast<unsigned>(sct) & 7u) << 8 |
                                          (crd & 3u) << 11 | (more ? 1u << 13 : 0u) |
                                          (dnr ? 1u << 14 : 0u));
    }

    [[nodiscard]] static constexpr status unpack(std::uint16_t bits) noexcept {
        return {.sct = static_cast<status_type>(bits >> 8 & 7u),
                .sc = static_cast<std::uint8_t>(bits & 0xffu),
                .dnr = (bits & 1u << 14) != 0,
                .more = (bits & 1u << 13) != 0,
                .crd = static_cast<std::uint8_t>(bits >> 11 & 3u)};
    }

    /// The 16-bit field of a completion entry. Over fabrics the phase tag is reserved, so 0.
    [[nodiscard]] constexpr std::uint16_t to_field(bool phase = false) const noexcept {
        return static_cast<std::uint16_t>(unsigned{pack()} << 1 | (phase ? 1u : 0u));
    }

    [[nodiscard]] static constexpr status from_field(std::uint16_t field) noexcept {
        return unpack(static_cast<std::uint16_t>(field >> 1));
    }

    [[nodiscard]] constexpr status no_retry() const noexcept {
        status s = *this;
        s.dnr = true;
        return s;
    }

    /// `index` 1 to 3 selects CRDT1 to CRDT3; only for hosts that enabled ACRE.
    [[nodiscard]] constexpr status retry_after(std::uint8_t index) const noexcept {
        status s = *this;
        s.crd = index & 3u;
        return s;
    }

    /// Same code, whatever DNR, M and CRD say.
    [[nodiscard]] constexpr bool is(status other) const noexcept {
        return sct == other.sct && sc == other.sc;
    }

    [[nodiscard]] constexpr bool operator==(const status&) const noexcept = default;
};

[[nodiscard]] constexpr bool is_success(status s) noexcept {
    return s.sct == status_type::generic && s.sc == 0;
}

/// What a host that follows the specification does with a failed command. Linux looks in this
/// order: DNR, then the path type, then its own retry count.
enum class retry_meaning : std::uint8_t {
    none,         // it succeeded
    never,        // DNR: the error goes up to the application
    same_path,    // may be sent again on this path, at once
    after_delay,  // may be sent again on this path once the CRD delay is over
    other_path,   // this path is at fault: multipath hosts use another one, or wait for one
};

[[nodiscard]] constexpr retry_meaning meaning_of_retry(status s) noexcept {
    if (is_success(s)) return retry_meaning::none;
    if (s.dnr) return retry_meaning::never;
    if (s.sct == status_type::path) return retry_meaning::other_path;
    return s.crd != 0 ? retry_meaning::after_delay : retry_meaning::same_path;
}

/// Short English text of the code; "unknown status" for what Fulmar has no name for.
[[nodiscard]] std::string_view describe(status s) noexcept;

struct named_status {
    status code;
    std::string_view text;
};

/// Every status that has a name, in numeric order.
[[nodiscard]] std::span<const named_status> known_statuses() noexcept;

namespace sc {

constexpr status generic(std::uint8_t code) noexcept {
    return {.sct = status_type::generic, .sc = code};
}
constexpr status specific(std::uint8_t code) noexcept {
    return {.sct = status_type::command_specific, .sc = code};
}
constexpr status media(std::uint8_t code) noexcept {
    return {.sct = status_type::media, .sc = code};
}
constexpr status path(std::uint8_t code) noexcept { return {.sct = status_type::path, .sc = code}; }

// Generic command status (SCT 0).
inline constexpr status success = generic(0x00);
inline constexpr status invalid_opcode = generic(0x01);
inline constexpr status invalid_field = generic(0x02);
inline constexpr status command_id_conflict = generic(0x03);
inline constexpr status data_transfer_error = generic(0x04);
inline constexpr status aborted_power_loss = generic(0x05);
inline constexpr status internal_error = generic(0x06);
inline constexpr status aborted_by_request = generic(0x07);
inline constexpr status aborted_sq_deletion = generic(0x08);
inline constexpr status aborted_failed_fused = generic(0x09);
inline constexpr status aborted_missing_fused = generic(0x0a);
inline constexpr status invalid_namespace_or_format = generic(0x0b);
inline constexpr status command_sequence_error = generic(0x0c);
inline constexpr status invalid_sgl_segment = generic(0x0d);
inline constexpr status invalid_sgl_count = generic(0x0e);
inline constexpr status data_sgl_length_invalid = generic(0x0f);
inline constexpr status metadata_sgl_length_invalid = generic(0x10);
inline constexpr status sgl_type_invalid = generic(0x11);
inline constexpr status invalid_use_of_cmb = generic(0x12);
inline constexpr status prp_offset_invalid = generic(0x13);
inline constexpr status atomic_write_unit_exceeded = generic(0x14);
inline constexpr status operation_denied = generic(0x15);
inline constexpr status sgl_offset_invalid = generic(0x16);
inline constexpr status host_id_inconsistent = generic(0x18);
inline constexpr status keep_alive_expired = generic(0x19);
inline constexpr status keep_alive_invalid = generic(0x1a);
inline constexpr status aborted_preempted = generic(0x1b);
inline constexpr status sanitize_failed = generic(0x1c);
inline constexpr status sanitize_in_progress = generic(0x1d);
inline constexpr status sgl_granularity_invalid = generic(0x1e);
inline constexpr status namespace_write_protected = generic(0x20);
inline constexpr status command_interrupted = generic(0x21);
inline constexpr status transient_transport_error = generic(0x22);
inline constexpr status prohibited_by_lockdown = generic(0x23);
inline constexpr status admin_media_not_ready = generic(0x24);
inline constexpr status lba_out_of_range = generic(0x80);
inline constexpr status capacity_exceeded = generic(0x81);
inline constexpr status namespace_not_ready = generic(0x82);
inline constexpr status reservation_conflict = generic(0x83);
inline constexpr status format_in_progress = generic(0x84);

// Command specific status (SCT 1).
inline constexpr status cq_invalid = specific(0x00);
inline constexpr status queue_id_invalid = specific(0x01);
inline constexpr status queue_size_invalid = specific(0x02);
inline constexpr status abort_limit_exceeded = specific(0x03);
inline constexpr status async_event_limit_exceeded = specific(0x05);
inline constexpr status invalid_firmware_slot = specific(0x06);
inline constexpr status invalid_firmware_image = specific(0x07);
inline constexpr status invalid_interrupt_vector = specific(0x08);
inline constexpr status invalid_log_page = specific(0x09);
inline constexpr status invalid_format = specific(0x0a);
inline constexpr status firmware_needs_conventional_reset = specific(0x0b);
inline constexpr status invalid_queue_deletion = specific(0x0c);
inline constexpr status feature_not_saveable = specific(0x0d);
inline constexpr status feature_not_changeable = specific(0x0e);
inline constexpr status feature_not_namespace_specific = specific(0x0f);
inline constexpr status firmware_needs_subsystem_reset = specific(0x10);
inline constexpr status firmware_needs_controller_reset = specific(0x11);
inline constexpr status overlapping_range = specific(0x14);
inline constexpr status namespace_insufficient_capacity = specific(0x15);
inline constexpr status namespace_id_unavailable = specific(0x16);
inline constexpr status namespace_already_attached = specific(0x18);
inline constexpr status namespace_is_private = specific(0x19);
inline constexpr status namespace_not_attached = specific(0x1a);
inline constexpr status thin_provisioning_not_supported = specific(0x1b);
inline constexpr status controller_list_invalid = specific(0x1c);
inline constexpr status self_test_in_progress = specific(0x1d);
inline constexpr status invalid_controller_id = specific(0x1f);
inline constexpr status ana_group_id_invalid = specific(0x24);
inline constexpr status ana_attach_failed = specific(0x25);
inline constexpr status command_set_not_supported = specific(0x29);
inline constexpr status command_set_not_enabled = specific(0x2a);
inline constexpr status command_set_combination_rejected = specific(0x2b);
inline constexpr status invalid_command_set = specific(0x2c);
inline constexpr status identifier_unavailable = specific(0x2d);
inline constexpr status cross_reset_in_progress = specific(0x3f);
inline constexpr status cross_reset_log_full = specific(0x40);
inline constexpr status cross_reset_limit_exceeded = specific(0x41);

// Command specific status of the NVM command set (SCT 1, from 80h).
inline constexpr status conflicting_attributes = specific(0x80);
inline constexpr status invalid_protection_information = specific(0x81);
inline constexpr status write_to_read_only_range = specific(0x82);
inline constexpr status command_size_limit_exceeded = specific(0x83);
inline constexpr status overlapping_io_range = specific(0x87);

// Command specific status of the fabrics commands (SCT 1; the same numbers mean other things
// to an I/O command).
inline constexpr status connect_incompatible_format = specific(0x80);
inline constexpr status connect_controller_busy = specific(0x81);
inline constexpr status connect_invalid_parameters = specific(0x82);
inline constexpr status connect_restart_discovery = specific(0x83);
inline constexpr status connect_invalid_host = specific(0x84);
inline constexpr status disconnect_invalid_queue_type = specific(0x85);
inline constexpr status discover_restart = specific(0x90);
inline constexpr status authentication_required = specific(0x91);

// Zoned command set (SCT 1).
inline constexpr status zone_invalid_operation = specific(0xb6);
inline constexpr status zone_boundary_error = specific(0xb8);
inline constexpr status zone_full = specific(0xb9);
inline constexpr status zone_read_only = specific(0xba);
inline constexpr status zone_offline = specific(0xbb);
inline constexpr status zone_invalid_write = specific(0xbc);
inline constexpr status zone_too_many_active = specific(0xbd);
inline constexpr status zone_too_many_open = specific(0xbe);
inline constexpr status zone_invalid_transition = specific(0xbf);

// Media and data integrity errors (SCT 2).
inline constexpr status write_fault = media(0x80);
inline constexpr status unrecovered_read_error = media(0x81);
inline constexpr status guard_check_error = media(0x82);
inline constexpr status application_tag_check_error = media(0x83);
inline constexpr status reference_tag_check_error = media(0x84);
inline constexpr status compare_failure = media(0x85);
inline constexpr status access_denied = media(0x86);
inline constexpr status deallocated_or_unwritten_block = media(0x87);
inline constexpr status storage_tag_check_error = media(0x88);

// Path related status (SCT 3).
inline constexpr status internal_path_error = path(0x00);
inline constexpr status ana_persistent_loss = path(0x01);
inline constexpr status ana_inaccessible = path(0x02);
inline constexpr status ana_transition = path(0x03);
inline constexpr status controller_pathing_error = path(0x60);
inline constexpr status host_pathing_error = path(0x70);
inline constexpr status command_aborted_by_host = path(0x71);

}  // namespace sc
}  // namespace fulmar::nvme
