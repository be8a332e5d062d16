#include "certificates.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>

namespace fulmar::test {

namespace {

using key_ptr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using x509_ptr = std::unique_ptr<X509, decltype(&X509_free)>;
using bio_ptr = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

std::string text_of(BIO* from) {
    char* text = nullptr;
    const long length = BIO_get_mem_data(from, &text);
    return {text, static_cast<std::size_t>(length)};
}

void add_extension(X509* to, X509* issuer, int which, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
    X509_EXTENSION* const one = X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str());
    if (one == nullptr) throw std::runtime_error("no such extension: " + value);
    X509_add_ext(to, one, -1);
    X509_EXTENSION_free(one);
}

x509_ptr parse(const std::string& text) {
    const bio_ptr from(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free_all);
    return {PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr), &X509_free};
}

key_ptr parse_key(const std::string& text) {
    const bio_ptr from(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free_all);
    return {PEM_read_bio_PrivateKey(from.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free};
}

/// By itself without an authority.
certificate make(const certificate_wishes& wishes, const certificate* authority) {
    const key_ptr key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    const x509_ptr made(X509_new(), &X509_free);
    X509_set_version(made.get(), 2);
    std::uint32_t serial = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), static_cast<long>(wishes.begins_s));
    X509_gmtime_adj(X509_getm_notAfter(made.get()), static_cast<long>(wishes.ends_s));
    X509_set_pubkey(made.get(), key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wishes.common_name.c_str()),
                               -1, -1, 0);
    const x509_ptr issuer =
        authority != nullptr ? parse(authority->text) : x509_ptr{nullptr, &X509_free};
    const key_ptr signer =
        authority != nullptr ? parse_key(authority->key) : key_ptr{nullptr, &EVP_PKEY_free};
    X509* const by = issuer ? issuer.get() : made.get();
    X509_set_issuer_name(made.get(), X509_get_subject_name(by));
    add_extension(made.get(), by, NID_basic_constraints,
                  authority != nullptr ? "CA:FALSE" : "critical,CA:TRUE");
    if (!wishes.alternative_names.empty())
        add_extension(made.get(), by, NID_subject_alt_name, wishes.alternative_names);
    if (X509_sign(made.get(), signer ? signer.get() : key.get(), EVP_sha256()) == 0)
        throw std::runtime_error("cannot sign a certificate");
    const bio_ptr certificate_text(BIO_new(BIO_s_mem()), &BIO_free_all);
    const bio_ptr key_text(BIO_new(BIO_s_mem()), &BIO_free_all);
    PEM_write_bio_X509(certificate_text.get(), made.get());
    PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return {text_of(certificate_text.get()), text_of(key_text.get())};
}

}  // namespace

certificate make_authority(const std::string& common_name) {
    return make({.common_name = common_name}, nullptr);
}

certificate make_certificate(const certificate_wishes& wishes, const certificate& authority) {
    return make(wishes, &authority);
}

std::string write_private(const std::string& path, const std::string& text) {
    const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    ::fchmod(fd, 0600);
    const bool whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::close(fd);
    if (!whole) throw std::runtime_error("cannot write " + path);
    return path;
}

}  // namespace fulmar::test
