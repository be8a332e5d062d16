// Certificates for tests of TLS, made in a moment: an authority, and who it vouches for.
#pragma once

#include <cstdint>
#include <string>

namespace fulmar::test {

struct certificate_wishes {
    std::string common_name;
    std::string alternative_names = {};  ///< as OpenSSL writes them: "IP:127.0.0.1,URI:…"
    std::int64_t begins_s = -60;         ///< from now
    std::int64_t ends_s = 3600;
};

/// PEM texts.
struct certificate {
    std::string text;
    std::string key;
};

/// Vouches for others.
certificate make_authority(const std::string& common_name);
certificate make_certificate(const certificate_wishes& wishes, const certificate& authority);

/// Writes `text` with mode 0600, and returns `path`.
std::string write_private(const std::string& path, const std::string& text);

}  // namespace fulmar::test
