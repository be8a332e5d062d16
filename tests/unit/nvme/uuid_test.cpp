// Unit tests of fulmar/nvme/uuid.hpp.
#include <fulmar/nvme/uuid.hpp>

#include <gtest/gtest.h>

#include <type_traits>

namespace fulmar::nvme {
namespace {

static_assert(sizeof(uuid) == 16 && sizeof(eui64) == 8);
static_assert(!std::is_convertible_v<uuid, nguid> && !std::is_constructible_v<nguid, uuid>);
static_assert(uuid{}.is_nil());

TEST(uuid, text_round_trip) {
    const auto id = parse_uuid("F81D4FAE-7dec-11d0-a765-00a0c91e6bf6");
    ASSERT_TRUE(id);
    EXPECT_EQ(id->bytes[0], 0xf8);
    EXPECT_EQ(id->bytes[15], 0xf6);
    EXPECT_EQ(to_text(*id).view(), "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    EXPECT_FALSE(id->is_nil());
}

TEST(uuid, malformed_text_is_refused) {
    for (const std::string_view text :
         {"", "-", "f81d4fae-7dec-11d0-a765-00a0c91e6bf", "f81d4fae-7dec-11d0-a765-00a0c91e6bf60",
          "f81d4fae7-dec-11d0-a765-00a0c91e6bf6", "f81d4fae-7dec-11d0-a765_00a0c91e6bf6",
          "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}", "f81d4fae-7dec-11d0-a765-00a0c91e6bg6",
          "f81d4fae7dec11d0a76500a0c91e6bf6"})
        EXPECT_FALSE(parse_uuid(text)) << text;
}

TEST(uuid, nguid_and_eui64_text) {
    const auto id = parse_nguid("0123456789abcdef0123456789ABCDEF");
    ASSERT_TRUE(id);
    EXPECT_EQ(to_text(*id).view(), "0123456789abcdef0123456789abcdef");
    EXPECT_EQ(parse_nguid("01234567-89ab-cdef-0123-456789abcdef"), id);
    EXPECT_FALSE(parse_nguid("0123456789abcdef0123456789abcde"));
    const auto short_id = parse_eui64("0123456789abcdef");
    ASSERT_TRUE(short_id);
    EXPECT_EQ(to_text(*short_id).view(), "0123456789abcdef");
    EXPECT_FALSE(parse_eui64("0123456789abcdefg"));
}

TEST(uuid, host_id_text) {
    const auto id = parse_host_id("000102030405060708090a0B0C0D0E0F");
    ASSERT_TRUE(id);
    EXPECT_EQ(id->bytes[1], 1);
    EXPECT_EQ(id->bytes[15], 15);
    EXPECT_EQ(to_text(*id).view(), "000102030405060708090a0b0c0d0e0f");
    EXPECT_FALSE(parse_host_id("00010203-0405-0607-0809-0a0b0c0d0e0f"));
    EXPECT_FALSE(parse_host_id("000102030405060708090a0b0c0d0e0"));
}

TEST(uuid, derivation_is_version_5_and_differs_by_name_and_nsid) {
    const uuid one = derive_uuid("nqn.2026-01.io.fulmar:a", 1);
    EXPECT_EQ(one.bytes[6] >> 4, 5);
    EXPECT_EQ(one.bytes[8] >> 6, 2);
    EXPECT_EQ(one, derive_uuid("nqn.2026-01.io.fulmar:a", 1));
    EXPECT_NE(one, derive_uuid("nqn.2026-01.io.fulmar:a", 2));
    EXPECT_NE(one, derive_uuid("nqn.2026-01.io.fulmar:b", 1));
    EXPECT_NE(one, derive_uuid("nqn.2026-01.io.fulmar:a", 1u << 24));
    EXPECT_NE(one.bytes, derive_nguid("nqn.2026-01.io.fulmar:a", 1).bytes);
    EXPECT_EQ(derive_nguid("nqn.2026-01.io.fulmar:a", 1).bytes[8] & 3, 2);
}

// These values are in the hands of hosts (/dev/disk/by-id). If this fails, the code is wrong.
TEST(uuid, derivation_never_changes) {
    EXPECT_EQ(to_text(derive_uuid("nqn.2026-01.io.fulmar:a", 1)).view(),
              "3068f11c-4b0c-55a7-a8e9-aa74c8c95ffc");
    EXPECT_EQ(to_text(derive_nguid("nqn.2026-01.io.fulmar:a", 1)).view(),
              "9f162e0b62d05ba68ea45347f1d4729f");
}

}  // namespace
}  // namespace fulmar::nvme
