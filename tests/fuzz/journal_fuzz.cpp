// fuzz-links: admin
//
// Any bytes as a segment of the journal: whole records or an explained error, and a replay of what
// was read.
#include "admin/journal_recovery.hpp"

#include <fulmar/base/assert.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fulmar::admin;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto segment = decode_segment(text, "journal");
    if (!segment) {
        FULMAR_ASSERT(!segment.error().remedy.empty());
        return 0;
    }
    FULMAR_ASSERT(segment->good_bytes + segment->torn_bytes == written_part(text).size());
    const replayed after = replay(segment->records, {}, "digest");
    std::string again;
    for (const journal_record& record : segment->records) again += encode(record);
    const auto decoded = decode_segment(again, "journal");
    FULMAR_ASSERT(decoded.has_value() && decoded->records.size() == segment->records.size());
    FULMAR_ASSERT(after.base_known || after.spec == fulmar::core::target_spec{});
    return 0;
}
