#include "journal_ack.hpp"

#include <fulmar/nvme/crc32c.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

namespace fulmar::admin {

namespace {

constexpr std::string_view ack_head = "acknowledged ";
constexpr std::size_t ack_digits = 20;  // of a 64-bit number, with zeroes in front
constexpr std::size_t ack_numbers = 3;
constexpr std::size_t covered_bytes = ack_head.size() + ack_numbers * (ack_digits + 1);
constexpr std::size_t ack_crc_digits = 8;
static_assert(covered_bytes + ack_crc_digits + 1 <= ack_slot_bytes);

std::string ack_crc(std::string_view covered) {
    return fmt::format("{:08x}", nvme::crc32c_of(std::as_bytes(std::span(covered))));
}

std::optional<journal_ack> decode_slot(std::string_view text) {
    if (text.size() < covered_bytes + ack_crc_digits || !text.starts_with(ack_head))
        return std::nullopt;
    const std::string_view covered = text.substr(0, covered_bytes);
    if (text.substr(covered_bytes, ack_crc_digits) != ack_crc(covered)) return std::nullopt;
    std::array<std::uint64_t, ack_numbers> values{};
    for (std::size_t i = 0; i < ack_numbers; ++i) {
        const std::string_view one =
            covered.substr(ack_head.size() + i * (ack_digits + 1), ack_digits);
        const auto [end, failure] = std::from_chars(one.data(), one.data() + ack_digits, values[i]);
        if (failure != std::errc{} || end != one.data() + ack_digits) return std::nullopt;
    }
    return journal_ack{values[0], values[1], values[2]};
}

}  // namespace

std::string ack_path(const std::string& path) { return path + ".ack"; }

std::uint64_t ack_offset(std::uint64_t counter) noexcept { return counter % 2 * ack_slot_distance; }

std::string encode_ack(const journal_ack& ack) {
    std::string text =
        fmt::format("{}{:020} {:020} {:020} ", ack_head, ack.counter, ack.sequence, ack.bytes);
    text += ack_crc(text);
    text.resize(ack_slot_bytes - 1, ' ');
    text += '\n';
    return text;
}

std::string encode_ack_file(const journal_ack& ack) {
    std::string text(ack_file_bytes, '\0');
    text.replace(ack_offset(ack.counter), ack_slot_bytes, encode_ack(ack));
    return text;
}

result<std::optional<journal_ack>> decode_ack_file(std::string_view text, const std::string& name) {
    if (text.find_first_not_of('\0') == text.npos) return std::nullopt;
    std::optional<journal_ack> newest;
    for (const std::size_t at : {std::size_t{0}, ack_slot_distance}) {
        if (at >= text.size()) break;
        const auto slot = decode_slot(text.substr(at, ack_slot_bytes));
        if (slot && (!newest || slot->counter > newest->counter)) newest = slot;
    }
    if (!newest)
        return fail(errc::io_error,
                    "neither of the two records of how far the journal was acknowledged is whole",
                    name);
    return newest;
}

}  // namespace fulmar::admin
