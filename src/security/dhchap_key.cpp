#include "base64.hpp"
#include "key_checksum.hpp"

#include <fulmar/security/dhchap_key.hpp>
#include <fulmar/security/digest.hpp>

#include <algorithm>

namespace fulmar::security {

namespace {

constexpr std::string_view key_prefix = "DHHC-1:";
constexpr std::string_view key_seed = "NVMe-over-Fabrics";
constexpr std::size_t key_crc_bytes = key_checksum_bytes;

tl::unexpected<error> no_key(const char* why) {
    return fail(errc::invalid_argument, why, {},
                "make one with `fulmar key generate`, or `nvme gen-dhchap-key` on the host");
}

bool is_key_size(std::size_t bytes) noexcept { return bytes == 32 || bytes == 48 || bytes == 64; }

}  // namespace

result<dhchap_key> parse_dhchap_key(std::string_view text) {
    if (!text.starts_with(key_prefix)) return no_key("a key begins with \"DHHC-1:\"");
    text.remove_prefix(key_prefix.size());
    if (text.size() < 4 || text[0] != '0' || text[1] < '0' || text[1] > '3' || text[2] != ':')
        return no_key("behind \"DHHC-1:\" a key says 00, 01, 02 or 03, and a colon");
    const auto transform = static_cast<key_transform>(text[1] - '0');
    text.remove_prefix(3);
    if (!text.ends_with(':')) return no_key("a key ends with a colon");
    text.remove_suffix(1);
    if (text.size() > dhchap_key_text_max) return no_key("the key is too long");
    secret whole = from_base64(text);
    if (whole.empty()) return no_key("the key between the colons is no base64");
    if (whole.size() <= key_crc_bytes || !is_key_size(whole.size() - key_crc_bytes))
        return no_key("a key has 32, 48 or 64 bytes, and a checksum of 4");
    const auto bytes = whole.reveal().first(whole.size() - key_crc_bytes);
    if (!equal(whole.reveal().last(key_crc_bytes), key_checksum(bytes)))
        return no_key("the checksum of the key does not match: a character is wrong");
    whole.shrink(whole.size() - key_crc_bytes);
    return dhchap_key{std::move(whole), transform};
}

secret write_dhchap_key(const dhchap_key& key) noexcept {
    secret whole(key.bytes.size() + key_crc_bytes);
    secret text(dhchap_key_text_max);
    if (whole.empty() || text.empty() || !is_key_size(key.bytes.size())) return {};
    const auto crc = key_checksum(key.bytes.reveal());
    auto at = std::copy(key.bytes.reveal().begin(), key.bytes.reveal().end(), whole.fill().begin());
    std::copy(crc.begin(), crc.end(), at);
    const auto put = [&text](std::size_t where, std::string_view what) {
        const auto bytes = bytes_of(what);
        std::copy(bytes.begin(), bytes.end(),
                  text.fill().begin() + static_cast<std::ptrdiff_t>(where));
        return where + what.size();
    };
    const char hh = static_cast<char>('0' + static_cast<int>(key.transform));
    std::size_t end = put(put(0, key_prefix), "0");
    end = put(put(end, {&hh, 1}), ":");
    end += to_base64(whole.reveal(), text.fill().subspan(end));
    text.shrink(put(end, ":"));
    return text;
}

result<dhchap_key> generate_dhchap_key(std::size_t bytes, key_transform transform) {
    if (!is_key_size(bytes)) return no_key("a key has 32, 48 or 64 bytes");
    dhchap_key made{secret(bytes), transform};
    if (made.bytes.empty()) return fail(errc::no_memory, "there is no memory for a key");
    FULMAR_CHECK(fill_random(made.bytes.fill()));
    return made;
}

result<secret> transformed(const dhchap_key& key, std::string_view owner_nqn) {
    secret made;
    if (key.transform == key_transform::none) {
        made = key.bytes.clone();
    } else {
        const auto hash = static_cast<nvme::dhchap_hash>(key.transform);
        FULMAR_TRY(const digest d,
                   hmac_of(hash, key.bytes.reveal(), {bytes_of(owner_nqn), bytes_of(key_seed)}));
        made = secret::of(d.bytes());
    }
    if (made.empty()) return fail(errc::no_memory, "there is no memory for a key");
    return made;
}

}  // namespace fulmar::security
