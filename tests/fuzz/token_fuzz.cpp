// fuzz-links: admin
//
// Any bytes as a file of tokens: either every problem is named, or what was read can be written and
// read again as the same, and nobody's guess is somebody's token.
#include "admin/token_book.hpp"

#include <fulmar/base/assert.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fulmar::admin;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto read = token_book::parse(text);
    if (!read) {
        FULMAR_ASSERT(!read.error().empty());
        FULMAR_ASSERT(!read.error().lines("file").front().empty());
        return 0;
    }
    const std::string written = read->text();
    const auto again = token_book::parse(written);
    FULMAR_ASSERT(again.has_value());
    FULMAR_ASSERT(again->text() == written);
    FULMAR_ASSERT(again->all().size() == read->all().size());
    FULMAR_ASSERT(read->find(text, 0) == nullptr);
    return 0;
}
