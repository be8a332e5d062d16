// fuzz-links: security
//
// Any bytes as the text of a key, of either kind: it is refused, or written again as it was.
#include <fulmar/base/assert.hpp>
#include <fulmar/security/dhchap_key.hpp>
#include <fulmar/security/tls_psk.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fulmar::security;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto key = parse_tls_key(text)) {
        FULMAR_ASSERT(write_tls_key(*key).reveal_text() == text);
        FULMAR_ASSERT(derive_tls_psk(*key, "host", "subsystem", tls_identity_version::digest));
    }
    if (const auto key = parse_dhchap_key(text))
        FULMAR_ASSERT(write_dhchap_key(*key).reveal_text() == text);
    return 0;
}
