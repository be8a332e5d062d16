// Speaks REST to fulmard: over its UNIX socket, or over TCP with a token. One request at a time.
#pragma once

#include <fulmar/base/result.hpp>

#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace fulmar::cli {

struct rest_endpoint {
    /// "/run/fulmar/admin.sock", "http://127.0.0.1:8420", "https://host:8420"; empty: look around
    std::string address;
    std::string token_file;   ///< for TCP
    std::string ca;           ///< for https: whom to trust; empty: whom the system trusts
    std::string certificate;  ///< for https, instead of a token
    std::string key;          ///< its key
    double timeout_s = 30;
};

class rest_client {
  public:
    using json = nlohmann::ordered_json;

    /// Connects. Without an address: $FULMAR_ADMIN, the socket of the service, the one of ./dev
    /// run. Errors: unavailable, with what was tried.
    static result<rest_client> connect(const rest_endpoint& endpoint);
    rest_client(rest_client&&) noexcept;
    rest_client& operator=(rest_client&&) noexcept;
    ~rest_client();

    /// The answer's document; null when it has none. A problem document becomes an error.
    result<json> call(std::string_view method, const std::string& target,
                      const json* body = nullptr);

  private:
    class impl;
    explicit rest_client(std::unique_ptr<impl> parts);
    std::unique_ptr<impl> impl_;
};

/// One segment of a path, percent-encoded.
std::string path_segment(std::string_view text);

}  // namespace fulmar::cli
