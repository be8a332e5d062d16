// Namespace identification descriptors (CNS 03h): writing the list and reading one.
// NVMe Base 2.0, section 5.17.2.3. Any thread; no allocation.
// Must never: trust a length in a list that a device or a peer wrote.
#pragma once

#include <fulmar/nvme/endian.hpp>
#include <fulmar/nvme/identify.hpp>
#include <fulmar/nvme/uuid.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace fulmar::nvme {

/// Prefixed, since g++ takes a bare `uuid` here for a shadowing of the type.
enum class namespace_id_type : std::uint8_t { id_eui64 = 1, id_nguid = 2, id_uuid = 3, id_csi = 4 };

[[nodiscard]] constexpr std::optional<namespace_id_type> parse_namespace_id_type(
    std::uint8_t raw) noexcept {
    if (raw < 1 || raw > 4) return std::nullopt;
    return static_cast<namespace_id_type>(raw);
}

/// NIDL, the only length that a type may have.
[[nodiscard]] constexpr std::uint8_t namespace_id_bytes(namespace_id_type type) noexcept {
    switch (type) {
        case namespace_id_type::id_eui64: return 8;
        case namespace_id_type::id_nguid:
        case namespace_id_type::id_uuid: return 16;
        case namespace_id_type::id_csi: return 1;
    }
    return 0;
}

/// `nidl` bytes of identifier follow; a zero type ends the list.
struct namespace_id_descriptor {
    std::uint8_t nidt;
    std::uint8_t nidl;
    reserved<2> reserved_2;
};
static_assert(sizeof(namespace_id_descriptor) == 4 && wire_type<namespace_id_descriptor>);

/// Fills a zeroed CNS 03h buffer one descriptor after the other.
class namespace_id_list_writer {
  public:
    explicit namespace_id_list_writer(std::span<std::byte> list) noexcept : rest_{list} {}

    /// Nil identifiers are left out: they are none.
    void add(const uuid& id) noexcept {
        if (!id.is_nil()) append(namespace_id_type::id_uuid, id.bytes);
    }
    void add(const nguid& id) noexcept {
        if (!id.is_nil()) append(namespace_id_type::id_nguid, id.bytes);
    }
    void add(const eui64& id) noexcept {
        if (!id.is_nil()) append(namespace_id_type::id_eui64, id.bytes);
    }
    void add(csi set) noexcept {
        const std::array<std::uint8_t, 1> value{static_cast<std::uint8_t>(set)};
        append(namespace_id_type::id_csi, value);
    }

  private:
    void append(namespace_id_type type, std::span<const std::uint8_t> id) noexcept {
        namespace_id_descriptor head{};
        head.nidt = static_cast<std::uint8_t>(type);
        head.nidl = namespace_id_bytes(type);
        if (rest_.size() < sizeof(head) + id.size()) return;
        std::memcpy(rest_.data(), &head, sizeof(head));
        std::memcpy(rest_.data() + sizeof(head), id.data(), id.size());
        rest_ = rest_.subspan(sizeof(head) + id.size());
    }

    std::span<std::byte> rest_;
};

/// What a CNS 03h buffer says about a namespace; for the host side and for drives.
struct namespace_ids {
    uuid the_uuid;
    nguid the_nguid;
    eui64 the_eui64;
    std::optional<csi> command_set;
};

/// Stops at the first descriptor that is malformed or does not fit; unknown types are skipped.
[[nodiscard]] inline namespace_ids read_namespace_ids(std::span<const std::byte> list) noexcept {
    namespace_ids found{};
    while (const auto head = read_wire<namespace_id_descriptor>(list)) {
        if (head->nidt == 0 || list.size() < sizeof(*head) + head->nidl) break;
        const auto id = list.subspan(sizeof(*head), head->nidl);
        list = list.subspan(sizeof(*head) + head->nidl);
        const auto type = parse_namespace_id_type(head->nidt);
        if (!type) continue;
        if (head->nidl != namespace_id_bytes(*type)) break;
        switch (*type) {
            case namespace_id_type::id_eui64:
                std::memcpy(found.the_eui64.bytes.data(), id.data(), id.size());
                break;
            case namespace_id_type::id_nguid:
                std::memcpy(found.the_nguid.bytes.data(), id.data(), id.size());
                break;
            case namespace_id_type::id_uuid:
                std::memcpy(found.the_uuid.bytes.data(), id.data(), id.size());
                break;
            case namespace_id_type::id_csi: found.command_set = static_cast<csi>(id[0]); break;
        }
    }
    return found;
}

}  // namespace fulmar::nvme
