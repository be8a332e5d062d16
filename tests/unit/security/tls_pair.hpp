// Both sides of a TLS connection in one thread, over memory that may hand bytes on as it likes.
#pragma once

#include <fulmar/security/tls_session.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fulmar::test {

/// One side's end of the memory.
class memory_wire final : public security::tls_wire {
  public:
    std::deque<std::byte> in;
    memory_wire* other = nullptr;
    std::size_t at_a_time = 1 << 20;
    bool ended = false;

    security::tls_io receive_records(std::span<std::byte> into) noexcept override {
        using outcome = security::tls_io::outcome;
        if (in.empty()) return {ended ? outcome::ended : outcome::would_block, 0};
        const std::size_t bytes = std::min({into.size(), in.size(), at_a_time});
        std::copy_n(in.begin(), bytes, into.begin());
        in.erase(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(bytes));
        return {outcome::moved, bytes};
    }
    bool put_records(std::span<const std::byte> bytes) noexcept override {
        other->in.insert(other->in.end(), bytes.begin(), bytes.end());
        return true;
    }
};

inline security::tls_psk clone(const security::tls_psk& key) {
    return {key.identity, key.key.clone(), key.suite};
}

/// Keys by their identities, several for one where they cannot be told apart.
class psk_book final : public security::tls_psk_finder {
  public:
    std::multimap<std::string, security::tls_psk, std::less<>> keys;
    mutable std::vector<std::string> asked;

    void add(const security::tls_psk& key) { keys.emplace(key.identity, clone(key)); }
    std::vector<security::tls_psk> find(std::string_view identity) const override {
        asked.emplace_back(identity);
        std::vector<security::tls_psk> out;
        const auto [begin, end] = keys.equal_range(identity);
        for (auto at = begin; at != end; ++at) out.push_back(clone(at->second));
        return out;
    }
};

struct tls_pair {
    memory_wire host_wire;
    memory_wire target_wire;
    psk_book book;
    std::unique_ptr<security::tls_session> host;
    std::unique_ptr<security::tls_session> target;

    explicit tls_pair(const security::tls_psk& key) {
        host_wire.other = &target_wire;
        target_wire.other = &host_wire;
        host = std::move(*security::tls_session::connect(host_wire, clone(key)));
        target = std::move(*security::tls_session::accept(target_wire, book));
    }
    /// Until both have shaken hands, or nothing moves any more.
    bool shake_hands(unsigned steps = 2000) {
        using outcome = security::tls_io::outcome;
        for (unsigned i = 0; i < steps && !(host->is_open() && target->is_open()); ++i) {
            const auto h = host->is_open() ? outcome::moved : host->shake_hands().what;
            const auto t = target->is_open() ? outcome::moved : target->shake_hands().what;
            if (h == outcome::broken || t == outcome::broken) break;
        }
        return host->is_open() && target->is_open();
    }
};

inline std::string read_text(security::tls_session& from) {
    std::string text(40'000, '\0');
    const auto got = from.read(std::as_writable_bytes(std::span(text)));
    text.resize(got.bytes);
    return text;
}
inline bool write_text(security::tls_session& to, std::string_view text) {
    return to.write(std::as_bytes(std::span(text.data(), text.size()))).bytes == text.size();
}

}  // namespace fulmar::test
