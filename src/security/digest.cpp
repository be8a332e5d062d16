#include <fulmar/security/digest.hpp>
#include <fulmar/security/secret.hpp>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <memory>

namespace fulmar::security {

namespace {

const char* digest_name(nvme::dhchap_hash hash) noexcept {
    switch (hash) {
        case nvme::dhchap_hash::sha256: return "SHA256";
        case nvme::dhchap_hash::sha384: return "SHA384";
        case nvme::dhchap_hash::sha512: return "SHA512";
    }
    return "SHA512";
}

tl::unexpected<error> digest_failed() {
    return fail(errc::no_memory, "OpenSSL could not compute a digest");
}

const unsigned char* raw_bytes_of(std::span<const std::byte> bytes) noexcept {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

digest::~digest() { wipe(bytes_); }

result<digest> hash_of(nvme::dhchap_hash hash, std::span<const std::byte> data) {
    digest made;
    std::size_t size = 0;
    if (EVP_Q_digest(nullptr, digest_name(hash), nullptr, data.data(), data.size(),
                     reinterpret_cast<unsigned char*>(made.bytes_.data()), &size) != 1)
        return digest_failed();
    made.size_ = size;
    return made;
}

result<digest> hmac_of(nvme::dhchap_hash hash, std::span<const std::byte> key,
                       std::initializer_list<std::span<const std::byte>> parts) {
    const std::unique_ptr<EVP_MAC, void (*)(EVP_MAC*)> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr),
                                                           &EVP_MAC_free);
    if (!mac) return digest_failed();
    const std::unique_ptr<EVP_MAC_CTX, void (*)(EVP_MAC_CTX*)> context(EVP_MAC_CTX_new(mac.get()),
                                                                       &EVP_MAC_CTX_free);
    if (!context) return digest_failed();
    const std::array<OSSL_PARAM, 2> params{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                         const_cast<char*>(digest_name(hash)), 0),
        OSSL_PARAM_construct_end()};
    if (EVP_MAC_init(context.get(), raw_bytes_of(key), key.size(), params.data()) != 1)
        return digest_failed();
    for (const std::span<const std::byte> part : parts)
        if (!part.empty() && EVP_MAC_update(context.get(), raw_bytes_of(part), part.size()) != 1)
            return digest_failed();
    digest made;
    if (EVP_MAC_final(context.get(), reinterpret_cast<unsigned char*>(made.bytes_.data()),
                      &made.size_, made.bytes_.size()) != 1)
        return digest_failed();
    return made;
}

result<void> fill_random(std::span<std::byte> bytes) {
    if (RAND_priv_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                        static_cast<int>(bytes.size())) != 1)
        return fail(errc::unavailable, "the machine has no random numbers");
    return {};
}

}  // namespace fulmar::security
