#include "tls_client.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>

namespace fulmar::cli {

namespace {

std::string ssl_reason() {
    std::array<char, 256> text{};
    const unsigned long code = ::ERR_get_error();
    if (code == 0) return "the connection ended";
    ::ERR_error_string_n(code, text.data(), text.size());
    const char* const reason = ::ERR_reason_error_string(code);
    return reason != nullptr ? reason : text.data();
}

result<void> take_files(SSL_CTX* context, const tls_wishes& wishes) {
    const bool trusts = wishes.ca.empty() ? ::SSL_CTX_set_default_verify_paths(context) == 1
                                          : ::SSL_CTX_load_verify_locations(
                                                context, wishes.ca.c_str(), nullptr) == 1;
    if (!trusts)
        return fail(errc::invalid_argument, "cannot read certificates: " + ssl_reason(), wishes.ca);
    if (wishes.certificate.empty()) return {};
    const std::string& key = wishes.key.empty() ? wishes.certificate : wishes.key;
    if (::SSL_CTX_use_certificate_chain_file(context, wishes.certificate.c_str()) != 1)
        return fail(errc::invalid_argument, "cannot read the certificate: " + ssl_reason(),
                    wishes.certificate);
    if (::SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        ::SSL_CTX_check_private_key(context) != 1)
        return fail(errc::invalid_argument, "cannot use the key: " + ssl_reason(), key);
    return {};
}

bool expect_host(SSL* connection, const std::string& host) {
    in6_addr raw{};
    if (::inet_pton(AF_INET, host.c_str(), &raw) == 1 ||
        ::inet_pton(AF_INET6, host.c_str(), &raw) == 1)
        return ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(connection), host.c_str()) == 1;
    return ::SSL_set1_host(connection, host.c_str()) == 1 &&
           ::SSL_set_tlsext_host_name(connection, host.c_str()) == 1;
}

}  // namespace

struct tls_client::parts {
    std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> context{nullptr, &::SSL_CTX_free};
    std::unique_ptr<SSL, decltype(&::SSL_free)> connection{nullptr, &::SSL_free};

    /// What a call of OpenSSL has returned, as a socket's call returns it.
    [[nodiscard]] ssize_t outcome(int returned) const {
        if (returned > 0) return returned;
        const int why = ::SSL_get_error(connection.get(), returned);
        if (why == SSL_ERROR_ZERO_RETURN) return 0;
        // The socket's deadline has passed, or the connection is gone.
        if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
            errno = EAGAIN;
        else if (why != SSL_ERROR_SYSCALL || errno == 0)
            errno = EPROTO;
        return -1;
    }
};

tls_client::tls_client() = default;
tls_client::tls_client(tls_client&&) noexcept = default;
tls_client& tls_client::operator=(tls_client&&) noexcept = default;
tls_client::~tls_client() = default;

result<tls_client> tls_client::connect(int fd, const tls_wishes& wishes) {
    ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    auto made = std::make_unique<parts>();
    made->context.reset(::SSL_CTX_new(::TLS_client_method()));
    if (!made->context) return fail(errc::no_memory, "cannot begin TLS");
    ::SSL_CTX_set_min_proto_version(made->context.get(), TLS1_3_VERSION);
    ::SSL_CTX_set_verify(made->context.get(), SSL_VERIFY_PEER, nullptr);
    FULMAR_CHECK(take_files(made->context.get(), wishes));
    made->connection.reset(::SSL_new(made->context.get()));
    SSL* const connection = made->connection.get();
    if (connection == nullptr || !expect_host(connection, wishes.host) ||
        ::SSL_set_fd(connection, fd) != 1)
        return fail(errc::invalid_argument, "cannot begin TLS: " + ssl_reason(), wishes.host);
    if (::SSL_connect(connection) != 1) {
        const long verdict = ::SSL_get_verify_result(connection);
        if (verdict != X509_V_OK)
            return fail(errc::permission_denied,
                        fmt::format("its certificate is refused: {}",
                                    ::X509_verify_cert_error_string(verdict)),
                        wishes.host, "--ca names the file of who vouches for it");
        return fail(errc::unavailable, "no TLS 1.3 with it: " + ssl_reason(), wishes.host,
                    "is this a listener with a certificate?");
    }
    tls_client out;
    out.parts_ = std::move(made);
    return out;
}

ssize_t tls_client::read(void* into, std::size_t most) {
    errno = 0;
    const int length = static_cast<int>(std::min<std::size_t>(most, INT_MAX));
    return parts_->outcome(::SSL_read(parts_->connection.get(), into, length));
}

ssize_t tls_client::write(const void* from, std::size_t bytes) {
    errno = 0;
    const int length = static_cast<int>(std::min<std::size_t>(bytes, INT_MAX));
    return parts_->outcome(::SSL_write(parts_->connection.get(), from, length));
}

}  // namespace fulmar::cli
