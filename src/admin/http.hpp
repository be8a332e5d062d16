// HTTP as the rest of the admin layer sees it: values and one handler. Beast stays in
// http_server.cpp. Called on: admin thread.
#pragma once

#include <fulmar/admin/role.hpp>

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fulmar::admin {

/// Who is at the other end of a connection.
struct http_peer {
    bool over_tcp = false;
    bool over_tls = false;
    bool metrics_only = false;  ///< its listener serves nothing else
    std::string name;           ///< for logs: "uid 1000 pid 77", "127.0.0.1:53112"
    std::string address;        ///< TCP: whom guesses count against; IPv6: its network of 64 bits
    std::uint16_t port = 0;     ///< TCP: ours
    /// TLS: the names of a client certificate that was verified, the subject's first.
    std::vector<std::string> certificate_names;
    std::int64_t certificate_ends_s = 0;  ///< likewise, by the wall clock
    uid_t uid = 0;                        ///< UNIX socket: the kernel's word
    gid_t gid = 0;
    std::vector<gid_t> groups;  ///< supplementary
};

/// Who makes a request.
struct caller {
    role may = role::anyone;
    std::string name;           ///< for logs: "token monitoring", "uid 0 pid 77"
    bool owns_machine = false;  ///< root, or the daemon's own account
};

struct http_request {
    const http_peer* peer = nullptr;  ///< valid until the answer
    std::string method;
    std::string target;  ///< as sent: "/v1/subsystems/nqn…?durable=false"
    std::string body;
    bool http_1_1 = true;
    bool has_length = false;     ///< Content-Length or chunks announce a body
    bool proven = false;         ///< the request before it, of this connection, was authenticated
    bool authenticated = false;  ///< set by screen(): its peer has a role
    caller who;                  ///< likewise
    // Headers, empty when absent. One that is there twice is refused before it gets here.
    std::string host;
    std::string origin;
    std::string authorization;
    std::string accept;
    std::string content_type;
    std::string if_match;
    std::string if_none_match;
};

struct http_response {
    std::uint16_t status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    bool close = false;  ///< the connection ends after this one
};

class http_handler {
  public:
    using respond = std::function<void(http_response)>;

    /// Looks at a request before its body is read; an answer refuses it, and ends the connection.
    virtual std::optional<http_response> screen(http_request& head) = 0;

    /// Answers a whole request by calling `answer` once, now or later, on the admin thread. The
    /// next request of the connection is read only then.
    virtual void handle(http_request request, respond answer) = 0;

    /// What to send when the bytes are no HTTP, or too many (400, 408, 413, 431), or when there are
    /// too many connections (503).
    virtual http_response refuse(std::uint16_t status, std::string_view why) = 0;

  protected:
    ~http_handler() = default;
};

}  // namespace fulmar::admin
