// Unit tests of fulmar/nvme/crc32c.hpp.
#include <fulmar/nvme/crc32c.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string_view>
#include <vector>

namespace fulmar::nvme {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span{text.data(), text.size()});
}

TEST(crc32c, known_vectors) {
    EXPECT_EQ(crc32c_of(bytes_of("123456789")), 0xe306'9283u);
    EXPECT_EQ(crc32c_of({}), 0u);
    // RFC 3720, appendix B.4.
    std::array<std::byte, 32> block{};
    EXPECT_EQ(crc32c_of(block), 0x8a91'36aau);
    block.fill(std::byte{0xff});
    EXPECT_EQ(crc32c_of(block), 0x62a8'ab43u);
    for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<std::byte>(i);
    EXPECT_EQ(crc32c_of(block), 0x46dd'794eu);
}

TEST(crc32c, pieces_give_the_same_digest_as_the_whole) {
    std::vector<std::byte> data(997);
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 31);
    const std::uint32_t whole = crc32c_of(data);
    for (std::size_t cut = 0; cut <= data.size(); ++cut) {
        crc32c crc;
        crc.update(std::span{data}.first(cut));
        crc.update(std::span{data}.subspan(cut));
        ASSERT_EQ(crc.value(), whole) << cut;
    }
}

TEST(crc32c, reset_starts_over) {
    crc32c crc;
    crc.update(bytes_of("noise"));
    crc.reset();
    crc.update(bytes_of("123456789"));
    EXPECT_EQ(crc.value(), 0xe306'9283u);
}

}  // namespace
}  // namespace fulmar::nvme
