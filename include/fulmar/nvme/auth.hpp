// The messages of DH-HMAC-CHAP, which Authentication Send and Receive carry.
// NVMe Base 2.0, section 8.13.5 (8.3.4.5 in 2.1 and later). Any thread; pure data.
// Must never: decide anything about them (security does).
#pragma once

#include <fulmar/nvme/endian.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace fulmar::nvme {

/// AUTH_TYPE.
enum class auth_type : std::uint8_t { common = 0x00, dhchap = 0x01 };

/// AUTH_ID, with the AUTH_TYPE that goes with it.
enum class auth_id : std::uint8_t {
    negotiate = 0x00,  ///< common, to the controller
    challenge = 0x01,  ///< dhchap, to the host
    reply = 0x02,      ///< dhchap, to the controller
    success1 = 0x03,   ///< dhchap, to the host
    success2 = 0x04,   ///< dhchap, to the controller
    failure2 = 0xf0,   ///< common, to the controller
    failure1 = 0xf1,   ///< common, to the host
};

/// AUTHID of a protocol descriptor.
inline constexpr std::uint8_t auth_protocol_dhchap = 0x01;

enum class dhchap_hash : std::uint8_t { sha256 = 0x01, sha384 = 0x02, sha512 = 0x03 };
inline constexpr std::array all_dhchap_hashes{dhchap_hash::sha256, dhchap_hash::sha384,
                                              dhchap_hash::sha512};
inline constexpr std::size_t dhchap_hash_bytes_max = 64;

[[nodiscard]] constexpr std::optional<dhchap_hash> parse_dhchap_hash(std::uint8_t raw) noexcept {
    if (raw < 1 || raw > 3) return std::nullopt;
    return static_cast<dhchap_hash>(raw);
}
/// Bytes of its digest.
[[nodiscard]] constexpr std::size_t size_of(dhchap_hash hash) noexcept {
    return hash == dhchap_hash::sha256 ? 32 : hash == dhchap_hash::sha384 ? 48 : 64;
}

/// The Diffie-Hellman groups of RFC 7919; `null`: none is used.
enum class dhchap_group : std::uint8_t {
    null = 0x00,
    ffdhe2048 = 0x01,
    ffdhe3072 = 0x02,
    ffdhe4096 = 0x03,
    ffdhe6144 = 0x04,
    ffdhe8192 = 0x05,
};
inline constexpr std::array all_dhchap_groups{dhchap_group::null,      dhchap_group::ffdhe2048,
                                              dhchap_group::ffdhe3072, dhchap_group::ffdhe4096,
                                              dhchap_group::ffdhe6144, dhchap_group::ffdhe8192};
inline constexpr std::size_t dhchap_public_bytes_max = 1024;

[[nodiscard]] constexpr std::optional<dhchap_group> parse_dhchap_group(std::uint8_t raw) noexcept {
    if (raw > 5) return std::nullopt;
    return static_cast<dhchap_group>(raw);
}
/// Bytes of a public value and of the shared secret: those of the group's prime. 0: null.
[[nodiscard]] constexpr std::size_t size_of(dhchap_group group) noexcept {
    constexpr std::array<std::size_t, 6> bytes{0, 256, 384, 512, 768, 1024};
    return bytes[static_cast<std::size_t>(group)];
}

/// Explanation of a failure; the only reason code is 1.
inline constexpr std::uint8_t auth_failure_reason = 0x01;
enum class auth_failure : std::uint8_t {
    failed = 0x01,
    no_usable_protocol = 0x02,
    concatenation_mismatch = 0x03,
    hash_unusable = 0x04,
    group_unusable = 0x05,
    incorrect_payload = 0x06,
    incorrect_message = 0x07,
};

/// SC_C: a secure channel made of what is agreed on here; 0: none.
inline constexpr std::uint8_t auth_no_secure_channel = 0x00;

/// What each message begins with.
struct auth_header {
    std::uint8_t type;
    std::uint8_t id;
    reserved<2> reserved_2;
    le16 t_id;
};
static_assert(sizeof(auth_header) == 6 && wire_type<auth_header>);
static_assert(offsetof(auth_header, t_id) == 4);

struct auth_negotiate {
    auth_header head;
    std::uint8_t sc_c;
    std::uint8_t napd;  ///< descriptors that follow
};
static_assert(sizeof(auth_negotiate) == 8 && wire_type<auth_negotiate>);

struct auth_protocol_descriptor {
    std::uint8_t authid;
    std::uint8_t reserved_1;
    std::uint8_t halen;
    std::uint8_t dhlen;
    std::array<std::uint8_t, 30> hashes;
    std::array<std::uint8_t, 30> groups;
};
static_assert(sizeof(auth_protocol_descriptor) == 64 && wire_type<auth_protocol_descriptor>);
static_assert(offsetof(auth_protocol_descriptor, hashes) == 4);
static_assert(offsetof(auth_protocol_descriptor, groups) == 34);

/// Followed by C1 (HL bytes) and the public value (DHVLEN bytes).
struct dhchap_challenge {
    auth_header head;
    std::uint8_t hl;
    std::uint8_t reserved_7;
    std::uint8_t hash;
    std::uint8_t group;
    le16 dhvlen;
    le32 seqnum;
};
static_assert(sizeof(dhchap_challenge) == 16 && wire_type<dhchap_challenge>);
static_assert(offsetof(dhchap_challenge, dhvlen) == 10);
static_assert(offsetof(dhchap_challenge, seqnum) == 12);

/// Followed by the response (HL bytes), C2 (HL bytes), and the public value (DHVLEN bytes).
struct dhchap_reply {
    auth_header head;
    std::uint8_t hl;
    std::uint8_t reserved_7;
    std::uint8_t cvalid;
    std::uint8_t reserved_9;
    le16 dhvlen;
    le32 seqnum;
};
static_assert(sizeof(dhchap_reply) == 16 && wire_type<dhchap_reply>);
static_assert(offsetof(dhchap_reply, cvalid) == 8 && offsetof(dhchap_reply, seqnum) == 12);

/// Followed by the response (HL bytes), whether or not RVALID says that there is one.
struct dhchap_success1 {
    auth_header head;
    std::uint8_t hl;
    std::uint8_t reserved_7;
    std::uint8_t rvalid;
    reserved<7> reserved_9;
};
static_assert(sizeof(dhchap_success1) == 16 && wire_type<dhchap_success1>);
static_assert(offsetof(dhchap_success1, rvalid) == 8);

struct dhchap_success2 {
    auth_header head;
    reserved<10> reserved_6;
};
static_assert(sizeof(dhchap_success2) == 16 && wire_type<dhchap_success2>);

/// Failure1 and Failure2.
struct auth_failure_message {
    auth_header head;
    std::uint8_t reason;
    std::uint8_t explanation;
    reserved<8> reserved_8;
};
static_assert(sizeof(auth_failure_message) == 16 && wire_type<auth_failure_message>);
static_assert(offsetof(auth_failure_message, explanation) == 7);

inline constexpr std::size_t auth_challenge_bytes_max =
    sizeof(dhchap_challenge) + dhchap_hash_bytes_max + dhchap_public_bytes_max;
inline constexpr std::size_t auth_reply_bytes_max =
    sizeof(dhchap_reply) + 2 * dhchap_hash_bytes_max + dhchap_public_bytes_max;

}  // namespace fulmar::nvme
