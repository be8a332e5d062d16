// Text forms and derivation of identifiers. Any thread; pure.
// Must never: change what derive_uuid and derive_nguid return, or a restart would rename disks.
#include <fulmar/nvme/uuid.hpp>

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid.hpp>

#include <algorithm>

namespace fulmar::nvme {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

int digit_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// True before the bytes that a dash precedes in the 8-4-4-4-12 form.
bool dash_before(std::size_t byte) noexcept {
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

template <std::size_t Size>
bool parse_bytes(std::string_view text, bool dashed, std::array<std::uint8_t, Size>& out) noexcept {
    if (text.size() != Size * 2 + (dashed ? 4 : 0)) return false;
    std::size_t at = 0;
    for (std::size_t i = 0; i < Size; ++i) {
        if (dashed && dash_before(i) && text[at++] != '-') return false;
        const int high = digit_value(text[at]);
        const int low = digit_value(text[at + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = static_cast<std::uint8_t>(high * 16 + low);
        at += 2;
    }
    return true;
}

template <std::size_t Length, std::size_t Size>
fixed_text<Length> format_bytes(const std::array<std::uint8_t, Size>& bytes) noexcept {
    constexpr bool dashed = Length == Size * 2 + 4;
    fixed_text<Length> text;
    std::size_t at = 0;
    for (std::size_t i = 0; i < Size; ++i) {
        if (dashed && dash_before(i)) text.characters[at++] = '-';
        text.characters[at++] = digits[bytes[i] >> 4];
        text.characters[at++] = digits[bytes[i] & 0xfu];
    }
    return text;
}

// Two random UUIDs, drawn once: the roots of everything that Fulmar derives.
constexpr boost::uuids::uuid uuid_root{{0x26, 0x21, 0x4d, 0x3a, 0xba, 0x5f, 0x4a, 0x70, 0x80, 0x07,
                                        0xa8, 0x2b, 0xe8, 0x9a, 0x67, 0x53}};
constexpr boost::uuids::uuid nguid_root{{0x00, 0x94, 0x85, 0x7e, 0xa7, 0xc7, 0x4b, 0x18, 0xab, 0x1d,
                                         0x44, 0xc2, 0xee, 0x45, 0xe3, 0xf0}};

/// Two steps, so that no name needs to be put together in a buffer.
std::array<std::uint8_t, 16> derive(const boost::uuids::uuid& root, std::string_view nqn,
                                    std::uint32_t nsid) noexcept {
    const boost::uuids::uuid of_subsystem =
        boost::uuids::name_generator_sha1{root}(nqn.data(), nqn.size());
    const std::array<std::uint8_t, 4> name{
        static_cast<std::uint8_t>(nsid >> 24), static_cast<std::uint8_t>(nsid >> 16),
        static_cast<std::uint8_t>(nsid >> 8), static_cast<std::uint8_t>(nsid)};
    const boost::uuids::uuid of_namespace =
        boost::uuids::name_generator_sha1{of_subsystem}(name.data(), name.size());
    std::array<std::uint8_t, 16> bytes{};
    std::copy(of_namespace.begin(), of_namespace.end(), bytes.begin());
    return bytes;
}

template <typename Identifier>
std::optional<Identifier> parse(std::string_view text, bool with_dashes) noexcept {
    Identifier id;
    if (!parse_bytes(text, with_dashes, id.bytes)) return std::nullopt;
    return id;
}

}  // namespace

std::optional<uuid> parse_uuid(std::string_view text) noexcept { return parse<uuid>(text, true); }

std::optional<nguid> parse_nguid(std::string_view text) noexcept {
    return parse<nguid>(text, text.size() == 36);
}

std::optional<eui64> parse_eui64(std::string_view text) noexcept {
    return parse<eui64>(text, false);
}

std::optional<host_id> parse_host_id(std::string_view text) noexcept {
    return parse<host_id>(text, false);
}

uuid_text to_text(const uuid& id) noexcept { return format_bytes<36>(id.bytes); }
nguid_text to_text(const nguid& id) noexcept { return format_bytes<32>(id.bytes); }
eui64_text to_text(const eui64& id) noexcept { return format_bytes<16>(id.bytes); }
host_id_text to_text(const host_id& id) noexcept { return format_bytes<32>(id.bytes); }

uuid derive_uuid(std::string_view nqn, std::uint32_t nsid) noexcept {
    return uuid{derive(uuid_root, nqn, nsid)};
}

nguid derive_nguid(std::string_view nqn, std::uint32_t nsid) noexcept {
    nguid id{derive(nguid_root, nqn, nsid)};
    // Bytes 8 to 10 are an OUI. Bit 1 of its first byte says "locally administered", bit 0 "group".
    id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] | 0x02u) & ~0x01u);
    return id;
}

}  // namespace fulmar::nvme
