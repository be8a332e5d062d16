// fuzz-links: admin
//
// Any bytes as a configuration file: either every problem is named, or what was read can be written
// and read again as the same.
#include <fulmar/admin/config.hpp>
#include <fulmar/base/assert.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fulmar::admin;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const config_outcome read = parse_config(text);
    if (!read) {
        FULMAR_ASSERT(!read.error().empty());
        FULMAR_ASSERT(!read.error().lines("file").front().empty());
        return 0;
    }
    const std::string written = render_config(text, read->spec);
    const config_outcome again = parse_config(written);
    FULMAR_ASSERT(again.has_value());
    FULMAR_ASSERT(again->spec == read->spec);
    FULMAR_ASSERT(again->options == read->options);
    return 0;
}
