#include "https_client.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/pem.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

namespace fulmar::test {

namespace {
using bio_text = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
bio_text open_text(const std::string& text) {
    return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free_all};
}
}  // namespace

https_client::https_client(std::uint16_t port, const std::string& authority, const certificate& own)
    : context_(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free),
      host_(fmt::format("127.0.0.1:{}", port)) {
    ::signal(SIGPIPE, SIG_IGN);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{60, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) return;
    X509* const trusted = PEM_read_bio_X509(open_text(authority).get(), nullptr, nullptr, nullptr);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), trusted);
    X509_free(trusted);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    if (!own.text.empty()) {
        X509* const mine = PEM_read_bio_X509(open_text(own.text).get(), nullptr, nullptr, nullptr);
        EVP_PKEY* const key =
            PEM_read_bio_PrivateKey(open_text(own.key).get(), nullptr, nullptr, nullptr);
        SSL_CTX_use_certificate(context_.get(), mine);
        SSL_CTX_use_PrivateKey(context_.get(), key);
        X509_free(mine);
        EVP_PKEY_free(key);
    }
    connection_.reset(SSL_new(context_.get()));
    SSL_set_fd(connection_.get(), fd_.get());
    connected_ = SSL_connect(connection_.get()) == 1;
}

std::string https_client::common_name() const {
    X509* const theirs = SSL_get1_peer_certificate(connection_.get());
    std::array<char, 256> name{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(theirs), NID_commonName, name.data(),
                              static_cast<int>(name.size()));
    X509_free(theirs);
    return name.data();
}

bool https_client::write(std::string_view bytes) {
    return SSL_write(connection_.get(), bytes.data(), static_cast<int>(bytes.size())) ==
           static_cast<int>(bytes.size());
}

bool https_client::more() {
    std::array<char, 4096> some{};
    const int got = SSL_read(connection_.get(), some.data(), static_cast<int>(some.size()));
    if (got > 0) buffer_.append(some.data(), static_cast<std::size_t>(got));
    return got > 0;
}

http_answer https_client::read() {
    http_answer out;
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
        if (!more()) return out;
    const std::string head = buffer_.substr(0, end);
    buffer_.erase(0, end + 4);
    std::size_t length = 0;
    if (const std::size_t at = head.find("Content-Length: "); at != std::string::npos)
        length = std::strtoull(head.c_str() + at + 16, nullptr, 10);
    while (buffer_.size() < length)
        if (!more()) return out;
    out.status = std::atoi(head.c_str() + 9);
    out.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return out;
}

std::string https_client::request(std::string_view target, std::string_view token) const {
    const std::string bearer =
        token.empty() ? "" : fmt::format("Authorization: Bearer {}\r\n", token);
    return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", target, host_, bearer);
}

http_answer https_client::get(std::string_view target, std::string_view token) {
    if (!write(request(target, token))) return {};
    return read();
}

}  // namespace fulmar::test
