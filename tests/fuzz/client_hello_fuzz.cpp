// fuzz-links: security
//
// Any bytes as what a peer sends to a listener that speaks TLS, in pieces as it likes: the
// handshake moves on, waits or breaks, and nobody is in who does not have the key. The same bytes
// as a pre_shared_key extension, and as an identity.
#include "security/tls_hello.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/security/tls_session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace fulmar::security;

constexpr std::string_view fuzz_key =
    "NVMeTLSkey-1:01:VRLbtnN9AQb2WXW3c9+wEf/DRLz0QuLdbYvEhwtdWwNf9LrZ:";

/// Knows one host, by the key that the kept ClientHellos were made with.
class one_host final : public tls_psk_finder {
  public:
    std::vector<tls_psk> find(std::string_view identity) const override {
        std::vector<tls_psk> found;
        const auto offered = read_tls_identity(identity);
        if (!offered || offered->host_nqn != "nqn.psk-test-host") return found;
        auto psk = derive_tls_psk(*parse_tls_key(fuzz_key), offered->host_nqn,
                                  offered->subsystem_nqn, offered->version);
        if (psk && psk->suite == offered->suite) found.push_back(std::move(*psk));
        return found;
    }
};

class fed_wire final : public tls_wire {
  public:
    explicit fed_wire(std::span<const std::byte> bytes) : bytes_(bytes) {}
    tls_io receive_records(std::span<std::byte> into) noexcept override {
        if (bytes_.empty()) return {tls_io::outcome::ended, 0};
        // The first byte of what is left says how much comes at once; none, now and then.
        const auto most = std::to_integer<std::size_t>(bytes_.front());
        if (most % 16 == 7 && !std::exchange(waited_, true)) return {};
        waited_ = false;
        const std::size_t here = std::min({into.size(), bytes_.size(), most * 4 + 1});
        std::copy_n(bytes_.begin(), here, into.begin());
        bytes_ = bytes_.subspan(here);
        return {tls_io::outcome::moved, here};
    }
    bool put_records(std::span<const std::byte>) noexcept override { return true; }

  private:
    std::span<const std::byte> bytes_;
    bool waited_ = false;
};

void check_extension(std::span<const std::byte> bytes) {
    const auto read = read_offered_psks(bytes);
    if (!read) return;
    FULMAR_ASSERT(!read->identities.empty());
    FULMAR_ASSERT(read->identities.size() == read->binders.size());
    FULMAR_ASSERT(read->binders_bytes <= bytes.size());
    for (const auto identity : read->identities) (void)read_tls_identity(identity);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
    check_extension(bytes);
    (void)read_tls_identity({reinterpret_cast<const char*>(data), size});
    const one_host keys;
    fed_wire wire(bytes);
    const auto session = tls_session::accept(wire, keys);
    FULMAR_ASSERT(session.has_value());
    for (int i = 0; i < 1000; ++i) {
        const tls_io io = (*session)->shake_hands();
        FULMAR_ASSERT(io.what != tls_io::outcome::moved);  // it would need our random number
        if (io.what != tls_io::outcome::would_block) break;
    }
    FULMAR_ASSERT(!(*session)->is_open());
    return 0;
}
