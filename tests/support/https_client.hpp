// A blocking TLS client for tests of the administration: sends bytes as the test wants them, and
// reads answers. One thread.
#pragma once

#include "certificates.hpp"
#include "http_client.hpp"

#include <openssl/ssl.h>

#include <memory>

namespace fulmar::test {

class https_client {
  public:
    /// To 127.0.0.1; trusts `authority` alone. `own` may be empty. Look at connected().
    https_client(std::uint16_t port, const std::string& authority, const certificate& own = {});

    [[nodiscard]] bool connected() const noexcept { return connected_; }
    /// "TLSv1.3"
    [[nodiscard]] std::string version() const { return SSL_get_version(connection_.get()); }
    /// Of the server's certificate.
    [[nodiscard]] std::string common_name() const;
    bool write(std::string_view bytes);
    /// Status 0: the connection has ended.
    http_answer read();
    http_answer get(std::string_view target, std::string_view token = {});
    [[nodiscard]] std::string request(std::string_view target, std::string_view token = {}) const;

  private:
    bool more();
    unique_fd fd_;
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
    std::unique_ptr<SSL, decltype(&SSL_free)> connection_{nullptr, &SSL_free};
    std::string host_;
    std::string buffer_;
    bool connected_ = false;
};

}  // namespace fulmar::test
