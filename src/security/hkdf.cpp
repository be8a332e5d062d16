#include "hkdf.hpp"

#include <array>

namespace fulmar::security {

result<digest> hkdf_extract(nvme::dhchap_hash hash, std::span<const std::byte> key) {
    const std::array<std::byte, nvme::dhchap_hash_bytes_max> salt{};
    return hmac_of(hash, std::span(salt).first(nvme::size_of(hash)), {key});
}

result<digest> hkdf_expand_label(nvme::dhchap_hash hash, std::span<const std::byte> key,
                                 std::size_t bytes, std::string_view label,
                                 std::span<const std::byte> context) {
    constexpr std::string_view prefix = "tls13 ";
    const std::array<std::byte, 3> head{static_cast<std::byte>(bytes >> 8),
                                        static_cast<std::byte>(bytes & 0xff),
                                        static_cast<std::byte>(prefix.size() + label.size())};
    const std::array<std::byte, 1> context_bytes{static_cast<std::byte>(context.size())};
    const std::array<std::byte, 1> first_block{std::byte{1}};
    return hmac_of(hash, key,
                   {head, bytes_of(prefix), bytes_of(label), context_bytes, context, first_block});
}

}  // namespace fulmar::security
