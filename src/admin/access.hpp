// Who may talk to the REST endpoint, and as what: peer credentials on the UNIX socket; over TCP a
// client certificate or a bearer token, and on loopback without TLS a Host and Origin that no web
// page of somebody else can have. Called on: admin thread.
#pragma once

#include "guess_limit.hpp"
#include "http.hpp"
#include "token_book.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/base/result.hpp>
#include <fulmar/base/unique_fd.hpp>

#include <tl/expected.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fulmar::admin {

/// A listening UNIX socket at `path` with mode `mode`. A stale socket file is replaced.
/// Errors: conflict when somebody answers there; invalid_argument when something else is there.
result<unique_fd> listen_unix(const std::string& path, std::uint32_t mode);

/// A listening TCP socket; `port` becomes the one that was bound.
result<unique_fd> listen_tcp(const std::string& address, std::uint16_t& port);

/// Reads a bearer token: one line of at least 16 characters.
/// Errors: permission_denied when others than its owner could have read the file, or written it.
result<std::string> read_token(const std::string& path);

/// Where named tokens are; empty when there is no place for them.
std::string tokens_path(const daemon_options& options, const std::string& config_path);

class access_rules {
  public:
    /// `tokens` is what tokens_path() says; when it cannot be read, no named token is valid.
    /// Errors: those of read_token.
    static result<access_rules> make(const admin_options& options, std::string tokens);

    /// Takes the token that the token file holds now. On an error the former one stays in force.
    /// Errors: those of read_token.
    result<void> reload_token();
    /// The same for the file of named tokens. Nothing when there is none of the two.
    /// Errors: those of read_private_file; invalid_argument when it says something else.
    result<void> reload_tokens();

    /// From now on client certificates may do that, on connections that are open too.
    void take_client_roles(std::vector<client_role> roles) { client_roles_ = std::move(roles); }

    /// Why a request is refused.
    struct refusal {
        std::uint16_t status;
        error why;
        std::uint32_t retry_after_s = 0;
    };
    using known = tl::expected<caller, refusal>;
    /// Who makes this request. A token that is none counts against its address.
    known identify(const http_request& request, instant now);

    [[nodiscard]] const token_book& tokens() const noexcept { return book_; }
    /// Reads the file, changes what it says by `edit`, writes it, and takes it; whoever has a token
    /// that is gone is refused from here on.
    /// Errors: those of `edit` and reload_tokens(); not_supported when there is no file; io_error.
    template <typename Edit>
    auto change_tokens(Edit&& edit) -> decltype(edit(*(token_book*)nullptr)) {
        FULMAR_TRY(token_book book, read_book());
        auto made = edit(book);
        if (made) FULMAR_CHECK(write_book(std::move(book)));
        return made;
    }

  private:
    [[nodiscard]] known check_local(const http_peer& peer) const;
    [[nodiscard]] std::optional<refusal> check_page(const http_request& request) const;
    [[nodiscard]] known check_certificate(const http_peer& peer) const;
    known check_token(const http_request& request, instant now);
    [[nodiscard]] result<token_book> read_book() const;
    result<void> write_book(token_book book);

    std::string token_file_;    // of the one token without a name
    std::string token_digest_;  // never the token itself
    std::string tokens_path_;
    token_book book_;
    std::vector<client_role> client_roles_;
    guess_limit guesses_;
    uid_t own_uid_ = 0;
    gid_t socket_gid_ = 0;
    bool group_may_ = false;
    bool others_may_ = false;
};

}  // namespace fulmar::admin
