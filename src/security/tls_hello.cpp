#include "tls_hello.hpp"

#include "hkdf.hpp"

namespace fulmar::security {

namespace {

/// Takes from the front of bytes that may end at any place.
class hello_reader {
  public:
    explicit hello_reader(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}
    [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
    std::optional<std::size_t> number(std::size_t bytes) noexcept {
        if (bytes_.size() < bytes) return std::nullopt;
        std::size_t value = 0;
        for (std::size_t i = 0; i < bytes; ++i)
            value = value << 8 | std::to_integer<std::size_t>(bytes_[i]);
        bytes_ = bytes_.subspan(bytes);
        return value;
    }
    std::optional<std::span<const std::byte>> take(std::size_t bytes) noexcept {
        if (bytes_.size() < bytes) return std::nullopt;
        const auto taken = bytes_.first(bytes);
        bytes_ = bytes_.subspan(bytes);
        return taken;
    }
    /// What a length of that many bytes announces.
    std::optional<std::span<const std::byte>> vector(std::size_t length_bytes) noexcept {
        const auto length = number(length_bytes);
        return length ? take(*length) : std::nullopt;
    }

  private:
    std::span<const std::byte> bytes_;
};

std::string_view text_in(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

result<digest> binder_of(const tls_psk& psk, std::span<const std::byte> truncated) {
    const auto hash = psk.suite == tls_suite::aes128_gcm_sha256 ? nvme::dhchap_hash::sha256
                                                                : nvme::dhchap_hash::sha384;
    const std::size_t bytes = size_of(psk.suite);
    FULMAR_TRY(const digest nothing, hash_of(hash, {}));
    FULMAR_TRY(const digest early, hkdf_extract(hash, psk.key.reveal()));
    FULMAR_TRY(const digest binder_key,
               hkdf_expand_label(hash, early.bytes(), bytes, "ext binder", nothing.bytes()));
    FULMAR_TRY(const digest finished_key,
               hkdf_expand_label(hash, binder_key.bytes(), bytes, "finished", {}));
    FULMAR_TRY(const digest transcript, hash_of(hash, truncated));
    return hmac_of(hash, finished_key.bytes(), {transcript.bytes()});
}

}  // namespace

std::optional<offered_psks> read_offered_psks(std::span<const std::byte> extension) {
    offered_psks out;
    hello_reader reader(extension);
    const auto identities = reader.vector(2);
    const auto binders = reader.vector(2);
    if (!identities || !binders || !reader.empty()) return std::nullopt;
    out.binders_bytes = binders->size() + 2;
    std::size_t count = 0;
    for (hello_reader each(*identities); !each.empty(); ++count) {
        const auto identity = each.vector(2);
        if (!identity || identity->empty() || !each.number(4)) return std::nullopt;
        if (out.identities.size() < offered_identities_max)
            out.identities.push_back(text_in(*identity));
    }
    for (hello_reader each(*binders); !each.empty(); --count) {
        const auto binder = each.vector(1);
        if (!binder || binder->size() < 32 || count == 0) return std::nullopt;
        if (out.binders.size() < offered_identities_max) out.binders.push_back(*binder);
    }
    if (count != 0 || out.identities.empty()) return std::nullopt;
    return out;
}

bool is_bound_by(const tls_psk& psk, std::span<const std::byte> hello, std::size_t binders_bytes,
                 std::span<const std::byte> binder) {
    if (hello.size() < binders_bytes) return false;
    const auto wanted = binder_of(psk, hello.first(hello.size() - binders_bytes));
    return wanted && equal(wanted->bytes(), binder);
}

}  // namespace fulmar::security
