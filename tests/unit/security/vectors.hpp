// Values that an independent implementation has computed: Python's hmac, hashlib, zlib and base64,
// by the formulas of NVMe Base 2.0, section 8.13.5, written down anew:
//   key = bytes 1 to n; transformed = hmac(key, nqn + "NVMe-over-Fabrics")
//   response = hmac(transformed, Ca + le32(S) + le16(T_ID) + SC_C + text + nqn1 + NUL + nqn2)
//   with Ca = C, or hmac(hash(shared), C); C[i] = 7 i + hash id, shared[i] = 3 i + 1, 256 bytes
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace fulmar::test::dhchap_vectors {

inline constexpr std::string_view host_nqn =
    "nqn.2014-08.org.nvmexpress:uuid:fb9a1c0e-0000-4000-8000-000000000001";
inline constexpr std::string_view subsystem_nqn = "nqn.2026-11.io.fulmar:chap";

inline std::string hex_of(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte b : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(b));
    return text;
}

struct key_vector {
    int hh;
    std::size_t bytes;
    std::string_view text;
    std::string_view transformed;
};
inline constexpr key_vector keys[] = {
    {0, 32, "DHHC-1:00:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAl7OaH:",
     "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"},
    {1, 32, "DHHC-1:01:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAl7OaH:",
     "f4bebf1172426f642351113ff8321f2cc657838aa7de9fb00b3d1588fc8a369d"},
    {2, 48, "DHHC-1:02:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wyg3Bcw==:",
     "5e0a39df4fed78b890feef6157c261c655b34cfc4fbdb5f98e24c5a70b7ec3bc5a0054b25ecef36216798bcd529d"
     "0c25"},
    {3, 64,
     "DHHC-1:03:"
     "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/"
     "QJn7gCg=:",
     "54c582366d059815db8581c9bc87c182f5096afea2fdc4bca74775b2bcff9cfa1be9ca2aa759b6fede01f09f2002"
     "245d9bdc8d420b74acfc106806b489761f9a"},
    {1, 64,
     "DHHC-1:01:"
     "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLi8wMTIzNDU2Nzg5Ojs8PT4/"
     "QJn7gCg=:",
     "191d46d1ed82b0ba832f49f7cd2528a64a8350fc415e82849b7925b52f1e3fcc"},
};

/// With the second key of `keys`, S = 01020304h, T_ID = 0506h, SC_C = 0.
struct response_vector {
    int hash;
    bool shared;
    std::string_view of_host;
    std::string_view of_controller;
};
inline constexpr response_vector responses[] = {
    {1, false, "77b47090ce193692bee142b86a61013d0dc7a50f3be4f57162f4a1afa9bde7e1",
     "ce0578cd97be2da896cbded6f41bb819291702d1819f99aa12f195449bd8a77d"},
    {1, true, "031ed46f430e9bbbefec7354971f3be4fffb0473bf21898685af1a307c1e6be3",
     "de046adeb14f749b1eb724116c09fc41b8fb2cb06da7e342ceb4da7a3caee39e"},
    {2, false,
     "25a68af733b1bc51965c3d34f234ba350c5eceb0a19ddc11b585b47a9cee4d646c47962b5197c7da20f9e3dc10fd"
     "08a4",
     "08d136e920c9cbff1b6a3a4cc2b1ff468ef22ab117a583f30407cd1e4b11c78375db286ee6aefbd8499b3900aea4"
     "72df"},
    {2, true,
     "002a32dea6f51e1b46625905a50a599313f3144eb84d894f820137a646e51a930537685d4946de1fd09de5c6f2a9"
     "18d9",
     "1b82e58e5c5d8a871d17e1d000df599598916091ae6d5b4dd9a14c3c05a605350065a68bbf4fb1a74722e87ff8a5"
     "5422"},
    {3, false,
     "a5d3c833db38558810d10e7f4e1c4bdfb872c5aa35ab05cf3e90daff0caa6c04f25aaf6d09c1f21aa46ab8599084"
     "63d7c541c3c27caaa72a80a642d57ca7410f",
     "c2e50707b7ce30a695cb28d53fbeb941df541fd5e1633186ea92eb9ad55fcbed45ea08c0bea8da09bdf87d895f94"
     "38637179d5e2738a17fbcacf71993a7b5175"},
    {3, true,
     "6afcc0dbf0e6cddef99a877876ee7be84552b58d9f17e47f51148117d18c836f5182a9004311173c0d2555162128"
     "09a83b82c35b8bfea8d87502015c613f5532",
     "9b815318f1bd01aa9097c9c996338699a3e7697c03e192f1717096d2d0b6e3f43a4d93ee111353a3095fb7156c02"
     "8238b5d05e0f9f5beb29d1a16cf640f5892e"},
};

}  // namespace fulmar::test::dhchap_vectors
