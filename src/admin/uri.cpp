#include "uri.hpp"

#include <fulmar/nvme/nqn.hpp>

#include <fmt/format.h>

#include <cctype>

namespace fulmar::admin {

namespace {

constexpr std::size_t max_segments = 16;
constexpr std::size_t max_parameters = 16;

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (text.size() - i < 3) return std::nullopt;
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) {
            return std::nullopt;
        }
        if (c == '\0') return std::nullopt;
        out += c;
    }
    // Names of what is in here end up in JSON: in the journal, in the configuration.
    if (!nvme::is_utf8(out)) return std::nullopt;
    return out;
}

/// Calls `each` for the parts of `text` between `separator`; stops when it returns false.
template <typename Each>
bool split(std::string_view text, char separator, Each&& each) {
    for (;;) {
        const std::size_t end = text.find(separator);
        if (!each(text.substr(0, end))) return false;
        if (end == text.npos) return true;
        text.remove_prefix(end + 1);
    }
}

}  // namespace

std::optional<request_target> parse_target(std::string_view target) {
    if (target.empty() || target.front() != '/') return std::nullopt;
    if (const std::size_t fragment = target.find('#'); fragment != target.npos) return std::nullopt;
    request_target out;
    const std::size_t mark = target.find('?');
    const std::string_view path = target.substr(0, mark);
    out.path = path;
    bool good = true;
    if (path != "/")
        good = split(path.substr(1), '/', [&](std::string_view part) {
            auto decoded = decode(part, false);
            if (!decoded || out.segments.size() == max_segments) return false;
            out.segments.push_back(std::move(*decoded));
            return true;
        });
    if (good && mark != target.npos && mark + 1 < target.size())
        good = split(target.substr(mark + 1), '&', [&](std::string_view part) {
            const std::size_t equals = part.find('=');
            auto key = decode(part.substr(0, equals), true);
            auto value =
                decode(equals == part.npos ? std::string_view() : part.substr(equals + 1), true);
            if (!key || !value || out.query.size() == max_parameters) return false;
            out.query.emplace_back(std::move(*key), std::move(*value));
            return true;
        });
    if (!good) return std::nullopt;
    return out;
}

std::string escape_segment(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~' || c == ':')
            out += c;
        else
            out += fmt::format("%{:02X}", byte);
    }
    return out;
}

}  // namespace fulmar::admin
