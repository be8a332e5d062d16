// Must never: log or report any part of a key.
#include "base64.hpp"
#include "hkdf.hpp"
#include "key_checksum.hpp"

#include <fulmar/nvme/nqn.hpp>
#include <fulmar/security/digest.hpp>
#include <fulmar/security/tls_psk.hpp>

#include <algorithm>
#include <array>

namespace fulmar::security {

namespace {

constexpr std::string_view psk_digest_seed = "NVMe-over-Fabrics";
constexpr std::size_t identity_head_bytes = 8;  // "NVMe1R01"
constexpr std::size_t psk_digest_text_max = 64;

tl::unexpected<error> no_tls_key(const char* why) {
    return fail(errc::invalid_argument, why, {}, "make one with `fulmar key generate --tls`");
}

nvme::dhchap_hash psk_hash(tls_suite suite) noexcept {
    return suite == tls_suite::aes128_gcm_sha256 ? nvme::dhchap_hash::sha256
                                                 : nvme::dhchap_hash::sha384;
}

// The way of libnvme up to 1.14: the length the other way round, and no lengths of the texts.
result<digest> expand_old_way(nvme::dhchap_hash hash, std::span<const std::byte> key,
                              std::size_t bytes, std::string_view label, std::string_view context) {
    const std::array<std::byte, 2> head{static_cast<std::byte>(bytes & 0xff),
                                        static_cast<std::byte>(bytes >> 8)};
    const std::array<std::byte, 1> first_block{std::byte{1}};
    return hmac_of(hash, key,
                   {head, bytes_of("tls13 "), bytes_of(label), bytes_of(context), first_block});
}

result<secret> psk_expand(tls_suite suite, std::span<const std::byte> key, std::size_t bytes,
                          std::string_view label, std::string_view context, tls_derivation how) {
    const nvme::dhchap_hash hash = psk_hash(suite);
    FULMAR_TRY(const digest extracted, hkdf_extract(hash, key));
    const auto expanded =
        how == tls_derivation::standard
            ? hkdf_expand_label(hash, extracted.bytes(), bytes, label, bytes_of(context))
            : expand_old_way(hash, extracted.bytes(), bytes, label, context);
    if (!expanded) return tl::unexpected(expanded.error());
    secret made = secret::of(expanded->bytes().first(bytes));
    if (made.empty()) return fail(errc::no_memory, "there is no memory for a key");
    return made;
}

result<secret> retained_key(const tls_key& key, std::string_view host_nqn, tls_derivation how) {
    if (key.hash == tls_key_hash::none) {
        secret same = key.bytes.clone();
        if (same.empty()) return fail(errc::no_memory, "there is no memory for a key");
        return same;
    }
    return psk_expand(key.suite(), key.bytes.reveal(), key.bytes.size(), "HostNQN", host_nqn, how);
}

result<std::string> psk_digest(tls_suite suite, const secret& retained, std::string_view host,
                               std::string_view subsystem) {
    const std::string_view blank = " ";
    FULMAR_TRY(const digest d, hmac_of(psk_hash(suite), retained.reveal(),
                                       {bytes_of(host), bytes_of(blank), bytes_of(subsystem),
                                        bytes_of(blank), bytes_of(psk_digest_seed)}));
    std::array<std::byte, psk_digest_text_max> text{};
    const std::size_t length = to_base64(d.bytes(), text);
    return std::string(reinterpret_cast<const char*>(text.data()), length);
}

std::string_view hash_word(tls_suite suite) noexcept {
    return suite == tls_suite::aes128_gcm_sha256 ? "01" : "02";
}

bool fits_hash(std::size_t bytes, tls_key_hash hash) noexcept {
    return (bytes == 32 && hash != tls_key_hash::sha384) ||
           (bytes == 48 && hash != tls_key_hash::sha256);
}

}  // namespace

result<tls_key> parse_tls_key(std::string_view text) {
    if (!text.starts_with(tls_key_prefix)) return no_tls_key("a key begins with \"NVMeTLSkey-1:\"");
    if (text.size() > tls_key_text_max) return no_tls_key("the key is too long");
    text.remove_prefix(tls_key_prefix.size());
    if (text.size() < 4 || text[0] != '0' || text[1] < '0' || text[1] > '2' || text[2] != ':')
        return no_tls_key("behind \"NVMeTLSkey-1:\" a key says 00, 01 or 02, and a colon");
    const auto hash = static_cast<tls_key_hash>(text[1] - '0');
    text.remove_prefix(3);
    if (!text.ends_with(':')) return no_tls_key("a key ends with a colon");
    text.remove_suffix(1);
    secret whole = from_base64(text);
    if (whole.empty()) return no_tls_key("the key between the colons is no base64");
    if (whole.size() <= key_checksum_bytes || !fits_hash(whole.size() - key_checksum_bytes, hash))
        return no_tls_key("a key has 32 bytes with 01, 48 with 02, and a checksum of 4");
    const auto bytes = whole.reveal().first(whole.size() - key_checksum_bytes);
    if (!equal(whole.reveal().last(key_checksum_bytes), key_checksum(bytes)))
        return no_tls_key("the checksum of the key does not match: a character is wrong");
    whole.shrink(whole.size() - key_checksum_bytes);
    return tls_key{std::move(whole), hash};
}

secret write_tls_key(const tls_key& key) noexcept {
    secret whole(key.bytes.size() + key_checksum_bytes);
    secret text(tls_key_text_max);
    if (whole.empty() || text.empty() || !fits_hash(key.bytes.size(), key.hash)) return {};
    const auto crc = key_checksum(key.bytes.reveal());
    auto at = std::copy(key.bytes.reveal().begin(), key.bytes.reveal().end(), whole.fill().begin());
    std::copy(crc.begin(), crc.end(), at);
    std::size_t end = 0;
    const auto put = [&](std::string_view what) {
        const auto bytes = bytes_of(what);
        std::copy(bytes.begin(), bytes.end(),
                  text.fill().begin() + static_cast<std::ptrdiff_t>(end));
        end += what.size();
    };
    const char hh = static_cast<char>('0' + static_cast<int>(key.hash));
    put(tls_key_prefix);
    put("0");
    put({&hh, 1});
    put(":");
    end += to_base64(whole.reveal(), text.fill().subspan(end));
    put(":");
    text.shrink(end);
    return text;
}

result<tls_key> generate_tls_key(tls_suite suite) {
    tls_key made{secret(size_of(suite)), suite == tls_suite::aes128_gcm_sha256
                                             ? tls_key_hash::sha256
                                             : tls_key_hash::sha384};
    if (made.bytes.empty()) return fail(errc::no_memory, "there is no memory for a key");
    FULMAR_CHECK(fill_random(made.bytes.fill()));
    return made;
}

std::optional<tls_identity> read_tls_identity(std::string_view text) noexcept {
    tls_identity out;
    if (text.size() > identity_head_bytes + 3 + 2 * nvme::nqn_bytes_max + psk_digest_text_max ||
        text.size() < identity_head_bytes + 1)
        return std::nullopt;
    const std::string_view head = text.substr(0, identity_head_bytes);
    if (!head.starts_with("NVMe") || head[5] != 'R' || head[6] != '0') return std::nullopt;
    if ((head[4] != '0' && head[4] != '1') || (head[7] != '1' && head[7] != '2'))
        return std::nullopt;
    out.version = static_cast<tls_identity_version>(head[4] - '0');
    out.suite = static_cast<tls_suite>(head[7] - '0');
    text.remove_prefix(identity_head_bytes);
    const auto next = [&text]() -> std::string_view {
        if (text.empty() || text.front() != ' ') return {};
        text.remove_prefix(1);
        const std::string_view word = text.substr(0, text.find(' '));
        text.remove_prefix(word.size());
        return word;
    };
    out.host_nqn = next();
    out.subsystem_nqn = next();
    if (out.version == tls_identity_version::digest) out.digest = next();
    const bool whole = text.empty() && !out.host_nqn.empty() && !out.subsystem_nqn.empty() &&
                       (out.version == tls_identity_version::plain || !out.digest.empty());
    return whole ? std::optional(out) : std::nullopt;
}

result<tls_psk> derive_tls_psk(const tls_key& key, std::string_view host_nqn,
                               std::string_view subsystem_nqn, tls_identity_version version,
                               tls_derivation how) {
    tls_psk made;
    made.suite = key.suite();
    FULMAR_TRY(const secret retained, retained_key(key, host_nqn, how));
    std::string context;
    made.identity = version == tls_identity_version::digest ? "NVMe1R" : "NVMe0R";
    made.identity.append(hash_word(made.suite)).append(" ");
    made.identity.append(host_nqn).append(" ").append(subsystem_nqn);
    if (version == tls_identity_version::digest) {
        FULMAR_TRY(const std::string digest,
                   psk_digest(made.suite, retained, host_nqn, subsystem_nqn));
        made.identity.append(" ").append(digest);
        context.append(hash_word(made.suite)).append(" ").append(digest);
    } else {
        context = made.identity;
    }
    // Its length is one byte where keys are expanded by the rules.
    if (context.size() > 0xff && how == tls_derivation::standard)
        return fail(errc::invalid_argument, "the names are too long for an identity of version 0");
    FULMAR_TRY(made.key, psk_expand(made.suite, retained.reveal(), size_of(made.suite),
                                    "nvme-tls-psk", context, how));
    return made;
}

}  // namespace fulmar::security
