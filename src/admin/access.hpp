// Who may talk to the REST endpoint: peer credentials on the UNIX socket; on TCP a bearer token,
// and a Host and Origin that no web page of somebody else can have. Called on: admin thread.
#pragma once

#include "http.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/base/unique_fd.hpp>

#include <cstdint>
#include <string>

namespace fulmar::admin {

/// A listening UNIX socket at `path` with mode `mode`. A stale socket file is replaced.
/// Errors: conflict when somebody answers there; invalid_argument when something else is there.
result<unique_fd> listen_unix(const std::string& path, std::uint32_t mode);

/// A listening TCP socket; `port` becomes the one that was bound.
result<unique_fd> listen_tcp(const std::string& address, std::uint16_t& port);

/// Reads a bearer token: one line of at least 16 characters.
/// Errors: permission_denied when others than its owner could have read the file, or written it.
result<std::string> read_token(const std::string& path);

class access_rules {
  public:
    /// Errors: those of read_token.
    static result<access_rules> make(const admin_options& options, std::uint16_t tcp_port);

    /// Takes the token that the file holds now. On an error the former one stays in force.
    /// Errors: those of read_token.
    result<void> take_token(const std::string& path);

    /// Why the request is refused; nothing when it may go on. `public_route`: needs no token.
    struct refusal {
        std::uint16_t status;
        error why;
    };
    [[nodiscard]] std::optional<refusal> check(const http_request& request,
                                               bool public_route) const;

  private:
    [[nodiscard]] std::optional<refusal> check_local(const http_peer& peer) const;
    [[nodiscard]] std::optional<refusal> check_token(const std::string& authorization) const;
    [[nodiscard]] bool names_us(std::string_view host) const;

    std::string token_digest_;  // never the token itself
    std::uint16_t tcp_port_ = 0;
    uid_t own_uid_ = 0;
    gid_t socket_gid_ = 0;
    bool group_may_ = false;
    bool others_may_ = false;
};

}  // namespace fulmar::admin
