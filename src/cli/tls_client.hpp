// TLS 1.3 of the tool, over a connected socket that blocks. One thread.
// Must never: talk to somebody whose certificate is not for the host that was named.
#pragma once

#include <fulmar/base/result.hpp>

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>

namespace fulmar::cli {

struct tls_wishes {
    std::string host;         ///< a name or an address
    std::string ca;           ///< PEM; empty: whom the system trusts
    std::string certificate;  ///< PEM; empty: none
    std::string key;          ///< PEM; empty: in the same file
};

class tls_client {
  public:
    tls_client();  ///< no TLS
    tls_client(tls_client&&) noexcept;
    tls_client& operator=(tls_client&&) noexcept;
    ~tls_client();

    /// Shakes hands over `fd`, which stays the caller's and outlives this.
    /// Errors: invalid_argument (a file); permission_denied (whom the certificate is for, who
    /// vouches for it); unavailable; timed_out.
    static result<tls_client> connect(int fd, const tls_wishes& wishes);

    [[nodiscard]] explicit operator bool() const noexcept { return parts_ != nullptr; }
    /// As recv() and send(): -1 and errno, 0 at the end.
    ssize_t read(void* into, std::size_t most);
    ssize_t write(const void* from, std::size_t bytes);

  private:
    struct parts;
    std::unique_ptr<parts> parts_;
};

}  // namespace fulmar::cli
