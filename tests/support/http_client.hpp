// A plain blocking HTTP/1.1 client for tests and load: UNIX socket or TCP, keep-alive, raw bytes
// when a test wants to be rude. One thread.
#pragma once

#include <fulmar/base/unique_fd.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fulmar::test {

struct http_answer {
    int status = 0;                              ///< 0: the connection ended without an answer
    std::map<std::string, std::string> headers;  ///< names in lower case
    std::string body;
};

class http_client {
  public:
    using headers = std::vector<std::pair<std::string, std::string>>;

    static http_client unix_socket(const std::string& path);
    static http_client tcp(const std::string& address, std::uint16_t port);

    /// A body makes it "Content-Type: application/json", unless `extra` has another.
    http_answer send(std::string_view method, std::string_view target, std::string_view body = {},
                     const headers& extra = {});
    void write(std::string_view bytes);
    http_answer read(bool head_only = false);
    [[nodiscard]] bool connected() const { return static_cast<bool>(fd_); }
    void close() { fd_.reset(); }
    std::string host = "localhost";

  private:
    bool more();
    unique_fd fd_;
    std::string buffer_;
};

}  // namespace fulmar::test
