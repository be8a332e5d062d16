#include <fulmar/security/key_exchange.hpp>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

namespace fulmar::security {

namespace {

const char* dh_group_name(nvme::dhchap_group group) noexcept {
    switch (group) {
        case nvme::dhchap_group::null: break;
        case nvme::dhchap_group::ffdhe2048: return "ffdhe2048";
        case nvme::dhchap_group::ffdhe3072: return "ffdhe3072";
        case nvme::dhchap_group::ffdhe4096: return "ffdhe4096";
        case nvme::dhchap_group::ffdhe6144: return "ffdhe6144";
        case nvme::dhchap_group::ffdhe8192: return "ffdhe8192";
    }
    return nullptr;
}

tl::unexpected<error> exchange_failed() {
    return fail(errc::no_memory, "OpenSSL could not make a Diffie-Hellman key");
}

template <typename T>
using dh_owned = std::unique_ptr<T, void (*)(T*)>;

dh_owned<EVP_PKEY_CTX> context_of(EVP_PKEY* key) noexcept {
    return {EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr), &EVP_PKEY_CTX_free};
}

}  // namespace

void key_exchange::free_key::operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }

result<key_exchange> key_exchange::begin(nvme::dhchap_group group) {
    const char* const name = dh_group_name(group);
    if (name == nullptr) return fail(errc::invalid_argument, "the null group exchanges nothing");
    const dh_owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr),
                                         &EVP_PKEY_CTX_free);
    EVP_PKEY* made = nullptr;
    const std::array<OSSL_PARAM, 2> params{
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(name), 0),
        OSSL_PARAM_construct_end()};
    if (!context || EVP_PKEY_keygen_init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_params(context.get(), params.data()) != 1 ||
        EVP_PKEY_generate(context.get(), &made) != 1)
        return exchange_failed();
    key_exchange one(group, key_pointer(made));
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(made, OSSL_PKEY_PARAM_PUB_KEY, &raw) != 1) return exchange_failed();
    const dh_owned<BIGNUM> value(raw, &BN_free);
    const auto bytes = static_cast<int>(size_of(group));
    if (BN_bn2binpad(value.get(), reinterpret_cast<unsigned char*>(one.public_.data()), bytes) !=
        bytes)
        return exchange_failed();
    return one;
}

// Null when it is no public value of the group, or memory is short.
key_exchange::key_pointer key_exchange::read_peer(std::span<const std::byte> peer) const noexcept {
    const dh_owned<BIGNUM> value(BN_bin2bn(reinterpret_cast<const unsigned char*>(peer.data()),
                                           static_cast<int>(peer.size()), nullptr),
                                 &BN_free);
    const dh_owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new(), &OSSL_PARAM_BLD_free);
    if (!value || !builder ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                        dh_group_name(group_), 0) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, value.get()) != 1)
        return nullptr;
    const dh_owned<OSSL_PARAM> params(OSSL_PARAM_BLD_to_param(builder.get()), &OSSL_PARAM_free);
    const dh_owned<EVP_PKEY_CTX> maker(EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr),
                                       &EVP_PKEY_CTX_free);
    EVP_PKEY* read = nullptr;
    if (!params || !maker || EVP_PKEY_fromdata_init(maker.get()) != 1 ||
        EVP_PKEY_fromdata(maker.get(), &read, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
        return nullptr;
    key_pointer key(read);
    const auto checker = context_of(key.get());
    if (!checker || EVP_PKEY_public_check(checker.get()) != 1) return nullptr;
    return key;
}

result<secret> key_exchange::shared_with(std::span<const std::byte> peer) const {
    if (peer.size() != size_of(group_))
        return fail(errc::invalid_argument, "the public value has another length than the group");
    const key_pointer other = read_peer(peer);
    if (!other) return fail(errc::invalid_argument, "that is no public value of the group");
    const auto context = context_of(key_.get());
    secret made(size_of(group_));
    std::size_t bytes = made.size();
    if (!context || made.empty() || EVP_PKEY_derive_init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_dh_pad(context.get(), 1) != 1 ||
        EVP_PKEY_derive_set_peer(context.get(), other.get()) != 1 ||
        EVP_PKEY_derive(context.get(), reinterpret_cast<unsigned char*>(made.fill().data()),
                        &bytes) != 1 ||
        bytes != made.size())
        return exchange_failed();
    return made;
}

}  // namespace fulmar::security
