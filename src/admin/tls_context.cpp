#include "tls_context.hpp"

#include "private_file.hpp"
#include "token_book.hpp"

#include <fulmar/admin/disk.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/base/log.hpp>

#include <boost/asio/buffer.hpp>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <string>

namespace fulmar::admin {

namespace {

namespace asio_ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr int most_of_chain = 4;  // certificates between a client's and the one that is trusted
constexpr std::int64_t soon_s = 14 * 86'400;

template <typename Object, void (*Free)(Object*)>
struct ssl_free {
    void operator()(Object* object) const noexcept { Free(object); }
};
using x509_ptr = std::unique_ptr<X509, ssl_free<X509, X509_free>>;
using bio_ptr = std::unique_ptr<BIO, ssl_free<BIO, BIO_free_all>>;

void free_names(GENERAL_NAMES* all) noexcept { GENERAL_NAMES_free(all); }
using names_ptr = std::unique_ptr<GENERAL_NAMES, ssl_free<GENERAL_NAMES, free_names>>;

error tls_error(const std::string& path, std::string message, const error_code& why) {
    return {errc::invalid_argument, fmt::format("{}: {}", message, why.message()), path,
            "`openssl x509 -in FILE -text` and `openssl pkey -in FILE -check` judge such files"};
}

result<std::string> read_certificates(const std::string& path) {
    FULMAR_TRY(std::string text, system_disk().read(path));
    if (text.size() <= limits::max_certificate_bytes) return text;
    return fail(errc::invalid_argument,
                fmt::format("is larger than {} bytes", limits::max_certificate_bytes), path);
}

std::int64_t end_of(const X509* certificate) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) return 0;
    return static_cast<std::int64_t>(::timegm(&parts));
}

result<void> take_certificate(asio_ssl::context& context, const admin_listener& listener) {
    FULMAR_TRY(const std::string chain, read_certificates(listener.certificate));
    error_code failure;
    context.use_certificate_chain(boost::asio::buffer(chain), failure);
    if (failure)
        return tl::unexpected(tls_error(listener.certificate, "is no certificate", failure));
    const std::int64_t ends = end_of(SSL_CTX_get0_certificate(context.native_handle()));
    const auto now = static_cast<std::int64_t>(std::time(nullptr));
    if (ends < now)
        log::error("rest: the certificate {} expired at {}", listener.certificate, utc_text(ends));
    else if (ends < now + soon_s)
        log::warn("rest: the certificate {} expires at {}", listener.certificate, utc_text(ends));
    return {};
}

result<void> take_key(asio_ssl::context& context, const admin_listener& listener) {
    FULMAR_TRY(std::string key,
               read_private_file(listener.key, "key", limits::max_certificate_bytes));
    error_code failure;
    // Nobody is there to be asked for the password of a key that has one.
    context.set_password_callback(
        [](std::size_t, asio_ssl::context::password_purpose) { return std::string(); }, failure);
    context.use_private_key(boost::asio::buffer(key), asio_ssl::context::pem, failure);
    OPENSSL_cleanse(key.data(), key.size());
    if (failure)
        return tl::unexpected(
            tls_error(listener.key, "is no key without a password for that certificate", failure));
    if (SSL_CTX_check_private_key(context.native_handle()) != 1)
        return fail(errc::invalid_argument, "belongs to another certificate", listener.key);
    return {};
}

result<void> take_client_ca(asio_ssl::context& context, const admin_listener& listener) {
    if (listener.client_ca.empty()) return {};
    FULMAR_TRY(const std::string trusted, read_certificates(listener.client_ca));
    error_code failure;
    context.add_certificate_authority(boost::asio::buffer(trusted), failure);
    if (failure) return tl::unexpected(tls_error(listener.client_ca, "is no certificate", failure));
    SSL_CTX* const native = context.native_handle();
    const bio_ptr text(BIO_new_mem_buf(trusted.data(), static_cast<int>(trusted.size())));
    while (const x509_ptr one{PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)})
        SSL_CTX_add_client_CA(native, one.get());  // so that clients know which one to choose
    // Who has none may have a token.
    SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_verify_depth(native, most_of_chain);
    return {};
}

void add_name(std::string kind, const ASN1_STRING* value, http_peer& peer) {
    unsigned char* utf8 = nullptr;
    const int length = ASN1_STRING_to_UTF8(&utf8, value);
    if (length < 0) return;
    std::string name(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(length));
    OPENSSL_free(utf8);
    // A NUL or a line end in it would make one name look like another.
    const bool clean = std::all_of(name.begin(), name.end(), [](char c) {
        return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
    });
    // Nor may one look like a whole subject, which is written with commas.
    const bool ambiguous = kind == "CN=" && name.find_first_of(",+\\") != std::string::npos;
    if (clean && !ambiguous && peer.certificate_names.size() < limits::max_certificate_names)
        peer.certificate_names.push_back(kind + name);
}

std::string whole_subject(const X509* certificate) {
    const bio_ptr out(BIO_new(BIO_s_mem()));
    if (!out ||
        X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0)
        return {};
    char* text = nullptr;
    const long length = BIO_get_mem_data(out.get(), &text);
    return {text, static_cast<std::size_t>(std::max(length, 0L))};
}

}  // namespace

result<std::shared_ptr<asio_ssl::context>> load_tls(const admin_listener& listener) {
    auto context = std::make_shared<asio_ssl::context>(asio_ssl::context::tls_server);
    SSL_CTX* const native = context->native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(native, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(native, 0);
    SSL_CTX_set_options(native, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
    FULMAR_CHECK(take_certificate(*context, listener));
    FULMAR_CHECK(take_key(*context, listener));
    FULMAR_CHECK(take_client_ca(*context, listener));
    return context;
}

void read_certificate(SSL* connection, http_peer& peer) {
    const x509_ptr certificate(SSL_get1_peer_certificate(connection));
    if (!certificate || SSL_get_verify_result(connection) != X509_V_OK) return;
    peer.certificate_names.push_back(whole_subject(certificate.get()));
    peer.certificate_ends_s = end_of(certificate.get());
    const X509_NAME* const subject = X509_get_subject_name(certificate.get());
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
        add_name("CN=", X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), peer);
    const names_ptr others(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; others && i < sk_GENERAL_NAME_num(others.get()); ++i) {
        const GENERAL_NAME* const one = sk_GENERAL_NAME_value(others.get(), i);
        if (one->type == GEN_DNS) add_name("DNS:", one->d.dNSName, peer);
        if (one->type == GEN_URI) add_name("URI:", one->d.uniformResourceIdentifier, peer);
        if (one->type == GEN_EMAIL) add_name("email:", one->d.rfc822Name, peer);
    }
}

}  // namespace fulmar::admin
