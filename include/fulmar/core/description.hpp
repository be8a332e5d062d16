// What every poll group knows of a subsystem: an immutable copy, replaced as a whole when something
// changes.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/base/ids.hpp>
#include <fulmar/core/model.hpp>
#include <fulmar/nvme/features.hpp>
#include <fulmar/nvme/uuid.hpp>
#include <fulmar/security/dhchap.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fulmar::core {

class range_locks;
class hidden_namespaces;
/// NQNs in order. Null: every host is meant.
using host_list = std::shared_ptr<const std::vector<std::string>>;
/// Called on: any thread.
[[nodiscard]] host_list in_order(const host_choice& of);
/// Called on: any thread.
[[nodiscard]] bool has(const host_list& hosts, std::string_view nqn) noexcept;

struct reservation_state;
/// Replaced as a whole, like the description that it is in. Null: nobody has ever registered.
using reservation_view = std::shared_ptr<const reservation_state>;
using range_locks_view = std::shared_ptr<range_locks>;

/// What an ANA group is by each column of subsystem_description::ana_column().
using ana_states_view = std::shared_ptr<const std::vector<ana_state>>;

/// One namespace as hosts see it.
struct namespace_description {
    namespace_id id;  ///< index = nsid - 1
    nvme::uuid uuid;
    nvme::nguid nguid;
    backend::geometry geometry;            ///< the last good one when the device is lost
    ana_state ana = ana_state::optimized;  ///< by listeners that no ANA group names
    ana_states_view ana_paths{};           ///< null: the same by every listener
    std::uint32_t group = 0;               ///< its ANA group; 0: the one that has its NSID
    /// The same as operators have it: while its I/O waits for its device it is alone in a group.
    struct configured_paths {
        std::uint32_t group = 0;
        ana_state ana = ana_state::optimized;
        ana_states_view paths{};
        [[nodiscard]] ana_state at(std::size_t column) const noexcept {
            return paths != nullptr ? (*paths)[column] : ana;
        }
    };
    configured_paths configured{};
    bool ready = true;  ///< false: lost; Identify says so and I/O is answered
    nvme::write_protection protection = nvme::write_protection::none;
    bool hold = false;                ///< a loss makes its I/O wait instead of failing it
    std::uint32_t park_ms = 0;        ///< how long one request may wait then
    reservation_view reservation{};   ///< who has registered, and who holds
    range_locks_view ranges{};        ///< null: no fused pair has come yet
    bool keeps_reservations = false;  ///< they can outlive the daemon and a power loss
    host_list visible_to{};           ///< who sees it, of the hosts that may connect

    [[nodiscard]] bool write_protected() const noexcept {
        return protection != nvme::write_protection::none || geometry.read_only;
    }
    [[nodiscard]] nsid number() const noexcept { return nsid(id.index + 1); }
    [[nodiscard]] bool visible(std::string_view host_nqn) const noexcept {
        return has(visible_to, host_nqn);
    }
    [[nodiscard]] std::uint32_t ana_group() const noexcept {
        return group != 0 ? group : id.index + 1;
    }
    /// By a listener of that column.
    [[nodiscard]] ana_state ana_at(std::size_t column) const noexcept {
        return ana_paths != nullptr ? (*ana_paths)[column] : ana;
    }
};

/// One subsystem as poll groups see it. Never changed once it is shared.
struct subsystem_description {
    subsystem_id id;
    bool discovery = false;
    std::string nqn;
    std::string serial;
    std::string model;
    bool allow_any_host = false;
    bool closed = false;                    ///< its list is broken: no host now
    bool keeps_protection = false;          ///< hosts may write protect: it can be kept
    std::vector<std::string> hosts;         ///< sorted
    std::vector<host_keys_spec> host_keys;  ///< of those that authenticate; sorted
    security::dhchap_policy dhchap;
    std::vector<std::string> listeners;             ///< names, sorted; empty: every listener
    std::vector<namespace_description> namespaces;  ///< sorted by nsid
    std::uint32_t namespace_limit = limits::default_namespaces;  ///< NN, MNAN
    std::vector<std::string> ana_listeners;  ///< that an ANA group names, sorted
    /// Places in `namespaces`, by ANA group and then by NSID. Empty: as they are, for none shares
    /// its group with another.
    std::vector<std::uint32_t> by_ana_group;

    [[nodiscard]] const namespace_description* find(nsid number) const noexcept;
    [[nodiscard]] bool allows(std::string_view host_nqn) const noexcept;
    /// Whether that host's queues are unproven until they have passed DH-HMAC-CHAP.
    [[nodiscard]] bool asks_for_proof(std::string_view host_nqn) const noexcept;
    /// Null: the host has no keys here.
    [[nodiscard]] const host_keys_spec* keys_of(std::string_view host_nqn) const noexcept;
    /// Notes what `host_nqn` does not see into `out`, which has room for all.
    void hide_from(std::string_view host_nqn, hidden_namespaces& out) const noexcept;
    [[nodiscard]] bool offered_at(std::string_view listener) const noexcept;
    /// Where ANA states by `listener` are; 0 when no group names it.
    [[nodiscard]] std::uint16_t ana_column(std::string_view listener) const noexcept;
};

using subsystem_view = std::shared_ptr<const subsystem_description>;

}  // namespace fulmar::core
