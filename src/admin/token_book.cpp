#include "token_book.hpp"

#include "json_tree.hpp"
#include "object_reader.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/base/limits.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

namespace fulmar::admin {

namespace {

using core::word_of;
using core::words_of;

constexpr std::size_t salt_bytes = 16;
constexpr std::size_t digest_digits = 64;
constexpr std::string_view hash_scheme = "sha256:";

bool is_token_name(std::string_view name) {
    constexpr std::string_view others = "-_.@";
    return !name.empty() && name.size() <= limits::max_token_name_bytes &&
           std::all_of(name.begin(), name.end(), [&](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      others.find(c) != others.npos;
           });
}

bool is_hexadecimal(std::string_view text) {
    return text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::string random_hex(std::size_t bytes) {
    std::vector<unsigned char> raw(bytes);
    if (RAND_bytes(raw.data(), static_cast<int>(bytes)) != 1) return {};
    std::string out;
    for (const unsigned char byte : raw) out += fmt::format("{:02x}", byte);
    OPENSSL_cleanse(raw.data(), raw.size());
    return out;
}

std::string salted_digest(const std::string& salt, std::string_view token) {
    std::string both = salt;
    both += token;
    std::string out = digest_of(both);
    OPENSSL_cleanse(both.data(), both.size());
    return out;
}

/// A token for `record`, which keeps what tells it.
result<std::string> draw_token(token_record& record) {
    std::string token = random_hex(token_bytes);
    std::string salt = random_hex(salt_bytes);
    if (token.empty() || salt.empty())
        return fail(errc::internal, "the machine has no random numbers for a token");
    token.insert(0, token_mark);
    record.salt = std::move(salt);
    record.digest = salted_digest(record.salt, token);
    return token;
}

/// "sha256:<salt>:<digest>". Anything weaker is refused, so that a file cannot bring it in.
bool take_hash(std::string_view text, token_record& into) {
    if (!text.starts_with(hash_scheme)) return false;
    text.remove_prefix(hash_scheme.size());
    const std::size_t colon = text.find(':');
    if (colon == text.npos) return false;
    const std::string_view salt = text.substr(0, colon);
    const std::string_view digest = text.substr(colon + 1);
    if (salt.size() < 2 * salt_bytes || salt.size() > 8 * salt_bytes ||
        digest.size() != digest_digits || !is_hexadecimal(salt) || !is_hexadecimal(digest))
        return false;
    into.salt = salt;
    into.digest = digest;
    return true;
}

void read_time(object_reader& reader, std::string_view key, std::int64_t& into) {
    std::string text;
    if (!reader.read(key, text)) return;
    if (const auto seconds = parse_utc(text))
        into = *seconds;
    else
        reader.complain(key, "is no time in UTC", "such as \"2027-01-01T00:00:00Z\"");
}

token_record read_record(const json_place& where, problem_list& problems) {
    token_record out;
    object_reader reader(where, problems);
    reader.require("name", "such as \"name\": \"monitoring\"");
    if (reader.read("name", out.name) && !is_token_name(out.name))
        reader.complain("name",
                        fmt::format("must be 1 to {} letters, digits, or - _ . @",
                                    limits::max_token_name_bytes),
                        "such as \"monitoring\"");
    reader.require("role", "\"metrics\", \"viewer\", \"operator\" or \"admin\"");
    std::size_t word = 0;
    if (reader.read_word("role", word, words_of<role>::names))
        out.grants = words_of<role>::values[word];
    reader.require("hash", "`fulmar token create` writes it");
    std::string hash;
    if (reader.read("hash", hash) && !take_hash(hash, out))
        reader.complain("hash", "is not \"sha256:\", a salt of 16 bytes or more, and a digest",
                        "`fulmar token create` writes it");
    read_time(reader, "created", out.created_s);
    read_time(reader, "expires", out.expires_s);
    reader.finish();
    return out;
}

}  // namespace

std::string utc_text(std::int64_t seconds) {
    const auto at = static_cast<std::time_t>(seconds);
    std::tm parts{};
    std::array<char, 32> text{};
    if (::gmtime_r(&at, &parts) == nullptr) return {};
    const std::size_t length =
        std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return {text.data(), length};
}

std::optional<std::int64_t> parse_utc(std::string_view text) {
    constexpr std::string_view form = "dddd-dd-ddTdd:dd:ddZ";
    if (text.size() != form.size()) return std::nullopt;
    for (std::size_t i = 0; i < form.size(); ++i)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return std::nullopt;
    const auto number = [&](std::size_t at, std::size_t digits) {
        int value = 0;
        std::from_chars(text.data() + at, text.data() + at + digits, value);
        return value;
    };
    std::tm parts{};
    parts.tm_year = number(0, 4) - 1900;
    parts.tm_mon = number(5, 2) - 1;
    parts.tm_mday = number(8, 2);
    parts.tm_hour = number(11, 2);
    parts.tm_min = number(14, 2);
    parts.tm_sec = number(17, 2);
    const auto seconds = static_cast<std::int64_t>(::timegm(&parts));
    // The 31st of February has become another day.
    if (seconds <= 0 || utc_text(seconds) != text) return std::nullopt;
    return seconds;
}

tl::expected<token_book, problem_list> token_book::parse(std::string_view text) {
    problem_list problems;
    token_book out;
    const std::optional<json_node> root = parse_json(text, body_bounds, problems);
    if (!root) return tl::unexpected(std::move(problems));
    object_reader reader({&*root, ""}, problems);
    reader.require("tokens", "\"tokens\": [] is none");
    for (const json_place& item : reader.items("tokens", limits::max_tokens)) {
        token_record one = read_record(item, problems);
        if (out.place_of(one.name) != out.all_.end())
            problems.add({item.pointer + "/name", item.node->line, "is there twice",
                          "remove one of the two"});
        out.all_.push_back(std::move(one));
    }
    reader.finish();
    if (!problems.empty()) return tl::unexpected(std::move(problems));
    return out;
}

std::string token_book::text() const {
    nlohmann::ordered_json tokens = nlohmann::ordered_json::array();
    for (const token_record& one : all_) {
        nlohmann::ordered_json item{
            {"name", one.name},
            {"role", word_of(one.grants)},
            {"hash", fmt::format("{}{}:{}", hash_scheme, one.salt, one.digest)}};
        if (one.created_s != 0) item["created"] = utc_text(one.created_s);
        if (one.expires_s != 0) item["expires"] = utc_text(one.expires_s);
        tokens.push_back(std::move(item));
    }
    return nlohmann::ordered_json{{"tokens", std::move(tokens)}}.dump(2) + "\n";
}

std::vector<token_record>::iterator token_book::place_of(const std::string& name) {
    return std::find_if(all_.begin(), all_.end(),
                        [&](const token_record& one) { return one.name == name; });
}

result<std::string> token_book::create(const std::string& name, role grants, std::int64_t now_s,
                                       std::int64_t expires_s) {
    if (!is_token_name(name))
        return fail(errc::invalid_argument,
                    fmt::format("a name has 1 to {} letters, digits, or - _ . @",
                                limits::max_token_name_bytes),
                    "/name", "such as \"monitoring\"");
    if (place_of(name) != all_.end())
        return fail(errc::already_exists, fmt::format("there is a token {} already", name), "/name",
                    "revoke it, or choose another name");
    if (all_.size() >= limits::max_tokens)
        return fail(errc::limit_reached, fmt::format("there are {} tokens", all_.size()), {},
                    "revoke those that nobody uses");
    token_record record{name, grants, {}, {}, now_s, expires_s};
    FULMAR_TRY(std::string token, draw_token(record));
    all_.push_back(std::move(record));
    return token;
}

result<std::string> token_book::rotate(const std::string& name, std::int64_t now_s) {
    const auto found = place_of(name);
    if (found == all_.end())
        return fail(errc::not_found, fmt::format("there is no token {}", name), {},
                    "GET /v1/tokens lists them");
    const bool expired = found->expires_s != 0 && found->expires_s <= now_s;
    const std::int64_t life = found->created_s != 0 ? found->expires_s - found->created_s : 0;
    if (expired && life <= 0)
        return fail(errc::conflict,
                    fmt::format("the token {} has expired, and nobody knows for how long it was to "
                                "be valid",
                                name),
                    {}, "revoke it, and create another one");
    FULMAR_TRY(std::string token, draw_token(*found));
    found->created_s = now_s;
    if (expired) found->expires_s = now_s + life;
    return token;
}

result<void> token_book::revoke(const std::string& name) {
    const auto found = place_of(name);
    if (found == all_.end())
        return fail(errc::not_found, fmt::format("there is no token {}", name), {},
                    "GET /v1/tokens lists them");
    all_.erase(found);
    return {};
}

const token_record* token_book::find(std::string_view token, std::int64_t now_s) const {
    const token_record* out = nullptr;
    for (const token_record& one : all_) {
        const std::string digest = salted_digest(one.salt, token);
        // One after the other to the end: neither time nor place tells how near a guess was.
        const bool same = CRYPTO_memcmp(digest.data(), one.digest.data(), digest_digits) == 0;
        if (same && (one.expires_s == 0 || now_s < one.expires_s)) out = &one;
    }
    return out;
}

}  // namespace fulmar::admin
