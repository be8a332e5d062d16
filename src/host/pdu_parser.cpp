#include <fulmar/host/pdu_parser.hpp>

namespace fulmar::host {

bool pdu_parser::check_header_digest(std::span<const std::byte> from) noexcept {
    if (type_ == nvme::tcp::pdu_type::c2h_term_req) return true;  // never has one
    const std::uint32_t seen = nvme::crc32c_of(from.first(header_bytes_));
    const auto sent = nvme::read_wire<digest_field>(from.subspan(header_bytes_));
    if (sent && sent->value.value() == seen) return true;
    return bad(nvme::tcp::fatal_error::header_digest_error, sent ? sent->value.value() : 0);
}

}  // namespace fulmar::host
