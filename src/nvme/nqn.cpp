// Checking of NVMe qualified names. Any thread; pure.
// Must never: read beyond the view it was given.
#include <fulmar/nvme/nqn.hpp>
#include <fulmar/nvme/uuid.hpp>

namespace fulmar::nvme {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_domain_character(char c) noexcept {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
}

/// "yyyy-mm." with a month from 01 to 12.
bool is_date(std::string_view text) noexcept {
    if (text.size() < 8) return false;
    for (const std::size_t at : {0u, 1u, 2u, 3u, 5u, 6u})
        if (!is_digit(text[at])) return false;
    const int month = (text[5] - '0') * 10 + (text[6] - '0');
    return text[4] == '-' && text[7] == '.' && month >= 1 && month <= 12;
}

/// Non-empty labels that neither start nor end with a hyphen.
bool is_domain(std::string_view text) noexcept {
    if (text.empty() || text.back() == '.' || text.back() == '-') return false;
    char before = '.';
    for (const char c : text) {
        if (!is_domain_character(c)) return false;
        if (before == '.' && (c == '.' || c == '-')) return false;
        if (before == '-' && c == '.') return false;
        before = c;
    }
    return true;
}

/// The length of the UTF-8 sequence at the start of `text`, 0 when it is malformed (overlong,
/// surrogate, beyond U+10FFFF or cut short).
std::size_t utf8_sequence_bytes(std::string_view text) noexcept {
    const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const auto continues = [&](std::size_t at) {
        return at < text.size() && (byte(at) & 0xc0u) == 0x80u;
    };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        if (!continues(1) || !continues(2)) return 0;
        if (first == 0xe0 && byte(1) < 0xa0) return 0;
        if (first == 0xed && byte(1) > 0x9f) return 0;
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (!continues(1) || !continues(2) || !continues(3)) return 0;
        if (first == 0xf0 && byte(1) < 0x90) return 0;
        if (first == 0xf4 && byte(1) > 0x8f) return 0;
        return 4;
    }
    return 0;
}

nqn_check check_characters(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = utf8_sequence_bytes(text);
        if (length == 0) return nqn_check::bad_utf8;
        const auto first = static_cast<unsigned char>(text.front());
        if (first < 0x20 || first == 0x7f) return nqn_check::bad_character;
        // U+0080 to U+009F are control characters too, in two bytes.
        if (first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0)
            return nqn_check::bad_character;
        text.remove_prefix(length);
    }
    return nqn_check::ok;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = utf8_sequence_bytes(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

nqn_check validate_nqn(std::string_view nqn) noexcept {
    if (nqn.empty()) return nqn_check::empty;
    if (nqn.size() > nqn_bytes_max) return nqn_check::too_long;
    return check_characters(nqn);
}

nqn_form form_of_nqn(std::string_view nqn) noexcept {
    if (!nqn.starts_with("nqn.")) return nqn_form::no_prefix;
    if (nqn.starts_with(uuid_nqn_prefix)) {
        nqn.remove_prefix(uuid_nqn_prefix.size());
        return parse_uuid(nqn) ? nqn_form::qualified : nqn_form::bad_uuid;
    }
    nqn.remove_prefix(4);
    if (!is_date(nqn)) return nqn_form::bad_date;
    nqn.remove_prefix(8);
    if (!is_domain(nqn.substr(0, nqn.find(':')))) return nqn_form::bad_domain;
    return nqn_form::qualified;
}

std::string_view describe(nqn_check result) noexcept {
    switch (result) {
        case nqn_check::ok: return "ok";
        case nqn_check::empty: return "is empty";
        case nqn_check::too_long: return "is longer than 223 bytes";
        case nqn_check::bad_character: return "contains a control character";
        case nqn_check::bad_utf8: return "is not valid UTF-8";
    }
    return "unknown";
}

std::string_view describe(nqn_form form) noexcept {
    switch (form) {
        case nqn_form::qualified: return "is qualified";
        case nqn_form::no_prefix: return "does not start with \"nqn.\"";
        case nqn_form::bad_date: return "has no \"yyyy-mm.\" date behind \"nqn.\"";
        case nqn_form::bad_domain: return "has no reverse domain name behind its date";
        case nqn_form::bad_uuid: return "has the UUID form but no well-formed UUID";
    }
    return "unknown";
}

}  // namespace fulmar::nvme
